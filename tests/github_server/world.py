"""A generated service: repositories with everything that a hosting service knows of them, and what is true of them.

The service shows the state at `World.now`; what happens later is not there yet. Moving `now` on is how tests let time
pass: pull requests are opened, merged and commented on, and move to the top of lists by their last update.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from github_server.fates import END, START, Fate, Shape, created_at, fate_of
from github_server.gitworld import GitWorld
from github_server.importing import open_repository
from github_server.numbering import is_pull, issues_up_to, pulls_up_to
from github_server.plans import FOREIGN_REPO, Plan, plan_of
from github_server.stories import Story, solver, story_of
from github_server.truth import Truth, early_comments, links_of, statement_at

_KEPT = 400  # plans, and stories, in memory: some pages, of each of many repositories
Made = TypeVar("Made")


@dataclass(frozen=True)
class Traits:
    """What else there is to say of a repository. `license` is an SPDX identifier, `created` Unix seconds."""

    archived: bool = False
    private: bool = False
    license: str = "MIT"
    stars: int = 1200
    former_names: tuple[str, ...] = ()
    language: str = "Python"
    contributors: int = 24
    created: int = START
    code_bytes: int = 400_000


class Repository:
    """One repository, at whatever moment its world shows."""

    def __init__(self, index: int, name: str, shape: Shape, git: GitWorld, traits: Traits) -> None:
        self.index = index
        self.name = name
        self.shape = shape
        self.git = git
        self.traits = traits
        self.now = END
        self._plans: OrderedDict[int, Plan] = OrderedDict()
        self._stories: OrderedDict[int, Story] = OrderedDict()
        self._orders: dict[tuple[str, str, str], array[int]] = {}

    def at(self, now: int) -> None:
        """Show the state at that moment (Unix seconds)."""
        self.now = now
        self._orders.clear()

    @property
    def last_number(self) -> int:
        """The newest issue or pull request that there is by now."""
        numbers = range(1, self.shape.last_number + 1)
        return bisect_right(numbers, self.now, key=lambda number: created_at(self.shape, number))

    def has(self, number: int) -> bool:
        return 0 < number <= self.shape.last_number and created_at(self.shape, number) <= self.now

    def fate(self, number: int) -> Fate:
        """As of now: what has not happened yet is not in it."""
        fate = fate_of(self.shape, number)
        if fate.closed <= self.now:
            return fate
        return replace(fate, merged=0, closed=0)

    def plan(self, number: int) -> Plan:
        """Of a pull request, with its whole future."""
        return _kept(self._plans, number, self._plan)

    def story(self, number: int) -> Story:
        """Of an issue, with its whole future."""
        return _kept(self._stories, number, self._story)

    def _plan(self, number: int) -> Plan:
        return plan_of(self.shape, self.name, fate_of(self.shape, number))

    def _story(self, number: int) -> Story:
        return story_of(self.shape, self.name, number, self.git.oids.commit)

    def solver(self, issue: int) -> Fate | None:
        """What has closed the issue by now, if it was a pull request."""
        found = solver(self.shape, issue)
        return found if found and found.merged <= self.now else None

    # --- lists

    def ordered(self, kind: str, states: str, field: str) -> array[int]:
        """`pulls` or `issues` in a state (OPEN, CLOSED, MERGED; joined with `|`), ascending by `created` or `updated`.

        Each entry is the moment shifted left by 32 bits, plus the number.
        """
        key = (kind, states, field)
        if key not in self._orders:
            numbers = (pulls_up_to if kind == "pulls" else issues_up_to)(self.last_number)
            wanted = states.split("|")
            found = (n for n in numbers if self.state(n) in wanted)
            moment = self.updated if field == "updated" else lambda number: created_at(self.shape, number)
            self._orders[key] = array("q", sorted((moment(number) << 32) + number for number in found))
        return self._orders[key]

    def state(self, number: int) -> str:
        if is_pull(number):
            fate = self.fate(number)
            return "MERGED" if fate.merged else "CLOSED" if fate.closed else "OPEN"
        story = self.story(number)
        closed = sum(closing.at <= self.now for closing in story.closings)
        return "CLOSED" if closed > sum(at <= self.now for at in story.reopenings) else "OPEN"

    def updated(self, number: int) -> int:
        """When something last happened to it."""
        if not is_pull(number):
            return max(at for at in self.story(number).moments() if at <= self.now)
        fate = self.fate(number)
        remarks = (remark.created for remark in self.plan(number).remarks if remark.created <= self.now)
        return max(fate.created, fate.closed, *remarks, 0)

    # --- what is true

    def merged(self) -> list[int]:
        """Numbers of all merged pull requests."""
        return [entry & 0xFFFFFFFF for entry in self.ordered("pulls", "MERGED", "created")]

    def truth(self, number: int) -> Truth:
        """Of a merged pull request."""
        plan, fate, oids = self.plan(number), self.fate(number), self.git.oids
        links = links_of(fate, self.solver)
        stories = {issue: self.story(issue) for issue in links}
        return Truth(
            number=number,
            base_commit=oids.of_mark(self.git.merged_on[number]),
            merge_commit=oids.landed(fate),
            how_merged=fate.how,
            head=oids.commit(number, fate.commits - 1),
            on_branch=not fate.gone,
            commits=tuple(oids.commit(number, position) for position in range(fate.commits)),
            links=links,
            statements={issue: statement_at(story, fate.created) for issue, story in stories.items()},
            hints={issue: early_comments(story, plan, leaking=False) for issue, story in stories.items()},
            leaks={issue: early_comments(story, plan, leaking=True) for issue, story in stories.items()},
        )

    def truths(self) -> Iterator[Truth]:
        return (self.truth(number) for number in self.merged())


class World:
    """All repositories of a service. `names` are also those that a repository had before."""

    def __init__(self, repositories: list[Repository]) -> None:
        self.repositories = repositories
        self.now = END
        self._names = {name.lower(): each for each in repositories for name in (each.name, *each.traits.former_names)}

    @classmethod
    def generate(
        cls,
        root: Path,
        shape: Shape | None = None,
        *,
        repositories: int = 1,
        traits: Traits | None = None,
        others: Mapping[str, Traits] | None = None,
    ) -> World:
        """Make `repositories` of that shape below `root`, and the one that the others name (`commons/archive`).

        They are called `octo/sums`, `octo/sums-2` and so on; the first was `octo/totals` before. Each has a seed of
        its own. `traits` are the first one's, `others` those of the rest, by name.
        """
        shape = shape or Shape()
        traits = traits or Traits(former_names=("octo/totals",))
        names = ["octo/sums", *(f"octo/sums-{position}" for position in range(2, repositories + 1))]
        made = [(name, replace(shape, seed=shape.seed + position)) for position, name in enumerate(names)]
        made.append((FOREIGN_REPO, Shape(seed=shape.seed, pulls=3)))
        others = {FOREIGN_REPO: Traits(archived=True, license="GPL-3.0", stars=40), **(others or {})}
        return cls(
            [
                _repository(root, index, name, each, traits if index == 0 else others.get(name, Traits()))
                for index, (name, each) in enumerate(made)
            ]
        )

    def find(self, name: str) -> Repository | None:
        """By its name now or before, in any case of letters."""
        return self._names.get(name.lower())

    def at(self, now: int) -> None:
        """Let the service, and the branches of its repositories, be as they were at that moment (Unix seconds)."""
        self.now = now
        for repository in self.repositories:
            repository.at(now)
            repository.git.rewind(repository.shape, now)


def _repository(root: Path, index: int, name: str, shape: Shape, traits: Traits) -> Repository:
    return Repository(index, name, shape, open_repository(root / f"{name}.git", name, shape), traits)


def _kept(cache: OrderedDict[int, Made], number: int, make: Callable[[int], Made]) -> Made:
    """The cached value, or a new one; the oldest goes where there are too many."""
    found = cache.get(number)
    if found is None:
        found = cache[number] = make(number)
        if len(cache) > _KEPT:
            cache.popitem(last=False)
    return found
