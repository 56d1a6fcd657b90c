"""Clones are read without being trusted or touched, and what is derived from them is exact."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from random_changes import Tree, random_edit, random_tree, repository_of

from builder.errors import Rejected, RepositoryError
from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository
from builder.models import Sha

WHEN = datetime(2024, 5, 6, tzinfo=UTC)
LINES = [b"line %d\n" % number for number in range(60)]


def merged_diff(repository: Repository, base: str, merge: str) -> bytes:
    """What the merge changed, brought onto the base."""
    return repository.diff(base, repository.merged_tree(base, merge))


def _git(*arguments: str | Path, cwd: Path | None = None, check: bool = True) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    command = ["git", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, check=check, capture_output=True, text=True).stdout.strip()


def _files(*, start: int = 0, **edits: str) -> Tree:
    """`a.txt` of sixty lines; `edits` are `l7="text"` for line 7."""
    lines = list(LINES)
    for name, text in edits.items():
        lines[int(name[1:])] = text.encode() + b"\n"
    return {"a.txt": TreeFile(b"".join(lines[start:])), "b.txt": TreeFile(b"b\n")}


def _forked(path: Path, theirs: Tree, ours: Tree) -> tuple[Repository, dict[str, Sha]]:
    """root ─ parent ─ merge (theirs), root ─ base (ours)."""
    commits = [
        NewCommit("root", WHEN, _files()),
        NewCommit("parent", WHEN, _files(l50="parent"), (0,)),
        NewCommit("merge", WHEN, theirs, (1,), ("refs/heads/main",)),
        NewCommit("base", WHEN, ours, (0,), ("refs/heads/base",)),
    ]
    shas = write_commits(path, commits)
    return Repository(path), dict(zip(["root", "parent", "merge", "base"], shas, strict=True))


def _state(path: Path) -> dict[str, tuple[int, int]]:
    return {str(file): (file.lstat().st_mtime_ns, file.lstat().st_size) for file in sorted(path.rglob("*"))}


# --- what is no usable clone


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    """A misspelt path gives a trace back, or an empty history."""
    with pytest.raises(RepositoryError, match="does not exist"):
        Repository(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["empty folder", "file", "folder in a work tree"])
def test_a_path_that_is_no_repository(kind: str, tmp_path: Path) -> None:
    """The repository around a wrong path is harvested instead."""
    _git("init", "-q", tmp_path)
    path = tmp_path / "inside"
    if kind == "file":
        path.write_text("x")
    else:
        path.mkdir()
    with pytest.raises(RepositoryError, match="not a git repository") as caught:
        Repository(path)
    assert "git clone" in caught.value.hint


def test_a_shallow_clone(tmp_path: Path) -> None:
    """A part of a history is taken for the whole, and bases are missing one by one."""
    repository_of(tmp_path / "full", _files(), _files(l1="x"))
    _git("clone", "-q", "--depth=1", f"file://{tmp_path}/full", tmp_path / "shallow")
    with pytest.raises(RepositoryError, match="shallow") as caught:
        Repository(tmp_path / "shallow")
    assert "--unshallow" in caught.value.hint


def test_a_partial_clone_is_found_where_it_lacks_objects(tmp_path: Path) -> None:
    """Missing blobs are fetched behind the user's back, or a diff comes out empty."""
    full, (base, merge) = repository_of(tmp_path / "full", _files(), _files(l1="x"))
    _git("config", "uploadpack.allowFilter", "true", cwd=tmp_path / "full")
    partial = tmp_path / "partial"
    _git("clone", "-q", "--bare", "--filter=blob:none", f"file://{tmp_path}/full", partial)
    before = _state(partial)
    repository = Repository(partial)
    assert len(list(repository.commits("HEAD"))) == 2
    reads: list[Callable[[], object]] = [
        lambda: repository.diff(base, merge),
        lambda: repository.read_file(merge, "a.txt"),
        lambda: repository.apply(merge, full.diff(merge, base)),
    ]
    for read in reads:
        with pytest.raises(RepositoryError, match=merge) as caught:
            read()
        assert "partial clone" in caught.value.hint
    assert _state(partial) == before


