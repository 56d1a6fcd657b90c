"""Write a git history from values alone: equal values give equal object ids, on every machine.

One `git fast-import` process per call, fed as a stream, with no configuration but our own. Nothing becomes visible
in the repository before the stream is complete, so a killed import leaves at most an unreferenced pack.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

from builder.errors import InfrastructureError, RepositoryError
from builder.models import Sha

_SCRATCH_REF = b"refs/import/scratch"
_NULL = b"0" * 40


@dataclass(frozen=True)
class TreeFile:
    """One file of a commit's tree. A symbolic link's `data` is its target."""

    data: bytes
    mode: Literal["100644", "100755", "120000"] = "100644"


@dataclass(frozen=True)
class NewCommit:
    """A commit by its whole tree. `parents` are positions of earlier commits of the same sequence.

    Paths are relative, with `/`; bytes that are not UTF-8 are surrogate escapes. `committed_at` defaults to
    `authored_at`; both are aware, and stored with whole seconds in UTC.
    """

    message: str
    authored_at: datetime
    tree: Mapping[str, TreeFile]
    parents: tuple[int, ...] = ()
    refs: tuple[str, ...] = ()
    committed_at: datetime | None = None
    author: str = "builder <builder@localhost>"


def write_commits(git_dir: Path, commits: Iterable[NewCommit], *, head: str = "refs/heads/main") -> tuple[Sha, ...]:
    """Add the commits to the bare repository at `git_dir`, made if missing, and return their ids in order.

    `refs` of the commits are set, whatever they were before. Raises RepositoryError if `git_dir` is something else,
    InfrastructureError with git's own words if the import fails.
    """
    _ensure_bare(git_dir, head)
    with tempfile.TemporaryDirectory(prefix="builder-import-") as scratch:
        marks = Path(scratch, "marks")
        _import(git_dir, marks, commits)
        lines = marks.read_text(encoding="ascii").splitlines() if marks.exists() else []
    ids = dict(line.removeprefix(":").split(" ", 1) for line in lines)
    return tuple(ids[str(position)] for position in range(1, len(ids) + 1))


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TEMPLATE_DIR": "",
        "LC_ALL": "C",
    }


def _ensure_bare(git_dir: Path, head: str) -> None:
    if (git_dir / "HEAD").is_file():
        return
    if git_dir.exists() and any(git_dir.iterdir()):
        raise RepositoryError(f"{git_dir} is not empty and not a bare git repository")
    git_dir.mkdir(parents=True, exist_ok=True)
    branch = head.removeprefix("refs/heads/")
    _git(["init", "--quiet", "--bare", "--object-format=sha1", f"--initial-branch={branch}", str(git_dir)])


def _git(arguments: list[str]) -> None:
    done = subprocess.run(["git", *arguments], env=_environment(), capture_output=True, check=False)
    if done.returncode:
        raise InfrastructureError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")


def _import(git_dir: Path, marks: Path, commits: Iterable[NewCommit]) -> None:
    command = ["git", f"--git-dir={git_dir}", "fast-import", "--quiet", "--force", f"--export-marks={marks}"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, env=_environment(), stdin=subprocess.PIPE, stderr=errors) as process,
    ):
        status = None
        try:
            with contextlib.suppress(BrokenPipeError):  # git gave up; its status and words say why
                _feed(process.stdin, commits)
            status = process.wait()
        finally:
            if status is None:  # before git could take the end of its input for the end of the stream
                process.kill()
        if status:
            errors.seek(0)
            raise InfrastructureError(f"git fast-import failed: {errors.read().decode(errors='replace').strip()}")


def _feed(stream: IO[bytes] | None, commits: Iterable[NewCommit]) -> None:
    if stream is None:
        raise InfrastructureError("git fast-import has no input")
    with stream:
        stream.write(b"feature done\n")
        for mark, commit in enumerate(commits, start=1):
            stream.writelines(_commands(mark, commit))
        stream.write(b"reset %s\nfrom %s\n\ndone\n" % (_SCRATCH_REF, _NULL))


def _commands(mark: int, commit: NewCommit) -> Iterator[bytes]:
    yield b"reset %s\n\ncommit %s\nmark :%d\n" % (_SCRATCH_REF, _SCRATCH_REF, mark)
    yield _signature("author", commit.author, commit.authored_at)
    yield _signature("committer", commit.author, commit.committed_at or commit.authored_at)
    yield _data(commit.message.encode("utf-8", "surrogateescape"))
    for position, parent in enumerate(commit.parents):
        yield b"%s :%d\n" % (b"merge" if position else b"from", parent + 1)
    yield b"deleteall\n"
    for path in sorted(commit.tree):
        entry = commit.tree[path]
        yield b"M %s inline %s\n" % (entry.mode.encode("ascii"), _quoted(path))
        yield _data(entry.data)
    for ref in commit.refs:
        yield b"reset %s\nfrom :%d\n\n" % (ref.encode(), mark)


def _signature(role: str, who: str, when: datetime) -> bytes:
    return f"{role} {who} {int(when.timestamp())} +0000\n".encode()


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    """C-style quoting as git fast-import wants it for paths with quotes, backslashes or newlines."""
    raw = path.encode("utf-8", "surrogateescape")
    escaped = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped
