"""Kernel-side limits on memory and processes, where this process may make control groups (usually: as root).

Without them the watchdog holds the limits alone, a little later. Both versions of the interface are handled.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.protocols import Limits

_MOUNT = Path("/sys/fs/cgroup")
_PREFIX = "builder-"
_COUNTER = itertools.count()


@dataclass(frozen=True)
class Group:
    """The control groups of one command; none where they cannot be made."""

    directories: tuple[Path, ...]

    def join(self, pid: int) -> None:
        """Move a process, before it has children, into the groups."""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                (directory / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def broken(self) -> str:
        """The limit that the kernel had to enforce, or nothing."""
        for directory in self.directories:
            if _count(directory / "memory.oom_control", "oom_kill") or _count(directory / "memory.events", "oom_kill"):
                return "memory"
            if _count(directory / "pids.events", "max"):
                return "processes"
        return ""

    def remove(self) -> None:
        for directory in self.directories:
            with contextlib.suppress(OSError):
                directory.rmdir()


def create(limits: Limits, *, mount: Path = _MOUNT, membership: Path = Path("/proc/self/cgroup")) -> Group:
    """Make groups that hold the limits; never fails, but may hold nothing."""
    name = f"{_PREFIX}{os.getpid()}-{next(_COUNTER)}"
    made = []
    for parent, files in _parents(mount, membership, limits):
        directory = _made(parent / name, files)
        if directory is not None:
            made.append(directory)
    return Group(tuple(made))


def remove_abandoned(*, mount: Path = _MOUNT, membership: Path = Path("/proc/self/cgroup")) -> None:
    """Remove the groups of processes that are gone."""
    for parent, _ in _parents(mount, membership, Limits()):
        for directory in parent.glob(f"{_PREFIX}*-*"):
            owner = directory.name.removeprefix(_PREFIX).partition("-")[0]
            if not Path("/proc", owner).exists():
                Group((directory,)).remove()


def _parents(mount: Path, membership: Path, limits: Limits) -> Iterator[tuple[Path, dict[str, int]]]:
    """Where a group can be made, and which files of it hold the limits."""
    memory, processes = limits.memory_bytes, limits.processes
    for line in membership.read_text(encoding="utf-8").splitlines() if membership.exists() else []:
        _, controllers, path = line.split(":", 2)
        own = path.lstrip("/")
        if "memory" in controllers.split(","):
            yield mount / controllers / own, {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
        elif "pids" in controllers.split(","):
            yield mount / controllers / own, {"pids.max": processes}
        elif not controllers and (mount / "cgroup.controllers").exists():
            # A group with members cannot have groups with controllers below it, so the new one is a sibling.
            yield (mount / own).parent if own else mount, {"memory.max": memory, "pids.max": processes}


def _made(directory: Path, files: dict[str, int]) -> Path | None:
    try:
        directory.mkdir()
    except OSError:
        return None
    held = [_written(directory / name, value) for name, value in files.items()]
    if any(held):
        return directory
    Group((directory,)).remove()
    return None


def _written(path: Path, value: int) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(descriptor, str(value).encode("ascii"))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _count(path: Path, key: str) -> int:
    try:
        text = path.read_text(encoding="ascii")
    except OSError:
        return 0
    values = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    return int(values.get(key, 0))
