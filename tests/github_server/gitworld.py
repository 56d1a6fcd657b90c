"""A generated repository as a real one: bare, with every pull request's head and the branches they were merged into.

The ids of all commits are kept in memory, 20 bytes each.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from github_server.fates import Fate, Shape, created_at, fate_of
from github_server.numbering import pulls_up_to

FIRST_MARK = 1
"""Of the commit that everything starts from."""


def offsets_of(shape: Shape) -> array[int]:
    """The mark of each pull request's first commit, by number."""
    offsets = array("q", bytes(8 * (shape.last_number + 1)))
    mark = FIRST_MARK + 1
    for number in pulls_up_to(shape.last_number):
        fate = fate_of(shape, number)
        offsets[number] = mark
        mark += fate.commits + fate.landing_commits
    return offsets


class Oids:
    """The commit ids of one repository. Marks are counted by pull request: its own commits, then what it landed as."""

    def __init__(self, shape: Shape, content: bytes) -> None:
        self._shape = shape
        self._content = content
        self._offsets = offsets_of(shape)

    @property
    def root(self) -> str:
        return self.of_mark(FIRST_MARK)

    def commit(self, number: int, position: int) -> str:
        """The commit of a pull request at a position of its branch."""
        return self.of_mark(self._offsets[number] + position)

    def landed(self, fate: Fate, position: int = -1) -> str:
        """A commit that a merged pull request added to its base branch; the last one has position -1."""
        count = fate.landing_commits
        return self.of_mark(self._offsets[fate.number] + fate.commits + position % count)

    def of_mark(self, mark: int) -> str:
        return self._content[20 * (mark - 1) : 20 * mark].hex()


@dataclass(frozen=True)
class Tips:
    """What a branch was at over time: marks of commits, and Unix seconds, ascending."""

    marks: array[int]
    times: array[int]

    def mark(self, at: int) -> int:
        return self.marks[max(0, bisect_right(self.times, at) - 1)]


@dataclass(frozen=True)
class GitWorld:
    """The repository at `path`, whatever moment it is made to show.

    `opened_on` and `merged_on` are, by number, the mark of the base branch's tip when the pull request was opened, and
    of what it was merged onto (0: it was not). `branches` are the tips over time.
    """

    path: Path
    oids: Oids
    opened_on: array[int]
    merged_on: array[int]
    branches: dict[str, Tips]

    def rewind(self, shape: Shape, now: int) -> None:
        """Let the refs be those of that moment (Unix seconds). A pull request's branch is whole once it is opened."""
        refs = {f"refs/heads/{name}": self.oids.of_mark(tips.mark(now)) for name, tips in self.branches.items()}
        for number in pulls_up_to(shape.last_number):
            if created_at(shape, number) <= now:
                refs[f"refs/pull/{number}/head"] = self.oids.commit(number, fate_of(shape, number).commits - 1)
        lines = [f"{oid} {ref}\n" for ref, oid in sorted(refs.items())]
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
        files = self.path / "packed-refs.new"
        files.write_text(text, encoding="ascii")
        files.replace(self.path / "packed-refs")


def environment() -> dict[str, str]:
    """For git, without anyone's configuration."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TEMPLATE_DIR": "",
        "LC_ALL": "C",
    }
