"""What archives said of wanted repositories: one SQLite file, written file by file, read number by number.

What one archive file says and that it was read land in one transaction, so a kill at any instant costs the file under
way. Titles and texts are stored compressed and once, however many events repeat them. An event is stored once, however
many files hold it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from builder import files
from builder.errors import WorkspaceError
from builder.sources._archive_events import Event, Kind, Sighting, Words
from builder.sources._archive_files import ArchiveFile

_TABLES = """
CREATE TABLE IF NOT EXISTS repositories (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, id INTEGER UNIQUE);
CREATE TABLE IF NOT EXISTS names (key INTEGER NOT NULL, name TEXT NOT NULL, last_at INTEGER NOT NULL,
    PRIMARY KEY (key, name));
CREATE TABLE IF NOT EXISTS scopes (scope INTEGER PRIMARY KEY, keys TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS reads (file TEXT NOT NULL, size INTEGER NOT NULL, scope INTEGER NOT NULL,
    PRIMARY KEY (file, size, scope)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS words (digest BLOB PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sightings (key INTEGER NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL,
    at INTEGER NOT NULL, event INTEGER NOT NULL, merged_at INTEGER, facts TEXT NOT NULL, words BLOB,
    PRIMARY KEY (key, kind, number, at, event)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS merges ON sightings (key, number, merged_at) WHERE merged_at IS NOT NULL;
"""


@dataclass(frozen=True)
class Repository:
    """`name` is as first wanted, lower case; `id` the service's, once an event showed it."""

    key: int
    name: str
    id: int | None


class Spool:
    """A context manager. One process writes at a time: whoever holds the workspace's lock.

    All methods raise WorkspaceError if the file is none of ours or damaged, and DiskFullError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with files.disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._db.close()

    # --- writing ----------------------------------------------------------------------------------------------

    def want(self, names: Iterable[str]) -> None:
        """Make repositories known, unless one is known that was called so."""
        unknown = [(name.lower(),) for name in names if self.key_of(name) is None]
        with self._errors():
            self._db.executemany("INSERT OR IGNORE INTO repositories (name) VALUES (?)", unknown)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within, or nothing."""
        whole = False
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                whole = True
            finally:
                self._db.execute("COMMIT" if whole else "ROLLBACK")

    def identify(self, key: int, repo_id: int) -> None:
        """Note the service's id of a repository."""
        self._db.execute("UPDATE repositories SET id=? WHERE key=?", (repo_id, key))

    def add(self, key: int, event: Event) -> None:
        """Keep what an event of a repository shows, and what the repository is called in it."""
        for sighting in event.sightings:
            self._add(key, event.id, sighting)
        self._db.execute(
            "INSERT INTO names VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last_at=max(last_at, excluded.last_at)",
            (key, event.repo, event.at),
        )

    def mark_read(self, file: ArchiveFile, keys: Collection[int]) -> None:
        """Note that everything the file says of these repositories is kept."""
        scope = json.dumps(sorted(keys))
        self._db.execute("INSERT OR IGNORE INTO scopes (keys) VALUES (?)", (scope,))
        self._db.execute(
            "INSERT OR IGNORE INTO reads SELECT ?, ?, scope FROM scopes WHERE keys=?", (file.name, file.size, scope)
        )

    def _add(self, key: int, event: int, sighting: Sighting) -> None:
        digest = None
        if sighting.words:
            text = json.dumps([sighting.words.title, sighting.words.body]).encode("ascii")
            digest = hashlib.blake2b(text, digest_size=16).digest()
            self._db.execute("INSERT OR IGNORE INTO words VALUES (?, ?)", (digest, zlib.compress(text)))
        facts = json.dumps(sighting.facts, separators=(",", ":"))
        row = (key, sighting.kind, sighting.number, sighting.at, event, sighting.merged_at, facts, digest)
        self._db.execute("INSERT OR IGNORE INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    # --- reading ----------------------------------------------------------------------------------------------

    def repositories(self) -> list[Repository]:
        return [Repository(*row) for row in self._rows("SELECT key, name, id FROM repositories")]

    def key_of(self, name: str) -> int | None:
        """The repository that is or was called so, in whatever case."""
        found = self._rows(
            "SELECT key, 0, 0 FROM repositories WHERE name=? UNION ALL"
            " SELECT key, 1, -last_at FROM names WHERE lower(name)=? ORDER BY 2, 3",
            *(name.lower(), name.lower()),
        )
        return next((key for key, _, _ in found), None)

    def last_seen(self, key: int) -> int | None:
        """When the last event of the repository was, in Unix seconds."""
        ((last,),) = self._rows("SELECT max(last_at) FROM names WHERE key=?", key)
        return None if last is None else int(last)

    def names(self, key: int) -> tuple[str, ...]:
        """What the repository was called, the last name first."""
        found = self._rows("SELECT name FROM names WHERE key=? ORDER BY last_at DESC, name", key)
        return tuple(name for (name,) in found)

    def read_for(self) -> dict[tuple[str, int], set[int]]:
        """By name and size of a file: the repositories that it was read for."""
        scopes = {scope: set(json.loads(keys)) for scope, keys in self._rows("SELECT scope, keys FROM scopes")}
        found: dict[tuple[str, int], set[int]] = {}
        for file, size, scope in self._rows("SELECT file, size, scope FROM reads"):
            known = found.get((file, size))
            found[file, size] = scopes[scope] if known is None else known | scopes[scope]
        return found

    def merges(self, key: int) -> Iterator[tuple[int, int]]:
        """Number and time of every merged pull request, last merged first."""
        yield from self._rows(
            "SELECT number, min(merged_at) AS merged FROM sightings WHERE key=? AND merged_at IS NOT NULL"
            " GROUP BY number ORDER BY merged DESC, number DESC",
            key,
        )

    def numbers(self, key: int, kind: Kind) -> Iterator[int]:
        """Every pull request or issue that was seen."""
        found = self._rows("SELECT DISTINCT number FROM sightings WHERE key=? AND kind=?", key, kind)
        yield from (number for (number,) in found)

    def has(self, key: int, kind: Kind, number: int) -> bool:
        found = self._rows("SELECT 1 FROM sightings WHERE key=? AND kind=? AND number=? LIMIT 1", key, kind, number)
        return any(True for _ in found)

    def sightings(self, key: int, kind: Kind, number: int) -> Iterator[Sighting]:
        """Oldest first."""
        found = self._rows(
            "SELECT at, merged_at, facts, text FROM sightings LEFT JOIN words ON digest = words"
            " WHERE key=? AND kind=? AND number=? ORDER BY at, event",
            *(key, kind, number),
        )
        for at, merged_at, facts, text in found:
            words = Words(*json.loads(zlib.decompress(text))) if text else None
            yield Sighting(kind, number, at, words, merged_at, json.loads(facts))

    def _rows(self, query: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
        with self._errors(), closing(self._db.execute(query, parameters)) as cursor:
            yield from cursor

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise files.disk_full(self.path) from error
            hint = "Remove it and harvest again; it is read anew from the archive."
            raise WorkspaceError(f"{self.path} cannot be used: {error}", hint=hint) from error
