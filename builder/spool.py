"""Rows to disk in any order, and back in the order of their ids, with only the ids in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from builder.errors import UsageError
from builder.rows import PublishedRow, Row, Split


class Spool:
    """A file of rows, one JSON document a line, and where each begins. Remove the file after closing.

    Raises UsageError for a second row of the same id in the same split.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._offsets: dict[Split, dict[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, published: PublishedRow) -> None:
        offsets = self._offsets.setdefault(published.split, {})
        instance_id = published.row.instance_id
        if instance_id in offsets:
            raise UsageError(f"two rows of split {published.split!r} have the instance_id {instance_id!r}")
        offsets[instance_id] = self._file.tell()
        self._file.write(published.row.to_json().encode("utf-8") + b"\n")

    def count(self, split: Split) -> int:
        return len(self._offsets.get(split, {}))

    def sorted_rows(self, split: Split) -> Iterator[Row]:
        """The rows of a split by `instance_id` (code point order). Add nothing while reading."""
        for _, offset in sorted(self._offsets.get(split, {}).items()):
            self._file.seek(offset)
            yield Row.from_json(self._file.readline())
