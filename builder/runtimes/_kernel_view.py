"""What of the running kernel a sandbox can reach: /proc, /dev and the file systems in memory.

A sandbox of root is still root's to the kernel, whatever number it shows inside: the owner of a kernel setting or of a
device node may write or change it without any capability. Hence settings are mounted read-only, files that describe
the machine are covered (both lists are those of the OCI runtimes: `defaultReadonlyPaths` and `defaultMaskedPaths` of
moby's `oci/defaults.go`, and what else Linux keeps for root), and root gets device nodes of its own.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_SHARED_MEMORY_PART = 4
_OTHER_MEMORY_BYTES = 64 * 1024**2
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
READ_ONLY = ("bus", "fs", "irq", "mtrr", "pressure", "sys", "sysrq-trigger")
COVERED = (
    "acpi",
    "asound",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "pagetypeinfo",
    "sched_debug",
    "scsi",
    "slabinfo",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
)


def prepare(root: Path) -> None:
    """Make in `root` what `arguments` refers to: something empty to cover with, and device nodes where needed."""
    (root / "nothing").mkdir()
    devices = root / "dev"
    devices.mkdir()
    for name in _DEVICES:
        host = Path("/dev", name)
        if host.stat().st_uid == os.geteuid():
            _copy_device(host.stat().st_rdev, devices / name)


def arguments(root: Path, *, memory_bytes: int, proc: Path = Path("/proc")) -> list[str]:
    """bwrap options. Memory file systems have sizes, since what lies in them is in nobody's resident memory."""
    return [
        *("--proc", "/proc", *_settings(root, proc)),
        *("--dev", "/dev", *_own_devices(root)),
        *("--perms", "1777", "--size", str(memory_bytes // _SHARED_MEMORY_PART), "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--remount-ro", "/dev"),
        *("--perms", "0755", "--size", str(_OTHER_MEMORY_BYTES), "--tmpfs", "/run"),
        *("--perms", "1777", "--size", str(_OTHER_MEMORY_BYTES), "--tmpfs", "/var/tmp"),  # noqa: S108
    ]


def _settings(root: Path, proc: Path) -> list[str]:
    options = []
    for name in READ_ONLY:
        if (proc / name).exists():
            options += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    for name in COVERED:
        if (proc / name).exists():
            cover = str(root / "nothing") if (proc / name).is_dir() else "/dev/null"
            options += ["--ro-bind", cover, f"/proc/{name}"]
    return options


def _own_devices(root: Path) -> list[str]:
    options = []
    for path in sorted((root / "dev").iterdir()):
        options += ["--dev-bind", str(path), f"/dev/{path.name}"]
    return options


def _copy_device(number: int, path: Path) -> None:
    """Make a node of our own; none where the file system or the container forbids it, and the machine's is used."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, number)
        path.chmod(0o666)
        os.close(os.open(path, os.O_RDONLY | os.O_NOCTTY))
    except OSError as error:
        if error.errno != errno.ENXIO:  # The device answers: this process has no terminal.
            path.unlink(missing_ok=True)
