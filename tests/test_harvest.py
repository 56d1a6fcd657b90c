"""The step narrows whatever a source offers, counts, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builder.errors import IncompleteHarvestError, SettingsError
from builder.harvest import harvest
from builder.models import PullRequest
from builder.protocols import HarvestRequest

FIRST = datetime(2024, 1, 1, 12, tzinfo=UTC)


class CarelessSource:
    """Offers numbers 5 to 1, a day apart, whatever it is asked for; then fails, if told to."""

    name = "careless"

    def __init__(self, error: Exception | None = None) -> None:
        self.offered = 0
        self._error = error

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]:
        for number in (5, 4, 3, 2, 1):
            self.offered += 1
            yield PullRequest(
                repo=request.repo,
                number=number,
                title=f"Change {number}",
                body="",
                merged_at=FIRST + timedelta(days=number - 1),
                base_commit="a" * 40,
                merge_commit="b" * 40,
                source="git",
            )
        if self._error:
            raise self._error


def request(**narrowed: Any) -> HarvestRequest:
    return HarvestRequest(repo="o/n", work_dir=Path(), **narrowed)


@pytest.mark.parametrize(
    ("narrowed", "numbers"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"limit": 2}, [5, 4]),
        ({"limit": 9}, [5, 4, 3, 2, 1]),
        ({"since": "2024-01-03"}, [5, 4, 3]),
        ({"until": "2024-01-02"}, [2, 1]),
        ({"since": "2024-01-02", "until": "2024-01-04", "limit": 2}, [4, 3]),
        ({"pulls": (1, 4)}, [4, 1]),
        ({"pulls": (1, 4), "since": "2024-01-02"}, [4]),
        ({"since": "2024-01-02", "limit": 1, "pulls": (2, 3)}, [3]),
    ],
)
def test_every_narrowing_holds_for_a_source_that_ignores_it(narrowed: dict[str, Any], numbers: list[int]) -> None:
    """Catches the limit counting what the dates exclude, and narrowing that only some sources do."""
    assert [each.number for each in harvest(request(**narrowed), CarelessSource())] == numbers


def test_the_limit_stops_the_source() -> None:
    """Catches a harvest of three that reads, or downloads, the whole history."""
    source = CarelessSource()
    assert len(list(harvest(request(limit=3), source))) == 3
    assert source.offered == 3


def test_counts_and_newest_merge_grow_while_iterating() -> None:
    found = harvest(request(until="2024-01-04"), CarelessSource())
    assert (found.count, found.newest_merge) == (0, None)
    next(found)
    assert (found.count, found.newest_merge) == (1, FIRST + timedelta(days=3))
    list(found)
    assert (found.count, found.newest_merge) == (4, FIRST + timedelta(days=3))


def test_newest_merge_continues_where_it_stopped() -> None:
    """Catches an incremental harvest that skips a merge of the same second, or repeats everything."""
    found = harvest(request(until="2024-01-03"), CarelessSource())
    list(found)
    assert found.newest_merge
    again = harvest(request(since=found.newest_merge.isoformat()), CarelessSource())
    assert [each.number for each in again] == [5, 4, 3]


def test_a_late_failure_costs_nothing_before_it() -> None:
    found = harvest(request(), CarelessSource(IncompleteHarvestError(["rows.jsonl:3: has no version"])))
    assert [next(found).number for _ in range(5)] == [5, 4, 3, 2, 1]
    with pytest.raises(IncompleteHarvestError, match=r"rows\.jsonl:3"):
        next(found)


def test_a_wrong_date_is_refused_before_the_source_is_asked() -> None:
    source = CarelessSource()
    with pytest.raises(SettingsError):
        harvest(request(since="soon"), source)
    assert source.offered == 0
