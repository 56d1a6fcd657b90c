"""Can sandboxes be started here, and if not, what is to be done about it?"""

from __future__ import annotations

import os
import platform
import re
import threading
from collections.abc import Callable
from pathlib import Path

from builder.errors import RuntimeMissingError, SandboxError
from builder.interpreters import Interpreter
from builder.protocols import ExecResult, Limits
from builder.runtimes import _bwrap_command, _bwrap_process
from builder.runtimes._bwrap_command import View
from builder.runtimes._bwrap_process import Command

_OLDEST_KERNEL = (5, 11)
_SECONDS = 60.0
_SCRIPT = """set -e
read -r word <seen; test "$word" = lower
rm seen; test ! -e seen
rm -r full; mkdir full; test ! -e full/file
"""
_SYSCTLS = (
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (or give bwrap an AppArmor profile with `userns,`)",
    ),
)


def probe(root: Path, uv: Path) -> None:
    """Start a real sandbox over two layers in the empty directory `root`. Raises RuntimeMissingError."""
    if not Path("/bin/bash").exists():
        raise RuntimeMissingError("there is no /bin/bash on this machine", hint="Install bash.")
    lower = root / "lower"
    for name in ("testbed", "env"):
        (lower / name / "full").mkdir(parents=True)
        (lower / name / "full" / "file").touch()
    (lower / "testbed" / "seen").write_text("lower\n", encoding="ascii")
    view = View(root, Interpreter("3", Path("/usr"), Path("/usr/bin/python3")), uv, [lower], [])
    _bwrap_command.prepare(view)
    script = root / "script"
    script.write_text(_SCRIPT, encoding="ascii")
    _judge(lambda: _run(view, script), root)


def _run(view: View, script: Path) -> ExecResult:
    limits = Limits()
    memory = limits.memory_bytes
    options = _bwrap_command.arguments(view, workdir="/testbed", script=script, env={}, memory_bytes=memory)
    words = ["/bin/bash", _bwrap_command.SCRIPT]
    return _bwrap_process.run(Command(options, words, _SECONDS, limits, view.root, threading.Event()))


def _judge(attempt: Callable[[], ExecResult], root: Path) -> None:
    try:
        result = attempt()
    except SandboxError as error:
        raise RuntimeMissingError(
            f"no sandbox can be started here: {error.message}", hint=remedy(error.message, root)
        ) from error
    if not result.ok:
        said = result.output.decode("utf-8", "replace").strip()
        raise RuntimeMissingError(f"a sandbox does not work here: {said or result}", hint=remedy("overlay", root))


def remedy(message: str, workspace: Path, *, sysctls: Path = Path("/proc/sys"), release: str = "") -> str:
    """What a person has to do so that sandboxes start, judged by bwrap's message and the kernel's settings."""
    release = release or platform.release()
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if numbers < _OLDEST_KERNEL:
        return f"Linux 5.11 or newer is needed (overlay mounts in user namespaces); this is {release}."
    if os.geteuid() != 0 or "namespace" in message:
        for name, bad, command in _SYSCTLS:
            if _setting(sysctls / name) == bad:
                return f"User namespaces are switched off. Run: {command}"
    if "overlay" in message:
        return (
            f"The file system of {workspace} cannot carry an overlay (it is itself an overlay, or NFS). "
            "Use --workspace with a directory on ext4, xfs, btrfs or tmpfs."
        )
    return (
        "Inside a container, allow user namespaces (docker: --security-opt seccomp=unconfined --security-opt "
        "apparmor=unconfined --security-opt systempaths=unconfined), or use --runtime docker."
    )


def _setting(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
