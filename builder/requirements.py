"""Which distributions a commit's tests need, read from the commit's own files and its built metadata.

The lists, in the order of the environment rules: the project's own metadata with its extras; requirement files for
tests and development, by name and as the automation uses them; groups of `pyproject.toml`; tox; and a conda file only
where nothing else names pytest. Nothing is installed or run here.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name

from builder import install_commands, project_groups, requirement_lines, tiers
from builder.models import Requirement
from builder.repo_config import EnvironmentRules
from builder.source_tree import SourceTree

_FILE = re.compile(r"(?i)(^|.*[/_.-])req(uire(ment)?s?|s)?([/_.-].*)?\.(txt|in|pip)$|^.*(dev|test)[\w-]*-?deps?\.txt$")
_ALWAYS = ("pytest", "setuptools", "wheel", "pip")
_MAX_DEPTH = 2


@dataclass(frozen=True)
class ProjectMetadata:
    """What the built metadata says. `requires` are PEP 508 lines, an extra's with its `extra == "…"` marker."""

    name: str
    version: str = ""
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    backend: str = "setuptools.build_meta"
    can_build_editable: bool = True
    has_setup_py: bool = False


def declared_metadata(tree: SourceTree) -> ProjectMetadata | None:
    """The metadata that pyproject.toml declares (PEP 621), if it leaves no requirement to the build backend."""
    try:
        project = tomllib.loads(tree.text("pyproject.toml")).get("project", {})
    except tomllib.TOMLDecodeError:
        return None
    if "name" not in project or {"dependencies", "optional-dependencies"} & set(project.get("dynamic", ())):
        return None
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    optional = [_of_extra(line, name) for name in extras for line in extras[name]]
    return ProjectMetadata(
        name=str(project["name"]),
        version=str(project.get("version", "")),
        requires=(*project.get("dependencies", ()), *optional),
        extras=tuple(extras),
        has_setup_py="setup.py" in tree.paths,
    )


def _of_extra(line: str, extra: str) -> str:
    wanted, _, marker = line.partition(";")
    condition = f"({marker.strip()}) and " if marker.strip() else ""
    return f"{wanted.strip()}; {condition}extra == '{extra}'"


@dataclass
class Found:
    """Requirements in the order of their tiers, bounds, and where each came from."""

    requirements: list[Requirement] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)

    def add(self, text: str, tier: int, source: str) -> None:
        """Add a line, with the tier its own name asks for."""
        tier = tiers.of_requirement(requirement_lines.name_of(text), tier)
        self.requirements.append(Requirement(text=text, tier=tier, source=source))


def collect(tree: SourceTree, metadata: ProjectMetadata, rules: EnvironmentRules) -> Found:
    """All requirement lines of the commit, without duplicates, the most needed first."""
    found = Found()
    commands = install_commands.read(tree)
    _add_metadata(found, metadata, rules, commands)
    _add_files(found, tree, rules, commands)
    _add_groups(found, project_groups.read(tree))
    for line in commands.lines:
        found.add(line.text, tiers.TEST, line.source)
    if not _names_pytest(found):
        _add_groups(found, project_groups.conda(tree))
    _add_given(found, metadata, rules)
    return _tidied(found, metadata.name, rules)


def _add_metadata(
    found: Found, metadata: ProjectMetadata, rules: EnvironmentRules, commands: install_commands.Installed
) -> None:
    expanded = _expand(metadata)
    for text in expanded.get("", ()):
        found.add(text, 0, f"{metadata.name}: dependencies")
    for extra in _wanted_extras(metadata, rules, commands):
        for tier, text in _extra_lines(metadata, extra, expanded):
            found.add(text, tier, f"{metadata.name}[{extra}]")


def _wanted_extras(
    metadata: ProjectMetadata, rules: EnvironmentRules, commands: install_commands.Installed
) -> list[str]:
    if rules.extras is not None:
        return list(rules.extras)
    named = {canonicalize_name(name) for name in commands.extras}
    needed = (tiers.TEST, tiers.DEVELOPMENT)
    return [
        extra
        for extra in metadata.extras
        if tiers.of_list(extra) in needed or (canonicalize_name(extra) in named and tiers.of_list(extra) is not None)
    ]


def _expand(metadata: ProjectMetadata) -> dict[str, list[str]]:
    """Extra (canonical; `""` for none) → its lines, the `extra == …` part of their markers resolved."""
    lists: dict[str, list[str]] = {}
    for text in metadata.requires:
        requirement = _parse(text)
        if requirement is None:
            continue
        for extra in ("", *map(canonicalize_name, metadata.extras)):
            if _belongs(requirement, extra):
                lists.setdefault(extra, []).append(_without_extra(requirement))
    return lists


def _parse(text: str) -> Parsed | None:
    try:
        return Parsed(text)
    except InvalidRequirement:
        usable = requirement_lines.parsed(text)
        return Parsed(usable) if usable else None


def _belongs(requirement: Parsed, extra: str) -> bool:
    """Whether the line belongs to this extra alone. Conditions on the platform are left to the resolver."""
    names = re.findall(r"""extra\s*==\s*["']([^"']+)["']""", str(requirement.marker or ""))
    return (not names and not extra) or extra in [canonicalize_name(name) for name in names]


