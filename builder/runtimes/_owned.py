"""Directories that belong to a live process, and the removal of those whose process is gone.

The owner holds a lock on a file in the directory; the kernel gives it up when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from builder.errors import WorkspaceError
from builder.files import disk_errors

_LOCK = "owner"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, against threads and processes alike. Waits for it."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def owned_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new directory below `parent`, removed at the end unless it was moved away.

    Raises DiskFullError, or WorkspaceError where `parent` cannot be written.
    """
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        with locked(parent / ".lock"):
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            owner = _claim(path)
    with owner:
        try:
            yield path
        finally:
            _dispose(path)


def abandoned(parent: Path, prefix: str) -> list[Path]:
    """The directories of `owned_directory` whose process is gone."""
    if not parent.is_dir():
        return []
    with locked(parent / ".lock"):
        return [path for path in sorted(parent.glob(f"{prefix}*")) if path.is_dir() and not _has_owner(path)]


def remove_tree(*paths: Path) -> None:
    """Remove directories whatever their content: unreadable, deeper than a path can be long, or not there.

    Raises WorkspaceError if something stays.
    """
    _quietly("rm", "-rf", "--one-file-system", "--", *map(str, paths))
    stubborn = [str(path) for path in paths if os.path.lexists(path)]
    if stubborn:
        _quietly("chmod", "-R", "u+rwX", "--", *stubborn)
        _quietly("rm", "-rf", "--one-file-system", "--", *stubborn)
    left = [name for name in stubborn if os.path.lexists(name)]
    if left:
        raise WorkspaceError(f"cannot remove {', '.join(left)}")


def _dispose(path: Path) -> None:
    """Remove our own directory, the lock last: without it another process would take the rest for abandoned."""
    remove_tree(*(child for child in path.iterdir() if child.name != _LOCK))
    with locked(path.parent / ".lock"):
        (path / _LOCK).unlink()
        path.rmdir()


def _claim(path: Path) -> IO[bytes]:
    file = (path / _LOCK).open("xb")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(str(os.getpid()).encode("ascii"))
    file.flush()
    return file


def _has_owner(path: Path) -> bool:
    try:
        file = (path / _LOCK).open("rb")
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _quietly(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
