"""What a container uses: from the kernel where the engine runs on this machine, else from the engine.

The kernel answers at once and says what it had to enforce. An engine answers once a second, and says of memory only
whether it ever ran out (Docker 23 and newer).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.runtimes._docker_engine import Engine, engine_errors

_MOUNT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Usage:
    """One look. `memory_bytes` is what processes hold, without files; `out_of_memory` counts kills for want of it."""

    processes: int = 0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    out_of_memory: int = 0


@dataclass(frozen=True)
class Groups:
    """The control groups of a container on this machine."""

    processes: Path
    memory: Path
    cpu: Path

    def usage(self) -> Usage:
        """Raises OSError where the container is gone."""
        memory = _table(self.memory / "memory.stat")
        killed = {**_table(self.memory / "memory.oom_control"), **_table(self.memory / "memory.events")}
        return Usage(
            processes=int((self.processes / "pids.current").read_text(encoding="ascii")),
            cpu_seconds=self._cpu_seconds(),
            memory_bytes=memory.get("total_rss", memory.get("anon", 0)),
            out_of_memory=killed.get("oom_kill", 0),
        )

    def members(self) -> tuple[int, ...]:
        """The processes by this machine's numbers; none where the container is gone."""
        with contextlib.suppress(OSError):
            return tuple(int(line) for line in (self.processes / "cgroup.procs").read_text(encoding="ascii").split())
        return ()

    def _cpu_seconds(self) -> float:
        if (self.cpu / "cpuacct.usage").exists():
            return int((self.cpu / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
        return _table(self.cpu / "cpu.stat").get("usage_usec", 0) / 1e6


def groups(pid: int, *, mount: Path = _MOUNT, processes: Path = Path("/proc")) -> Groups | None:
    """The groups of a process of this machine in which all we need can be read, else None."""
    found = {}
    with contextlib.suppress(OSError):
        for line in (processes / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                found[name] = mount / controllers / path.lstrip("/") if name else mount / path.lstrip("/")
    unified = found.get("", Path("/nonexistent"))
    one = Groups(found.get("pids", unified), found.get("memory", unified), found.get("cpuacct", unified))
    try:
        one.usage()
    except (OSError, ValueError):
        return None
    return one


def ask(engine: Engine, container: str) -> Usage:
    """What the engine says. Raises SandboxError."""
    with engine_errors("measuring a sandbox"):
        stats = engine.api.stats(container, stream=False, one_shot=True)
        state = engine.api.inspect_container(container)["State"]
    return stated(stats, out_of_memory=bool(state.get("OOMKilled")))


def stated(stats: dict[str, Any], *, out_of_memory: bool) -> Usage:
    """The usage in an answer of the engine's `/stats`."""
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    return Usage(
        processes=int((stats.get("pids_stats") or {}).get("current") or 0),
        cpu_seconds=float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9,
        memory_bytes=int(details.get("total_rss", details.get("anon", memory.get("usage", 0)))),
        out_of_memory=int(out_of_memory),
    )


def _table(path: Path) -> dict[str, int]:
    try:
        lines: Iterable[str] = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
