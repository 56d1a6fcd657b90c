"""A file of facts: one JSON object a line, each naming a merged change of a repository by its commits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.errors import SettingsError, UnknownNameError
from builder.models import Sha

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TEXT_FIELDS = ("instance_id", "base_commit", "merge_commit", "version")


@dataclass(frozen=True)
class Fact:
    """One usable row. `where` is `file:line`; `number` is None where neither `pull_number` nor `number` says it."""

    where: str
    instance_id: str
    base_commit: Sha
    merge_commit: Sha
    version: str
    number: int | None
    how_merged: str


@dataclass
class Facts:
    """The rows of one repository, and what is wrong with the others (`file:line: …`)."""

    rows: list[Fact] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_facts(path: Path, repo: str) -> Facts:
    """The rows of `repo` in the file; a row without `repo` belongs to it.

    A row needs `instance_id`, `base_commit`, `merge_commit` (full ids) and `version`, all as text: a number would
    make 1.1 of version 1.10 (T25). More fields may be there. Raises SettingsError if the file cannot be read, and
    UnknownNameError if it has rows, but none of `repo`.
    """
    facts = Facts()
    others: set[str] = set()
    seen: dict[str, str] = {}
    for where, line in _lines(path):
        row = _object(line)
        if isinstance(row, str):
            facts.problems.append(f"{where}: {row}")
        elif row.get("repo", repo) != repo:
            others.add(str(row["repo"]))
        elif problem := _problem(row, seen):
            facts.problems.append(f"{where}: {problem}")
        else:
            seen[row["instance_id"]] = where
            facts.rows.append(_fact(where, row))
    if others and not facts.rows and not facts.problems:
        raise UnknownNameError(f"repository in {path}:", repo, others)
    return facts


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield f"{path}:{number}", line
    except OSError as error:
        raise SettingsError(f"the index {path} cannot be read: {error.strerror}", hint="See --index.") from error


def _object(line: bytes) -> dict[str, Any] | str:
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"not JSON ({error})"
    return row if isinstance(row, dict) else "not a JSON object"


def _problem(row: dict[str, Any], seen: dict[str, str]) -> str | None:
    missing = [name for name in _TEXT_FIELDS if row.get(name) in (None, "")]
    if missing:
        return f"{_named(row)}has no {', '.join(missing)}"
    untyped = [name for name in _TEXT_FIELDS if not isinstance(row[name], str)]
    if untyped:
        return f"{_named(row)}{', '.join(untyped)} must be text in quotes"
    abbreviated = [name for name in ("base_commit", "merge_commit") if not _SHA.fullmatch(row[name])]
    if abbreviated:
        return f"{_named(row)}{', '.join(abbreviated)} must be a full commit id"
    if row["instance_id"] in seen:
        return f"{_named(row)}repeats {seen[row['instance_id']]}"
    number = row.get("pull_number", row.get("number"))
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        return f"{_named(row)}pull_number must be a whole number"
    return None


def _named(row: dict[str, Any]) -> str:
    return f"{row['instance_id']} " if isinstance(row.get("instance_id"), str) else ""


def _fact(where: str, row: dict[str, Any]) -> Fact:
    return Fact(
        where=where,
        instance_id=row["instance_id"],
        base_commit=row["base_commit"],
        merge_commit=row["merge_commit"],
        version=row["version"],
        number=row.get("pull_number", row.get("number")),
        how_merged=str(row.get("how_merged") or ""),
    )
