"""Hold a running sandbox to its limits, from outside and without privilege."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import DiskFullError, SandboxError
from builder.protocols import Limits
from builder.runtimes import _processes
from builder.runtimes._processes import Usage

_TICK = 0.1
_DISK_TICK = 10.0
_COST_SHARE = 20
"""A look may take at most one part in so many of the time between looks."""
DISK_RESERVE = 256 * 1024**2
"""Below this much free space a sandbox is stopped before it takes the machine's last blocks."""
MEMORY_RESERVE = 192 * 1024**2


@dataclass
class Watchdog:
    """Watches the process tree below `root` and the directory `scratch`; `look` as often as you like."""

    root: int
    scratch: Path
    limits: Limits
    peak_memory_bytes: int = 0
    cpu_seconds: float = 0.0
    _next: float = 0.0
    _next_disk: float = 0.0
    _free_at_start: int = field(init=False)

    def __post_init__(self) -> None:
        self._free_at_start = free_bytes(self.scratch)

    def look(self) -> str:
        """The limit that is broken (`memory`, `processes`, `disk`), or nothing.

        Raises DiskFullError or SandboxError where the machine itself has run out, which is nobody's verdict.
        """
        started = time.monotonic()
        if started < self._next:
            return ""
        broken = self._broken()
        self._next = time.monotonic() + max(_TICK, _COST_SHARE * (time.monotonic() - started))
        return broken

    def _broken(self) -> str:
        usage = _processes.usage(self.root)
        self.peak_memory_bytes = max(self.peak_memory_bytes, usage.memory_bytes)
        self.cpu_seconds = max(self.cpu_seconds, usage.cpu_seconds)
        if usage.threads >= self.limits.processes:
            return "processes"
        if self._over_memory(usage):
            return "memory"
        return "disk" if self._over_disk(usage) else ""

    def _over_memory(self, usage: Usage) -> bool:
        if _processes.available_memory() < MEMORY_RESERVE:
            raise SandboxError("the machine is out of memory", hint="Use fewer workers.")
        if usage.memory_bytes <= self.limits.memory_bytes:
            return False
        return _processes.proportional_bytes(usage.pids) > self.limits.memory_bytes

    def _over_disk(self, usage: Usage) -> bool:
        """Measure the directory when free space says that it may have grown enough, and now and then anyway."""
        free = free_bytes(self.scratch)
        now = time.monotonic()
        suspicious = self._free_at_start - free > self.limits.disk_bytes // 2
        if now < self._next_disk and not (suspicious and now > self._next_disk - _DISK_TICK * 0.9):
            return self._full(free, usage)
        over = self._disk_bytes(usage) > self.limits.disk_bytes
        self._next_disk = time.monotonic() + max(_DISK_TICK, _COST_SHARE * (time.monotonic() - now))
        return over or self._full(free, usage)

    def _full(self, free: int, usage: Usage) -> bool:
        if free >= DISK_RESERVE:
            return False
        if self._disk_bytes(usage) > self.limits.disk_bytes:
            return True
        raise DiskFullError(f"less than {DISK_RESERVE // 1024**2} MiB left on the disk of {self.scratch}")

    def _disk_bytes(self, usage: Usage) -> int:
        return used_bytes(self.scratch) + _processes.unlinked_bytes(usage.pids)


def free_bytes(path: Path) -> int:
    """Bytes that an ordinary user can still write on the file system of `path`."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def used_bytes(path: Path) -> int:
    """Bytes that a directory takes on disk, hard links once. Unreadable parts are left out."""
    command = ["du", "--summarize", "--block-size=1", "--one-file-system", "--", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return int(done.stdout.split()[0]) if done.stdout else 0
