"""Requirement lines as people write them, made into PEP 508 lines that can be locked with hashes.

A direct reference (`git+https://…`, a URL, a path) has no hash and drifts (T20): its name stands for it, resolved from
the package index as of the date. A reference without a name is left out.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.source_tree import SourceTree

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"\s--?[a-zA-Z][\w-]*(?:[ =].*)?$")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+(?:\[[^\]]*\])?)")
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]?\s*(.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[ =]?\s*(.+)")
_REPOSITORY_NAME = re.compile(r"/([A-Za-z0-9._-]+?)(?:\.git)?(?:[@#?].*)?$")


@dataclass(frozen=True)
class Line:
    """One requirement (`text`, PEP 508) or a bound on one (`constraint`), from the file `source`."""

    text: str
    source: str
    constraint: bool = False


def in_file(
    tree: SourceTree, path: str, *, constraint: bool = False, seen: frozenset[str] = frozenset()
) -> Iterator[Line]:
    """The lines of a requirements file, with the files that it includes by `-r` and `-c`."""
    if path in seen or path not in tree.paths:
        return
    for raw in tree.text(path).replace("\\\n", " ").splitlines():
        line = _COMMENT.sub("", raw).strip()
        include = _INCLUDE.fullmatch(line)
        if include:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), include.group(1).strip().strip("\"'")))
            below = constraint or line.startswith(("-c", "--constraint"))
            yield from in_file(tree, target, constraint=below, seen=seen | {path})
        elif line and (text := parsed(line)):
            yield Line(text, path, constraint)


def parsed(line: str) -> str | None:
    """The PEP 508 line that stands for `line`; None for options, own folders and what cannot be read."""
    editable = _EDITABLE.fullmatch(line)
    if editable:
        return _from_reference(editable.group(1))
    if line.startswith("-"):
        return None
    text = _OPTION.sub("", line).strip().strip(",")
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return _from_reference(text)
    if requirement.url:
        requirement.url = None
    return str(requirement)


def _from_reference(text: str) -> str | None:
    """`git+https://host/owner/name@ref#egg=name` → `name`; `isort@git+git://…` → `isort`; a local path → None."""
    named = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?)\s*@\s*\S", text)
    egg = _EGG.search(text)
    if egg or named:
        return (egg or named).group(1)  # type: ignore[union-attr]
    found = _REPOSITORY_NAME.search(text) if "://" in text else None
    return found.group(1) if found and not found.group(1).endswith((".whl", ".zip", ".gz")) else None


def name_of(text: str) -> str:
    """The canonical distribution name of a PEP 508 line."""
    return canonicalize_name(Requirement(text).name)


def command_words(command: str) -> list[str]:
    """A shell command's words; an unreadable one is split at spaces."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()
