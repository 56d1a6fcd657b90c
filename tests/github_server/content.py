"""The files of a generated repository: modules of six functions and their tests. A change replaces whole functions.

A file's text is that of its slots, each as the last change left it, so any order of changes gives a file that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MODULES = 110
SLOTS = 6
"""Functions of a module. Slot 0 is what stands above them."""


class Edit(NamedTuple):
    """Slot `slot` of a file is replaced by what change `number` makes of it; 0 is the first text."""

    path: str
    slot: int
    number: int
    revision: int


_PROJECT = """\
[project]
name = "sums"
version = "1.0"

[tool.pytest.ini_options]
pythonpath = ["src"]
"""


def module_path(module: int) -> str:
    return f"src/sums/mod_{module:03}.py"


def tests_path(module: int) -> str:
    return f"tests/test_mod_{module:03}.py"


def first_files() -> dict[str, str]:
    """The tree that everything starts from."""
    unchanged = {
        "README.md": "# Sums\n\nAreas of numbers.\n",
        "LICENSE": "MIT License\n\nPermission is hereby granted, free of charge, to any person.\n",
        "pyproject.toml": _PROJECT,
        "src/sums/__init__.py": "",
        "src/sums/base.py": "def combine(items, start=0):\n    return start + sum(items)\n",
    }
    paths = [path for module in range(MODULES) for path in (module_path(module), tests_path(module))]
    return unchanged | {path: file_text(path, {}) for path in paths}


def file_text(path: str, edits: Mapping[int, Edit]) -> str:
    """The file with the last edit of each slot; slots that no one edited have their first text."""
    parts = [slot_text(edits.get(slot) or Edit(path, slot, 0, 0)) for slot in range(SLOTS + 1)]
    return "\n\n\n".join(parts) + "\n"


def slot_text(edit: Edit) -> str:
    """The lines of a slot, without a last line feed."""
    tests = edit.path.startswith("tests/")
    if edit.slot == 0:
        return _tests_header(edit) if tests else _header(edit)
    return _test(edit) if tests else _function(edit)


def telling_line(number: int, revision: int) -> str:
    """A line that only the change `number` adds."""
    return f"    threshold_{number}_{revision} = combine(list(items), start={_value(number, revision)})"


def _function(edit: Edit) -> str:
    return (
        f"def area_{edit.slot}(items):\n"
        f'    """Area {edit.slot} of the items, as a number."""\n'
        f"{telling_line(edit.number, edit.revision)}\n"
        f"    return threshold_{edit.number}_{edit.revision}"
    )


def _test(edit: Edit) -> str:
    return (
        f"def test_area_{edit.slot}():\n"
        f"    items = [1, 2, {edit.slot}]\n"
        f"    assert mod.area_{edit.slot}(items) == {3 + edit.slot + _value(edit.number, edit.revision)}"
    )


def _header(edit: Edit) -> str:
    return f'"""Areas; reviewed in round {edit.number}.{edit.revision}."""\n\nfrom sums.base import combine'


def _tests_header(edit: Edit) -> str:
    module = edit.path.removeprefix("tests/test_").removesuffix(".py")
    return f'"""Tests; reviewed in round {edit.number}.{edit.revision}."""\n\nfrom sums import {module} as mod'


def _value(number: int, revision: int) -> int:
    return number * 1_000 + revision
