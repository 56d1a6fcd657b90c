"""Rows in parquet files that `datasets` loads, the same bytes for the same rows.

Files are named as `datasets.push_to_hub` names them (`data/raw-00000-of-00001.parquet`). Settings of the writer are
fixed; the only thing in a file that does not come from the rows is the version of the library that wrote it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from builder.rows import Row, Split

DATA_DIR = "data"
BATCH_BYTES = 8 * 1024**2
"""Text per row group; bounds the memory of writing and of reading."""
BATCH_ROWS = 1000
SHARD_BYTES = 1024**3
"""Text per file before compression; the Hub asks for files well below 5 GB."""


def schema() -> Any:
    """The `pyarrow.Schema` of every split, from the annotations of `Row`; every column may be null."""
    import pyarrow

    text, integer = pyarrow.string(), pyarrow.int64()
    types = {str: text, int: integer, tuple[str, ...]: pyarrow.list_(text), tuple[int, ...]: pyarrow.list_(integer)}
    hints = get_type_hints(Row)
    return pyarrow.schema([(name, types[_without_none(hints[name])]) for name in Row.model_fields])


def write_split(rows: Iterable[Row], root: Path, split: Split, *, shard_bytes: int = SHARD_BYTES) -> int:
    """Write the rows below `root/data`, and say how many. No rows, no file: `datasets` refuses an empty split.

    Memory is bounded by `BATCH_BYTES` and the largest row. Every file is on the disk when this returns.
    """
    directory = root / DATA_DIR
    parts: list[Path] = []
    count = 0
    for shard in _grouped(_batches(rows), shard_bytes):
        parts.append(directory / f".{split}-{len(parts):05d}.part")
        count += _write_shard(shard, parts[-1])
    for number, part in enumerate(parts):
        part.rename(directory / f"{split}-{number:05d}-of-{len(parts):05d}.parquet")
    return count


def read_split(root: Path, split: Split) -> Iterator[dict[str, Any]]:
    """The rows of a written split in order, a few at a time; nothing where the split has no file."""
    import pyarrow.parquet

    for path in split_files(root, split):
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()


def read_columns(root: Path, split: Split) -> tuple[str, ...]:
    """The column names of a written split; none where the split has no file."""
    import pyarrow.parquet

    files = split_files(root, split)
    return tuple(pyarrow.parquet.read_schema(files[0]).names) if files else ()


def split_files(root: Path, split: Split) -> list[Path]:
    """The split's files in order."""
    return sorted((root / DATA_DIR).glob(f"{split}-[0-9]*-of-[0-9]*.parquet"))


def _without_none(hint: Any) -> Any:
    return next((part for part in get_args(hint) if type(None) in get_args(hint) and part is not type(None)), hint)


class _Batch:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.size = 0

    def add(self, row: Row) -> None:
        values = row.model_dump()
        self.rows.append(values)
        self.size += sum(len(value) for value in values.values() if isinstance(value, str))


def _batches(rows: Iterable[Row]) -> Iterator[_Batch]:
    batch = _Batch()
    for row in rows:
        batch.add(row)
        if batch.size >= BATCH_BYTES or len(batch.rows) >= BATCH_ROWS:
            yield batch
            batch = _Batch()
    if batch.rows:
        yield batch


def _grouped(batches: Iterator[_Batch], shard_bytes: int) -> Iterator[Iterator[_Batch]]:
    """Batches in runs of at least `shard_bytes`; each run must be read before the next one is asked for."""
    for first in batches:
        yield _run(first, batches, shard_bytes)


def _run(first: _Batch, rest: Iterator[_Batch], shard_bytes: int) -> Iterator[_Batch]:
    yield first
    size = first.size
    while size < shard_bytes and (batch := next(rest, None)) is not None:
        yield batch
        size += batch.size


def _write_shard(batches: Iterable[_Batch], path: Path) -> int:
    import pyarrow
    import pyarrow.parquet

    columns = schema()
    count = 0
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        with pyarrow.parquet.ParquetWriter(
            file, columns, version="2.6", compression="zstd", compression_level=3, data_page_version="1.0"
        ) as writer:
            for batch in batches:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(batch.rows, schema=columns))
                count += len(batch.rows)
        file.flush()
        os.fsync(file.fileno())
    return count
