"""The project's own sample repository: a short history with planted cases, the same commits on every machine.

It stands in for a real clone where there is no network: in the demo, in tests, in a bug report. The history is data
(`sample_data/history.yaml`); running its tests needs nothing but pytest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from builder.fastimport import NewCommit, TreeFile, write_commits

SAMPLE_REPO = "sample/pantry"


def sample_repo_yaml() -> str:
    """What `instances/sample__pantry/repo.yaml` would hold.

    The interpreter is the one that runs this, since its pytest is at hand (`loopback_index`). The time-out (seconds) is
    short for the case that hangs.
    """
    return f"""\
license: CC0-1.0
version:
  - file: pantry/__init__.py
    regex: '__version__ = "([^"]+)"'
environment:
  python: "{sys.version_info.major}.{sys.version_info.minor}"
  install: none
  requirements: [pytest]
  test_timeout: 20
"""


_Tree = dict[str, TreeFile]
_MAINTAINER = "Pat Cook <pat@pantry.example>"
_CONTRIBUTOR = "Kim Guest <kim@pantry.example>"


@dataclass(frozen=True)
class SampleCase:
    """`expected` is `validated` or a value of `models.Reason`; `plants` says in words what is special."""

    pull_number: int
    expected: str
    plants: str


def create_sample(path: Path) -> list[SampleCase]:
    """Make the bare repository at `path` (empty or missing) and name its pull requests, oldest first.

    Raises RepositoryError if there is something else at `path`.
    """
    changes = _changes()
    write_commits(path, _Author().commits(changes))
    return [SampleCase(change["pull"], change["expected"], change["plants"]) for change in changes if "pull" in change]


def _changes() -> list[dict[str, Any]]:
    import yaml

    text = resources.files("builder").joinpath("sample_data/history.yaml").read_text(encoding="utf-8")
    changes: list[dict[str, Any]] = yaml.safe_load(text)
    return changes


class _Author:
    """Turns changes into commits, as a hosting service would merge them."""

    def __init__(self) -> None:
        self._count = 0
        self._main: int | None = None
        self._tree: _Tree = {}
        self._earlier: list[tuple[int, _Tree]] = []
        self._branch_tip: int | None = None

    def commits(self, changes: list[dict[str, Any]]) -> Iterator[NewCommit]:
        for change in changes:
            when = change["at"].replace(tzinfo=UTC)
            if change["how"] == "direct":
                yield from self._on_main(change, when)
            else:
                yield from self._branch(change, when)
                yield from getattr(self, f"_{change['how']}")(change, when + timedelta(days=1))

    def _on_main(self, change: dict[str, Any], when: datetime) -> Iterator[NewCommit]:
        for commit in change["commits"]:
            self._tree = _applied(self._tree, commit["files"])
            yield self._advance(NewCommit(commit["message"], when, self._tree, author=_MAINTAINER))

    def _branch(self, change: dict[str, Any], when: datetime) -> Iterator[NewCommit]:
        """The contributor's commits as `refs/pull/N/head`, cut `behind` commits before the tip of the main branch."""
        tip, tree = self._earlier[-1 - change.get("behind", 0)]
        parent: int | None = tip
        for hours, commit in enumerate(change["commits"]):
            tree = _applied(tree, commit["files"])
            head = (f"refs/pull/{change['pull']}/head",) if hours == len(change["commits"]) - 1 else ()
            parents = () if parent is None else (parent,)
            at = when + timedelta(hours=hours)
            yield NewCommit(_text(commit["message"]), at, tree, parents, head, author=_CONTRIBUTOR)
            parent = self._count
            self._count += 1
        self._branch_tip = parent

    def _squash(self, change: dict[str, Any], when: datetime) -> Iterator[NewCommit]:
        for commit in change["commits"]:
            self._tree = _applied(self._tree, commit["files"])
        message = f"{change['title']} (#{change['pull']})\n\n{change['body']}"
        yield self._advance(NewCommit(message, when, self._tree, author=_CONTRIBUTOR))

    def _merge(self, change: dict[str, Any], when: datetime) -> Iterator[NewCommit]:
        for commit in change["commits"]:
            self._tree = _applied(self._tree, commit["files"])
        message = f"Merge pull request #{change['pull']} from {change['branch']}\n\n{change['title']}\n"
        yield self._advance(NewCommit(message, when, self._tree, author=_MAINTAINER), merged=self._branch_tip)

    def _rebase(self, change: dict[str, Any], when: datetime) -> Iterator[NewCommit]:
        """The branch's commits anew: their authors and dates, another committer date."""
        start = change["at"].replace(tzinfo=UTC)
        for hours, commit in enumerate(change["commits"]):
            self._tree = _applied(self._tree, commit["files"])
            authored = start + timedelta(hours=hours)
            again = NewCommit(_text(commit["message"]), authored, self._tree, committed_at=when, author=_CONTRIBUTOR)
            yield self._advance(again)

    def _advance(self, commit: NewCommit, merged: int | None = None) -> NewCommit:
        """The commit as the new tip of the main branch."""
        parents = tuple(parent for parent in (self._main, merged) if parent is not None)
        self._main = self._count
        self._count += 1
        self._earlier.append((self._main, self._tree))
        return NewCommit(
            _text(commit.message),
            commit.authored_at,
            commit.tree,
            parents,
            ("refs/heads/main",),
            commit.committed_at,
            commit.author,
        )


def _applied(tree: _Tree, files: dict[str, str | None]) -> _Tree:
    kept = {path: entry for path, entry in tree.items() if path not in files}
    return kept | {path: TreeFile(text.encode()) for path, text in files.items() if text is not None}


def _text(message: str) -> str:
    return message.rstrip("\n") + "\n"
