"""Which CPython a commit is tested with: the newest that it declares and that was half a year old at its date.

The release dates are those of the `.0` releases (PEP 494, 537, 569, 596, 619, 664, 693, 719). Six months is how long
most dependencies took to publish wheels; a newer interpreter than that fails to build them, or runs no test (T28).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from builder.models import Evidence
from builder.source_tree import SourceTree

RELEASED = {
    "3.6": datetime(2016, 12, 23, tzinfo=UTC),
    "3.7": datetime(2018, 6, 27, tzinfo=UTC),
    "3.8": datetime(2019, 10, 14, tzinfo=UTC),
    "3.9": datetime(2020, 10, 5, tzinfo=UTC),
    "3.10": datetime(2021, 10, 4, tzinfo=UTC),
    "3.11": datetime(2022, 10, 24, tzinfo=UTC),
    "3.12": datetime(2023, 10, 2, tzinfo=UTC),
    "3.13": datetime(2024, 10, 7, tzinfo=UTC),
}
"""Minor version → date of its first final release; oldest first."""

SETTLED_AFTER = timedelta(days=182)

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_REQUIRES = re.compile(r"""(?:python_requires|requires-python|requires_python)["']?\s*[=:]\s*["']?([^"'\n#]+)""")
_POETRY = re.compile(r"""^python\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_MINOR = re.compile(r"(?<![\d.])3\.(\d{1,2})(?!\d)")
_TOX_FACTOR = re.compile(r"\bpy3(\d{1,2})\b|\bpy\{([\d,]+)\}")
_PYTHON_WORD = re.compile(r"py(?:thon|env|v|_)?", re.IGNORECASE)


@dataclass(frozen=True)
class Interpreter:
    """The chosen minor version, and why."""

    minor: str
    evidence: Evidence


def choose(tree: SourceTree, moment: datetime) -> Interpreter:
    """The newest declared CPython that was settled at `moment` (the first rule of the environment rules)."""
    settled = [minor for minor, released in RELEASED.items() if released + SETTLED_AFTER <= moment] or ["3.6"]
    admitted = [minor for minor in settled if _admits(tree, minor)] or settled
    declared = _first_sources(declarations(tree))
    wanted = [minor for minor in admitted if minor in declared]
    if wanted:
        return Interpreter(wanted[-1], Evidence(rule="python", conclusion=wanted[-1], source=declared[wanted[-1]]))
    if declared:
        oldest = min(declared, key=_order)
        known = oldest if oldest in RELEASED else next(iter(RELEASED))
        return Interpreter(known, Evidence(rule="python", conclusion=known, source=declared[oldest]))
    return Interpreter(admitted[-1], Evidence(rule="python", conclusion=admitted[-1], source="newest at the date"))


def substitutes(tree: SourceTree, minor: str) -> list[str]:
    """What else the commit can be expected to work with, best first: declared, then admitted versions, by nearness.

    For machines that do not have `minor`; an equal distance goes to the older one, which the commit's authors knew.
    """
    declared = _first_sources(declarations(tree))
    others = [other for other in RELEASED if other != minor and _admits(tree, other)]
    return sorted(
        others,
        key=lambda other: (other not in declared, abs(_order(other) - _order(minor)), _order(other)),
    )


def declarations(tree: SourceTree) -> Iterator[tuple[str, str]]:
    """Each declared minor version with the file that declares it, in no particular order."""
    for path in ("setup.py", "setup.cfg", "pyproject.toml"):
        for minor in _CLASSIFIER.findall(tree.text(path)):
            yield minor, f"{path}: classifiers"
    for path in tree.ci_files():
        for minor in _from_ci(path, tree.text(path)):
            yield minor, path


def _first_sources(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for minor, source in pairs:
        found.setdefault(minor, source)
    return found


def _order(minor: str) -> int:
    return int(minor.split(".")[1])


def _admits(tree: SourceTree, minor: str) -> bool:
    return all(_contains(text, minor) for text in _requires_python(tree))


def _requires_python(tree: SourceTree) -> Iterator[str]:
    for path in ("setup.py", "setup.cfg", "pyproject.toml"):
        yield from _REQUIRES.findall(tree.text(path))
    yield from map(poetry_specifier, _POETRY.findall(tree.text("pyproject.toml")))


def _contains(text: str, minor: str) -> bool:
    """Whether some release of `minor` satisfies the specifier; an unreadable specifier admits everything."""
    try:
        specifier = SpecifierSet(text.strip())
    except InvalidSpecifier:
        return True
    return any(specifier.contains(f"{minor}.{micro}") for micro in (0, 1, 5, 10, 18))


def poetry_specifier(text: str) -> str:
    """Poetry's `^1.2` and `~1.2` in PEP 440's words; other forms unchanged."""
    return ",".join(_poetry_clause(clause.strip()) for clause in text.split(","))


def _poetry_clause(clause: str) -> str:
    match = re.fullmatch(r"([\^~])\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)", clause)
    if not match or clause.startswith("~="):
        return f"=={clause}" if re.match(r"\d", clause) else ("" if clause == "*" else clause)
    operator, *numbers, _rest = match.groups()
    given = [int(number) for number in numbers if number is not None]
    return f">={clause[1:].strip()},<{_upper_bound(operator, given)}"


def _upper_bound(operator: str, given: list[int]) -> str:
    """The first version that `^` or `~` excludes (Poetry's documentation, "Dependency specification")."""
    if operator == "~":
        position = min(1, len(given) - 1)
    else:
        position = next((index for index, number in enumerate(given) if number), len(given) - 1)
    return ".".join(str(number) for number in [*given[:position], given[position] + 1])


def _from_ci(path: str, text: str) -> set[str]:
    if path.endswith((".yml", ".yaml")):
        return _from_yaml(text)
    if path.endswith((".ini", ".cfg", ".toml")):
        return _from_tox(text)
    lines = [line for line in text.splitlines() if _PYTHON_WORD.search(line)]
    return {f"3.{minor}" for line in lines for minor in _MINOR.findall(line)}


def _from_tox(text: str) -> set[str]:
    found: set[str] = set()
    for single, several in _TOX_FACTOR.findall(text):
        digits = [single] if single else several.split(",")
        found.update(f"3.{number.removeprefix('3') if not single else number}" for number in digits if number)
    return {minor for minor in found if minor in RELEASED}


def _from_yaml(text: str) -> set[str]:
    try:
        documents = list(yaml.load_all(text, Loader=_TextLoader))
    except (yaml.YAMLError, ValueError):
        return set()
    values = (value for document in documents for value in _python_values(document, named=False))
    return {f"3.{minor}" for value in values for minor in _MINOR.findall(value)}


class _TextLoader(yaml.SafeLoader):
    """YAML with every scalar as text: `3.10` must not become 3.1 (T25)."""


_TextLoader.yaml_implicit_resolvers = {}


def _python_values(node: Any, *, named: bool) -> Iterator[str]:
    """Scalars below a key that speaks of Python (`python-version`, `pyv`, `PYTHON_VER=3.6.2`)."""
    if isinstance(node, dict):
        for key, value in node.items():
            below = named or bool(re.match(r"py(?:thon|v|_)?", str(key), re.IGNORECASE))
            yield from _python_values(value, named=below)
    elif isinstance(node, list):
        for value in node:
            yield from _python_values(value, named=named)
    elif isinstance(node, str) and (named or re.match(r"PYTHON\w*\s*=", node)):
        yield node
