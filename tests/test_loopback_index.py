"""The index on the loopback: what it serves is what is installed, and a real client can install it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from builder import loopback_index


def test_a_real_client_installs_what_is_installed_here(tmp_path: Path) -> None:
    """Fails if the rebuilt wheels lack a file, or the index does not speak as uv expects, dates included."""
    from uv import find_uv_bin

    uv = find_uv_bin()
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "env"], check=True)
    with loopback_index.serving(loopback_index.wheels_of("pytest")) as url, loopback_index.only_index(url):
        options: list[str | Path] = [
            "--quiet",
            "--exclude-newer",
            "2012-01-01",
            "--cache-dir",
            tmp_path / "cache",
            "--python",
            python,
        ]
        subprocess.run([uv, "pip", "install", *options, "pytest"], check=True)
    shown = subprocess.run([tmp_path / "env/bin/pytest", "--version"], capture_output=True, text=True, check=True)
    assert version("pytest") in shown.stdout + shown.stderr


def test_the_same_installation_gives_the_same_wheels() -> None:
    assert loopback_index.wheels_of("pytest") == loopback_index.wheels_of("pytest")


def test_the_environment_is_as_it_was_afterwards() -> None:
    before = dict(os.environ)
    with loopback_index.only_index("http://127.0.0.1:9/simple"):
        assert os.environ["UV_DEFAULT_INDEX"] == "http://127.0.0.1:9/simple"
    assert dict(os.environ) == before
