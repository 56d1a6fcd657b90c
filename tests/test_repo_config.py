"""repo.yaml: what is accepted, what is refused, and what applies to which version."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder import repo_config
from builder.errors import SettingsError, UnknownNameError
from builder.repo_config import RepoConfig

INSTANCES = Path(__file__).parent.parent / "instances"


def test_a_repository_without_a_file_gets_the_defaults(tmp_path: Path) -> None:
    assert repo_config.load(tmp_path, "o/n") == RepoConfig()


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("licence: MIT", "license"),
        ("environment: {pyhton: '3.9'}", "python"),
        ("version: [{file: x, regexp: y}]", "regex"),
        ("overrides: [{version: '<1', environment: {}}]", "versions"),
        ("overrides: [{versions: '<1', environment: {test_command: x}}]", "test_cmd"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near) as caught:
        repo_config.parse(text, "here/repo.yaml")
    assert "here/repo.yaml" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "license: [",
        "- a list",
        "environment: {test_timeout: soon}",
        "environment: {test_timeout: 0}",
        "version: [{regex: '('}]",
        "overrides: [{versions: 'about 1', environment: {}}]",
    ],
)
def test_a_broken_file_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match=r"here/repo\.yaml"):
        repo_config.parse(text, "here/repo.yaml")


def test_a_later_override_wins_key_by_key() -> None:
    config = repo_config.parse(
        "environment: {python: '3.9', test_cmd: pytest}\n"
        "overrides:\n"
        "- {versions: '<2', environment: {python: '3.8'}}\n"
        "- {versions: '<1', environment: {test_cmd: py.test}}\n",
        "x",
    )
    by_version = {version: config.environment_for(version) for version in ("0.9", "1.10", "2.0", "unknown")}
    assert {version: (rules.python, rules.test_cmd) for version, rules in by_version.items()} == {
        "0.9": ("3.8", "py.test"),
        "1.10": ("3.8", "pytest"),
        "2.0": ("3.9", "pytest"),
        "unknown": ("3.9", "pytest"),
    }


def test_t25_versions_are_compared_as_versions() -> None:
    """1.10 is newer than 1.9, and a pre-release of 2.0 is not 2.0."""
    config = repo_config.parse("overrides: [{versions: '>=1.9,<2', environment: {python: '3.8'}}]", "x")
    matching = [version for version in ("1.1", "1.9", "1.10", "2.0a1", "2.0") if config.environment_for(version).python]
    assert matching == ["1.9", "1.10"]


@pytest.mark.parametrize("path", sorted(INSTANCES.glob("*/repo.yaml")), ids=lambda path: path.parent.name)
def test_our_own_files_are_valid(path: Path) -> None:
    assert repo_config.parse(path.read_text(), str(path)).license
