"""What a new data set changes against the one that is published: rows added and removed, cells changed by column.

Reported per column, as `swebench dataset diff` does: "47 rows differ in eval_script" can be acted on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.parquet import read_columns, read_split
from builder.rows import SPLITS, Split

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class SplitDifference:
    """One split, new against old. `changed` counts rows by column, over the columns that both have."""

    split: Split
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed_rows: tuple[str, ...] = ()
    changed: Mapping[str, int] = field(default_factory=dict)
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def empty(self) -> bool:
        return not (self.added or self.removed or self.changed_rows or self.columns_added or self.columns_removed)

    def __str__(self) -> str:
        """One line: `full: 2 added, 1 removed, 3 changed (image 3, version 1), 40 unchanged; columns: +flags`."""
        if self.empty:
            return f"{self.split}: no change ({self.unchanged} rows)"
        by_column = ", ".join(f"{column} {count}" for column, count in self.changed.items())
        columns = [*(f"+{name}" for name in self.columns_added), *(f"-{name}" for name in self.columns_removed)]
        return (
            f"{self.split}: {len(self.added)} added, {len(self.removed)} removed, {len(self.changed_rows)} changed"
            + (f" ({by_column})" if by_column else "")
            + f", {self.unchanged} unchanged"
            + (f"; columns: {' '.join(columns)}" if columns else "")
        )


def differences(old: Path, new: Path) -> tuple[SplitDifference, ...]:
    """Compare two written sets split by split, reading both once, in order of `instance_id`."""
    return tuple(_split_difference(old, new, split) for split in SPLITS)


def _split_difference(old: Path, new: Path, split: Split) -> SplitDifference:
    before, after = read_columns(old, split), read_columns(new, split)
    shared = [column for column in after if column in before]
    added: list[str] = []
    removed: list[str] = []
    changed_rows: list[str] = []
    changed: Counter[str] = Counter()
    unchanged = 0
    for instance_id, was, now in _paired(read_split(old, split), read_split(new, split)):
        if was is None or now is None:
            (added if was is None else removed).append(instance_id)
            continue
        columns = [column for column in shared if was[column] != now[column]]
        changed.update(columns)
        if columns:
            changed_rows.append(instance_id)
        else:
            unchanged += 1
    return SplitDifference(
        split=split,
        added=tuple(added),
        removed=tuple(removed),
        changed_rows=tuple(changed_rows),
        changed={column: changed[column] for column in shared if changed[column]},
        columns_added=tuple(column for column in after if before and column not in before),
        columns_removed=tuple(column for column in before if after and column not in after),
        unchanged=unchanged,
    )


def _paired(old: Iterator[Cells], new: Iterator[Cells]) -> Iterator[tuple[str, Cells | None, Cells | None]]:
    """Join two sorted streams by id; a side without the id gives None."""
    was, now = next(old, None), next(new, None)
    while was is not None or now is not None:
        low = min(row["instance_id"] for row in (was, now) if row is not None)
        left = was if was is not None and was["instance_id"] == low else None
        right = now if now is not None and now["instance_id"] == low else None
        yield low, left, right
        was = next(old, None) if left is not None else was
        now = next(new, None) if right is not None else now