def _without_extra(requirement: Parsed) -> str:
    marker = str(requirement.marker or "")
    marker = re.sub(r"""\s*\(?\s*extra\s*==\s*["'][^"']+["']\s*\)?\s*(and\s*)?""", " ", marker)
    marker = re.sub(r"\s*\b(and|or)\s*$", "", marker.strip())
    if marker.startswith("(") and marker.endswith(")") and "(" not in marker[1:]:
        marker = marker[1:-1]
    head = f"{requirement.name}{_extras_text(requirement)}{requirement.specifier}"
    text = f"{head}; {marker}" if marker.strip() else head
    return requirement_lines.parsed(text) or head


def _extras_text(requirement: Parsed) -> str:
    return f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""


def _extra_lines(
    metadata: ProjectMetadata, extra: str, lists: dict[str, list[str]], seen: frozenset[str] = frozenset()
) -> Iterator[tuple[int, str]]:
    """An extra's lines with their tiers; extras of the project itself (`name[a,b]`) are followed."""
    key = canonicalize_name(extra)
    if key in seen:
        return
    tier = tiers.of_list(extra)
    for text in lists.get(key, ()):
        requirement = Parsed(text)
        if canonicalize_name(requirement.name) == canonicalize_name(metadata.name):
            for below in sorted(requirement.extras):
                yield from _extra_lines(metadata, below, lists, seen | {key})
        else:
            yield (tiers.OPTIONAL if tier is None else tier), text


def _add_files(found: Found, tree: SourceTree, rules: EnvironmentRules, commands: install_commands.Installed) -> None:
    for path, tier in requirement_files(tree, rules, commands):
        for line in requirement_lines.in_file(tree, path):
            if line.constraint:
                found.constraints.append(line.text)
            else:
                found.add(line.text, tier, line.source)


def requirement_files(
    tree: SourceTree, rules: EnvironmentRules, commands: install_commands.Installed
) -> list[tuple[str, int]]:
    """The requirement files that tests need, each with its tier, sorted by tier and path.

    A file counts if its name (or folder) speaks of tests or development, if the automation installs it, or if it lies
    beside one of those below the root: projects keep such files together. What is compiled from an `.in` file
    represents it.
    """
    if rules.requirement_files is not None:
        return [(path, tiers.TEST) for path in rules.requirement_files if path in tree.paths]
    candidates = [path for path in sorted(tree.paths) if path.count("/") <= _MAX_DEPTH and _FILE.match(path)]
    candidates = [path for path in candidates if not _is_compiled_elsewhere(path, tree)]
    chosen = {path: tier for path in candidates if (tier := _tier_of_file(path)) in (tiers.TEST, tiers.DEVELOPMENT)}
    chosen |= {
        path: _tier_of_file(path) or tiers.OPTIONAL for path in commands.files if _tier_of_file(path) is not None
    }
    folders = {posixpath.dirname(path) for path in chosen} - {""}
    for path in candidates:
        if path not in chosen and posixpath.dirname(path) in folders and (tier := _tier_of_file(path)) is not None:
            chosen[path] = tier
    return sorted(
        ((path, tier or tiers.OPTIONAL) for path, tier in chosen.items()), key=lambda item: (item[1], item[0])
    )


def _is_compiled_elsewhere(path: str, tree: SourceTree) -> bool:
    return path.endswith(".in") and path.removesuffix(".in") + ".txt" in tree.paths


def _tier_of_file(path: str) -> int | None:
    """By the file's own name, else by its folder (`tests/requirements.txt`)."""
    stem = posixpath.basename(path).rsplit(".", 1)[0]
    own = tiers.of_list(re.sub(r"(?i)require(ment)?s?|\breqs?\b", "", stem))
    if own is None or own != tiers.OPTIONAL:
        return own
    folder = posixpath.basename(posixpath.dirname(path))
    return tiers.of_list(folder) if stem.lower().startswith("req") and folder else own


def _add_groups(found: Found, groups: Iterable[project_groups.Group]) -> None:
    for group in groups:
        tier = tiers.of_list(group.name)
        for text in group.lines if tier is not None else ():
            found.add(text, tier or tiers.OPTIONAL, group.source)


def _names_pytest(found: Found) -> bool:
    return any(requirement_lines.name_of(one.text) == "pytest" for one in found.requirements)


def _add_given(found: Found, metadata: ProjectMetadata, rules: EnvironmentRules) -> None:
    """What repo.yaml adds, what every environment holds, and what a rebuild without network needs."""
    for text in rules.requirements:
        found.add(text, tiers.TEST, "repo.yaml")
    for text in (*metadata.build_requires, *_ALWAYS):
        usable = requirement_lines.parsed(text)
        if usable:
            found.requirements.append(Requirement(text=usable, tier=tiers.TEST, source="build and test tools"))
    found.constraints.extend(rules.constraints)


def _tidied(found: Found, own_name: str, rules: EnvironmentRules) -> Found:
    """Without the project itself, excluded names and repeated lines; sorted by tier, then as they were found."""
    left_out = {canonicalize_name(name) for name in (own_name, *rules.exclude)}
    kept: dict[str, Requirement] = {}
    for requirement in sorted(found.requirements, key=lambda one: one.tier):
        if requirement_lines.name_of(requirement.text) not in left_out:
            kept.setdefault(requirement.text, requirement)
    constraints = [text for text in dict.fromkeys(found.constraints) if requirement_lines.name_of(text) not in left_out]
    return Found(list(kept.values()), constraints)


def marker_environment(python: str) -> dict[str, str]:
    """The PEP 508 marker variables of CPython `python` (`3.9`) on this kind of machine."""
    environment = {key: str(value) for key, value in default_environment().items()}
    return {
        **environment,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
        "extra": "",
    }
