"""What an issue holds: its texts over time, what closed it, what was said. A pure function of the seed and the number.

Times are Unix seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from github_server import words
from github_server.content import MODULES, SLOTS, telling_line
from github_server.fates import MAIN, Claim, Fate, Shape, claimants, created_at
from github_server.numbering import BLOCK
from github_server.plans import HOST, Remark, plan_of

_HOUR = 3_600
_DAY = 86_400

_MANY_REMARKS = 130  # more than a page shows

OidOf = Callable[[int, int], str]
"""The id of a pull request's commit at a position."""


class History(StrEnum):
    """What the service still has of an issue's earlier bodies."""

    WHOLE = "whole"
    DELETED = "deleted"  # one of them was deleted by hand: when it was written is known, its text is not
    NO_ORIGIN = "no_origin"  # all but the first
    LOST = "lost"  # none, though it was edited


@dataclass(frozen=True)
class Revision:
    """A body or a title, from a moment on."""

    at: int
    text: str


@dataclass(frozen=True)
class Closing:
    """`by` is `pull`, `commit`, or empty for a person; `opened` whether it was opened again right before."""

    at: int
    by: str = ""
    pull: int = 0


@dataclass(frozen=True)
class Story:
    """`bodies` and `titles` start with the first. `deleted` is the position of a body that the service lost."""

    number: int
    created: int
    author: str | None
    bodies: tuple[Revision, ...]
    titles: tuple[Revision, ...]
    history: History
    deleted: int
    closings: tuple[Closing, ...]
    reopenings: tuple[int, ...]
    remarks: tuple[Remark, ...]
    labels: tuple[str, ...]
    mentions: tuple[Fate, ...]
    """Pull requests whose words name the issue: the service shows each as a reference."""

    def moments(self) -> Iterable[int]:
        """When anything happened to it."""
        yield self.created
        for revision in (*self.bodies, *self.titles):
            yield revision.at
        yield from (closing.at for closing in self.closings)
        yield from self.reopenings
        yield from (remark.created for remark in self.remarks)


def solver(shape: Shape, issue: int) -> Fate | None:
    """The pull request whose merge closed the issue: the first of those that the service takes for a claim."""
    return next((fate for fate in claimants(shape, issue) if closes(fate)), None)


def closes(fate: Fate) -> bool:
    """Whether merging it closes its issues. The service looks at the default branch only, and reads no titles, so a
    title counts where it becomes part of the message of a commit."""
    if not fate.merged or fate.base != MAIN or fate.claim is Claim.LOOSE:
        return False
    return fate.claim is not Claim.TITLE or fate.how != "rebase"


def story_of(shape: Shape, repo: str, number: int, oid_of: OidOf) -> Story:
    draw = random.Random(f"{shape.seed}:{number}:story")
    created = created_at(shape, number)
    module, area = draw.randrange(MODULES), draw.randint(1, SLOTS)
    bodies = _bodies(draw, created, words.report(draw, module, area))
    closer = solver(shape, number)
    much_discussed = number % (BLOCK * shape.period) == 1 + 4 * BLOCK
    remarks = _remarks(draw, shape, repo, created, closer, oid_of, much_discussed=much_discussed)
    closings, reopenings = _closings(draw, created, closer)
    return Story(
        number=number,
        created=created,
        author=None if draw.random() < 0.03 else draw.choice(words.LOGINS),
        bodies=bodies,
        titles=_titles(draw, created, words.problem(draw, module, area)),
        history=_history(draw, len(bodies)),
        deleted=draw.randrange(max(1, len(bodies) - 1)),
        closings=closings,
        reopenings=reopenings,
        remarks=tuple(sorted(remarks, key=lambda each: each.created)),
        labels=tuple(sorted(draw.sample(words.LABELS, draw.choice((0, 1, 2))))),
        mentions=tuple(fate for fate in claimants(shape, number) if fate.claim not in (Claim.MANUAL, Claim.CLOSER)),
    )