def test_a_commit_that_is_not_there(tmp_path: Path) -> None:
    """An unknown commit gives an empty answer."""
    commits = [NewCommit("1", WHEN, _files(), (), ("refs/tags/v1.0",)), NewCommit("2", WHEN, _files(l1="x"), (0,))]
    _, sha = write_commits(tmp_path / "git", commits)
    repository = Repository(tmp_path / "git")
    missing = "1" * 40
    assert not repository.contains(missing)
    reads: list[Callable[[], object]] = [
        lambda: repository.resolve("no-such-branch"),
        lambda: repository.resolve("--help"),
        lambda: repository.commit(missing),
        lambda: list(repository.commits(missing)),
        lambda: repository.tree(missing),
        lambda: repository.diff(sha, missing),
        lambda: repository.read_file(missing, "a.txt"),
        lambda: repository.list_files(missing),
        lambda: repository.is_ancestor(missing, sha),
        lambda: repository.merge_base(missing, sha),
        lambda: repository.nearest_tag(missing, ".*"),
        lambda: repository.merged_tree(missing, sha),
        lambda: repository.apply(missing, b""),
        lambda: repository.bundle(tmp_path / "bundle", missing),
    ]
    for read in reads:
        with pytest.raises(RepositoryError):
            read()
    assert not (tmp_path / "bundle").exists()


# --- what it must not do


def test_nothing_in_the_clone_or_the_environment_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone's configuration, attributes, hooks or replacements run a program or change a diff."""
    clone = tmp_path / "clone"
    bare, (base, merge) = repository_of(
        tmp_path / "bare", {**_files(), "c.py": TreeFile(b"x = 1\n")}, _files(l30="edit")
    )
    expected = bare.diff(base, merge)
    _git("clone", "-q", tmp_path / "bare", clone)
    marker = tmp_path / "ran"
    script = tmp_path / "program"
    script.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    settings = {
        "core.fsmonitor": script,
        "core.hooksPath": tmp_path,
        "core.pager": script,
        "core.sshCommand": script,
        "diff.external": script,
        "diff.mine.textconv": script,
        "diff.mine.command": script,
        "filter.mine.clean": script,
        "filter.mine.smudge": script,
        "gpg.program": script,
        "log.showSignature": "true",
        "alias.log": f"!{script}",
        "diff.noprefix": "true",
        "diff.context": "9",
        "diff.renames": "copies",
        "core.abbrev": "5",
        "core.quotePath": "false",
        "color.ui": "always",
        "core.autocrlf": "true",
    }
    for name, value in settings.items():
        _git("config", name, str(value), cwd=clone)
    for hook in ("post-index-change", "reference-transaction", "pre-auto-gc"):
        (clone / ".git/hooks" / hook).parent.mkdir(exist_ok=True)
        (clone / ".git/hooks" / hook).write_bytes(script.read_bytes())
        (clone / ".git/hooks" / hook).chmod(0o755)
    (clone / ".gitattributes").write_text("* diff=mine filter=mine -text\n")
    (clone / ".git/info").mkdir(exist_ok=True)
    (clone / ".git/info/attributes").write_text("* diff=mine filter=mine\n")
    _git("update-ref", f"refs/replace/{merge}", base, cwd=clone)
    marker.unlink(missing_ok=True)
    _hostile_environment(monkeypatch, tmp_path, script)
    repository = Repository(clone)
    assert repository.diff(base, merge) == expected
    assert merged_diff(repository, base, merge) == expected
    assert repository.apply(base, expected) == bare.tree(merge)
    assert repository.read_file(merge, "a.txt") == b"".join([*LINES[:30], b"edit\n", *LINES[31:]])
    assert [entry.sha for entry in repository.commits("HEAD")] == [merge, base]
    assert not marker.exists()


