"""Replace a directory as a whole: at every instant, and after a kill at any instant, it is the old one or the new one.

The new content is written to a hidden sibling, made durable, and exchanged with the target in one system call
(`renameat2(2)` with RENAME_EXCHANGE). Where the file system has no exchange, the old directory steps aside first,
and the next replacement of the same target puts it back if the process died in between.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from builder.errors import WorkspaceBusyError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV, errno.EPERM}


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty directory beside `target` that takes its place when the block ends, and is removed if it raises.

    Parents are made. Raises WorkspaceBusyError if another process is replacing the same target, OSError from the disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{target.name}.new")
    aside = target.with_name(f".{target.name}.old")
    with _owned(staging):
        recover(target)
        _empty(staging)
        try:
            yield staging
            _sync_tree(staging)
            _swap(staging, target, aside)
            _sync(target.parent)
        finally:
            recover(target)
            with suppress(FileNotFoundError):
                shutil.rmtree(staging)


def recover(target: Path) -> None:
    """Undo or finish a replacement that was killed while the old directory stood aside."""
    aside = target.with_name(f".{target.name}.old")
    if not aside.exists():
        return
    if target.exists():
        shutil.rmtree(aside)
    else:
        aside.rename(target)


@contextmanager
def _owned(staging: Path) -> Iterator[None]:
    """Hold the staging directory against other processes. A killed owner's lock is gone with it; its files are not."""
    descriptor = _locked(staging)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(staging: Path) -> int:
    while True:
        staging.mkdir(exist_ok=True)
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise WorkspaceBusyError(f"another process is writing {staging}", hint="Wait for it to end.") from error
        if _still_there(descriptor, staging):
            return descriptor
        os.close(descriptor)


def _still_there(descriptor: int, path: Path) -> bool:
    """False if the directory was renamed or removed by its last owner between our opening and locking it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _swap(staging: Path, target: Path, aside: Path) -> None:
    if not target.exists():
        staging.rename(target)
    elif not _exchange(staging, target):
        target.rename(aside)
        staging.rename(target)


def _exchange(left: Path, right: Path) -> bool:
    """Swap two directories in one step; False where kernel, C library or file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(right))


def _sync_tree(root: Path) -> None:
    for directory, _, files in os.walk(root):
        for name in files:
            _sync(Path(directory) / name)
        _sync(Path(directory))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
