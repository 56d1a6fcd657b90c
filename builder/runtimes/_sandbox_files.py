"""Reading and writing a sandbox's files by a command inside it, so that no link of the sandbox leads out of it."""

from __future__ import annotations

from builder.errors import SandboxError
from builder.protocols import ExecResult

SECONDS = 600.0
LEAST_OUTPUT = 4096
"""Bytes of output that a command must be able to give, to say why it failed."""
WRITE = 'mkdir -p -- "${1%/*}/" && cat >"$1"'
READ = """
[ -f "$1" ] && exec cat -- "$1"
if [ -e "$1" ]; then echo not a regular file; else echo no such file; fi
exit 1
"""


def require_path(path: str) -> None:
    """Raises SandboxError unless a file can be called so from anywhere."""
    if not path.startswith("/") or "\0" in path:
        raise SandboxError(f"not an absolute path: {path!r}")


def require_written(path: str, result: ExecResult) -> None:
    """Raises SandboxError with the reason if WRITE failed."""
    if not result.ok:
        raise SandboxError(f"cannot write {path} in the sandbox: {_said(result)}")


def content(path: str, result: ExecResult, max_bytes: int) -> bytes:
    """What READ found. Raises SandboxError with the reason if it failed, or found more than `max_bytes`."""
    if not result.ok:
        raise SandboxError(f"cannot read {path} in the sandbox: {_said(result)}")
    if result.truncated or len(result.output) > max_bytes:
        raise SandboxError(f"cannot read {path} in the sandbox: larger than {max_bytes} bytes")
    return result.output


def _said(result: ExecResult) -> str:
    said = result.output[-400:].decode("utf-8", "replace").strip()
    return said or result.killed_by or ("timed out" if result.timed_out else f"exit code {result.exit_code}")
