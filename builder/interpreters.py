"""Which CPython interpreters this machine has, and where.

Looked for where people install them: uv's own directory, pyenv's versions, and the directories of PATH (shims and
virtual environments are followed to the real prefix or passed over). uv itself does not list versions as old as 3.6.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from builder.errors import InterpreterMissingError

_QUERY = (
    "import json, platform, sys;"
    "print(json.dumps([platform.python_implementation(), platform.python_version(),"
    " getattr(sys, 'base_prefix', sys.prefix), sys.prefix]))"
)
_NAME = re.compile(r"python3\.\d+$")
_QUERY_SECONDS = 20
_INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Interpreter:
    """One CPython: exact `version` (`3.9.18`), its installation `prefix`, and the `executable` below it."""

    version: str
    prefix: Path
    executable: Path


@functools.cache
def installed() -> tuple[Interpreter, ...]:
    """Every usable CPython 3 of this machine, newest version first; read once per process."""
    return tuple(look(search_paths()))


def find(version: str, *, search: Sequence[Path] | None = None) -> Interpreter:
    """The newest installed patch release of `version` (`3.9`), or exactly `version` (`3.9.18`).

    `search` replaces the usual places by directories that hold `python3.X` executables. Where nothing is found uv is
    asked to install it, once per process. Raises InterpreterMissingError.
    """
    _parsed(version)
    if search is not None:
        return _pick(version, look(search)) or _missing(version)
    return _pick(version, installed()) or _fetched(version)


def search_paths() -> list[Path]:
    """The directories that may hold interpreters, the most deliberate installations first."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    found = [*_below(managed, "cpython-*/bin"), *_below(pyenv, "versions/*/bin")]
    found += _below(home, ".asdf/installs/python/*/bin")
    found += [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    return [*found, Path("/usr/local/bin"), Path("/usr/bin"), Path(sys.base_prefix) / "bin"]


def look(directories: Iterable[Path]) -> list[Interpreter]:
    """The usable CPython 3 interpreters in these directories, newest first; of equal versions the first found."""
    found: dict[str, Interpreter] = {}
    for executable in _executables(directories):
        interpreter = _queried(executable)
        if interpreter is not None:
            found.setdefault(interpreter.version, interpreter)
    return sorted(found.values(), key=lambda one: Version(one.version), reverse=True)


def _below(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []


def _executables(directories: Iterable[Path]) -> Iterator[Path]:
    """Distinct real files named python3.X. A pyenv or asdf shim is a script that picks another, so it is left out."""
    seen: set[Path] = set()
    for directory in directories:
        if directory.name == "shims":
            continue
        for path in _below(directory, "python3.*"):
            real = Path(os.path.realpath(path))
            if _NAME.match(path.name) and real not in seen and os.access(real, os.X_OK):
                seen.add(real)
                yield path


def _queried(executable: Path) -> Interpreter | None:
    """Ask the executable itself; None for what does not run, is no CPython, or is a virtual environment."""
    command = [str(executable), "-I", "-S", "-c", _QUERY]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_QUERY_SECONDS, check=True, env={"LC_ALL": "C"})
        implementation, version, base, prefix = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    own = Path(prefix, "bin", executable.name)
    if implementation != "CPython" or base != prefix or not own.exists():
        return None
    return Interpreter(version, Path(prefix), own)


def _pick(version: str, interpreters: Iterable[Interpreter]) -> Interpreter | None:
    """Of the newest first, the first that `version` admits; a pre-release only if nothing else does."""
    matching = [one for one in interpreters if one.version == version or one.version.startswith(version + ".")]
    stable = [one for one in matching if not Version(one.version).is_prerelease]
    return next(iter(stable or matching), None)


def _parsed(version: str) -> None:
    try:
        Version(version)
    except InvalidVersion:
        raise InterpreterMissingError(
            f"{version!r} is not a Python version", hint="Write it as in `3.9` or `3.9.18`."
        ) from None


def _fetched(version: str) -> Interpreter:
    failure = _install(version)
    installed.cache_clear()
    return _pick(version, installed()) or _missing(version, failure)


@functools.cache
def _install(version: str) -> str:
    """Let uv install CPython `version`; the last line of what it said where it failed."""
    command = [str(uv_program()), "python", "install", "--no-bin", version]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return lines[-1].strip() if done.returncode and lines else ""


def _missing(version: str, failure: str = "") -> Interpreter:
    reason = f" (uv: {failure})" if failure else ""
    raise InterpreterMissingError(
        f"no CPython {version} on this machine, and none could be installed{reason}",
        hint=f"Run `uv python install {version}` or `pyenv install {version}`; found are: {_found()}.",
    )


def _found() -> str:
    return ", ".join(one.version for one in installed()) or "none"


def uv_program() -> Path:
    """The program of the `uv` distribution."""
    import uv

    return Path(uv.find_uv_bin()).resolve()
