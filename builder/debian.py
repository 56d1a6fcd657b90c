"""A Debian root file system from the distribution's own packages: no registry and no image is needed.

`debootstrap` does it, which needs root and a mirror. What it makes depends on the mirror's state, so a base is made
once, and told apart by its content afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from builder.errors import InfrastructureError, ServiceMissingError

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "build-essential", "ca-certificates", "git", "less", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5",
    "libncursesw6", "libreadline8", "libsqlite3-0", "libssl3", "libuuid1", "pkg-config", "procps", "zlib1g",
)  # fmt: skip
"""What every system has: git, compilers, and the libraries that CPython's standard library is linked with."""
_PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 1800
_SETUP_SECONDS = 300


def make_root(root: Path, *, suite: str, mirror: str, packages: Sequence[str], setup: str) -> None:
    """Make the system in the directory `root` and run the script `setup` in it, as root.

    Raises ServiceMissingError without debootstrap or root, InfrastructureError with the last line of what was said.
    """
    program = shutil.which("debootstrap", path=_PROGRAMS)
    if program is None:
        raise ServiceMissingError("debootstrap is not installed", hint="Run `apt-get install debootstrap`.")
    if os.geteuid() != 0:
        raise ServiceMissingError("a base image can only be made by root", hint="Run it with sudo, or use --from.")
    names = ",".join(dict.fromkeys([*PACKAGES, *packages]))
    _run([program, "--variant=minbase", f"--include={names}", suite, str(root), mirror], "", _SECONDS)
    _run([shutil.which("chroot", path=_PROGRAMS) or "chroot", str(root), "/bin/bash", "-s"], setup, _SETUP_SECONDS)


def _run(command: Sequence[str], text: str, seconds: float) -> None:
    environment = {"PATH": _PROGRAMS, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    environment |= {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise InfrastructureError(f"{Path(command[0]).name} took longer than {seconds:.0f} s") from None
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise InfrastructureError(f"{Path(command[0]).name} failed: {lines[-1] if lines else done.returncode}")
