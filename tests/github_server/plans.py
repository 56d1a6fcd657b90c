"""What a pull request holds: its words, commits and edits. A pure function of its fate and of its repository's name."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from github_server import words
from github_server.content import MODULES, SLOTS, Edit, module_path, tests_path
from github_server.fates import Claim, Fate, Shape, earlier_pull

HOST = "https://github.com"
_HOUR = 3_600
_DAY = 86_400
_BODY_FORMS = (
    "Fixes #{n}",
    "fixes: #{n}",
    "Closes #{n}.",
    "This resolves {repo}#{n}, and adds a test.",
    "Fixes {host}/{repo}/issues/{n}",
    "* closes #{n}\n* adds a test",
    "Fix #{n}",
    "Resolved GH-{n}",
)
_COMMIT_FORMS = ("fixes #{n}", "Closes #{n}", "This fixes #{n}.")


@dataclass(frozen=True)
class PlannedCommit:
    """`authored` and `committed` are Unix seconds. `merges_main`: it takes in the main branch, and edits nothing."""

    message: str
    authored: int
    committed: int
    author: str
    edits: tuple[Edit, ...]
    merges_main: bool = False


@dataclass(frozen=True)
class Remark:
    """A comment. `edited` is 0, or when its body became what it is; before that it was `first_body`.

    `leaks` is the number of the pull request that it gives away, or 0.
    """

    author: str | None
    created: int
    body: str
    edited: int = 0
    first_body: str = ""
    leaks: int = 0


@dataclass(frozen=True)
class Plan:
    """A pull request of a repository. `author` is None where the account was deleted, and so may be its fork."""

    fate: Fate
    title: str
    body: str
    author: str | None
    fork_deleted: bool
    merged_by: str
    branch: str
    labels: tuple[str, ...]
    commits: tuple[PlannedCommit, ...]
    remarks: tuple[Remark, ...]
    merge_hidden: bool
    """The service does not name its merge commit."""

    @property
    def number(self) -> int:
        return self.fate.number

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted({edit.path for commit in self.commits for edit in commit.edits}))

    @property
    def begun(self) -> int:
        """When the first commit was written, or the pull request opened if that was earlier."""
        return min(self.fate.created, *(commit.authored for commit in self.commits))


def plan_of(shape: Shape, repo: str, fate: Fate) -> Plan:
    draw = random.Random(f"{shape.seed}:{fate.number}:plan")
    modules = draw.sample(range(MODULES), draw.choice((1, 1, 2, 3)))
    slots = {module: draw.randint(1, SLOTS) for module in modules}
    author = draw.choice(words.LOGINS)
    title, body = _words(shape, repo, fate, draw, modules[0], slots[modules[0]])
    return Plan(
        fate=fate,
        title=title,
        body=body,
        author=None if draw.random() < 0.03 else author,
        fork_deleted=draw.random() < 0.1,
        merged_by=draw.choice(words.MAINTAINERS),
        branch=f"area-{slots[modules[0]]}-{draw.randrange(1000)}",
        labels=tuple(sorted(draw.sample(words.LABELS, draw.choice((0, 0, 1, 2))))),
        commits=tuple(_commits(fate, draw, slots, f"{author} <{author}@sums.example>")),
        remarks=tuple(_remarks(fate, draw)),
        merge_hidden=fate.how == "squash" and not fate.gone and draw.random() < 0.02,
    )


def _commits(fate: Fate, draw: random.Random, slots: dict[int, int], author: str) -> Iterable[PlannedCommit]:
    """Some before the pull request was opened, some after; the tests come last."""
    end = (fate.closed or fate.created + _DAY) - 600
    first = fate.created - draw.randrange(600, 2 * _DAY)
    gap = max(1, (min(end, fate.created + 2 * _DAY) - first) // (fate.commits + 1))
    merging = fate.commits - 2 if fate.merges_main else -1
    tested = draw.random() < 0.85
    for position in range(fate.commits):
        at = first + position * gap
        last = position == fate.commits - 1
        if position == merging:
            yield PlannedCommit("Merge branch 'main' into work", at, at, author, (), merges_main=True)
            continue
        edits = _edits(fate, slots, position, last=last, tested=tested)
        yield PlannedCommit(_message(fate, draw, position, slots), at, at + draw.randrange(60), author, tuple(edits))


def _edits(fate: Fate, slots: dict[int, int], revision: int, *, last: bool, tested: bool) -> Iterable[Edit]:
    modules = list(slots)
    touched = modules if last else [modules[revision % len(modules)]]
    if fate.wide and last:
        yield from (Edit(module_path(module), 0, fate.number, revision) for module in range(MODULES))
    for module in touched:
        yield Edit(module_path(module), slots[module], fate.number, revision)
        if last and tested:
            yield Edit(tests_path(module), slots[module], fate.number, revision)


def _message(fate: Fate, draw: random.Random, position: int, slots: dict[int, int]) -> str:
    module = next(iter(slots))
    text = f"{draw.choice(('Rework', 'Correct', 'Guard', 'Simplify'))} area_{slots[module]}, step {position + 1}"
    if fate.claim is Claim.COMMIT and position == 0:
        return f"{text}\n\n{draw.choice(_COMMIT_FORMS).format(n=fate.targets[0])}\n"
    return f"{text}\n\n{words.sentences(draw, 1, 2)}\n" if draw.random() < 0.3 else f"{text}\n"


def _words(shape: Shape, repo: str, fate: Fate, draw: random.Random, module: int, area: int) -> tuple[str, str]:
    title = f"Correct area_{area} of mod_{module:03} for {draw.choice(('short', 'long', 'odd', 'mixed'))} lists"
    if fate.claim is Claim.TITLE:
        title = f"Fix #{fate.targets[0]}: area_{area} of mod_{module:03}"
    parts = [words.sentences(draw, 1, 3), _claimed(shape, repo, fate, draw), words.sentences(draw, 0, 2)]
    if draw.random() < 0.2:
        parts.append("<!-- Please describe your change above. -->\n- [x] I have read the guide\n- [ ] Change log")
    return title, "\n\n".join(filter(None, parts)) if draw.random() > 0.03 or fate.targets else ""


def _claimed(shape: Shape, repo: str, fate: Fate, draw: random.Random) -> str:
    """What the body says of the issues."""
    first = fate.targets[0] if fate.targets else 1
    form = draw.choice(_BODY_FORMS).format(n=first, repo=repo, host=HOST)
    other = earlier_pull(shape, fate.number)
    texts = {
        Claim.BODY: form,
        Claim.LOOSE: f"This fixes the issue #{first}.",
        Claim.SEVERAL: ", ".join(f"fixes #{number}" for number in fate.targets),
        Claim.MANY: "\n".join(f"- closes #{number}" for number in fate.targets),
        Claim.CODE: f"```\ngit commit -m 'Fixes #{first}'\n```",
        Claim.HIDDEN: f"<!-- e.g. Fixes #{first} -->",
        Claim.FOREIGN: f"Fixes {FOREIGN_REPO}#1",
        Claim.PULL: f"Fixes #{other}",
        Claim.MENTION: f"See #{first} for what was said before.",
    }
    return texts.get(fate.claim, "")


FOREIGN_REPO = "commons/archive"
"""Another repository, which every world has."""


def _remarks(fate: Fate, draw: random.Random) -> Iterable[Remark]:
    for _ in range(draw.choice((0, 0, 1, 2))):
        yield Remark(draw.choice(words.LOGINS), fate.created + draw.randrange(60, 3 * _DAY), words.reply(draw))
    if fate.closed and draw.random() < 0.1:
        late = fate.closed + draw.randrange(20 * _DAY, 400 * _DAY)
        yield Remark(draw.choice(words.LOGINS), late, words.reply(draw))
