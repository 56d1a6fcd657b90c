"""Export the facts of validated instances, without text or code: `validated.jsonl` and locks per repository."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from builder.facts import fact_of, write_facts
from builder.models import Environment, TaskInstance, ValidationReport


class FactsExport:
    """Adds to what is in the directory already; an instance validated again replaces its line."""

    name = "facts"

    def write(self, directory: Path, validated: Iterable[tuple[TaskInstance, Environment, ValidationReport]]) -> int:
        """Write below `directory`, one folder per repository; returns how many instances were exported.

        Raises DiskFullError, WorkspaceError, SettingsError for a file there that is not of this kind.
        """
        by_repo: dict[str, list[tuple[TaskInstance, Environment, ValidationReport]]] = {}
        for entry in validated:
            by_repo.setdefault(entry[0].repo, []).append(entry)
        for repo, entries in sorted(by_repo.items()):
            write_facts(directory, repo, [fact_of(*entry) for entry in entries], [entry[1] for entry in entries])
        return sum(len(entries) for entries in by_repo.values())


def create() -> FactsExport:
    return FactsExport()
