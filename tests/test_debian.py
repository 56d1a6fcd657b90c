"""Catches a base that is made with another's packages, or half made and taken for whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from builder import debian
from builder.errors import InfrastructureError, ServiceMissingError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of stand-ins for `debootstrap` and `chroot`, each of which writes down what it was asked."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("debootstrap", "chroot"):
        stand_in(directory / name, f'echo "$0 $@" >>{tmp_path}/asked; cat >>{tmp_path}/asked')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "_PROGRAMS", f"{directory}:/usr/bin:/bin")
    return directory


def stand_in(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make(tmp_path: Path) -> str:
    debian.make_root(
        tmp_path / "root",
        suite="trixie",
        mirror="http://mirror.example",
        packages=["cmake", "git"],
        setup="set it up\n",
    )
    return (tmp_path / "asked").read_text()


def test_the_wanted_packages_of_the_wanted_release_are_installed_once(programs: Path, tmp_path: Path) -> None:
    first, _, rest = make(tmp_path).partition("\n")
    words = first.split()
    assert words[0] == str(programs / "debootstrap")
    assert words[-3:] == ["trixie", str(tmp_path / "root"), "http://mirror.example"]
    (packages,) = [word.partition("=")[2].split(",") for word in words if word.startswith("--include=")]
    assert packages.count("git") == 1
    assert {"build-essential", "cmake"} <= set(packages)
    assert rest.startswith(f"{programs / 'chroot'} {tmp_path / 'root'}")
    assert rest.endswith("set it up\n")


@pytest.mark.parametrize("name", ["debootstrap", "chroot"])
def test_a_failing_step_says_what_it_said_last(programs: Path, tmp_path: Path, name: str) -> None:
    stand_in(programs / name, "cat >/dev/null; echo first; echo 'E: no such mirror' >&2; exit 1")
    with pytest.raises(InfrastructureError, match=f"{name} failed: E: no such mirror"):
        make(tmp_path)


def test_who_cannot_make_a_base_is_told_why(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ServiceMissingError, match="only be made by root"):
        make(tmp_path)
    monkeypatch.setattr(debian, "_PROGRAMS", str(tmp_path / "nowhere"))
    with pytest.raises(ServiceMissingError, match="debootstrap is not installed"):
        make(tmp_path)
    assert not (tmp_path / "asked").exists()