def _hostile_environment(monkeypatch: pytest.MonkeyPatch, home: Path, script: Path) -> None:
    (home / ".gitconfig").write_text("[diff]\n\tnoprefix = true\n[broken\n")
    values = {
        "HOME": home,
        "GIT_DIR": home / "nowhere",
        "GIT_WORK_TREE": home,
        "GIT_INDEX_FILE": home / "index",
        "GIT_OBJECT_DIRECTORY": home / "objects",
        "GIT_EXTERNAL_DIFF": script,
        "GIT_PAGER": script,
        "GIT_DIFF_OPTS": "--unified=0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "diff.noprefix",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_NAMESPACE": "other",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


def test_the_clone_is_never_written_to(tmp_path: Path) -> None:
    """A merge's objects, an index or a ref end in the user's clone."""
    clone = tmp_path / "git"
    repository, shas = _forked(clone, _files(l50="parent", l5="theirs"), _files(l20="ours"))
    before = _state(clone)
    diff = merged_diff(repository, shas["base"], shas["merge"])
    repository.apply(shas["base"], diff)
    repository.bundle(tmp_path / "bundle", shas["merge"], exclude=[shas["root"]])
    list(repository.commits("main"))
    repository.describe_version(shas["merge"])
    assert _state(clone) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_clone_of_another_user_can_be_read(tmp_path: Path) -> None:
    """git's ownership check turns a shared clone down."""
    _, (sha,) = repository_of(tmp_path / "git", _files())
    for path in [tmp_path / "git", *(tmp_path / "git").rglob("*")]:
        os.chown(path, 12345, 12345)
    assert Repository(tmp_path / "git").resolve("HEAD") == sha


def test_private_files_go_with_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each opened repository leaves a folder behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files(l20="ours"))
    merged_diff(repository, shas["base"], shas["merge"])
    assert list((tmp_path / "tmp").iterdir())
    del repository
    assert not list((tmp_path / "tmp").iterdir())


# --- commits


@pytest.mark.parametrize("kind", ["bare", "work tree", "linked work tree"])
def test_every_kind_of_clone_is_read(kind: str, tmp_path: Path) -> None:
    """Only bare repositories work, or a linked work tree has no objects."""
    _, shas = repository_of(tmp_path / "bare", _files(), _files(l1="x"))
    path = tmp_path / "bare"
    if kind != "bare":
        _git("clone", "-q", tmp_path / "bare", tmp_path / "clone")
        path = tmp_path / "clone"
    if kind == "linked work tree":
        _git("worktree", "add", "-q", "--detach", tmp_path / "linked", cwd=tmp_path / "clone")
        path = tmp_path / "linked"
    repository = Repository(path)
    assert [entry.sha for entry in repository.commits("HEAD")] == list(reversed(shas))
    assert repository.diff(*shas)


def test_a_repository_without_commits(tmp_path: Path) -> None:
    """An empty repository crashes, instead of having no commit named HEAD."""
    _git("init", "-q", tmp_path / "empty")
    repository = Repository(tmp_path / "empty")
    assert repository.refs() == {}
    with pytest.raises(RepositoryError, match="no commit 'HEAD'"):
        repository.resolve("HEAD")


def test_messages_are_read_whole_whatever_is_in_them(tmp_path: Path) -> None:
    """A separator in a message, an empty one or bad bytes shift all later fields."""
    messages = [
        "",
        "one",
        "subject\n\nbody\n\nmore\n",
        "wrapped\nsubject\n\nbody",
        "bad \udcff byte\n\n\x1f\x1e\x01",
        "last",
    ]
    history = [
        NewCommit(message, WHEN + timedelta(hours=position), _files(), (position - 1,) if position else ())
        for position, message in enumerate(messages)
    ]
    history[-1] = NewCommit("last", WHEN, _files(), (4,), ("refs/heads/main",), WHEN, "Jürgen <a@b>")
    shas = write_commits(tmp_path / "git", history)
    entries = list(Repository(tmp_path / "git").commits("main"))[::-1]
    assert [entry.sha for entry in entries] == list(shas)
    subjects = [(entry.subject, entry.body) for entry in entries]
    expected = [("", ""), ("one", ""), ("subject", "body\n\nmore"), ("wrapped subject", "body")]
    assert subjects == [*expected, ("bad \ufffd byte", "\x1f\x1e\x01"), ("last", "")]
    assert entries[3].message == "wrapped subject\n\nbody"
    assert entries[3].author_date == WHEN + timedelta(hours=3)
    assert entries[-1].author == "Jürgen"
    assert entries[1].parents == (shas[0],)


