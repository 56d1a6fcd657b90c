"""Which images go so that the rest fits a budget."""

from __future__ import annotations

from builder.protocols import StoredImage
from builder.pruning import removable


def image(digest: str, parent: str = "", size: int = 10, created: str = "2026") -> StoredImage:
    return StoredImage(digest, parent, size, created)


ENVIRONMENTS = [image("old", size=100, created="2024"), image("new", size=100, created="2025")]
STORED = [
    *ENVIRONMENTS,
    image("old-1", "old", created="2024-02"),
    image("old-2", "old", created="2024-03"),
    image("new-1", "new", created="2025-02"),
]


def test_nothing_goes_while_all_fits() -> None:
    assert removable(STORED, [], 230) == []


def test_the_oldest_go_first_and_children_before_their_parents() -> None:
    assert removable(STORED, [], 229) == ["old-1"]
    assert removable(STORED, [], 150) == ["old-1", "old-2", "old"]
    assert removable(STORED, [], 0) == ["old-1", "old-2", "old", "new-1", "new"]


def test_what_is_needed_stays_with_what_it_stands_on() -> None:
    assert removable(STORED, ["old-2"], 0) == ["old-1", "new-1", "new"]
    assert removable(STORED, ["old-1", "new-1"], 0) == ["old-2"]


def test_what_is_needed_and_not_there_is_no_matter() -> None:
    assert removable(STORED, ["another"], 200) == ["old-1", "old-2", "old"]
