"""The first step: what a source yields for a request, narrowed in the same way whatever the source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from builder.models import PullRequest
from builder.protocols import HarvestRequest, Source
from builder.selection import Selection


class Harvest(Iterator[PullRequest]):
    """An iterator that counts. Nothing is kept: hand on each pull request before asking for the next.

    `count` and `newest_merge` tell of what was yielded so far. Handing `newest_merge` back as `since` continues from
    there; that merge is yielded again.
    """

    def __init__(self, pull_requests: Iterator[PullRequest]) -> None:
        self._pull_requests = pull_requests
        self.count = 0
        self.newest_merge: datetime | None = None

    def __next__(self) -> PullRequest:
        pull_request = next(self._pull_requests)
        self.count += 1
        if self.newest_merge is None or pull_request.merged_at > self.newest_merge:
            self.newest_merge = pull_request.merged_at
        return pull_request


def harvest(request: HarvestRequest, source: Source) -> Harvest:
    """The pull requests of `request.repo` between its dates, with its numbers, and no more than its limit.

    Raises SettingsError for dates that are none, or a limit below 1. While iterating, raises whatever the source does:
    UsageError and its kinds before the first pull request, IncompleteHarvestError after the last good one, and
    NetworkMissingError or InfrastructureError at any time.
    """
    selection = Selection.of(request)
    offered = source.pull_requests(request)
    admitted = (each for each in offered if selection.admits(each.number, each.merged_at))
    return Harvest(admitted if request.limit is None else islice(admitted, request.limit))
