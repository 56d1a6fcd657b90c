"""What was read of a repository's long lists, told from the raw pages.

Pull requests and closed issues are read last updated first. A *walk* begins at the top and ends where an earlier walk
began, at the end, or where enough was read; a walk that stopped early, or was killed, is gone on with later. What
changes while a walk is under way moves to the top, where the next walk finds it, so nothing is lost in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builder.rawpages import RawPage, RawPages
from builder.sources import _github_queries as queries
from builder.sources._github_records import moment

Enough = Callable[[Sequence[Mapping[str, Any]]], bool]
"""Whether the walk may stop after these nodes."""

_PATIENCE = 4  # pages that must go well before a larger one is tried again


@dataclass(frozen=True)
class Connection:
    """Something that is walked: its query, where the answer holds it, and lists read for each of its nodes."""

    kind: str
    title: str
    query: str
    field: str
    largest: int
    lists: int

    def points(self, size: int) -> int:
        """What a page costs."""
        return max(1, round((1 + self.lists * size) / 100))


PULLS = Connection("pulls", "merged pull requests", queries.PULLS, "pullRequests", queries.PULLS_AT_A_TIME, lists=4)
CLOSERS = Connection("closers", "closed issues", queries.CLOSERS, "issues", queries.ISSUES_AT_A_TIME, lists=1)


class PageSize:
    """Halved where the service could not answer; doubled again, at first at once, later after some good pages."""

    def __init__(self, first: int, largest: int) -> None:
        self.now = first
        self._largest = largest
        self._patience = 1
        self._good = 0

    def failed(self) -> None:
        self.now = (self.now + 1) // 2
        self._patience, self._good = _PATIENCE, 0

    def went_well(self) -> None:
        self._good += 1
        if self._good >= self._patience:
            self.now, self._good = min(self._largest, self.now * 2), 0


@dataclass
class Walk:
    """Its pages in the order they were read. Moments are as the service writes them, so they sort as text."""

    number: int
    pages: list[RawPage]

    @property
    def top(self) -> str:
        """When the first thing of the walk was updated."""
        return str(self.pages[0].facts["newest"])

    @property
    def end(self) -> str:
        """The cursor to go on from."""
        return str(self.pages[-1].facts["end"])

    def reaches(self, floor: str) -> bool:
        """Whether it came to what was updated before `floor`; without one, to the end."""
        facts = self.pages[-1].facts
        return not facts["more"] or (bool(floor) and str(facts["oldest"]) < floor)


def walks(raw: RawPages, kind: str) -> list[Walk]:
    """The walks of a kind, newest first; those that found nothing are left out."""
    found: dict[int, Walk] = {}
    for page in raw.pages(kind):
        if page.facts["newest"]:
            found.setdefault(page.facts["walk"], Walk(page.facts["walk"], [])).pages.append(page)
    return sorted(found.values(), key=lambda walk: walk.number, reverse=True)


def reached(since: datetime | None) -> Enough:
    """Enough once something was last updated before `since`: whatever follows was merged, or closed, before."""
    return lambda nodes: since is not None and any(moment(node["updatedAt"]) < since for node in nodes)


def seen_until(raw: RawPages) -> str:
    """The latest moment, by the service's clock, that the pull requests read so far know of; empty at first."""
    return max((str(page.facts["newest"]) for kind in ("pulls", "named") for page in raw.pages(kind)), default="")


def numbers_of(pages: Iterable[RawPage]) -> dict[int, RawPage]:
    """Which page answers for a number; the newest wins."""
    return {number: page for page in pages for number in page.facts["numbers"]}
