"""Parquet files: same rows, same bytes; bounded row groups; shards in order; a schema that no row changes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow
import pyarrow.parquet
import pytest
from task_factory import rows, task

from builder import parquet
from builder.rows import Row, candidate_row


def candidates(count: int, **changes: Any) -> list[Row]:
    return sorted((candidate_row(task(number, **changes)) for number in range(count)), key=lambda row: row.instance_id)


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    """Catches a column of the wrong type, and null mixed up with empty."""
    written = [published.row for published in rows(1, 1) if published.split == "full"]
    assert parquet.write_split(written, tmp_path, "full") == 1
    (cells,) = parquet.read_split(tmp_path, "full")
    assert Row.model_validate(cells) == written[0]
    assert parquet.write_split(candidates(1), tmp_path, "raw") == 1
    (cells,) = parquet.read_split(tmp_path, "raw")
    assert cells["FAIL_TO_PASS"] is None
    assert cells["flags"] == []


def test_every_split_has_the_same_schema(tmp_path: Path) -> None:
    """Catches columns whose type is guessed from values: all null in `raw`, text in `full`."""
    for published in rows(1, 1):
        parquet.write_split([published.row], tmp_path, published.split)
    schemas = {
        split: pyarrow.parquet.read_schema(parquet.split_files(tmp_path, split)[0]) for split in ("raw", "full", "lite")
    }
    assert schemas["raw"].equals(schemas["full"])
    assert schemas["full"].equals(schemas["lite"])
    assert schemas["full"].field("FAIL_TO_PASS").type == pyarrow.string()
    assert schemas["full"].field("issue_numbers").type == pyarrow.list_(pyarrow.int64())


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    """Catches a file without rows, which makes `datasets` refuse the whole set."""
    assert parquet.write_split([], tmp_path, "lite") == 0
    assert list(tmp_path.iterdir()) == []
    assert list(parquet.read_split(tmp_path, "lite")) == []
    assert parquet.read_columns(tmp_path, "lite") == ()


def test_shards_keep_order_and_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches rows lost, doubled or out of order between files, and names without the number of files."""
    monkeypatch.setattr(parquet, "BATCH_ROWS", 3)
    all_rows = candidates(20)
    assert parquet.write_split(all_rows, tmp_path, "raw", shard_bytes=4000) == 20
    names = [path.name for path in parquet.split_files(tmp_path, "raw")]
    assert len(names) > 2
    assert names == [f"raw-{number:05d}-of-{len(names):05d}.parquet" for number in range(len(names))]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == names
    assert [cells["instance_id"] for cells in parquet.read_split(tmp_path, "raw")] == [
        row.instance_id for row in all_rows
    ]


def test_a_row_group_holds_a_bounded_amount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a writer that collects the whole split before it writes."""
    monkeypatch.setattr(parquet, "BATCH_BYTES", 10_000)
    taken = 0
    most = 0

    def counted() -> Iterator[Row]:
        nonlocal taken
        for row in candidates(40, hints_text="x" * 3000):
            taken += 1
            yield row

    original = pyarrow.parquet.ParquetWriter.write_batch

    def write_batch(self: Any, batch: Any) -> None:
        nonlocal most, taken
        most, taken = max(most, taken), 0
        original(self, batch)

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_batch", write_batch)
    parquet.write_split(counted(), tmp_path, "raw")
    assert 1 <= most <= 4
    assert len(list(parquet.read_split(tmp_path, "raw"))) == 40


def test_a_full_disk_is_an_os_error_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a full disk that arrives as an error of the parquet library without a number; on the kernel's own."""
    opened = Path.open

    def full(self: Path, mode: str = "r", **options: Any) -> IO[Any]:
        return opened(Path("/dev/full") if self.suffix == ".part" else self, mode, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError) as caught:
        parquet.write_split(candidates(3), tmp_path, "raw")
    assert caught.value.errno == errno.ENOSPC
