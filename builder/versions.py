"""The version of a project at a commit: by the rules of its `repo.yaml`, or from its own files and tags.

Versions are text from beginning to end (T25): `1.10` is not `1.1`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from builder.git import Repository
from builder.models import Sha
from builder.repo_config import VersionRule

RunCommand = Callable[[Sha, str], str]
"""Runs a shell command in a sandbox at a commit and returns its output."""

_MAJOR_MINOR = re.compile(r"\d+(?:\.\d+)?")
_ASSIGNED = r"""\s*(?::\s*\w+\s*)?=\s*['"](\d[\w.+-]*)['"]"""
_DECLARED = (
    ("pyproject.toml", re.compile(rf"^version{_ASSIGNED}", re.MULTILINE)),
    ("setup.cfg", re.compile(r"^version\s*=\s*(\d[\w.+-]*)\s*$", re.MULTILINE)),
    ("setup.py", re.compile(rf"\bversion{_ASSIGNED}", re.IGNORECASE)),
)
_IN_PACKAGE = re.compile(rf"^(?:__version__|version|VERSION){_ASSIGNED}", re.MULTILINE)
_VERSION_MODULES = ("__init__", "_version", "version", "__version__", "__about__")
_PACKAGE_FILE = re.compile(r"(?:src/)?(?P<package>\w+)/(?:__init__|_?version|__version__|__about__)\.py")


def version_at(
    repository: Repository,
    commit: Sha,
    rules: Sequence[VersionRule],
    *,
    project: str,
    run_command: RunCommand | None = None,
) -> str:
    """The version as major and minor (`series`) by the first rule that answers, else by the general rules, else "".

    The general rules read a literal version in the package named like `project`, then one in the packaging files (which
    go stale where a release tool writes the package), then the nearest tag that looks like a version. Rules with a
    command are skipped without `run_command`.
    """
    for rule in rules:
        if found := _by_rule(repository, commit, rule, run_command):
            return series(found)
    return series(_declared(repository, commit, project) or repository.describe_version(commit) or "")


def version_paths(rules: Sequence[VersionRule], project: str) -> tuple[str, ...]:
    """Files and folders that `version_at` mostly reads: those of the rules, and where the general rules look first."""
    name = re.sub(r"[-.]", "_", project.rpartition("/")[2]).lower()
    modules = [f"{root}{name}/{module}.py" for root in ("", "src/") for module in _VERSION_MODULES]
    files = [rule.file for rule in rules if rule.file]
    return tuple(dict.fromkeys([*files, *(path for path, _ in _DECLARED), *modules]))


def series(version: str) -> str:
    """`major.minor`, digits as they are written: `1.10.3` → `1.10`, `2021.08.1` → `2021.08`, `2.0a1` → `2.0`.

    A pre-release or development version counts to the release that it leads to, since that is whose requirements it
    has. (SWE-Gym drops letters only, so its `2.01` is 2.0a1 and 2.0b1.) Text without a number is "".
    """
    found = _MAJOR_MINOR.search(version)
    return found.group() if found else ""


def _by_rule(repository: Repository, commit: Sha, rule: VersionRule, run_command: RunCommand | None) -> str | None:
    if rule.file and rule.regex:
        return _first_group(re.compile(rule.regex, re.MULTILINE), repository.read_file(commit, rule.file))
    if rule.tag:
        tag = repository.nearest_tag(commit, rule.tag)
        found = re.fullmatch(rule.tag, tag) if tag else None
        return (found.group(1) if found.re.groups else found.group()) if found else None
    if rule.command and run_command:
        lines = run_command(commit, rule.command).strip().splitlines()
        return lines[-1].strip() if lines else None
    return None


def _declared(repository: Repository, commit: Sha, project: str) -> str | None:
    for path in _package_files(repository.list_files(commit), project):
        if found := _first_group(_IN_PACKAGE, repository.read_file(commit, path)):
            return found
    contents = repository.read_files(commit, [path for path, _ in _DECLARED])
    declared = (_first_group(pattern, contents.get(path)) for path, pattern in _DECLARED)
    return next(filter(None, declared), None)


def _package_files(paths: Sequence[str], project: str) -> list[str]:
    """Where a package at the top keeps its version: first the package named like the project, shorter names first."""
    name = re.sub(r"[-.]", "_", project.rpartition("/")[2]).lower()
    found = [(match["package"].lower(), path) for path in paths if (match := _PACKAGE_FILE.fullmatch(path))]
    likely = [(package, path) for package, path in found if package.startswith(name)]
    return [path for _, path in sorted(likely, key=lambda each: (len(each[0]), "__init__" not in each[1], each[1]))]


def _first_group(pattern: re.Pattern[str], content: bytes | None) -> str | None:
    found = pattern.search(content.decode("utf-8", "replace")) if content else None
    if found is None:
        return None
    return str(found.group(1) if pattern.groups else found.group())
