"""Catches configurations that spread tests over processes, where results would come from several streams."""

from __future__ import annotations

import pytest

from builder import pytest_config
from builder.source_tree import SourceTree


@pytest.mark.parametrize(
    ("path", "text", "command"),
    [
        ("pytest.ini", "[pytest]\naddopts = -ra -nauto\n", "pytest -n0"),
        ("setup.cfg", "[tool:pytest]\naddopts = -n 4\n", "pytest -n0"),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-ra --dist worksteal"\n', "pytest -n0"),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = ["--numprocesses=2"]\n', "pytest -n0"),
        ("tox.ini", "[pytest]\naddopts = --no-cov -ra\n", "pytest"),
        ("pytest.ini", "broken", "pytest"),
        ("pyproject.toml", "broken = [", "pytest"),
    ],
)
def test_the_command(path: str, text: str, command: str) -> None:
    assert pytest_config.test_command(SourceTree(frozenset({path}), {path: text}.get)) == command
