"""Dependency lists that a project's `pyproject.toml` (or conda file) keeps beside its published metadata.

PEP 735 groups, PDM's and uv's development dependencies, Poetry's groups, Hatch's environments.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from packaging.utils import canonicalize_name

from builder import requirement_lines
from builder.python_versions import poetry_specifier
from builder.source_tree import SourceTree


@dataclass(frozen=True)
class Group:
    """A named list of PEP 508 lines, and the place it was read from."""

    name: str
    lines: tuple[str, ...]
    source: str


def pyproject(tree: SourceTree) -> dict[str, Any]:
    """The parsed `pyproject.toml`; empty where there is none or it is broken."""
    try:
        return tomllib.loads(tree.text("pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def read(tree: SourceTree) -> list[Group]:
    """Every group of `pyproject.toml`."""
    content = pyproject(tree)
    tool = _mapping(content, "tool")
    found = [
        *_peps(_mapping(content, "dependency-groups")),
        *_lists(_mapping(_mapping(tool, "pdm"), "dev-dependencies"), "tool.pdm.dev-dependencies"),
        *_lists({"dev": _mapping(tool, "uv").get("dev-dependencies", [])}, "tool.uv.dev-dependencies"),
        *_hatch(_mapping(_mapping(tool, "hatch"), "envs")),
        *_poetry(_mapping(tool, "poetry")),
    ]
    return [group for group in found if group.lines]


def conda(tree: SourceTree) -> list[Group]:
    """The names in conda environment files; versions there follow another index, so only names are taken."""
    paths = sorted(p for p in tree.paths if p.count("/") <= 1 and p.endswith(("environment.yml", "environment.yaml")))
    return [Group("dev", tuple(_conda_lines(tree.text(path))), path) for path in paths]


def _conda_lines(text: str) -> Iterator[str]:
    try:
        entries = _mapping({"file": yaml.safe_load(text)}, "file").get("dependencies") or []
    except yaml.YAMLError:
        return
    for entry in entries:
        if isinstance(entry, dict):
            yield from _readable(entry.get("pip") or [])
        elif isinstance(entry, str) and not entry.startswith(("python=", "python ", "pip")) and entry != "python":
            yield from _readable([entry.split("::")[-1].split("=")[0].split("<")[0].split(">")[0]])


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _readable(lines: Any) -> tuple[str, ...]:
    texts = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    return tuple(text for line in texts if (text := requirement_lines.parsed(line)))


def _lists(groups: dict[str, Any], source: str) -> Iterator[Group]:
    for name, lines in groups.items():
        yield Group(name, _readable(lines), f"pyproject.toml: {source}.{name}")


def _peps(groups: dict[str, Any]) -> Iterator[Group]:
    """PEP 735, `include-group` followed."""
    for name in groups:
        yield Group(name, tuple(_pep735(groups, name, ())), f"pyproject.toml: dependency-groups.{name}")


def _pep735(groups: dict[str, Any], name: str, above: tuple[str, ...]) -> Iterator[str]:
    named = {canonicalize_name(key): value for key, value in groups.items()}
    for entry in named.get(canonicalize_name(name)) or []:
        if isinstance(entry, str):
            yield from _readable([entry])
        elif isinstance(entry, dict) and (included := entry.get("include-group")) and included not in above:
            yield from _pep735(groups, included, (*above, name))


def _hatch(environments: dict[str, Any]) -> Iterator[Group]:
    for name, environment in environments.items():
        if isinstance(environment, dict):
            lines = [*environment.get("dependencies", []), *environment.get("extra-dependencies", [])]
            yield Group(
                "dev" if name == "default" else name, _readable(lines), f"pyproject.toml: tool.hatch.envs.{name}"
            )


def _poetry(poetry: dict[str, Any]) -> Iterator[Group]:
    old = {"dev": {"dependencies": _mapping(poetry, "dev-dependencies")}}
    for name, group in {**old, **_mapping(poetry, "group")}.items():
        table = _mapping(group, "dependencies") if isinstance(group, dict) else {}
        lines = [_poetry_line(key, value) for key, value in table.items()]
        yield Group(name, tuple(line for line in lines if line), f"pyproject.toml: tool.poetry {name} dependencies")


def _poetry_line(name: str, value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else "*"
    options = value if isinstance(value, dict) else {"version": value}
    extras = f"[{','.join(options['extras'])}]" if options.get("extras") else ""
    specifier = poetry_specifier(str(options.get("version", "*")))
    return requirement_lines.parsed(f"{name}{extras}{specifier}") or ""
