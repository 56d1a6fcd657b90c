"""The state of a workspace: `builder.db` (SQLite, WAL) and `artifacts/`.

One process writes (a lock file says which); any number read. A step is done for an item iff `results` holds a row
for (step, item) with the digest of all inputs. Result and attempt land in one transaction; files are written before,
to a temporary name, fsynced and renamed, so a kill at any instant leaves either nothing or the whole thing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from builder import files
from builder.errors import DiskFullError, WorkspaceBusyError, WorkspaceError

DONE = "done"
REJECTED = "rejected"
ERROR = "error"

PULL_REQUEST = "pull_request"
CANDIDATE = "candidate"
ENVIRONMENT = "environment"
IMAGE = "image"
VALIDATION = "validation"
UPLOAD = "upload"
STEPS = (PULL_REQUEST, CANDIDATE, ENVIRONMENT, IMAGE, VALIDATION, UPLOAD)
"""The steps that leave results, in order; all keyed by `instance_id`."""

MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = []
migration = MIGRATIONS.append


@migration
def m001_results_and_attempts(db: sqlite3.Connection) -> None:
    db.execute(
        "CREATE TABLE results (step TEXT NOT NULL, item TEXT NOT NULL, repo TEXT NOT NULL, digest TEXT NOT NULL,"
        " outcome TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, value BLOB, finished_at TEXT NOT NULL,"
        " UNIQUE (step, item))"
    )
    db.execute("CREATE INDEX results_by_outcome ON results (step, repo, outcome, reason)")
    db.execute("CREATE INDEX results_by_item ON results (item)")
    db.execute(
        "CREATE TABLE attempts (id INTEGER PRIMARY KEY, step TEXT NOT NULL, item TEXT NOT NULL, repo TEXT NOT NULL,"
        " outcome TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, log TEXT NOT NULL,"
        " started_at TEXT NOT NULL, seconds REAL NOT NULL)"
    )
    db.execute("CREATE INDEX attempts_by_item ON attempts (step, item)")


@migration
def m002_failed_attempts(db: sqlite3.Connection) -> None:
    """Failures are few among many attempts, and shown by every `status`."""
    db.execute("CREATE INDEX failed_attempts ON attempts (id) WHERE outcome = 'error'")


@dataclass(frozen=True)
class Result:
    """What a step found about an item. `value` is the record's JSON; `reason` and `detail` say why it was rejected."""

    step: str
    item: str
    repo: str
    digest: str
    outcome: str
    value: str | None = None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Attempt:
    """One try, also a failed one. Times: ISO 8601 UTC, seconds."""

    result: Result
    started_at: str
    seconds: float
    log: str = ""


@dataclass(frozen=True)
class Count:
    step: str
    repo: str
    outcome: str
    reason: str
    number: int


