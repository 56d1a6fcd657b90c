"""A branch that changes are merged into, while it grows: what every file was at every position of it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from github_server.content import Edit, file_text

Slots = dict[str, dict[int, Edit]]
"""By path and slot: the last edit."""


@dataclass
class Line:
    """`marks[p]` is the commit at position p, which came at `times[p]` (Unix seconds); 0 is where all begins."""

    marks: list[int]
    times: list[int]
    _edits: dict[str, dict[int, list[tuple[int, Edit]]]] = field(default_factory=lambda: defaultdict(dict))
    _log: list[tuple[int, str]] = field(default_factory=list)

    @property
    def tip(self) -> int:
        return len(self.marks) - 1

    def position(self, at: int) -> int:
        """The last commit that was there at that time."""
        return max(0, bisect_right(self.times, at) - 1)

    def land(self, mark: int, at: int, edits: Iterable[Edit]) -> None:
        """A commit with these edits becomes the tip."""
        self.marks.append(mark)
        self.times.append(at)
        for edit in edits:
            self._edits[edit.path].setdefault(edit.slot, []).append((self.tip, edit))
            self._log.append((self.tip, edit.path))

    def text(self, path: str, position: int, over: Mapping[int, Edit]) -> str:
        """The file at a position, with other edits on top."""
        slots = {slot: edit for slot, past in self._edits[path].items() if (edit := _last(past, position))}
        return file_text(path, {**slots, **over})

    def changed(self, after: int, position: int) -> set[str]:
        """Paths that commits after one position, up to another, changed."""
        start = bisect_right(self._log, (after, "\U0010ffff"))
        end = bisect_right(self._log, (position, "\U0010ffff"))
        return {path for _, path in self._log[start:end]}


def _last(past: list[tuple[int, Edit]], position: int) -> Edit | None:
    return next((edit for at, edit in reversed(past) if at <= position), None)


def over(edits: Iterable[Edit]) -> Slots:
    """The last edit of each slot."""
    found: Slots = {}
    for edit in edits:
        found.setdefault(edit.path, {})[edit.slot] = edit
    return found
