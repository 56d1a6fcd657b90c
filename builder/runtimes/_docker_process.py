"""Run one command in a running container and stay with it until nothing of it is left.

The container's first process only waits, and reaps orphans. A command is an `exec` of it: a shell takes its script,
and what sets its environment, from its input (so that neither is in the engine's log), runs the script, and kills
what the script left behind. Whoever escapes that, by killing the shell first, is still counted by the engine; then,
and after every time-out and broken limit, the container is killed as a whole and started again.
"""

from __future__ import annotations

import contextlib
import select
import shlex
import socket
import struct
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from builder.errors import DiskFullError, SandboxError
from builder.protocols import ExecResult, Limits
from builder.runtimes import _docker_usage, _processes
from builder.runtimes._capture import Capture
from builder.runtimes._docker_engine import Engine, engine_errors, explained
from builder.runtimes._docker_usage import Groups, Usage
from builder.runtimes._watchdog import DISK_RESERVE, free_bytes

CLOSED = "the runtime was closed"
USER = "1000:1000"
SCRIPT = "/run/builder/script"
_BEGUN = b"\x06\n"
_CHUNK = 1024**2
_DEATH_SECONDS = 60
_TICK = 0.1
_COST_SHARE = 20
_DISK_TICK = 2.0
_SLOW_TICK = 0.5
_SLOW_AFTER = 5.0
_HEADER = struct.Struct(">BxxxL")

_INIT = """
exec 2>/dev/null
mkdir -p /run/builder && head -c "$1" >/run/builder/setting && head -c "$2" >/run/builder/script || exit 1
. /run/builder/setting
printf '\\006\\n'
/bin/bash /run/builder/script </dev/null 2>&1
code=$?
kill -9 -1
exit $code
"""
_FILE_INIT = """
exec 2>&1
read -r _
printf '\\006\\n'
"""


@dataclass(frozen=True)
class Command:
    """`words` are the program's, `data` its whole input.

    It says nothing before it has read of that: what arrives together with the engine's answer is lost to us.
    """

    words: tuple[str, ...]
    data: bytes
    timeout: float


def script_command(script: str, *, timeout: float, env: Mapping[str, str], workdir: str, limits: Limits) -> Command:
    """The command that runs `script` with exactly the variables of `env` in `workdir`."""
    text = script.encode("utf-8", "surrogateescape")
    setting = _setting(env, workdir, limits)
    words = (*_EMPTY, _INIT, "bash", str(len(setting)), str(len(text)))
    return Command(words, setting + text, timeout)


def file_command(script: str, path: str, data: bytes, timeout: float) -> Command:
    """The command that runs one of our own scripts, which needs nothing, over a path."""
    return Command((*_EMPTY, _FILE_INIT + script, "bash", path), b"\n" + data, timeout)


