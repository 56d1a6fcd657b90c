"""Catches development dependencies that `pyproject.toml` keeps in one of its many places."""

from __future__ import annotations

import pytest

from builder import project_groups
from builder.source_tree import SourceTree


def groups(text: str, path: str = "pyproject.toml") -> dict[str, tuple[str, ...]]:
    tree = SourceTree(frozenset({path}), {path: text}.get)
    found = project_groups.read(tree) if path == "pyproject.toml" else project_groups.conda(tree)
    return {group.name: group.lines for group in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[dependency-groups]\ntest = ["pytest>=8"]\ndev = [{include-group = "test"}, "x"]\n',
         {"test": ("pytest>=8",), "dev": ("pytest>=8", "x")}),
        ('[tool.pdm.dev-dependencies]\ntesting = ["pytest", "-e file:///x#egg=y"]\n', {"testing": ("pytest", "y")}),
        ('[tool.uv]\ndev-dependencies = ["a"]\n', {"dev": ("a",)}),
        ('[tool.hatch.envs.default]\ndependencies = ["a"]\n', {"dev": ("a",)}),
        ('[tool.poetry.dev-dependencies]\npytest = "^5.2"\nb = {version = "~1.4", extras = ["z"]}\n',
         {"dev": ("pytest<6,>=5.2", "b[z]<1.5,>=1.4")}),
        ('[tool.poetry.group.test.dependencies]\na = "*"\nb = "0.0.3"\nc = "^0.2.3"\n',
         {"test": ("a", "b==0.0.3", "c<0.3,>=0.2.3")}),
        ("[tool.pdm]\n", {}),
        ("broken = [", {}),
    ],
)  # fmt: skip
def test_every_form(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert groups(text) == expected


def test_groups_that_include_each_other_end() -> None:
    circle = '[dependency-groups]\na = [{include-group = "b"}, "x"]\nb = [{include-group = "a"}, "y"]\n'
    assert groups(circle) == {"a": ("y", "x"), "b": ("x", "y")}


def test_a_conda_file_gives_names_without_its_versions() -> None:
    """Versions there follow another index."""
    text = "dependencies:\n  - python=3.8\n  - conda-forge::numpy>=1.18\n  - pytest\n  - pip\n  - pip:\n    - moto>=2\n"
    assert groups(text, "environment.yml") == {"dev": ("numpy", "pytest", "moto>=2")}
