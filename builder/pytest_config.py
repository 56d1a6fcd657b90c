"""What a repository's own pytest configuration asks of the test command."""

from __future__ import annotations

import configparser
import re
import tomllib

from builder.source_tree import SourceTree

_PARALLEL = re.compile(r"(?:^|\s)(?:-n\s*\w+|--numprocesses|--dist)\b")
_SECTIONS = {"pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}


def test_command(tree: SourceTree) -> str:
    """`pytest`, with `-n0` where the configuration distributes tests over processes: results must be one stream."""
    return "pytest -n0" if _PARALLEL.search(addopts(tree)) else "pytest"


def addopts(tree: SourceTree) -> str:
    """The options that the configuration adds to every run; empty where there are none or the file is broken."""
    for path, section in _SECTIONS.items():
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        try:
            parser.read_string(tree.text(path))
        except configparser.Error:
            continue
        if value := parser.get(section, "addopts", fallback=""):
            return value
    return _from_pyproject(tree)


def _from_pyproject(tree: SourceTree) -> str:
    try:
        tool = tomllib.loads(tree.text("pyproject.toml")).get("tool", {})
    except tomllib.TOMLDecodeError:
        return ""
    value = tool.get("pytest", {}).get("ini_options", {}).get("addopts", "")
    return " ".join(value) if isinstance(value, list) else str(value)
