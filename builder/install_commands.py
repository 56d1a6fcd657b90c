"""What a project's own automation installs: tox, nox, Makefile, CI workflows, read as text and never run.

Only what concerns tests is taken from free-standing names: CI also installs what uploads coverage and releases.
"""

from __future__ import annotations

import configparser
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from builder import requirement_lines
from builder.source_tree import SourceTree

_PIP = re.compile(r"""\bpip3?(?:\.exe)?["']?,?\s+["']?install["']?,?\s+([^&;|\n]*)""")
_SESSION = re.compile(r"session\.(?:install|run_always)\(([^)]*)\)", re.DOTALL)
_TOOL_INSTALL = re.compile(r"\b(?:pdm|poetry|uv)\s+(?:install|sync)\s+([^&;|\n]*)")
_LITERAL = re.compile(r"""["']([^"'\n]+)["']""")
_OWN_EXTRAS = re.compile(r"""^\.?/?\.?(?:[\w.-]*)\[([\w\s,.-]+)\]$""")
_TEST_TOOL = re.compile(r"(?i)(pytest|mock|nose|hypothesis|coverage|testfixtures|parameterized|freezegun)([-_].*)?$")
_GROUP_OPTIONS = {"-G", "--group", "--with", "--extras", "-E", "--extra", "--only-group", "--all-groups"}
_TEST_ENVIRONMENT = re.compile(r"testenv(:.*(py\d|py\{|test|unit).*)?$")


@dataclass
class Installed:
    """Requirement files, extras or groups of the project, and requirement lines, each with the file that says so."""

    files: dict[str, str] = field(default_factory=dict)
    extras: dict[str, str] = field(default_factory=dict)
    lines: list[requirement_lines.Line] = field(default_factory=list)


def read(tree: SourceTree) -> Installed:
    """Everything the automation of `tree` installs for its tests."""
    found = Installed()
    for path in tree.ci_files():
        for words in _commands(path, tree.text(path)):
            _take(words, path, tree, found)
    return found


def _commands(path: str, text: str) -> Iterator[list[str]]:
    joined = text.replace("\\\n", " ")
    if path.endswith(("tox.ini", "setup.cfg")):
        yield from _tox_deps(text)
    for arguments in _PIP.findall(joined):
        yield [word.strip("\"',") for word in requirement_lines.command_words(arguments)]
    for arguments in _SESSION.findall(joined):
        yield _LITERAL.findall(arguments)
    for arguments in _TOOL_INSTALL.findall(joined):
        yield ["--tool", *requirement_lines.command_words(arguments)]


def _tox_deps(text: str) -> Iterator[list[str]]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    for section in parser.sections():
        if not _TEST_ENVIRONMENT.match(section):
            continue
        for raw in (parser.get(section, "deps", fallback="") or "").splitlines():
            line = re.sub(r"^[\w\d,{}!-]+:\s+", "", raw.strip())
            if line.startswith("-"):
                yield requirement_lines.command_words(line)
            elif line and "{" not in line:
                yield ["--tox", line]
        extras = parser.get(section, "extras", fallback="") or ""
        yield ["--tool", *(word for extra in re.split(r"[\s,]+", extras) if extra for word in ("-E", extra))]


def _take(words: list[str], path: str, tree: SourceTree, found: Installed) -> None:
    from_tox = words[:1] == ["--tox"]
    from_tool = words[:1] == ["--tool"]
    previous = ""
    for word in words[1:] if from_tox or from_tool else words:
        if previous in ("-r", "--requirement") or re.match(r"-r.", word):
            _take_file(word.removeprefix("-r"), path, tree, found)
        elif from_tool:
            if previous in _GROUP_OPTIONS:
                found.extras.update(dict.fromkeys(filter(None, re.split(r"[\s,]+", word)), path))
        elif own := _OWN_EXTRAS.match(word):
            _take_extras(word, own.group(1), path, found)
        elif not previous.startswith("-") or previous in ("-U", "--upgrade", "-e", "-q", "--quiet", "--pre"):
            _take_line(word, path, found, any_name=from_tox)
        previous = word


def _take_file(word: str, path: str, tree: SourceTree, found: Installed) -> None:
    target = posixpath.normpath(re.sub(r"^(\{toxinidir\}|\$\w+|\$\{\w+\})/", "", word.strip()))
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    for candidate in (target, beside):
        if candidate in tree.paths:
            found.files.setdefault(candidate, path)
            return


def _take_extras(word: str, names: str, path: str, found: Installed) -> None:
    """`.[a,b]` names extras of the project; `name[a]` is somebody else's (or taken for it, which costs nothing)."""
    if word.startswith("."):
        found.extras.update(dict.fromkeys((name.strip() for name in names.split(",")), path))
    else:
        _take_line(word, path, found, any_name=False)


def _take_line(word: str, path: str, found: Installed, *, any_name: bool) -> None:
    if word.startswith(("-", ".", "/", "$", "{")) or not re.match(r"[A-Za-z]", word) or "$" in word or "{" in word:
        return
    text = requirement_lines.parsed(word)
    if text and (any_name or _TEST_TOOL.match(requirement_lines.name_of(text))):
        found.lines.append(requirement_lines.Line(text, path))
