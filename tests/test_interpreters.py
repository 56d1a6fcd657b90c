"""Which interpreters count as installed. The executables are scripts that answer as an interpreter would."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import interpreters
from builder.errors import InterpreterMissingError


@pytest.fixture(autouse=True)
def _nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """uv must not be asked for downloads here; what it says is `nothing offered`."""
    monkeypatch.setattr(interpreters, "_install", lambda version: f"nothing offered for {version}")
    interpreters.installed.cache_clear()
    yield
    interpreters.installed.cache_clear()


def _python(
    prefix: Path, version: str, *, base: Path | None = None, implementation: str = "CPython", name: str = ""
) -> Path:
    """An executable below `prefix` that claims to be `version`, of a virtual environment if `base` is another."""
    answer = json.dumps([implementation, version, str(base or prefix), str(prefix)])
    path = prefix / "bin" / (name or "python" + ".".join(version.split(".")[:2]))
    return _script(path, f"echo '{answer}'")


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _versions(*directories: Path) -> list[str]:
    return [one.version for one in interpreters.look(directories)]


def test_any_three_is_found(tmp_path: Path) -> None:
    """Catches versions that uv does not list (3.6), and an order by text, in which 3.9 is newer than 3.13."""
    for version in ("3.6.15", "3.9.18", "3.13.0", "3.10.4"):
        _python(tmp_path / version, version)
    found = _versions(*(tmp_path / name / "bin" for name in ("3.6.15", "3.9.18", "3.13.0", "3.10.4")))
    assert found == ["3.13.0", "3.10.4", "3.9.18", "3.6.15"]


def test_facts_of_an_interpreter(tmp_path: Path) -> None:
    executable = _python(tmp_path, "3.9.18")
    (found,) = interpreters.look([tmp_path / "bin"])
    assert found == interpreters.Interpreter("3.9.18", tmp_path, executable)


def test_a_link_is_followed_to_the_prefix(tmp_path: Path) -> None:
    """Catches a link in a home's bin directory taken for the installation, of which a sandbox sees nothing."""
    executable = _python(tmp_path / "real", "3.9.18")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.9").symlink_to(executable)
    (found,) = interpreters.look([tmp_path / "bin", tmp_path / "real" / "bin"])
    assert (found.prefix, found.executable) == (tmp_path / "real", executable)


def test_shims_are_passed_over(tmp_path: Path) -> None:
    """Catches a shim that answers for whichever version is selected at the moment."""
    _python(tmp_path / "versions" / "3.9.18", "3.9.18", name="python3.9")
    _script(tmp_path / "shims" / "python3.8", "exit 127")
    _script(tmp_path / "shims" / "python3.9", f"exec {tmp_path}/versions/3.9.18/bin/python3.9")
    assert _versions(tmp_path / "shims") == []


def test_virtual_environments_are_passed_over(tmp_path: Path) -> None:
    """Catches an environment in a home bound into sandboxes instead of what it was made from."""
    _python(tmp_path / "venv", "3.9.18", base=tmp_path / "real")
    assert _versions(tmp_path / "venv" / "bin") == []


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo nonsense", "echo '[1, 2]'", "echo '{}'", "kill -9 $$", ":"],
)
def test_broken_executables_are_passed_over(tmp_path: Path, script: str) -> None:
    """Catches one broken installation that hides all the others."""
    _script(tmp_path / "broken" / "bin" / "python3.9", script)
    _python(tmp_path / "whole", "3.9.18")
    assert _versions(tmp_path / "broken" / "bin", tmp_path / "whole" / "bin") == ["3.9.18"]


def test_what_is_no_executable_is_passed_over(tmp_path: Path) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "python3.7").write_text("text")
    (directory / "python3.8").mkdir()
    (directory / "python3.9").symlink_to("nowhere")
    (directory / "python3.10").symlink_to("python3.10")
    _script(directory / "python3.11", "exit 0").write_bytes(b"\x7fELF no program")
    _script(directory / "python3.9-config", "echo no")
    assert _versions(directory, tmp_path / "missing") == []


def test_other_implementations_are_passed_over(tmp_path: Path) -> None:
    _python(tmp_path, "3.9.18", implementation="PyPy")
    assert _versions(tmp_path / "bin") == []


def test_variables_of_the_caller_do_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches PYTHONHOME or a virtual environment of ours changing what an interpreter says of itself."""
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    monkeypatch.setenv("PYTHONPATH", "/nonexistent")
    base = Path(os.path.realpath(sys.executable)).parent
    assert interpreters.look([base])


def test_the_first_of_equal_versions_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        _python(tmp_path / name, "3.9.18")
    (found,) = interpreters.look([tmp_path / "first" / "bin", tmp_path / "second" / "bin"])
    assert found.prefix == tmp_path / "first"


def _installed(tmp_path: Path) -> list[Path]:
    for version in ("3.1.5", "3.9.2", "3.9.18", "3.13.0", "3.14.0rc1", "3.12.0", "3.12.1rc1"):
        _python(tmp_path / version, version)
    return sorted(tmp_path.glob("*/bin"))


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("3.9", "3.9.18"),
        ("3.9.2", "3.9.2"),
        ("3.1", "3.1.5"),
        ("3.14", "3.14.0rc1"),
        ("3.12", "3.12.0"),
    ],
)
def test_find(tmp_path: Path, wanted: str, version: str) -> None:
    """T25: catches 3.1 answered by 3.13, an older patch release, and a pre-release where there is a release."""
    assert interpreters.find(wanted, search=_installed(tmp_path)).version == version


def test_missing_version(tmp_path: Path) -> None:
    with pytest.raises(InterpreterMissingError, match=r"no CPython 3\.8 on this machine") as caught:
        interpreters.find("3.8", search=_installed(tmp_path))
    assert "uv python install 3.8" in caught.value.hint
    assert caught.value.exit_code == 3


def test_missing_version_says_what_uv_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interpreters, "search_paths", lambda: _installed(tmp_path))
    with pytest.raises(InterpreterMissingError, match=r"nothing offered for 3\.8") as caught:
        interpreters.find("3.8")
    assert "3.14.0rc1, 3.13.0" in caught.value.hint


def test_what_uv_installs_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches a list of interpreters that was read before the installation."""
    monkeypatch.setattr(interpreters, "search_paths", lambda: sorted(tmp_path.glob("*/bin")))

    def install(version: str) -> str:
        _python(tmp_path / "fresh", f"{version}.7")
        return ""

    monkeypatch.setattr(interpreters, "_install", install)
    assert interpreters.installed() == ()
    assert interpreters.find("3.8").version == "3.8.7"


@pytest.mark.parametrize("nonsense", ["", "three", "3.x", "3.9; rm"])
def test_what_is_no_version(nonsense: str) -> None:
    with pytest.raises(InterpreterMissingError, match="not a Python version"):
        interpreters.find(nonsense, search=[])


def test_usual_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches uv's, pyenv's and PATH's interpreters not looked for, and their order."""
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"/somewhere:{os.pathsep}")
    managed = tmp_path / ".local/share/uv/python/cpython-3.9.1-linux/bin"
    pyenv = tmp_path / ".pyenv/versions/3.6.15/bin"
    for directory in (managed, pyenv):
        directory.mkdir(parents=True)
    assert interpreters.search_paths()[:3] == [managed, pyenv, Path("/somewhere")]
    assert Path("/usr/bin") in interpreters.search_paths()
