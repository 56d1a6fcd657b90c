"""Seeded random trees and edits of them, with all that git diffs find hard."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository
from builder.models import Sha

Tree = dict[str, TreeFile]
WHEN = datetime(2024, 5, 6, tzinfo=UTC)

_NAMES = [
    "plain.py",
    "with space.py",
    " leading and trailing ",
    'quo"te.py',
    "back\\slash.py",
    "tab\there.py",
    "new\nline.py",
    "ümläut.py",
    "not-utf8-\udcff\udcfe.py",
    "glob[ab]*?.py",
    "-dash.py",
    "a b/b a.py",
    "x b/x",
    "diff --git a/x b/x",
    "emoji\U0001f40d.py",
    "latest.py",
]
_FOLDERS = ["", "src/", "tests/", "tests/data/", "pkg/test-data/", "conte st/", "a/b/c/"]


def random_tree(rng: random.Random, files: int = 14) -> Tree:
    return {path: _file(rng) for path in _paths(rng, files)}


def random_edit(rng: random.Random, tree: Tree) -> Tree:
    """Another tree: files edited, added, removed, moved, retyped, their modes changed."""
    edited = dict(tree)
    for path in list(tree):
        _EDITS[rng.randrange(len(_EDITS))](rng, edited, path)
    for path in _paths(rng, 4):
        _put(edited, path, _file(rng))
    return edited


def repository_of(path: Path, *trees: Tree) -> tuple[Repository, tuple[Sha, ...]]:
    """A linear history with these trees."""
    commits = [
        NewCommit(f"Commit {position}", WHEN, tree, (position - 1,) if position else ())
        for position, tree in enumerate(trees)
    ]
    shas = write_commits(path, [*commits[:-1], _with_branch(commits[-1])])
    return Repository(path), shas


def _with_branch(commit: NewCommit) -> NewCommit:
    return NewCommit(commit.message, commit.authored_at, commit.tree, commit.parents, ("refs/heads/main",))


def _paths(rng: random.Random, count: int) -> list[str]:
    return [rng.choice(_FOLDERS) + rng.choice(_NAMES) for _ in range(count)]


def _file(rng: random.Random) -> TreeFile:
    kind = rng.randrange(10)
    if kind == 0:
        return TreeFile(rng.choice([b"target", b"../up", b"a b\xff"]), "120000")
    return TreeFile(_content(rng), "100755" if kind == 1 else "100644")


def _content(rng: random.Random) -> bytes:
    kind = rng.randrange(7)
    if kind == 0:
        return b""
    if kind == 1:
        return rng.randbytes(rng.randrange(1, 3000))
    lines = [_line(rng) for _ in range(rng.randrange(1, 60))]
    separator = b"\r\n" if kind == 2 else b"\n"
    return separator.join(lines) + (b"" if kind == 3 else separator)


def _line(rng: random.Random) -> bytes:
    special = [
        b"",
        b" ",
        b"\t",
        b"--- a/x",
        b"+++ b/x",
        b"@@ -1,2 +1,2 @@",
        b"diff --git a/x b/x",
        b"-",
        b"+",
        b"\xff\xfe",
    ]
    return rng.choice(special) if rng.random() < 0.3 else b"line %d" % rng.randrange(10_000)


def _edit(rng: random.Random, tree: Tree, path: str) -> None:
    entry = tree[path]
    if entry.mode == "120000":
        tree[path] = TreeFile(b"elsewhere", "120000")
        return
    lines = entry.data.split(b"\n")
    lines[rng.randrange(len(lines))] = _line(rng)
    tree[path] = TreeFile(b"\n".join(lines), entry.mode)


def _remove(_: random.Random, tree: Tree, path: str) -> None:
    del tree[path]


def _move(rng: random.Random, tree: Tree, path: str) -> None:
    _put(tree, _paths(rng, 1)[0] + "-moved", tree.pop(path))


def _change_mode(_: random.Random, tree: Tree, path: str) -> None:
    entry = tree[path]
    tree[path] = TreeFile(entry.data, "100644" if entry.mode == "100755" else "100755")


def _change_type(_: random.Random, tree: Tree, path: str) -> None:
    entry = tree[path]
    tree[path] = TreeFile(b"plain\n") if entry.mode == "120000" else TreeFile(b"link", "120000")


def _keep(_: random.Random, tree: Tree, path: str) -> None:
    assert path in tree


def _replace(rng: random.Random, tree: Tree, path: str) -> None:
    tree[path] = TreeFile(_content(rng))


def _put(tree: Tree, path: str, entry: TreeFile) -> None:
    """Unless a folder is where the file should be, or a file where its folder should be."""
    above = {path[:position] for position, character in enumerate(path) if character == "/"}
    if not above & tree.keys() and not any(other.startswith(f"{path}/") for other in tree):
        tree[path] = entry


_EDITS = (_edit, _edit, _remove, _move, _change_mode, _change_type, _keep, _replace)
