"""What a text was at a moment: never a later one, and no guess (T05)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from builder.revisions import Rename, Revision, body_at, title_at


def day(number: int) -> datetime:
    return datetime(2021, 5, number, tzinfo=UTC)


WHOLE = [Revision(day(9), "third"), Revision(day(5), "second"), Revision(day(1), "first")]
REMOVED = [Revision(day(9), "third"), Revision(day(5), None), Revision(day(1), "first")]
RENAMES = [Rename(day(3), "a", "b"), Rename(day(7), "b", "c")]


@pytest.mark.parametrize(
    ("revisions", "when", "expected"),
    [
        (WHOLE, day(2), "first"),
        (WHOLE, day(5), "second"),
        (WHOLE, day(8), "second"),
        (WHOLE, day(9), "third"),
        (WHOLE[::-1], day(8), "second"),
        (REMOVED, day(6), None),
        (REMOVED, day(2), "first"),
        (REMOVED, day(9), "third"),
        (WHOLE[:2], day(3), None),
        ([], day(3), None),
    ],
)
def test_t05_the_body_at_a_moment(revisions: list[Revision], when: datetime, expected: str | None) -> None:
    """A later text would tell what the fix turned out to be; a guess would hide that it may be later."""
    assert body_at(revisions, when) == expected


def test_of_two_revisions_at_one_moment_the_newer_is_listed_first() -> None:
    """An edit within the second in which the issue was opened is lost."""
    assert body_at([Revision(day(1), "newer"), Revision(day(1), "older")], day(2)) == "newer"


@pytest.mark.parametrize(("when", "expected"), [(day(1), "a"), (day(3), "b"), (day(5), "b"), (day(7), "c")])
def test_t05_the_title_at_a_moment(when: datetime, expected: str) -> None:
    """The title is that after the renaming, which may name the cause."""
    assert title_at("c", RENAMES, when) == expected
    assert title_at("c", RENAMES[::-1], when) == expected


def test_a_title_that_was_never_changed() -> None:
    """Most titles never are: they are flagged as possibly later."""
    assert title_at("only", [], day(1)) == "only"


def test_a_current_title_that_is_older_than_the_renamings_read() -> None:
    """The issue was read before it was renamed, its events after that."""
    assert title_at("a", [Rename(day(7), "a", "b")], day(5)) == "a"


@pytest.mark.parametrize(
    ("current", "renames", "when"),
    [("c", RENAMES[:1], day(5)), ("c", [RENAMES[0], Rename(day(8), "x", "c")], day(5)), ("d", RENAMES, day(9))],
)
def test_t05_a_title_that_some_renaming_is_missing_for(current: str, renames: list[Rename], when: datetime) -> None:
    """Renamings were read before the last one happened: the current title may be later than the moment."""
    assert title_at(current, renames, when) is None


def test_a_title_counts_without_the_space_around_it() -> None:
    """An event keeps the spaces that were typed, the issue does not."""
    assert title_at("b", [Rename(day(3), "a", "b ")], day(5)) == "b"
