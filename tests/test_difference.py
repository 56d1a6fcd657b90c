"""Differences between two written sets, counted by row and by column."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
from task_factory import rows

from builder import parquet
from builder.difference import SplitDifference, differences
from builder.rows import Row, Split


def write(root: Path, split: Split, chosen: list[Row]) -> Path:
    root.mkdir(exist_ok=True)
    parquet.write_split(chosen, root, split)
    return root


def full_rows(*numbers: int, **changes: str) -> list[Row]:
    found = [item.row for item in rows(9, 9) if item.split == "full" and item.row.pull_number in numbers]
    return [row.model_copy(update=changes) for row in found]


def test_added_removed_and_changed_rows_are_told_by_column(tmp_path: Path) -> None:
    """Catches a join that loses the first, last or only row of a side, or a changed cell."""
    old = write(tmp_path / "old", "full", full_rows(2, 3, 5))
    new = write(
        tmp_path / "new", "full", [*full_rows(1, 2), *full_rows(3, version="2.0", license="BSD"), *full_rows(4)]
    )
    raw, full, lite = differences(old, new)
    assert raw.empty
    assert lite.empty
    assert full == SplitDifference(
        split="full",
        added=("some-org__proj-1", "some-org__proj-4"),
        removed=("some-org__proj-5",),
        changed_rows=("some-org__proj-3",),
        changed={"version": 1, "license": 1},
        unchanged=1,
    )
    assert str(full) == "full: 2 added, 1 removed, 1 changed (version 1, license 1), 1 unchanged"
    assert str(raw) == "raw: no change (0 rows)"


def test_against_nothing_every_row_is_added_and_the_reverse(tmp_path: Path) -> None:
    """Catches a first push that reports nothing, or columns as new where there was no table."""
    (tmp_path / "none").mkdir()
    new = write(tmp_path / "new", "lite", full_rows(1, 2))
    forth, back = differences(tmp_path / "none", new)[2], differences(new, tmp_path / "none")[2]
    assert (len(forth.added), forth.removed, forth.columns_added) == (2, (), ())
    assert (len(back.removed), back.added, back.columns_removed) == (2, (), ())


def test_columns_of_another_schema_are_named(tmp_path: Path) -> None:
    """Catches a changed schema that passes for no difference, or that stops the comparison."""
    old = write(tmp_path / "old", "raw", full_rows(1))
    new = write(tmp_path / "new", "raw", full_rows(1))
    (path,) = parquet.split_files(old, "raw")
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(
        table.rename_columns([f"old_{n}" if n == "flags" else n for n in table.column_names]), path
    )
    difference = differences(old, new)[0]
    assert (difference.columns_added, difference.columns_removed) == (("flags",), ("old_flags",))
    assert str(difference) == "raw: 0 added, 0 removed, 0 changed, 1 unchanged; columns: +flags -old_flags"