class Store:
    """Open with `Store.writer(workspace)` or `Store.reader(workspace)`, and close it (a context manager)."""

    def __init__(self, workspace: Path, db: sqlite3.Connection, lock: int | None) -> None:
        self.workspace = workspace
        self._db = db
        self._lock = lock

    @classmethod
    def writer(cls, workspace: Path) -> Self:
        """Make or open the workspace for writing.

        Raises WorkspaceBusyError if another process writes to it, WorkspaceError if it cannot be one, DiskFullError.
        """
        try:
            workspace.mkdir(parents=True, exist_ok=True)
            lock = _take_lock(workspace)
        except OSError as error:
            raise _explained(error, workspace) from error
        try:
            db = _connect(workspace / "builder.db", "rwc")
            _migrate(db)
        except sqlite3.Error as error:
            os.close(lock)
            raise _explained(error, workspace) from error
        return cls(workspace, db, lock)

    @classmethod
    def reader(cls, workspace: Path) -> Self:
        """Open an existing workspace for reading, also while another process writes.

        Raises WorkspaceError where there is none.
        """
        path = workspace / "builder.db"
        if not path.is_file():
            raise WorkspaceError(
                f"{workspace} is not a workspace", hint="Run `builder harvest` first, or name one with --workspace."
            )
        try:
            db = _connect(path, "rw")
            _migrate(db)
        except sqlite3.Error as error:
            raise _explained(error, workspace) from error
        return cls(workspace, db, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- writing --------------------------------------------------------------------------------------------

    def record(self, *attempts: Attempt) -> None:
        """Write attempts and, but for errors, their results, in one transaction. Raises DiskFullError."""
        try:
            with self._db:
                self._db.executemany(_INSERT_ATTEMPT, [_attempt_row(attempt) for attempt in attempts])
                finished = [attempt.result for attempt in attempts if attempt.result.outcome != ERROR]
                self._db.executemany(_INSERT_RESULT, [_result_row(result) for result in finished])
        except sqlite3.Error as error:
            raise _explained(error, self.workspace) from error

    def forget(self, step: str, items: Iterable[str]) -> None:
        """Remove results, so that the step is done again. Raises DiskFullError."""
        try:
            with self._db:
                self._db.executemany("DELETE FROM results WHERE step = ? AND item = ?", [(step, one) for one in items])
        except sqlite3.Error as error:
            raise _explained(error, self.workspace) from error

    # --- reading --------------------------------------------------------------------------------------------

    def digest(self, step: str, item: str) -> str | None:
        """The input digest that the step's result for the item was made from; None if there is none."""
        row = self._db.execute("SELECT digest FROM results WHERE step = ? AND item = ?", (step, item)).fetchone()
        return None if row is None else str(row[0])

    def result(self, step: str, item: str) -> Result | None:
        row = self._db.execute(f"{_SELECT} WHERE step = ? AND item = ?", (step, item)).fetchone()
        return None if row is None else _result(row)

    def results(self, step: str, *, repo: str = "", outcome: str = "") -> Iterator[Result]:
        """The step's results by item, one at a time; of one repository or outcome where it is given."""
        where, values = ["step = ?"], [step]
        for column, value in (("repo", repo), ("outcome", outcome)):
            if value:
                where.append(f"{column} = ?")
                values.append(value)
        query = f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY item"
        for row in self._db.execute(query, values):
            yield _result(row)

    def steps_of(self, item: str) -> list[Result]:
        """All that is known about an item, oldest first."""
        rows = self._db.execute(f"{_SELECT} WHERE item = ? ORDER BY finished_at, rowid", (item,))
        return [_result(row) for row in rows]

    def attempts(self, item: str) -> list[Attempt]:
        """Every try at an item, oldest first; their results carry no value and no digest."""
        return self._attempts("WHERE item = ?", (item,))

    def last_errors(self) -> list[Attempt]:
        """For each (step, item) whose newest attempt ended in an error, that attempt."""
        return self._attempts(
            "AS tried WHERE outcome = 'error' AND NOT EXISTS (SELECT 1 FROM attempts AS later"
            " WHERE later.step = tried.step AND later.item = tried.item AND later.id > tried.id)"
        )

    def _attempts(self, which: str, values: tuple[str, ...] = ()) -> list[Attempt]:
        rows = self._db.execute(f"{_SELECT_ATTEMPTS} {which} ORDER BY id", values)
        return [
            Attempt(Result(step, item, repo, "", outcome, None, reason, detail), started, seconds, log)
            for step, item, repo, outcome, reason, detail, started, seconds, log in rows
        ]

    def items(self, step: str) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT item FROM results WHERE step = ? ORDER BY item", (step,))]

    def counts(self) -> list[Count]:
        """How many results there are per step, repository, outcome and reason; an index answers this alone."""
        rows = self._db.execute(
            "SELECT step, repo, outcome, reason, count(*) FROM results GROUP BY step, repo, outcome, reason"
        )
        return [Count(*row) for row in rows]


def put_artifact(workspace: Path, data: bytes) -> str:
    """Keep bytes below `artifacts/` under their SHA-256 (zlib-compressed); returns that digest."""
    digest = hashlib.sha256(data).hexdigest()
    path = _artifact_path(workspace, digest)
    if not path.exists():
        files.write_file(path, zlib.compress(data))
    return digest


def get_artifact(workspace: Path, digest: str) -> bytes:
    """The bytes that `put_artifact` kept. Raises WorkspaceError if they are gone or damaged."""
    path = _artifact_path(workspace, digest)
    try:
        data = zlib.decompress(path.read_bytes())
    except (OSError, zlib.error) as error:
        raise WorkspaceError(f"artifact {digest} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise WorkspaceError(f"artifact {digest} is damaged", hint=f"Remove {path} and run the step again.")
    return data


def now() -> str:
    """The present moment, ISO 8601 UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _artifact_path(workspace: Path, digest: str) -> Path:
    return workspace / "artifacts" / digest[:2] / digest


_SELECT = "SELECT step, item, repo, digest, outcome, value, reason, detail FROM results"
_SELECT_ATTEMPTS = "SELECT step, item, repo, outcome, reason, detail, started_at, seconds, log FROM attempts"
_INSERT_ATTEMPT = (
    "INSERT INTO attempts (step, item, repo, outcome, reason, detail, log, started_at, seconds)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_RESULT = (
    "INSERT INTO results (step, item, repo, digest, outcome, reason, detail, value, finished_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (step, item) DO UPDATE SET repo = excluded.repo,"
    " digest = excluded.digest, outcome = excluded.outcome, reason = excluded.reason, detail = excluded.detail,"
    " value = excluded.value, finished_at = excluded.finished_at"
)


def _attempt_row(attempt: Attempt) -> tuple[object, ...]:
    found = attempt.result
    return (
        *(found.step, found.item, found.repo, found.outcome, found.reason, found.detail),
        *(attempt.log, attempt.started_at, attempt.seconds),
    )


def _result_row(found: Result) -> tuple[object, ...]:
    value = None if found.value is None else zlib.compress(found.value.encode("utf-8", "surrogatepass"), 1)
    return (
        *(found.step, found.item, found.repo, found.digest, found.outcome, found.reason, found.detail),
        *(value, now()),
    )


def _result(row: tuple[str, str, str, str, str, bytes | None, str, str]) -> Result:
    step, item, repo, digest, outcome, packed, reason, detail = row
    value = None if packed is None else zlib.decompress(packed).decode("utf-8", "surrogatepass")
    return Result(step, item, repo, digest, outcome, value, reason, detail)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


@contextmanager
def _exclusive(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    whole = False
    try:
        yield
        whole = True
    finally:
        db.execute("COMMIT" if whole else "ROLLBACK")


def _migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date; each migration and its mark are one transaction."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError(f"its schema is version {version}; this builder knows {len(MIGRATIONS)}")
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        with _exclusive(db):
            (present,) = db.execute("PRAGMA user_version").fetchone()
            if present < number:
                step(db)
                db.execute(f"PRAGMA user_version = {number:d}")


def _take_lock(workspace: Path) -> int:
    path = workspace / "writer.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 64).decode("ascii", "replace").strip()
        os.close(lock)
        raise WorkspaceBusyError(
            f"the workspace {workspace} is in use by process {holder or 'unknown'}",
            hint="Wait for it, or use another --workspace.",
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode("ascii"))
    return lock


def _explained(error: OSError | sqlite3.Error, path: Path) -> DiskFullError | WorkspaceError:
    if isinstance(error, OSError):
        return files.explained(error, path)
    if "full" in str(error):
        return files.disk_full(path)
    return WorkspaceError(f"{path} cannot be used: {error}")
