"""A history written from values: the same ids everywhere, nothing half-written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder.errors import InfrastructureError, RepositoryError
from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository

WHEN = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)


def commit(message: str, tree: dict[str, TreeFile], *parents: int, refs: tuple[str, ...] = ()) -> NewCommit:
    return NewCommit(message, WHEN, tree, parents, refs)


def test_ids_do_not_depend_on_configuration_or_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a user's name, time zone, hash format or line-end setting reaching the ids."""
    commits = [commit("one\n", {"a.txt": TreeFile(b"x\r\n")}, refs=("refs/heads/main",))]
    first = write_commits(tmp_path / "one", commits)
    (tmp_path / "config").write_text(
        "[core]\n\tautocrlf = input\n[user]\n\tname = Other\n[i18n]\n\tcommitEncoding = x\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Other")
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    assert write_commits(tmp_path / "two", commits) == first
    assert first == ("25feb5726c48322810d7df12ce2111069d4c6343",)


def test_names_modes_and_bytes_come_back(tmp_path: Path) -> None:
    """Catches names with quotes, spaces, newlines or bytes that are not UTF-8 being changed on the way."""
    names = ["a b", 'q"uote', "back\\slash", "new\nline", "bad\udcff", "dir/ü"]
    tree = {name: TreeFile(name.encode("utf-8", "surrogateescape")) for name in names}
    tree["run"] = TreeFile(b"#!/bin/sh\n", "100755")
    tree["link"] = TreeFile(b"run", "120000")
    (sha,) = write_commits(tmp_path / "r", [commit("m\n", tree, refs=("refs/heads/main",))])
    repository = Repository(tmp_path / "r")
    assert set(repository.list_files(sha)) == set(tree)
    assert all(repository.read_file(sha, name) == tree[name].data for name in [*names, "run"])
    listed = subprocess.run(
        ["git", "-C", tmp_path / "r", "ls-tree", sha, "run", "link"], capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["120000", "100755"]


def test_parents_are_those_named_and_roots_stay_roots(tmp_path: Path) -> None:
    """Catches a second root silently becoming a child of the commit before it."""
    commits = [commit("a\n", {}), commit("b\n", {}), commit("c\n", {}, 0, 1, refs=("refs/heads/main",))]
    first, second, merge = write_commits(tmp_path / "r", commits)
    repository = Repository(tmp_path / "r")
    assert repository.parents(second) == ()
    assert repository.parents(merge) == (first, second)
    assert list(repository.refs()) == ["refs/heads/main"]


def test_a_second_import_adds_and_repeats(tmp_path: Path) -> None:
    """Catches a repeated import failing on refs that exist, or losing those of the first."""
    one = [commit("one\n", {"a": TreeFile(b"1")}, refs=("refs/heads/one",))]
    two = [commit("two\n", {"a": TreeFile(b"2")}, refs=("refs/heads/two",))]
    first = write_commits(tmp_path / "r", one)
    write_commits(tmp_path / "r", two)
    assert write_commits(tmp_path / "r", one) == first
    assert set(Repository(tmp_path / "r").refs()) == {"refs/heads/one", "refs/heads/two"}


def test_a_stream_that_breaks_off_leaves_no_ref(tmp_path: Path) -> None:
    """Catches a killed import leaving a half-written history that later counts as there."""

    def broken() -> Iterator[NewCommit]:
        yield commit("one\n", {"a": TreeFile(b"1")}, refs=("refs/heads/main",))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_commits(tmp_path / "r", broken())
    assert Repository(tmp_path / "r").refs() == {}


def test_git_says_why_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="fast-import"):
        write_commits(tmp_path / "r", [commit("m\n", {}, refs=("refs/heads/bad..name",))])


def test_a_directory_with_other_things_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RepositoryError, match="not a bare git repository"):
        write_commits(tmp_path, [])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
