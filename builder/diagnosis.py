"""What `builder doctor` examines: everything the steps need, each with what to do where it is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from builder import interpreters
from builder.errors import BuilderError, ServiceMissingError
from builder.session import open_runtime
from builder.settings import Settings

_WANTED_PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
_ROOM = 10 * 1000**3


@dataclass(frozen=True)
class Finding:
    """One thing examined. `needed` says that nothing works without it; `hint` what to do where it is not `ok`."""

    name: str
    ok: bool
    needed: bool
    detail: str
    hint: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; a missing thing is a finding, never an exception."""
    checks: list[Callable[[Settings], Finding]] = [_python, _git, _data, _runtime, _uv, _interpreters, _index, _disk]
    return [check(settings) for check in checks]


def _python(_settings: Settings) -> Finding:
    return Finding("python", True, True, f"{sys.version.split()[0]} at {sys.executable}")


def _git(_settings: Settings) -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", False, True, "not found", "Install git 2.38 or newer.")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()[2]
    numbers = tuple(int(part) for part in version.split(".")[:2])
    return Finding(
        "git", numbers >= (2, 38), True, version, "" if numbers >= (2, 38) else "git 2.38 or newer is needed."
    )


def _data(settings: Settings) -> Finding:
    return _tried("data", True, lambda: f"{settings.templates_dir}, {settings.instances_dir}")


def _runtime(settings: Settings) -> Finding:
    def check() -> str:
        runtime = open_runtime(settings)
        runtime.check()
        return f"{runtime.name}: a sandbox starts"

    return _tried("runtime", True, check)


def _uv(_settings: Settings) -> Finding:
    return _tried("uv", True, lambda: str(interpreters.uv_program()))


def _interpreters(_settings: Settings) -> Finding:
    present = sorted({found.version for found in interpreters.installed()}, key=_as_numbers)
    missing = [wanted for wanted in _WANTED_PYTHONS if not any(name.startswith(f"{wanted}.") for name in present)]
    hint = f"For older commits: uv python install {' '.join(missing)}" if missing else ""
    return Finding("interpreters", not missing, False, ", ".join(present) or "none", hint)


def _index(_settings: Settings) -> Finding:
    def check() -> str:
        import os

        from builder.sources._package_index import PackageIndex

        releases = PackageIndex(os.environ).releases("tinydb")
        return f"answers ({len(releases)} releases of tinydb)"

    return _tried("package index", False, check)


def _disk(settings: Settings) -> Finding:
    place = settings.workspace.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    hint = "" if free >= _ROOM else "Environments take 20 MB to 4 GB each; use --workspace on a larger disk."
    return Finding("disk", free >= _ROOM, False, f"{free / 1000**3:.0f} GB free at {place}", hint)


def _tried(name: str, needed: bool, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, needed, check())
    except ServiceMissingError as error:
        return Finding(name, False, needed, error.message, error.hint)
    except BuilderError as error:
        return Finding(name, False, needed, str(error))


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
