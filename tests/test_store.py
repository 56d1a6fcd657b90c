"""The store: what survives, what is refused, and what counts as done."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from builder import store as store_module
from builder.errors import DiskFullError, WorkspaceBusyError, WorkspaceError
from builder.files import write_file
from builder.store import DONE, ERROR, REJECTED, Attempt, Result, Store, get_artifact, put_artifact


def attempt(item: str, outcome: str = DONE, digest: str = "d1", value: str | None = "{}", reason: str = "") -> Attempt:
    return Attempt(Result("step", item, "o/n", digest, outcome, value, reason), "2026-01-01T00:00:00+00:00", 1.5)


def test_a_result_read_back_is_the_result_written(tmp_path: Path) -> None:
    """Fails if compression, encoding or column order change a value; lone surrogates must survive (T11)."""
    with Store.writer(tmp_path) as store:
        store.record(attempt("a", value='{"text": "\udcff ü"}'))
        found = store.result("step", "a")
    assert found == attempt("a", value='{"text": "\udcff ü"}').result


def test_an_error_is_a_row_but_not_a_result(tmp_path: Path) -> None:
    """Fails if a failed attempt counts as done, or leaves no trace (T61)."""
    with Store.writer(tmp_path) as store:
        store.record(attempt("a", ERROR, value=None, reason="SandboxError"))
        assert store.digest("step", "a") is None
        assert [error.result.reason for error in store.last_errors()] == ["SandboxError"]
        store.record(attempt("a"))
        assert store.last_errors() == []
        assert [tried.result.outcome for tried in store.attempts("a")] == [ERROR, DONE]


def test_t60_a_changed_input_replaces_the_result_in_one_row(tmp_path: Path) -> None:
    with Store.writer(tmp_path) as store:
        store.record(attempt("a"), attempt("b", REJECTED, value=None, reason="flaky"))
        store.record(attempt("a", digest="d2"))
        assert store.digest("step", "a") == "d2"
        assert store.items("step") == ["a", "b"]


def test_what_is_forgotten_is_done_again_and_nothing_else_is(tmp_path: Path) -> None:
    with Store.writer(tmp_path) as store:
        store.record(attempt("a"), attempt("b"))
        store.forget("step", ["a", "unknown"])
        store.forget("other", ["b"])
        assert (store.digest("step", "a"), store.digest("step", "b")) == (None, "d1")
        assert len(store.attempts("a")) == 1


def test_counts_are_by_step_repository_outcome_and_reason(tmp_path: Path) -> None:
    with Store.writer(tmp_path) as store:
        store.record(attempt("a"), attempt("b"), attempt("c", REJECTED, value=None, reason="flaky"))
        counted = {(count.outcome, count.reason): count.number for count in store.counts()}
    assert counted == {(DONE, ""): 2, (REJECTED, "flaky"): 1}


def test_counting_reads_no_values(tmp_path: Path) -> None:
    """Fails if `status` on many instances would have to read their patches."""
    with Store.writer(tmp_path) as store:
        plan = store._db.execute(
            "EXPLAIN QUERY PLAN SELECT step, repo, outcome, reason, count(*) FROM results"
            " GROUP BY step, repo, outcome, reason"
        ).fetchall()
    assert "COVERING INDEX" in str(plan)


def test_a_second_writer_is_told_who_holds_the_workspace(tmp_path: Path) -> None:
    with Store.writer(tmp_path):
        with pytest.raises(WorkspaceBusyError, match=str(os.getpid())):
            Store.writer(tmp_path)
        with Store.reader(tmp_path) as reader:
            assert reader.counts() == []
    Store.writer(tmp_path).close()


def test_reading_what_is_no_workspace_makes_none(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="not a workspace"):
        Store.reader(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_workspace_of_a_newer_builder_is_refused(tmp_path: Path) -> None:
    Store.writer(tmp_path).close()
    db = sqlite3.connect(tmp_path / "builder.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(WorkspaceError, match="version 99"):
        Store.writer(tmp_path)


def test_a_failing_migration_leaves_the_schema_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (x)")
        raise sqlite3.OperationalError("no")

    Store.writer(tmp_path).close()
    monkeypatch.setattr(store_module, "MIGRATIONS", [*store_module.MIGRATIONS, broken])
    with pytest.raises(WorkspaceError):
        Store.writer(tmp_path)
    db = sqlite3.connect(tmp_path / "builder.db")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.close()
    assert "half" not in tables


def test_t60_a_killed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """The process dies after the temporary file is written, before the rename."""
    path = tmp_path / "f"
    write_file(path, b"old")
    script = (
        "import os, pathlib; from builder import files\n"
        "pathlib.Path.replace = lambda self, target: os._exit(9)\n"
        f"files.write_file(pathlib.Path({str(path)!r}), b'new')"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    write_file(path, b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskFullError, match="no space left"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_database_is_a_full_disk(tmp_path: Path) -> None:
    """SQLite's own limit stands in for the disk's: the transaction fails as a whole and earlier rows stay."""
    with Store.writer(tmp_path) as store:
        store.record(attempt("a"))
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        big = os.urandom(200_000).hex()
        with pytest.raises(DiskFullError):
            store.record(attempt("b"), attempt("c", value=big))
        assert store.items("step") == ["a"]


def test_artifacts_are_kept_by_content_and_checked(tmp_path: Path) -> None:
    digest = put_artifact(tmp_path, b"content")
    assert put_artifact(tmp_path, b"content") == digest
    assert get_artifact(tmp_path, digest) == b"content"
    (path,) = (tmp_path / "artifacts").rglob(digest)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WorkspaceError):
        get_artifact(tmp_path, digest)


def test_many_threads_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    """Fails if writers of one process share a temporary name: one would rename what the other still writes."""
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "f"
    with ThreadPoolExecutor(8) as pool:
        for result in [pool.submit(write_file, path, b"x" * 100_000) for _ in range(200)]:
            result.result()
    assert path.read_bytes() == b"x" * 100_000
    assert list(tmp_path.iterdir()) == [path]
