"""A local clone as a source of history: commits, files, diffs, bundles; never written to, never configured by itself.

All commands run in a private, bare git directory that borrows the clone's objects and carries a snapshot of its refs.
So the clone's configuration, attributes, hooks and filters have no say, and derived objects stay out of it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO

from builder.errors import Rejected, RepositoryError
from builder.gitbundle import write_bundle
from builder.gitclone import borrow
from builder.gitcommand import GitFailed, explained
from builder.gitlog import LOG_FORMAT, LogEntry, as_argument, decoded, encoded, entries
from builder.gitmerge import merge_trees
from builder.models import Reason, Sha

_DIFF = (
    "diff-tree", "-p", "-r", "--no-commit-id", "--full-index", "--binary", "--no-renames", "--no-ext-diff",
    "--no-textconv", "--no-color", "--submodule=short", "--diff-algorithm=myers", "--indent-heuristic", "-U3",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
_VERSION_TAG = r"(?i)(?:.*[-_/])?(?:v|ver|version|release|rel)?[-_.]?(\d+(?:[._]\d+)+(?:[-._+]?[a-z0-9]+)*)"
_PULL_HEAD = re.compile(r"refs/pull/(\d+)/head")
_GLOB_SPECIAL = re.compile(r"[*?\[\\]")


class Repository:
    """The history of the clone at `path` (a work tree's root or a bare repository), as it is now.

    Raises RepositoryError if there is none, or only a part of one. Methods that take a commit or revision raise it
    where that cannot be read; a commit's missing objects are found when they are needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        private = Path(tempfile.mkdtemp(prefix="builder-git-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, private, ignore_errors=True)
        self._git = borrow(path, private)

    # --- commits

    def resolve(self, rev: str) -> Sha:
        """The commit that `rev` names (a tag is followed)."""
        try:
            output = self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        except GitFailed as error:
            hint = "Fetch it first, or check the spelling."
            raise RepositoryError(f"{self.path} has no commit {rev!r}", hint=hint) from error
        return output.decode("ascii").strip()

    def contains(self, commit: Sha) -> bool:
        """Whether the commit object itself is here."""
        try:
            return self._git.run("cat-file", "-t", commit) == b"commit\n"
        except GitFailed:
            return False

    def commits(
        self, rev: str, *, since: datetime | None = None, until: datetime | None = None, exclude: Iterable[Sha] = ()
    ) -> Iterator[LogEntry]:
        """Everything reachable from `rev` and not from `exclude`, newest first, in constant memory.

        `since` and `until` (inclusive) compare with the committer's date.
        """
        return self._log(rev, ("--topo-order",), since, until, exclude)

    def commit(self, sha: Sha) -> LogEntry:
        return next(self._log(sha, ("--no-walk",), None, None, ()))

    def parents(self, sha: Sha) -> tuple[Sha, ...]:
        return self.commit(sha).parents

    def is_ancestor(self, ancestor: Sha, descendant: Sha) -> bool:
        """Whether `ancestor` is reachable from `descendant` (a commit is its own ancestor)."""
        try:
            self._git.run("merge-base", "--is-ancestor", ancestor, descendant)
        except GitFailed as error:
            if error.status == 1:
                return False
            raise explained(error, f"compare {ancestor} with {descendant}", self.path) from error
        return True

    def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """A best common ancestor, or None."""
        try:
            return self._git.run("merge-base", one, other).decode("ascii").split()[0]
        except GitFailed as error:
            if error.status == 1:
                return None
            raise explained(error, f"compare {one} with {other}", self.path) from error

    def refs(self, prefix: str = "refs/") -> dict[str, Sha]:
        """Full ref names below `prefix` (`refs/pull/`) and the objects they name (for an annotated tag: the tag)."""
        output = self._run("for-each-ref", "--format=%(objectname) %(refname)", prefix, what="list refs")
        lines = output.decode("utf-8", "surrogateescape").splitlines()
        return {name: sha for sha, name in (line.split(" ", 1) for line in lines)}

    @cached_property
    def pull_numbers(self) -> frozenset[int]:
        """The numbers that are pull requests by `refs/pull/<number>/head`; few or none in an ordinary clone."""
        return frozenset(int(found[1]) for name in self.refs("refs/pull/") if (found := _PULL_HEAD.fullmatch(name)))

    def pull_head(self, number: int) -> Sha | None:
        """The last commit of a pull request, where the clone has it."""
        return self.refs(f"refs/pull/{number}/head").get(f"refs/pull/{number}/head")

    # --- content

    def read_file(self, commit: Sha, path: str) -> bytes | None:
        """The content of a regular file, or None where the commit has none at that path (also: a link, a folder)."""
        return self.read_files(commit, [path]).get(path)

    def read_files(self, commit: Sha, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents of those paths that are regular files of the commit; two processes for any number of them."""
        wanted = {encoded(path): path for path in paths}
        if not wanted:
            return {}  # git would list everything
        what = f"read {', '.join(wanted.values())} of commit {commit}"
        listed = self._run("ls-tree", "-z", commit, "--", *map(as_argument, wanted.values()), what=what)
        found: dict[str, str] = {}
        for entry in listed.split(b"\0"):
            details, _, name = entry.partition(b"\t")
            if name in wanted and details.startswith(b"100"):
                found[wanted[name]] = details.split()[2].decode("ascii")
        contents = self._contents(found.values(), what) if found else {}
        return {path: contents[sha] for path, sha in found.items()}

    def _contents(self, blobs: Iterable[Sha], what: str) -> dict[Sha, bytes]:
        """What the blobs hold, by id."""
        ids = list(dict.fromkeys(blobs))
        with tempfile.TemporaryFile() as listed:
            listed.write("".join(f"{sha}\n" for sha in ids).encode("ascii"))
            listed.seek(0)
            output = self._run("cat-file", "--batch=%(objectsize)", stdin=listed, what=what)
        contents, position = {}, 0
        for sha in ids:
            line, _, _ = output[position : position + 100].partition(b"\n")
            if not line.isdigit():
                raise explained(GitFailed(128, f"missing blob {sha}"), what, self.path)
            start = position + len(line) + 1
            contents[sha] = output[start : start + int(line)]
            position = start + int(line) + 1
        return contents

    def list_files(self, commit: Sha, under: str = "") -> list[str]:
        """All paths of the commit (submodules and links too) below the folder `under`, in git's order."""
        where: list[str] = ["--", as_argument(under.rstrip("/") + "/")] if under else []
        output = self._run("ls-tree", "-r", "-z", "--name-only", commit, *where, what=f"list commit {commit}")
        return [decoded(name) for name in output.split(b"\0") if name]

    def changed_paths(self, base: Sha, other: Sha) -> dict[str, str]:
        """Path → `A` added, `D` deleted, `M` modified or `T` turned into another type. Renames are a `D` and an `A`."""
        what = f"compare {base} with {other}"
        output = self._run("diff-tree", "-r", "-z", "--no-renames", "--name-status", base, other, what=what)
        fields = output.split(b"\0")
        return {decoded(path): decoded(kind) for kind, path in zip(fields[::2], fields[1::2], strict=False)}

    def diff(self, base: Sha, other: Sha) -> bytes:
        """What `git apply` needs to turn `base` into `other`, exactly.

        Full object ids and binary bodies. No rename or copy detection: each section stands for one path, so that any
        subset of sections applies by itself, and added and removed files are counted as such.
        """
        return self._run(*_DIFF, base, other, what=f"compare {base} with {other}")

    # --- derived

    def merged_tree(self, base_commit: Sha, merge_commit: Sha, *, start: Sha | None = None) -> Sha:
        """`base_commit` with what `merge_commit` changed since `start` (default: its first parent), three-way.

        Raises Rejected(patch_failed) on conflicts.
        """
        start = start or next(iter(self.parents(merge_commit)), None)
        if start is None:
            raise Rejected(Reason.PATCH_FAILED, f"{merge_commit} has no parent")
        if start == base_commit:
            return self.tree(merge_commit)
        try:
            tree = merge_trees(self._git, start, base_commit, merge_commit)
        except GitFailed as error:
            raise explained(error, f"apply {merge_commit} to {base_commit}", self.path) from error
        if tree is None:
            raise Rejected(Reason.PATCH_FAILED, f"{merge_commit} conflicts with {base_commit}")
        return tree

    def tree(self, commit: Sha) -> Sha:
        """The tree object of a commit."""
        try:
            return self._git.run("rev-parse", "--verify", f"{commit}^{{tree}}").decode("ascii").strip()
        except GitFailed as error:
            raise explained(error, f"read commit {commit}", self.path) from error

    def apply(self, commit: Sha, *patches: bytes) -> Sha:
        """The tree that `git apply` makes of `commit` with the patches in this order; nothing is checked out.

        Files that the patches leave alone need not be there (a mirror has only what was fetched).

        Raises Rejected(patch_failed) with git's own words.
        """
        with tempfile.TemporaryDirectory(prefix="apply-", dir=self._git.git_dir) as folder:
            env = {"GIT_INDEX_FILE": f"{folder}/index"}
            try:
                self._git.run("read-tree", commit, env=env)
            except GitFailed as error:
                raise explained(error, f"read commit {commit}", self.path) from error
            for patch in filter(None, patches):
                self._apply_to_index(commit, patch, Path(folder) / "patch", env)
            return self._git.run("write-tree", "--missing-ok", env=env).decode("ascii").strip()

    def _apply_to_index(self, commit: Sha, patch: bytes, file: Path, env: dict[str, str]) -> None:
        file.write_bytes(patch)
        try:
            self._git.run("apply", "--cached", "--whitespace=nowarn", str(file), env=env)
        except GitFailed as error:
            if error.lacks_objects:
                raise explained(error, f"read the files of commit {commit}", self.path) from error
            raise Rejected(Reason.PATCH_FAILED, error.stderr.splitlines()[0] if error.stderr else "") from error

    def bundle(self, path: Path, commit: Sha, *, exclude: Iterable[Sha] = ()) -> None:
        """Write a git bundle of what `commit` reaches and none of `exclude`, as `refs/builder/<commit>`."""
        try:
            write_bundle(self._git, path, commit, tuple(exclude))
        except GitFailed as error:
            path.unlink(missing_ok=True)
            raise explained(error, f"pack commit {commit}", self.path) from error

    def nearest_tag(self, commit: Sha, pattern: str = _VERSION_TAG) -> str | None:
        """The name of the nearest tag reachable from `commit` that `pattern` matches in full, or None."""
        matcher = re.compile(pattern)
        names = [name.removeprefix("refs/tags/") for name in self.refs("refs/tags/")]
        globs = ["--match=" + _GLOB_SPECIAL.sub(r"\\\g<0>", name) for name in names if matcher.fullmatch(name)]
        if not globs:
            return None
        try:
            return decoded(self._git.run("describe", "--tags", "--abbrev=0", *globs, commit)).strip()
        except GitFailed as error:
            if "No tags can describe" in error.stderr or "No names found" in error.stderr:
                return None
            raise explained(error, f"read commit {commit}", self.path) from error

    def describe_version(self, commit: Sha) -> str | None:
        """The version in the nearest reachable tag that looks like one (`v1.2.0` → `1.2.0`), or None."""
        tag = self.nearest_tag(commit)
        found = re.fullmatch(_VERSION_TAG, tag) if tag else None
        return found.group(1) if found else None

    # --- below

    def _log(
        self, rev: str, how: tuple[str, ...], since: datetime | None, until: datetime | None, exclude: Iterable[Sha]
    ) -> Iterator[LogEntry]:
        revisions = [self.resolve(rev), *(f"^{sha}" for sha in exclude)]
        pieces = self._git.stream("log", "-z", "--encoding=UTF-8", *how, LOG_FORMAT, *revisions, "--")
        try:
            for entry in entries(pieces):
                if (since is None or entry.committer_date >= since) and (
                    until is None or entry.committer_date <= until
                ):
                    yield entry
        except GitFailed as error:
            raise explained(error, f"read the history of {rev}", self.path) from error

    def _run(self, *arguments: str, what: str, stdin: IO[bytes] | None = None) -> bytes:
        try:
            return self._git.run(*arguments, stdin=stdin)
        except GitFailed as error:
            raise explained(error, what, self.path) from error