def test_dates_compare_with_the_committer_and_never_end_the_walk_early(tmp_path: Path) -> None:
    """One commit with a wrong clock hides everything before it."""
    days = [1, 30, 2, 3, 4]
    history = [
        NewCommit(f"{day}", WHEN, _files(), (position - 1,) if position else (), (), WHEN + timedelta(days=day))
        for position, day in enumerate(days)
    ]
    history[-1] = NewCommit("4", WHEN, _files(), (3,), ("refs/heads/main",), WHEN + timedelta(days=4))
    write_commits(tmp_path / "git", history)
    repository = Repository(tmp_path / "git")
    since, until = WHEN + timedelta(days=2), WHEN + timedelta(days=4)
    assert [entry.subject for entry in repository.commits("main", since=since, until=until)] == ["4", "3", "2"]


def test_reachability_and_ancestry(tmp_path: Path) -> None:
    """Second parents are walked as if they were the main line, or unrelated commits are an error."""
    history = [
        NewCommit("root", WHEN, _files()),
        NewCommit("side", WHEN, _files(l1="side"), (0,), ("refs/pull/7/head",)),
        NewCommit("main", WHEN, _files(l9="main"), (0,)),
        NewCommit("merge", WHEN, _files(l1="side", l9="main"), (2, 1), ("refs/heads/main",)),
        NewCommit("other", WHEN, _files(), (), ("refs/heads/other", "refs/pull/x/head")),
    ]
    root, side, main, merge, other = write_commits(tmp_path / "git", history)
    repository = Repository(tmp_path / "git")
    assert {entry.sha for entry in repository.commits("main", exclude=[main])} == {merge, side}
    assert repository.parents(merge) == (main, side)
    assert repository.is_ancestor(side, merge)
    assert repository.is_ancestor(side, side)
    assert not repository.is_ancestor(merge, side)
    assert repository.merge_base(side, main) == root
    assert repository.merge_base(other, main) is None
    assert repository.refs("refs/pull/7/") == {"refs/pull/7/head": side}
    assert repository.pull_numbers == {7}
    assert repository.pull_head(7) == side
    assert repository.pull_head(8) is None


def test_a_reader_may_stop_early(tmp_path: Path) -> None:
    """A reader that stops leaves a git process or an open pipe (an error here)."""
    trees = [_files(l1=str(number)) for number in range(300)]
    repository, shas = repository_of(tmp_path / "git", *trees)
    reader = repository.commits("main")
    assert next(reader).sha == shas[-1]
    reader.close()  # type: ignore[attr-defined]


# --- content


def test_files_with_any_name_are_read(tmp_path: Path) -> None:
    """A name is taken for a pattern, an option or an escaped one."""
    rng = random.Random(5)
    tree = random_tree(rng, 40)
    repository, (sha,) = repository_of(tmp_path / "git", tree)
    assert sorted(repository.list_files(sha)) == sorted(tree)
    for path, entry in tree.items():
        expected = None if entry.mode == "120000" else entry.data
        assert repository.read_file(sha, path) == expected
    regular = {path: entry.data for path, entry in tree.items() if entry.mode != "120000"}
    assert repository.read_files(sha, [*tree, "src", "nothing", "*.py"]) == regular
    assert repository.read_files(sha, []) == {}
    assert repository.read_file(sha, "src") is None
    assert repository.read_file(sha, "nothing") is None
    assert repository.read_file(sha, "*.py") is None
    below = {path for path in tree if path.startswith("tests/")}
    assert set(repository.list_files(sha, "tests")) == set(repository.list_files(sha, "tests/")) == below
    assert repository.list_files(sha, "test") == []


def test_changed_paths_tell_how(tmp_path: Path) -> None:
    """A move hides the path that is gone, or a type change looks like an edit."""
    before = {"gone": TreeFile(b"x\n" * 9), "edited": TreeFile(b"1"), "typed": TreeFile(b"1"), "same": TreeFile(b"1")}
    after = {
        "moved": TreeFile(b"x\n" * 9),
        "edited": TreeFile(b"2"),
        "typed": TreeFile(b"1", "120000"),
        "same": TreeFile(b"1"),
    }
    repository, (base, merge) = repository_of(tmp_path / "git", before, after)
    assert repository.changed_paths(base, merge) == {"edited": "M", "gone": "D", "moved": "A", "typed": "T"}


