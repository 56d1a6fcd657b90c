"""What a service answered, kept: bodies by their SHA-256, and a journal that says which request each answers.

A page is on the disk whole before the journal names it, so a kill at any instant loses at most the page under way.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builder import files
from builder.errors import WorkspaceError
from builder.repo_config import directory_name

_JOURNAL = "pages.jsonl"


def raw_directory(raw_dir: Path, source: str, repo: str) -> Path:
    """Where a source keeps what it read of one repository."""
    return raw_dir / source / directory_name(repo)


def manifest_path(raw_dir: Path, source: str, repo: str) -> Path:
    """Where a source that asks a service writes what the last harvest did (JSON: `requests`, `points`, …)."""
    return raw_directory(raw_dir, source, repo) / "manifest.json"


@dataclass(frozen=True)
class RawPage:
    """One answer. `facts` (JSON) say what was asked and how far it reached; `points` what it cost."""

    kind: str
    facts: Mapping[str, Any]
    digest: str
    fetched_at: datetime
    points: int


class RawPages:
    """The pages of one repository below `root`. One process writes at a time: whoever holds the workspace's lock."""

    def __init__(self, root: Path) -> None:
        """Raises WorkspaceError if the journal cannot be read; a torn last line is what a kill leaves, and cut off."""
        self.root = root
        self._pages = list(_read_journal(root / _JOURNAL))

    def pages(self, kind: str) -> list[RawPage]:
        """Oldest first."""
        return [page for page in self._pages if page.kind == kind]

    def points(self) -> int:
        """What all pages cost."""
        return sum(page.points for page in self._pages)

    def body(self, page: RawPage) -> dict[str, Any]:
        """The answer's JSON. Raises WorkspaceError if it is gone or damaged."""
        path = self._path(page.digest)
        try:
            data = zlib.decompress(path.read_bytes())
        except (OSError, zlib.error) as error:
            raise WorkspaceError(f"the raw page {path} cannot be read: {error}", hint=_renew(self.root)) from error
        if hashlib.sha256(data).hexdigest() != page.digest:
            raise WorkspaceError(f"the raw page {path} is damaged", hint=_renew(self.root))
        answer: dict[str, Any] = json.loads(data)
        return answer

    def add(self, kind: str, facts: Mapping[str, Any], body: bytes, points: int) -> RawPage:
        """Keep an answer. Raises DiskFullError, WorkspaceError."""
        page = RawPage(kind, facts, hashlib.sha256(body).hexdigest(), datetime.now(UTC), points)
        path = self._path(page.digest)
        if not path.exists():
            files.write_file(path, zlib.compress(body))
        with files.disk_errors(self.root), (self.root / _JOURNAL).open("ab") as journal:
            journal.write(_line(page))
            journal.flush()
            os.fsync(journal.fileno())
        self._pages.append(page)
        return page

    def _path(self, digest: str) -> Path:
        return self.root / "pages" / digest[:2] / f"{digest}.json.z"


def _line(page: RawPage) -> bytes:
    entry = {
        "kind": page.kind,
        "facts": dict(page.facts),
        "sha256": page.digest,
        "fetched_at": page.fetched_at.isoformat(),
        "points": page.points,
    }
    return json.dumps(entry, sort_keys=True).encode("ascii") + b"\n"


def _read_journal(path: Path) -> Iterator[RawPage]:
    if not path.exists():
        return
    whole = _whole_lines(path)
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
            fetched_at = datetime.fromisoformat(entry["fetched_at"])
            yield RawPage(entry["kind"], entry["facts"], entry["sha256"], fetched_at, entry["points"])
        except (ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(f"{path}:{number} is damaged: {error}", hint=_renew(path.parent)) from error


def _whole_lines(path: Path) -> bytes:
    """The journal without what a killed writer left unfinished, which is also removed."""
    with files.disk_errors(path):
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
    return whole


def _renew(root: Path) -> str:
    return f"Remove {root} and harvest again; it is read anew from the service."
