"""What a tree of processes uses, read from /proc, which needs no privilege."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """One sample. `threads` counts what a process limit counts; `memory_bytes` is resident, shared pages repeated."""

    pids: tuple[int, ...] = ()
    threads: int = 0
    memory_bytes: int = 0
    cpu_seconds: float = 0.0


def usage(root: int) -> Usage:
    """Sample the process `root` and everything that descends from it."""
    pids, threads, pages, ticks = [], 0, 0, 0
    for pid in _tree(root):
        fields = _stat(pid)
        if fields is not None:
            pids.append(pid)
            ticks += sum(map(int, fields[11:15]))
            threads += int(fields[17])
            pages += int(fields[21])
    return Usage(tuple(pids), threads, pages * _PAGE, ticks / _TICKS)


def proportional_bytes(pids: tuple[int, ...]) -> int:
    """Memory in use with shared pages counted once in all; slower than `usage`, for a second look."""
    return sum(_proportional(pid) for pid in pids)


def unlinked_bytes(pids: tuple[int, ...]) -> int:
    """Disk space of files that these processes hold open and no directory lists, each once."""
    found: dict[tuple[int, int], int] = {}
    for facts in _open_files(pids):
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
            found[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def available_memory() -> int:
    """Bytes that the machine can still hand out without swapping."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**63


def _open_files(pids: tuple[int, ...]) -> Iterator[os.stat_result]:
    for pid in pids:
        try:
            entries = list(os.scandir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        for entry in entries:
            with contextlib.suppress(OSError):
                link = str(Path(entry.path).readlink())
                if link.endswith(" (deleted)") and not link.startswith("/memfd:"):
                    yield Path(entry.path).stat()


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; the name before them may hold anything."""
    try:
        data = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return data.rpartition(b")")[2].decode("ascii").split()


def _tree(root: int) -> Iterator[int]:
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += _children(pid)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_bytes().split())
    except OSError:
        return found
    return found


def _proportional(pid: int) -> int:
    try:
        data = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return 0
    for line in data.splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0
