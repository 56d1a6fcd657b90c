"""Files that are either absent, the old ones, or whole, and disk errors by their names."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.errors import DiskFullError, WorkspaceError

_FREE_SOME = "Free some space (`builder clean`), or use another --workspace, and run it again."


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that it is either absent, the old one, or whole. Raises DiskFullError, WorkspaceError."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def append(path: Path | None, data: bytes) -> None:
    """Add to a file, its directories made; nothing without a path. Raises DiskFullError, WorkspaceError."""
    if path is None:
        return
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(data)


@contextmanager
def disk_errors(path: Path, *, hint: str = _FREE_SOME) -> Iterator[None]:
    """Name what goes wrong while writing below `path`: DiskFullError with the hint, or WorkspaceError."""
    try:
        yield
    except OSError as error:
        raise explained(error, path, hint=hint) from error


def explained(error: OSError, path: Path, *, hint: str = _FREE_SOME) -> DiskFullError | WorkspaceError:
    """The error that a failed write of `path` is for us."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path, hint=hint)
    return WorkspaceError(f"cannot write {path}: {os.strerror(error.errno) if error.errno else error}")


def disk_full(path: Path, *, hint: str = _FREE_SOME) -> DiskFullError:
    return DiskFullError(f"no space left for {path}", hint=hint)