@pytest.mark.parametrize("seed", range(100, 110))
def test_t11_a_diff_turns_one_commit_into_the_other_in_a_work_tree(seed: int, tmp_path: Path) -> None:
    """What applies to an index does not apply to files."""
    rng = random.Random(seed)
    before = {path: entry for path, entry in random_tree(rng).items() if "\n" not in path}
    after = random_edit(rng, before)
    repository, (base, merge) = repository_of(tmp_path / "git", before, after)
    _git("clone", "-q", "--no-checkout", tmp_path / "git", tmp_path / "clone")
    _git("checkout", "-q", base, cwd=tmp_path / "clone")
    (tmp_path / "patch").write_bytes(repository.diff(base, merge))
    _git("apply", "--index", "--whitespace=nowarn", tmp_path / "patch", cwd=tmp_path / "clone")
    assert _git("write-tree", cwd=tmp_path / "clone") == repository.tree(merge)


def test_a_patch_that_does_not_apply_is_an_outcome(tmp_path: Path) -> None:
    """A conflict is taken for a failure of ours."""
    repository, (base, merge) = repository_of(tmp_path / "git", _files(), _files(l5="x"))
    diff = repository.diff(base, merge)
    with pytest.raises(Rejected, match=r"patch_failed: error: patch failed: a\.txt"):
        repository.apply(merge, diff)
    with pytest.raises(Rejected, match="patch_failed"):
        repository.apply(base, b"not a patch\n")


# --- a change on another base


def test_a_change_on_its_own_base_is_the_diff(tmp_path: Path) -> None:
    """The plain case goes a way round and comes out different."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files())
    direct = repository.diff(shas["parent"], shas["merge"])
    assert merged_diff(repository, shas["parent"], shas["merge"]) == direct


def test_a_change_is_brought_onto_another_base(tmp_path: Path) -> None:
    """The base's own differences get into the patch, or context lines make it fail."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files(l7="ours", l20="ours"))
    diff = merged_diff(repository, shas["base"], shas["merge"])
    assert b"+theirs" in diff
    assert b"+parent" not in diff
    assert b" ours" in diff
    tree = repository.apply(shas["base"], diff)
    assert tree == repository.merged_tree(shas["base"], shas["merge"])


def test_a_change_follows_a_file_that_the_base_has_elsewhere(tmp_path: Path) -> None:
    """A file moved since the base stops the change."""
    ours = {"old/a.txt" if path == "a.txt" else path: entry for path, entry in _files().items()}
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), ours)
    assert repository.changed_paths(shas["base"], repository.merged_tree(shas["base"], shas["merge"])) == {
        "old/a.txt": "M"
    }


def test_a_conflict_is_an_outcome(tmp_path: Path) -> None:
    """A conflict's markers end in the patch."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files(l5="ours"))
    with pytest.raises(Rejected, match=r"patch_failed: .* conflicts with"):
        merged_diff(repository, shas["base"], shas["merge"])


def test_a_change_of_several_commits_begins_where_it_is_said_to(tmp_path: Path) -> None:
    """Of a rebased change only the last commit survives."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files(l20="ours"))
    tree = repository.merged_tree(shas["base"], shas["merge"], start=shas["root"])
    diff = repository.diff(shas["base"], tree)
    assert b"+parent" in diff
    assert b"+theirs" in diff


def test_a_first_commit_has_no_change(tmp_path: Path) -> None:
    """A root commit as merge crashes the harvest."""
    repository, shas = _forked(tmp_path / "git", _files(), _files())
    with pytest.raises(Rejected, match="no parent"):
        merged_diff(repository, shas["base"], shas["root"])


