"""Versions are read by the rules of a repository, and stay text (T25)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository
from builder.repo_config import VersionRule
from builder.versions import series, version_at

WHEN = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.10", "1.10"),
        ("1.10.3", "1.10"),
        ("0.20.0", "0.20"),
        ("2.0a1", "2.0"),
        ("2.0b1", "2.0"),
        ("2.0.0.dev3+g123", "2.0"),
        ("1.47.0-dev", "1.47"),
        ("v3.1", "3.1"),
        ("2021.08.1", "2021.08"),
        ("0.910", "0.910"),
        ("5", "5"),
        ("2.01", "2.01"),
        ("", ""),
        ("unknown", ""),
    ],
)
def test_t25_versions_are_cut_and_never_calculated(version: str, expected: str) -> None:
    """1.10 becomes 1.1, or a pre-release another number."""
    assert series(version) == expected


def _repository(path: Path, files: dict[str, str], *tags: str) -> tuple[Repository, str]:
    tree = {name: TreeFile(text.encode()) for name, text in files.items()}
    refs = tuple(f"refs/tags/{tag}" for tag in tags)
    (sha,) = write_commits(path, [NewCommit("x", WHEN, tree, (), ("refs/heads/main", *refs))])
    return Repository(path), sha


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"tool/__init__.py": '"""Doc."""\n__version__ = "1.10.2"\n'}, "1.10"),
        ({"src/tool/_version.py": "version = '3.0.dev1'\n"}, "3.0"),
        ({"tools/__init__.py": "__version__ = '1.47.0-dev'\n"}, "1.47"),
        ({"tool/version.py": "VERSION: str = '2.3.4'\n"}, "2.3"),
        ({"setup.py": "setup(\n    name='tool',\n    version='0.20.1',\n)"}, "0.20"),
        ({"setup.cfg": "[metadata]\nversion = 4.5.6\n"}, "4.5"),
        ({"pyproject.toml": '[project]\nname = "tool"\nversion = "7.8.9"\n'}, "7.8"),
        ({"tool/__init__.py": "__version__ = '2.0'\n", "setup.cfg": "version = 1.0.dev\n"}, "2.0"),
        ({"other/__init__.py": "__version__ = '9.9'\n"}, "6.1"),
        ({"setup.cfg": "[metadata]\nversion = attr: tool.__version__\n"}, "6.1"),
        ({"tests/tool/__init__.py": "__version__ = '9.9'\n"}, "6.1"),
    ],
)
def test_versions_are_found_without_rules(files: dict[str, str], expected: str, tmp_path: Path) -> None:
    """A usual place is overlooked, a stale or foreign one preferred."""
    repository, sha = _repository(tmp_path / "git", files, "v6.1.0")
    assert version_at(repository, sha, [], project="owner/tool") == expected


def test_no_version_is_an_empty_one(tmp_path: Path) -> None:
    """A repository without versions cannot be harvested."""
    repository, sha = _repository(tmp_path / "git", {"README": "x"})
    assert version_at(repository, sha, [], project="owner/tool") == ""


def test_rules_are_tried_in_order(tmp_path: Path) -> None:
    """A rule that does not answer ends the search, or a later one wins."""
    repository, sha = _repository(tmp_path / "git", {"VERSION": "release: 1.2.3\n"}, "rel/4.5.6")
    commands: list[tuple[str, str]] = []

    def run_command(commit: str, command: str) -> str:
        commands.append((commit, command))
        return "noise\n7.8.9\n\n"

    missing = VersionRule(file="NOTHING", regex=r"(\d.*)")
    command = VersionRule(command="make version")
    file = VersionRule(file="VERSION", regex=r"^release: (\S+)")
    tag = VersionRule(tag=r"rel/(.*)")
    project = "owner/tool"
    assert version_at(repository, sha, [missing, file, tag], project=project) == "1.2"
    assert version_at(repository, sha, [tag, file], project=project) == "4.5"
    assert version_at(repository, sha, [command, file], project=project) == "1.2"
    assert version_at(repository, sha, [missing, command], project=project, run_command=run_command) == "7.8"
    assert commands == [(sha, "make version")]
