"""Borrow a clone: a private, bare git directory with the clone's objects and a snapshot of its refs.

The clone's configuration, attributes, hooks and filters stay behind, and nothing is written into it.
"""

from __future__ import annotations

from pathlib import Path

from builder.errors import RepositoryError
from builder.gitcommand import GitCommand, GitFailed, explained


def borrow(path: Path, private: Path) -> GitCommand:
    """Fill the empty folder `private` from the clone at `path`. Raises RepositoryError unless it has a full history."""
    source = GitCommand(_git_dir(path))
    common, shallow, object_format = _facts(source, path)
    if shallow:
        raise RepositoryError(f"{path} is a shallow clone", hint=f"git -C {path} fetch --unshallow")
    _write_directory(private, common / "objects", object_format)
    _copy_refs(source, private, path)
    return GitCommand(private, objects=private / "objects")


def _git_dir(path: Path) -> Path:
    """Only `path` itself: searching upwards would find the repository around a wrong path."""
    if not path.exists():
        raise RepositoryError(f"{path} does not exist", hint="Name a clone: git clone --mirror URL DIR")
    dot_git = path / ".git"
    return (dot_git if dot_git.exists() else path).resolve()


def _facts(source: GitCommand, path: Path) -> tuple[Path, bool, str]:
    questions = ("--git-common-dir", "--is-shallow-repository", "--show-object-format")
    try:
        answers = source.run("rev-parse", *questions).decode("utf-8", "surrogateescape").splitlines()
    except GitFailed as error:
        hint = "Name the root of a clone, or a bare repository: git clone --mirror URL DIR"
        raise RepositoryError(f"{path} is not a git repository", hint=hint) from error
    return (source.git_dir / answers[0]).resolve(), answers[1] == "true", answers[2]


def _write_directory(private: Path, objects: Path, object_format: str) -> None:
    for folder in ("objects/info", "refs"):
        (private / folder).mkdir(parents=True)
    version = 0 if object_format == "sha1" else 1
    extension = "" if object_format == "sha1" else f"[extensions]\n\tobjectFormat = {object_format}\n"
    (private / "config").write_text(f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n{extension}")
    (private / "objects/info/alternates").write_text(f"{objects}\n")


def _copy_refs(source: GitCommand, private: Path, path: Path) -> None:
    try:
        listed = source.run("for-each-ref", "--format=%(objectname) %(refname)")
    except GitFailed as error:
        raise explained(error, "list the refs", path) from error
    (private / "packed-refs").write_bytes(b"# pack-refs with: sorted \n" + listed)
    try:
        head = source.run("rev-parse", "--verify", "--quiet", "HEAD").decode("ascii").strip()
    except GitFailed:
        head = "ref: refs/heads/main"  # a repository without commits
    (private / "HEAD").write_text(f"{head}\n")
