"""The commits of a clone as a graph that fits in memory: parents, dates and numbers, never text.

About half a kilobyte a commit. Messages are read later, for the commits that matter, a batch at a time.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from builder.errors import RepositoryError
from builder.gitclone import borrow
from builder.gitcommand import GitFailed, explained
from builder.gitlog import LOG_FORMAT, LogEntry, entries
from builder.models import Sha

_GRAPH_FORMAT = "--format=tformat:%H%x00%P%x00%at%x00%ct%x00%x00%s%x00"
_PULL_HEADS = re.compile(r"refs/pull/(\d+)/head")
_BATCH = 500  # commits per git process; their ids are its arguments

_SQUASH = re.compile(r"\(#(\d+)\)(?:\s*\[[^\]]*\])*\s*$")
_MERGE = re.compile(r"Merge (?:pull request|PR|pr|pull-request) (?:branch )?#(\d+)(?!\w)")
_RELEASE_BRANCH = re.compile(
    r"(?:(?:releases?|rel|stable|maint|maintenance|support|hotfix|branch|version|series)[-_/.]?)?v?\d+(?:[._]\d+)*"
    r"(?:[._-]?(?:x|\*))?(?:[-_.]?(?:branch|maintenance|maint|stable|fixes|release|dev))?"
    r"|main|master|trunk|next|dev|devel|develop\d*|development|stable",
    re.IGNORECASE,
)
_RELEASE_TAG = re.compile(r"(?:.*[-_/])?v?\d+(?:\.\d+)+(?:[-_.]?[a-z]+[-_.]?\d*)*", re.IGNORECASE)


class Node(NamedTuple):
    """A commit. Times are Unix seconds; `position` grows with age; `likeness` is equal where a rebase keeps it.

    `number` is the pull request that the subject names (0: none), `merges` whether in the words of a merge.
    """

    parents: tuple[Sha, ...]
    committed: int
    position: int
    likeness: int
    number: int
    merges: bool


@dataclass(frozen=True)
class History:
    """Every commit of the released branches and of the pull requests' heads; `tips` starts with HEAD."""

    nodes: dict[Sha, Node]
    tips: tuple[Sha, ...]
    pull_heads: dict[int, Sha]


class Clone:
    """Bulk reads from a local clone, which is neither written to nor trusted.

    Raises RepositoryError if there is none at `path`, only a part of one, or one without commits.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        private = Path(tempfile.mkdtemp(prefix="builder-harvest-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, private, ignore_errors=True)
        self._git = borrow(path, private)

    def history(self) -> History:
        refs = self._refs()
        heads = {int(found[1]): sha for name, sha in refs.items() if (found := _PULL_HEADS.fullmatch(name))}
        tips = tuple(dict.fromkeys([self._head(), *(sha for name, sha in refs.items() if is_released(name))]))
        arguments = ("--topo-order", _GRAPH_FORMAT, "--glob=refs/pull/*/head", *tips)
        log = enumerate(self._log(*arguments))
        return History({entry.sha: _node(entry, position) for position, entry in log}, tips, heads)

    def read(self, shas: Iterable[Sha]) -> Iterator[LogEntry]:
        """The commits with their messages, in the order given; git names a commit once, however often it is asked."""
        batch: list[Sha] = []
        for sha in shas:
            batch.append(sha)
            if len(batch) == _BATCH:
                yield from self._log("--no-walk=unsorted", LOG_FORMAT, *batch)
                batch = []
        if batch:
            yield from self._log("--no-walk=unsorted", LOG_FORMAT, *batch)

    def absent(self, shas: Iterable[Sha]) -> set[Sha]:
        """Those that are no commit of this clone."""
        wanted = set(shas)
        with tempfile.TemporaryFile() as listed:
            listed.writelines(f"{sha}\n".encode("ascii") for sha in wanted)
            listed.seek(0)
            answers = self._git.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=listed)
        lines = answers.decode("ascii").splitlines()
        return wanted.difference(line.removeprefix("commit ") for line in lines if line.startswith("commit "))

    def _head(self) -> Sha:
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode("ascii").strip()
        except GitFailed as error:
            hint = "Check out the branch that pull requests are merged into."
            raise RepositoryError(f"{self.path}: HEAD names no commit", hint=hint) from error

    def _refs(self) -> dict[str, Sha]:
        """Ref names and the commits that they, or the annotated tags they name, stand for."""
        format_ = "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"
        try:
            output = self._git.run("for-each-ref", f"--format={format_}").decode("utf-8", "surrogateescape")
        except GitFailed as error:
            raise explained(error, "list the refs", self.path) from error
        refs: dict[str, Sha] = {}
        for line in output.splitlines():
            name, kind, sha, tagged_kind, tagged = line.split("\0")
            if "commit" in (kind, tagged_kind):
                refs[name] = sha if kind == "commit" else tagged
        return refs

    def _log(self, *arguments: str) -> Iterator[LogEntry]:
        pieces = self._git.stream("log", "-z", "--encoding=UTF-8", *arguments, "--")
        try:
            yield from entries(pieces)
        except GitFailed as error:
            raise explained(error, "read the history", self.path) from error


def is_released(ref: str) -> bool:
    """Whether pull requests are merged into the branch, or the tag marks such a state: by its name."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    if kind == "tags":
        return bool(_RELEASE_TAG.fullmatch(name))
    if kind == "remotes":
        name = name.partition("/")[2]
    return kind in ("heads", "remotes") and bool(_RELEASE_BRANCH.fullmatch(name))


def pull_number(subject: str) -> tuple[int, bool]:
    """The pull request that a commit's subject names, or 0, and whether as a merge.

    `Title (#12)` (the last number counts, trailing `[ci skip]` is allowed) or `Merge pull request #12 from …`.
    """
    merge = _MERGE.match(subject)
    if merge:
        return int(merge[1]), True
    squash = _SQUASH.search(subject)
    return (int(squash[1]) if squash else 0), False


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _node(entry: LogEntry, position: int) -> Node:
    likeness = hash((entry.author_date, entry.subject))
    return Node(entry.parents, int(entry.committer_date.timestamp()), position, likeness, *pull_number(entry.subject))
