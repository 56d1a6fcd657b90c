"""Catches an image's interpreter that lacks a part, or brings along what users of this machine installed."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from builder import interpreter_archive
from builder.interpreters import Interpreter

HOME = "opt/python/3.9.18"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    root = tmp_path / "prefix"
    for name, text in {
        "bin/python3.9": "program",
        "bin/pip": "user's",
        "lib/libpython3.9.so.1.0": "library",
        "lib/libpython3.9.a": "static",
        "lib/python3.9/os.py": "os",
        "lib/python3.9/__pycache__/os.pyc": "cache",
        "lib/python3.9/site-packages/builder/expected.py": "results",
        "lib/python3.9/test/__init__.py": "",
        "lib/python3.9/test/test_os.py": "test",
        "lib/python3.9/test/support/__init__.py": "support",
        "lib/python3.9/config/libpython3.9.a": "static",
        "include/python3.9/Python.h": "header",
        "share/man/man1/python3.1": "manual",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "bin/python3.9").chmod(0o700)
    os.link(root / "lib/libpython3.9.so.1.0", root / "lib/libpython3.9.so")
    (root / "lib/libpython3.so").symlink_to("libpython3.9.so")
    return root


def packed(prefix: Path, tmp_path: Path) -> tarfile.TarFile:
    uv = tmp_path / "uv"
    uv.write_text("uv")
    uv.chmod(0o755)
    stream = io.BytesIO()
    interpreter_archive.pack(Interpreter("3.9.18", prefix, prefix / "bin/python3.9"), uv, stream)
    stream.seek(0)
    return tarfile.open(fileobj=stream)


def test_the_archive_holds_what_runs_and_nothing_of_the_users(prefix: Path, tmp_path: Path) -> None:
    with packed(prefix, tmp_path) as archive:
        names = {member.name for member in archive.getmembers()}
    assert {name.removeprefix(f"{HOME}/") for name in names if name.startswith(HOME)} == {
        "bin/python3.9",
        "lib/libpython3.9.so.1.0",
        "lib/libpython3.9.so",
        "lib/libpython3.so",
        "lib/python3.9/os.py",
        "lib/python3.9/test/__init__.py",
        "lib/python3.9/test/support/__init__.py",
        "include/python3.9/Python.h",
    }
    tools = {f"opt/builder/bin/{name}" for name in ("python", "python3", "python3.9", "uv")}
    assert {name for name in names if not name.startswith(HOME)} == tools | {"etc/ld.so.conf.d/python.conf"}


def test_everything_belongs_to_root_and_can_be_read_by_all(prefix: Path, tmp_path: Path) -> None:
    with packed(prefix, tmp_path) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert all(member.mode & 0o444 == 0o444 for member in members if member.isreg())
    modes = {member.name: member.mode for member in members}
    assert modes[f"{HOME}/bin/python3.9"] == 0o755


def test_a_second_name_of_a_file_is_a_file_of_its_own(prefix: Path, tmp_path: Path) -> None:
    """A hard link to what was left out could not be unpacked."""
    with packed(prefix, tmp_path) as archive:
        for name in ("libpython3.9.so", "libpython3.9.so.1.0"):
            member = archive.getmember(f"{HOME}/lib/{name}")
            file = archive.extractfile(member)
            assert member.isreg()
            assert file is not None
            assert file.read() == b"library"


def test_how_it_was_built_names_its_new_place(prefix: Path, tmp_path: Path) -> None:
    """Catches `cannot find -lpython3.7m`: until 3.7 extensions are linked with a library in the place that is named."""
    for name in ("_sysconfigdata_m_linux.py", "config-3.9/Makefile"):
        record = prefix / "lib/python3.9" / name
        record.parent.mkdir(exist_ok=True)
        record.write_text(f"LDSHARED = gcc -L{prefix}/lib\n")
    (prefix / "lib/python3.9/other.py").write_text(f"{prefix}\n")
    with packed(prefix, tmp_path) as archive:
        for name in ("_sysconfigdata_m_linux.py", "config-3.9/Makefile"):
            member = archive.extractfile(f"{HOME}/lib/python3.9/{name}")
            assert member is not None
            assert member.read() == f"LDSHARED = gcc -L/{HOME}/lib\n".encode()
        assert archive.getmember(f"{HOME}/lib/python3.9/{name}").mode == 0o644
        other = archive.extractfile(f"{HOME}/lib/python3.9/other.py")
        assert other is not None
        assert other.read() == f"{prefix}\n".encode()