def _bodies(draw: random.Random, created: int, text: str) -> tuple[Revision, ...]:
    found = [Revision(created, text)]
    for at in _moments(draw, created, draw.choice((0, 0, 0, 1, 1, 2))):
        found.append(Revision(at, words.amended(found[-1].text, draw)))
    return tuple(found)


def _titles(draw: random.Random, created: int, text: str) -> tuple[Revision, ...]:
    later = _moments(draw, created, draw.choice((0, 0, 0, 0, 1, 2)))
    return (Revision(created, text), *(Revision(at, f"{text} (case {draw.randrange(1000)})") for at in later))


def _moments(draw: random.Random, created: int, count: int) -> list[int]:
    """Soon, or much later than anything else."""
    spans = (draw.choice((2 * _HOUR, 4 * _DAY, 300 * _DAY)) for _ in range(count))
    return sorted(created + draw.randrange(60, span) for span in spans)


def _history(draw: random.Random, bodies: int) -> History:
    if bodies == 1:
        return History.WHOLE
    return draw.choices((History.WHOLE, History.DELETED, History.NO_ORIGIN, History.LOST), (60, 16, 12, 12))[0]


def _closings(draw: random.Random, created: int, closer: Fate | None) -> tuple[tuple[Closing, ...], tuple[int, ...]]:
    if closer is None:
        return ((Closing(created + draw.randrange(_HOUR, 40 * _DAY)),), ()) if draw.random() < 0.4 else ((), ())
    merged = Closing(closer.merged + 2, "commit" if _by_commit(closer) else "pull", closer.number)
    turn = draw.random()
    if turn < 0.05:  # by hand, in vain
        early = created + (closer.merged - created) // 3
        return (Closing(early), merged), (early + 60,)
    if turn < 0.12:  # once more, by hand, which hides the first
        return (merged, Closing(merged.at + 2 * _DAY)), (merged.at + _DAY,)
    return (merged,), ()


def _by_commit(fate: Fate) -> bool:
    return fate.claim in (Claim.COMMIT, Claim.TITLE)


def _remarks(
    draw: random.Random,
    shape: Shape,
    repo: str,
    created: int,
    closer: Fate | None,
    oid_of: OidOf,
    *,
    much_discussed: bool,
) -> Iterable[Remark]:
    count = _MANY_REMARKS if much_discussed else draw.choice((0, 1, 2, 3, 4, 6))
    for _ in range(count):
        at = created + draw.randrange(60, draw.choice((_HOUR, 2 * _DAY, 60 * _DAY)))
        edited = at + draw.randrange(60, 200 * _DAY) if draw.random() < 0.08 else 0
        text = words.reply(draw)
        yield Remark(_author(draw), at, text + " (edited)" if edited else text, edited, text)
    if closer is not None and draw.random() < 0.3:
        yield _leak(draw, shape, repo, created, closer, oid_of)


def _author(draw: random.Random) -> str | None:
    turn = draw.random()
    if turn < 0.05:
        return None
    return draw.choice((*words.BOTS, words.BOT_ACCOUNT)) if turn < 0.13 else draw.choice(words.LOGINS)


def _leak(draw: random.Random, shape: Shape, repo: str, created: int, closer: Fate, oid_of: OidOf) -> Remark:
    """A comment from before the fix that gives it away: by an edit after the fact, or by a line of it."""
    begun = plan_of(shape, repo, closer).begun
    at = max(created + 1, begun - draw.randrange(_HOUR, _DAY))
    first = words.reply(draw)
    told = draw.choice(("url", "sha", "line"))
    if told == "line":
        line = telling_line(closer.number, closer.commits - 1)
        return Remark(draw.choice(words.LOGINS), at, f"{first}\n\n{line}\n", leaks=closer.number)
    oid = oid_of(closer.number, closer.commits - 1)
    link = f"{HOST}/{repo}/pull/{closer.number}" if told == "url" else f"{oid[:10]}"
    return Remark(
        draw.choice(words.LOGINS), at, f"{first}\n\nEdit: see {link}", closer.merged + 60, first, leaks=closer.number
    )
