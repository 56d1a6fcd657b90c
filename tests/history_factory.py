"""Small histories for tests, written as a hosting service would leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.models import Sha

START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class Story:
    """Commits by name, an hour apart unless said otherwise; each adds a file of its name."""

    commits: list[NewCommit] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        name: str,
        message: str,
        *parents: str,
        refs: tuple[str, ...] = (),
        authored: int | None = None,
        committed: int | None = None,
    ) -> None:
        """`authored` and `committed` are hours after the start."""
        hour = len(self.commits)
        tree = {name: TreeFile(name.encode())}
        for parent in parents:
            tree |= self.commits[self.positions[parent]].tree
        written = START + timedelta(hours=hour if authored is None else authored)
        stored = START + timedelta(hours=hour if committed is None else committed)
        ancestors = tuple(self.positions[parent] for parent in parents)
        self.positions[name] = hour
        self.commits.append(NewCommit(message, written, tree, ancestors, refs, stored))

    def write(self, path: Path) -> dict[str, Sha]:
        shas = write_commits(path, self.commits)
        return {name: shas[position] for name, position in self.positions.items()}
