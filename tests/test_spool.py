"""The spool: rows back in order, whatever the order they came in."""

from __future__ import annotations

from pathlib import Path

import pytest
from task_factory import rows

from builder.errors import UsageError
from builder.spool import Spool


def test_rows_come_back_whole_and_sorted(tmp_path: Path) -> None:
    """Catches rows that lose something on the way, are cut at a newline, or keep the order of arrival."""
    published = rows(12, 4, problem_statement="line one\nline two  ☃ \r\n")
    with Spool(tmp_path / "spool") as spool:
        for row in reversed(published):
            spool.add(row)
        for split in ("raw", "full", "lite", "raw"):
            expected = sorted((row.row for row in published if row.split == split), key=lambda row: row.instance_id)
            assert list(spool.sorted_rows(split)) == expected
            assert spool.count(split) == len(expected)


def test_a_second_row_of_an_id_is_refused(tmp_path: Path) -> None:
    """Catches two rows of one id in a split, of which a reader would see either; one per split is right."""
    with Spool(tmp_path / "spool") as spool:
        for row in rows(2, 2):
            spool.add(row)
        with pytest.raises(UsageError, match="'full' have the instance_id 'some-org__proj-2'"):
            spool.add(rows(2, 2)[-2])


def test_an_empty_spool_has_no_rows(tmp_path: Path) -> None:
    """Catches an error for a split that nothing was added to."""
    with Spool(tmp_path / "spool") as spool:
        assert (list(spool.sorted_rows("lite")), spool.count("lite")) == ([], 0)