_EMPTY = ("/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "/bin/bash", "--noprofile", "--norc", "-c")


def _setting(env: Mapping[str, str], workdir: str, limits: Limits) -> bytes:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    lines += [
        f"cd {shlex.quote(workdir)} 2>&1 || exit 1",
        "echo 1000 >/proc/self/oom_score_adj",
        "ulimit -c 0",
        "ulimit -S -n 4096",
        f"ulimit -f {limits.disk_bytes // 1024}",
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


class Box:
    """A running container and what holds for it."""

    def __init__(self, engine: Engine, container: str, limits: Limits, closed: threading.Event) -> None:
        self.engine = engine
        self.container = container
        self.limits = limits
        self.closed = closed
        self._groups = self._find_groups()

    def usage(self) -> Usage:
        """Raises SandboxError."""
        if self._groups is not None:
            with contextlib.suppress(OSError):
                return self._groups.usage()
        return _docker_usage.ask(self.engine, self.container)

    def kill(self) -> None:
        """Kill every process of the container."""
        with engine_errors("stopping a sandbox"):
            self.engine.api.kill(self.container)

    def restart(self) -> None:
        """Start the killed container again; its files are still there."""
        with engine_errors("stopping a sandbox"):
            self.engine.api.wait(self.container, timeout=_DEATH_SECONDS)
            self.engine.api.start(self.container)
        self._groups = self._find_groups()

    def _find_groups(self) -> Groups | None:
        if self.engine.root is None:
            return None
        with engine_errors("looking at a sandbox"):
            pid = self.engine.api.inspect_container(self.container)["State"]["Pid"]
        return _docker_usage.groups(pid)

    def disk_bytes(self) -> int:
        """What the container's own files take, those included that no directory lists (on this machine only)."""
        with engine_errors("measuring a sandbox"):
            found = self.engine.api.containers(all=True, size=True, filters={"id": self.container})
            size = int(found[0].get("SizeRw") or 0) if found else 0
        return size + (_processes.unlinked_bytes(self._groups.members()) if self._groups else 0)


def run(box: Box, command: Command, *, capture: int | None = None) -> ExecResult:
    """Run the command to its end, its time-out or a broken limit.

    `capture` bounds the output where it is not `limits.output_bytes`. Raises SandboxError if the command did not
    begin, DiskFullError if for want of space.
    """
    if box.closed.is_set():
        raise SandboxError(CLOSED)
    running = _Running(box, command, capture or box.limits.output_bytes)
    with contextlib.ExitStack() as stack:
        running.start(stack)
        try:
            running.supervise()
            running.require_room()
        finally:
            running.abandon()
    return running.result()


class _Running:
    """A started `exec`."""

    def __init__(self, box: Box, command: Command, output_bytes: int) -> None:
        self._box = box
        self._command = command
        self._capture = Capture(output_bytes)
        self._before = box.usage()
        self._started = time.monotonic()
        self._pending = b""
        self._head = b""
        self._begun = False
        self._peak = 0
        self._next = 0.0
        self._next_disk = self._started + _DISK_TICK / 2
        self._timed_out = False
        self._killed_by = ""
        self._code: int | None = None
        self._cpu_seconds = 0.0
        self._over = False

    def start(self, stack: contextlib.ExitStack) -> None:
        api = self._box.engine.api
        with engine_errors("starting a command"):
            created = api.exec_create(
                self._box.container, list(self._command.words), stdin=True, user=USER, workdir="/"
            )
            self._id = created["Id"]
            stream = api.exec_start(self._id, socket=True)
        self._socket: socket.socket = cast("socket.socket", getattr(stream, "_sock", stream))
        for opened in (self._socket, stream, getattr(stream, "_response", None)):
            if opened is not None:
                stack.callback(opened.close)
        self._send()

    def _send(self) -> None:
        """Hand over the input; whoever does not take it has ended, which its output will tell."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(60)
            self._socket.sendall(self._command.data)
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.setblocking(False)

    def supervise(self) -> None:
        """Read, measure and enforce until the command is gone; afterwards nothing of it runs."""
        while self._read(_TICK):
            self._enforce()
            if self._timed_out or self._killed_by:
                break
        self._over = True
        if not (self._timed_out or self._killed_by):
            self._code = self._exit_code()  # podman forgets it when the container is killed.
        after = self._box.usage()
        if after.out_of_memory > self._before.out_of_memory:
            self._killed_by = "memory"
        self._cpu_seconds = max(0.0, after.cpu_seconds - self._before.cpu_seconds)
        if self._timed_out or self._killed_by or after.processes > 1:
            with ThreadPoolExecutor(1) as other:  # podman's answer waits for the output to be taken.
                killed = other.submit(self._box.kill)
                self._drain()
                killed.result()
            self._box.restart()

    def _exit_code(self) -> int | None:
        with engine_errors("reading how a command ended"):
            code = self._box.engine.api.exec_inspect(self._id)["ExitCode"]
        return None if code is None else int(code)

    def abandon(self) -> None:
        """Kill the container of a command that was left running, because of an error here."""
        if not self._over:
            with contextlib.suppress(SandboxError, DiskFullError):
                self._box.kill()

    def _drain(self) -> None:
        """Take the rest of the output: the engine does not let go of a command before somebody has."""
        deadline = time.monotonic() + _DEATH_SECONDS
        while time.monotonic() < deadline and self._read(_TICK):
            pass

    def _read(self, seconds: float) -> bool:
        """Take what comes within `seconds`; False at the end of the stream."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return True
        try:
            chunk = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._take(chunk)
        return bool(chunk)

    def _take(self, chunk: bytes) -> None:
        """Undo the engine's framing: 8 bytes with the length before each piece."""
        self._pending += chunk
        at = 0
        while len(self._pending) - at >= _HEADER.size:
            _, size = _HEADER.unpack_from(self._pending, at)
            if len(self._pending) - at - _HEADER.size < size:
                break
            at += _HEADER.size
            self._add(self._pending[at : at + size])
            at += size
        self._pending = self._pending[at:]

    def _add(self, data: bytes) -> None:
        if self._begun:
            self._capture.add(data)
            return
        self._head += data
        if self._head.startswith(_BEGUN):
            self._begun = True
            self._capture.add(self._head[len(_BEGUN) :])

    def _enforce(self) -> None:
        now = time.monotonic()
        if self._box.closed.is_set():
            raise SandboxError(CLOSED)
        self._timed_out = now - self._started >= self._command.timeout
        if now >= self._next:
            self._killed_by = self._broken(now)
            slow = _SLOW_TICK if now - self._started > _SLOW_AFTER else _TICK
            self._next = time.monotonic() + max(slow, _COST_SHARE * (time.monotonic() - now))

    def _broken(self, now: float) -> str:
        usage = self._box.usage()
        self._peak = max(self._peak, usage.memory_bytes)
        if usage.out_of_memory > self._before.out_of_memory:
            return "memory"
        if usage.processes >= self._box.limits.processes:
            return "processes"
        if now >= self._next_disk:
            measured = self._box.disk_bytes()
            self._next_disk = time.monotonic() + max(_DISK_TICK, _COST_SHARE * (time.monotonic() - now))
            if measured > self._box.limits.disk_bytes:
                return "disk"
            _require_room(self._box.engine.root)
        return ""

    def require_room(self) -> None:
        """What failed on a full disk failed for that reason, whatever it says. Raises DiskFullError."""
        if self._code and self._box.engine.root is not None:
            _require_room(self._box.engine.root)

    def result(self) -> ExecResult:
        stopped = self._timed_out or bool(self._killed_by)
        if not self._begun and not stopped:
            said = self._head.decode("utf-8", "replace").strip()
            raise explained("a command did not begin", said or f"exit code {self._code}")
        return ExecResult(
            exit_code=None if stopped else self._code,
            output=self._capture.value(),
            timed_out=self._timed_out,
            truncated=self._capture.truncated,
            killed_by=self._killed_by,
            wall_seconds=time.monotonic() - self._started,
            cpu_seconds=self._cpu_seconds,
            peak_memory_bytes=self._peak,
        )


def _require_room(root: Path | None) -> None:
    if root is not None and free_bytes(root) < DISK_RESERVE:
        raise DiskFullError(f"less than {DISK_RESERVE // 1024**2} MiB left on the engine's disk, {root}")
