"""Dates and numbers as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError, UnknownNameError
from builder.protocols import HarvestRequest
from builder.selection import Selection


def selection(**narrowed: Any) -> Selection:
    return Selection.of(HarvestRequest(repo="o/n", work_dir=Path(), **narrowed))


def at(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_a_day_is_included_from_first_to_last_moment() -> None:
    """Catches `--until 2024-05-01` leaving out that day, and `--since` starting at noon."""
    chosen = selection(since="2024-05-01", until="2024-05-01")
    assert chosen.admits(1, at(2024, 5, 1))
    assert chosen.admits(1, at(2024, 5, 1, 23, 59, 59))
    assert not chosen.admits(1, at(2024, 4, 30, 23, 59, 59))
    assert not chosen.admits(1, at(2024, 5, 2))


def test_a_time_with_a_zone_is_that_moment() -> None:
    chosen = selection(since="2024-05-01T02:00:00+02:00")
    assert chosen.admits(1, at(2024, 5, 1))
    assert not chosen.admits(1, at(2024, 4, 30, 23, 59))


@pytest.mark.parametrize(
    ("narrowed", "words"),
    [
        ({"since": "yesterday"}, "--since 'yesterday' is not"),
        ({"until": "2024-13-01"}, "--until '2024-13-01' is not"),
        ({"since": "2024-02-01", "until": "2024-01-01"}, "later than"),
        ({"limit": 0}, "--limit 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(narrowed: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        selection(**narrowed)


def test_an_unknown_number_offers_the_nearest() -> None:
    """Catches a misspelt `--pull` ending as an empty harvest."""
    with pytest.raises(UnknownNameError, match="unknown pull request '2110'") as caught:
        selection(pulls=(2110,)).check([2111, 37])
    assert "'2111'" in caught.value.hint
    assert "without a merge" not in caught.value.hint
    with pytest.raises(UnknownNameError, match="without a merge"):
        selection(pulls=(2110,)).check([2111], unmerged={2110})
    selection(pulls=(37,)).check([2111, 37])
