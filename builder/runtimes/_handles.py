"""Descriptors that close with an exit stack, and processes by handle instead of by number."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import IO, cast


def temporary_file(stack: contextlib.ExitStack) -> IO[bytes]:
    return cast("IO[bytes]", stack.enter_context(tempfile.TemporaryFile(buffering=0)))


def pipe(stack: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """The reading and the writing end."""
    read, write = os.pipe()
    ends = (os.fdopen(read, "rb", buffering=0), os.fdopen(write, "wb", buffering=0))
    return stack.enter_context(ends[0]), stack.enter_context(ends[1])


def sockets(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    """Two connected ends; what one sends the other receives."""
    one, other = socket.socketpair()
    return stack.enter_context(one), stack.enter_context(other)


def pidfd(pid: int, stack: contextlib.ExitStack) -> IO[bytes]:
    """A handle that becomes readable when the process ends, and cannot come to mean another process.

    Raises ProcessLookupError if there is no such process.
    """
    return stack.enter_context(os.fdopen(os.pidfd_open(pid), "rb", buffering=0))


def kill(process: IO[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process.fileno(), signal.SIGKILL)


def kill_in_directory(directory: Path) -> None:
    """Kill every process whose working directory is `directory`, where this user may."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            handle = pidfd(int(entry.name), stack)
            if (entry / "cwd").samefile(directory):
                kill(handle)
