"""An interpreter of this machine as a tar for an image: its program, standard library and headers, below /opt/python.

What it says of how it was built names its new place, or extensions would be linked in the old one: CPython up to 3.7
links them with its library. Left out is what users have installed into it, its own tests, and static libraries. A copy
works elsewhere, since CPython finds its library from where its program is; a shared `libpython` is found through the
loader's cache.
"""

from __future__ import annotations

import os
import shlex
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from builder.interpreters import Interpreter
from builder.protocols import PYTHON_DIR, TOOLS_DIR, UV

LOADER_SETTING = "/etc/ld.so.conf.d/python.conf"
RULES_VERSION = 2
"""Counts the changes of what is packed, for those who keep it."""
_BUILD_RECORDS = ("_sysconfigdata*.py", "config-*/Makefile")
_SYSTEM = Path("/usr")
_LEFT_OUT = {"site-packages", "dist-packages", "__pycache__", "turtledemo", "idlelib"}


def location(version: str) -> str:
    """The interpreter's prefix in an image."""
    return f"{PYTHON_DIR}/{version}"


def pack(python: Interpreter, uv: Path, packed: IO[bytes]) -> None:
    """Write the tar of everything that a base image needs of this machine, by paths from its root."""
    home = location(python.version)
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in _files(python):
            name = f"{home}/{path.relative_to(python.prefix)}"
            if _is_build_record(path, python):
                moved = path.read_bytes().replace(os.fsencode(python.prefix), home.encode("ascii"))
                _bytes(archive, name, moved, 0o644)
            else:
                _add(archive, path, name)
        _add(archive, uv.resolve(), UV)
        _text(archive, LOADER_SETTING, f"{home}/lib\n", 0o644)
        for name in ("python", "python3", python.executable.name):
            program = shlex.quote(f"{home}/bin/{python.executable.name}")
            _text(archive, f"{TOOLS_DIR}/{name}", f'#!/bin/sh\nexec {program} "$@"\n', 0o755)


def _is_build_record(path: Path, python: Interpreter) -> bool:
    """The distribution's own interpreter is built for where everything is."""
    return python.prefix != _SYSTEM and any(path.match(pattern) for pattern in _BUILD_RECORDS)


def _files(python: Interpreter) -> Iterator[Path]:
    name = python.executable.name
    yield python.executable
    yield from sorted(python.prefix.glob("lib/libpython3*.so*"))
    for top in (python.prefix / "lib" / name, *sorted(python.prefix.glob(f"include/{name}*"))):
        yield from _below(top)


def _below(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if path.name in _LEFT_OUT or path.suffix == ".a":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _support(path) if path.name == "test" else _below(path)
        else:
            yield path


def _support(tests: Path) -> Iterator[Path]:
    """Of the standard library's tests only what others use."""
    yield from sorted(tests.glob("__init__.py"))
    if (tests / "support").is_dir():
        yield from _below(tests / "support")


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    info = archive.gettarinfo(path, name.lstrip("/"))
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    if info.islnk():  # Names a file that may have been left out.
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
    if info.isreg():
        info.mode = 0o755 if info.mode & 0o100 else 0o644
        with path.open("rb") as source:
            archive.addfile(info, source)
    else:
        archive.addfile(info)


def _text(archive: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    _bytes(archive, name, text.encode("utf-8"), mode)


def _bytes(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name.lstrip("/"))
    info.size, info.mode = len(data), mode
    archive.addfile(info, BytesIO(data))
