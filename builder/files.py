"""Files that are either absent, the old ones, or whole, and disk errors by their names."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from builder.errors import DiskFullError, WorkspaceError


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that it is either absent, the old one, or whole. Raises DiskFullError, WorkspaceError."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise explained(error, path) from error


def explained(error: OSError, path: Path) -> DiskFullError | WorkspaceError:
    """The error that a failed write or read of `path` is for us."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path)
    return WorkspaceError(f"{path} cannot be used: {error}")


def disk_full(path: Path) -> DiskFullError:
    return DiskFullError(f"no space left for {path}", hint="Free some space (`builder clean`) and run it again.")
