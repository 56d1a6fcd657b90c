"""A repository's own ways of naming issues, looked up in its history only where one of them needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from builder.git import Repository
from builder.links import convention_links
from builder.models import IssueLink, Sha
from builder.patches import added_lines
from builder.repo_config import LinkConvention


class Conventions:
    """The conventions of one `repo.yaml` over the clone at `path`, which is opened when first needed."""

    def __init__(self, conventions: tuple[LinkConvention, ...], path: Path) -> None:
        self._conventions = conventions
        self._path = path
        self._repository: Repository | None = None

    def links(self, repo: str, title: str, ends: tuple[Sha, Sha], pulls: Collection[int]) -> tuple[IssueLink, ...]:
        """What the change between two commits links to. Raises RepositoryError if it cannot be read."""
        paths: Iterable[str] = ()
        lines: dict[str, list[str]] = {}
        if any(convention.added_line for convention in self._conventions):
            lines = added_lines(self._open().diff(*ends))
            paths = lines
        elif any(convention.path for convention in self._conventions):
            paths = [path for path, kind in self._open().changed_paths(*ends).items() if kind != "D"]
        return convention_links(repo, self._conventions, title=title, paths=paths, added_lines=lines, pulls=pulls)

    def _open(self) -> Repository:
        if self._repository is None:
            self._repository = Repository(self._path)
        return self._repository
