"""What we know of a repository beyond the general rules: `instances/<owner>__<name>/repo.yaml`.

A repository without such a file gets the defaults. Unknown keys are refused with the nearest known one. `overrides`
are applied in order to the versions that their PEP 440 specifier admits; a later one wins, key by key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import Field, ValidationError, field_validator

from builder.errors import SettingsError, UnknownNameError
from builder.models import Record


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


class VersionRule(Record):
    """How to read the version at a commit: the first group of `regex` in `file`, the nearest `tag`, or a `command`.

    Rules are tried in order; the first that answers wins. `command` runs in a sandbox, without network, in the
    repository's root, and its last line is the answer. `tag` is a regular expression whose first group is the version.
    """

    file: str | None = None
    regex: str | None = None
    tag: str | None = None
    command: str | None = None

    _regexes = field_validator("regex", "tag")(lambda value: value if value is None else _compiled(value))


class LinkConvention(Record):
    """A repository's own way of naming the issue that a change resolves.

    `path`: searched in the paths that the change adds or edits (`news/(\\d+)\\.bugfix`); `added_line`: searched in
    the lines that the change adds to files matching `file`; `title`: searched in the pull request's title. The first
    group is the issue's number.
    """

    name: str
    path: str | None = None
    added_line: str | None = None
    file: str | None = None
    title: str | None = None

    _regexes = field_validator("path", "added_line", "file", "title")(
        lambda value: value if value is None else _compiled(value)
    )


class TestRules(Record):
    """Which paths are tests (`paths`, `not_paths`: git-style globs from the root, beyond the general rule)."""

    __test__ = False

    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


class EnvironmentRules(Record):
    """What the general rules of `environments.py` cannot find. None means: as the rules find it."""

    python: str | None = None
    install: Literal["editable", "editable-isolated", "develop", "path", "none"] | None = None
    extras: tuple[str, ...] | None = None
    requirement_files: tuple[str, ...] | None = None
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    build_steps: tuple[str, ...] = ()
    build_env: dict[str, str] = {}
    test_env: dict[str, str] = {}
    test_cmd: str | None = None
    test_timeout: int | None = Field(default=None, gt=0, description="seconds for one run of the test command")
    system_packages: dict[str, str] = Field(
        default={}, description="name → a shell test that succeeds where it is installed (`command -v java`)"
    )
    submodules: bool | None = None


class Override(Record):
    versions: str
    environment: EnvironmentRules

    @field_validator("versions")
    @classmethod
    def _specifier(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier as error:
            raise ValueError(str(error)) from error
        return value


class RepoConfig(Record):
    """One `repo.yaml`."""

    license: str = ""
    version: tuple[VersionRule, ...] = ()
    links: tuple[LinkConvention, ...] = ()
    tests: TestRules = TestRules()
    environment: EnvironmentRules = EnvironmentRules()
    overrides: tuple[Override, ...] = ()

    def environment_for(self, version: str) -> EnvironmentRules:
        """The environment rules of one version, overrides applied. An unreadable version matches no override."""
        rules = self.environment.model_dump()
        for override in self.overrides:
            if _admits(override.versions, version):
                rules.update(override.environment.model_dump(exclude_unset=True))
        return EnvironmentRules(**rules)


def _admits(specifier: str, version: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def directory_name(repo: str) -> str:
    """`owner/name` → `owner__name`, the folder below `instances/`. Never parsed back (T24)."""
    return repo.replace("/", "__")


def load(instances_dir: Path, repo: str) -> RepoConfig:
    """Read the repository's `repo.yaml`, or the defaults where there is none.

    Raises SettingsError naming file and key, UnknownNameError for a key that does not exist.
    """
    path = instances_dir / directory_name(repo) / "repo.yaml"
    if not path.is_file():
        return RepoConfig()
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, origin: str) -> RepoConfig:
    """Parse the text of a `repo.yaml`; `origin` names it in errors."""
    try:
        content: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{origin} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{origin} must hold a mapping, not {type(content).__name__}")
    try:
        return RepoConfig.model_validate(content)
    except ValidationError as error:
        raise _explained(error, origin) from error


def _explained(error: ValidationError, origin: str) -> SettingsError | UnknownNameError:
    # A misspelt key often comes with the complaint that the right one is missing: the misspelling is the cause.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return UnknownNameError(f"key in {origin} at {where}:", str(first["loc"][-1]), _known_keys(first["loc"][:-1]))
    return SettingsError(f"{origin}: {where}: {first['msg']}", hint="CONTRIBUTING.md lists the keys of repo.yaml.")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    models: dict[str, type[Record]] = {
        "environment": EnvironmentRules,
        "tests": TestRules,
        "version": VersionRule,
        "links": LinkConvention,
        "overrides": Override,
    }
    named = [models[part] for part in location if isinstance(part, str) and part in models]
    return list((named[-1] if named else RepoConfig).model_fields)