def test_many_threads_share_a_repository(tmp_path: Path) -> None:
    """Two merges or checks at once use the same index."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files(l20="ours"))

    def work(_: int) -> tuple[Sha, Sha]:
        diff = merged_diff(repository, shas["base"], shas["merge"])
        return repository.apply(shas["base"], diff), repository.apply(shas["parent"], b"")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(24)))) == 1


# --- bundles


def test_t23_a_bundle_holds_the_commit_s_history_and_nothing_else(tmp_path: Path) -> None:
    """Later commits travel along."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files(l20="ours"))
    repository.bundle(tmp_path / "one", shas["parent"])
    _git("init", "-q", "--bare", tmp_path / "new")
    _git("fetch", "-q", tmp_path / "one", f"refs/builder/{shas['parent']}:refs/heads/main", cwd=tmp_path / "new")
    listed = _git("cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects", cwd=tmp_path / "new")
    commits = {line.split()[0] for line in listed.splitlines() if line.endswith("commit")}
    assert commits == {shas["root"], shas["parent"]}
    repository.bundle(tmp_path / "two", shas["merge"], exclude=[shas["parent"]])
    assert (tmp_path / "two").stat().st_size < (tmp_path / "one").stat().st_size
    _git("fetch", "-q", tmp_path / "two", f"refs/builder/{shas['merge']}:refs/heads/main", cwd=tmp_path / "new")
    assert _git("rev-list", "--count", "main", cwd=tmp_path / "new") == "3"
    _git("fsck", "--strict", cwd=tmp_path / "new")


def test_t23_a_bundle_of_new_commits_asks_for_the_old_ones(tmp_path: Path) -> None:
    """An increment is unpacked where its base is missing, and leaves a broken history."""
    repository, shas = _forked(tmp_path / "git", _files(l50="parent", l5="theirs"), _files())
    repository.bundle(tmp_path / "two", shas["merge"], exclude=[shas["parent"]])
    _git("init", "-q", "--bare", tmp_path / "new")
    fetch = ("fetch", "-q", tmp_path / "two", f"refs/builder/{shas['merge']}:refs/heads/main")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _git(*fetch, cwd=tmp_path / "new")
    assert "prerequisite" in caught.value.stderr


def test_t29_equal_histories_make_equal_bundles(tmp_path: Path) -> None:
    """How a clone happens to be packed changes the bundle, and no cache ever hits."""
    trees = [_files(l1=str(number), l30=str(number * 7)) for number in range(40)]
    repository, shas = repository_of(tmp_path / "git", *trees)
    _git("clone", "-q", "--mirror", tmp_path / "git", tmp_path / "packed")
    _git("repack", "-adfq", "--depth=3", "--window=2", cwd=tmp_path / "packed")
    repository.bundle(tmp_path / "one", shas[-1])
    Repository(tmp_path / "packed").bundle(tmp_path / "two", shas[-1])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# --- versions


def test_the_nearest_tag_that_looks_like_a_version(tmp_path: Path) -> None:
    """A nightly or documentation tag, or a later release, becomes the version."""
    tags = ["refs/tags/v1.9.0", "refs/tags/docs-2024", "refs/tags/v1.10.0", "refs/tags/nightly", "refs/tags/v1.11.0rc1"]
    history = [
        NewCommit(tag, WHEN, _files(l1=tag), (position - 1,) if position else (), (tag, "refs/heads/main"))
        for position, tag in enumerate(tags)
    ]
    shas = write_commits(tmp_path / "git", history)
    repository = Repository(tmp_path / "git")
    versions = [repository.describe_version(sha) for sha in shas]
    assert versions == ["1.9.0", "1.9.0", "1.10.0", "1.10.0", "1.11.0rc1"]
    assert repository.nearest_tag(shas[-1], r"v\d+\.\d+\.\d+") == "v1.10.0"
    assert repository.nearest_tag(shas[0], "nothing") is None
    assert repository.nearest_tag(shas[0], r"v1\.10.*") is None


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.2", "1.2"),
        ("1.2.3", "1.2.3"),
        ("release-1.2.3", "1.2.3"),
        ("project-1.2.0", "1.2.0"),
        ("pkg/v2.0.0b1", "2.0.0b1"),
        ("2024.1.0", "2024.1.0"),
        ("latest", None),
        ("v1", None),
        ("docs-2024", None),
    ],
)
def test_tags_that_look_like_versions(tag: str, version: str | None, tmp_path: Path) -> None:
    """A project's habit of naming releases is not understood."""
    write_commits(tmp_path / "git", [NewCommit("x", WHEN, _files(), (), (f"refs/tags/{tag}", "refs/heads/main"))])
    repository = Repository(tmp_path / "git")
    assert repository.describe_version(repository.resolve("HEAD")) == version
