"""Where a merged pull request began and ended in its repository's history, from what a service says of it.

A service names the last commit of a merge. The first is found in the clone: a merge commit and a squash have their
first parent as base; a rebase left as many commits in a row as the pull request had, with their dates and subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.gitlog import LogEntry
from builder.models import Commit, Sha
from builder.sources._history import Clone, Node
from builder.sources._merges import MergeFinder

_AT_ONCE = 10  # seconds in which a service commits a rebased pull request


@dataclass(frozen=True)
class Landing:
    """`how` is `merge`, `squash` or `rebase`."""

    base_commit: Sha
    merge_commit: Sha
    how: str


class Landings:
    """Reads one clone's history once; about half a kilobyte a commit."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        history = clone.history()
        self._nodes: Mapping[Sha, Node] = history.nodes
        self._heads = history.pull_heads
        self._finder = MergeFinder(history)
        found = self._finder.merges()
        self._found = {merge.number: Landing(merge.base_commit, merge.merge_commit, merge.how) for merge in found}

    def of(self, number: int, merge_sha: Sha | None, commits: Sequence[Commit]) -> Landing | None:
        """None if the clone has neither the commit that the service names nor another that brought the number in."""
        named = self._found.get(number)
        if named and merge_sha in (None, named.merge_commit):
            return named
        parents = self._parents(merge_sha) if merge_sha else None
        if not parents or merge_sha is None:
            return named
        if len(parents) > 1:
            return Landing(parents[0], merge_sha, "merge")
        start = self._start_of_rebase(merge_sha, commits)
        return Landing(start, merge_sha, "rebase") if start else Landing(parents[0], merge_sha, "squash")

    def rebase(self, last: Sha, size: int) -> Landing | None:
        """The last `size` commits, if a service committed them all at once and none as a squash would be named.

        For where the pull request's own commits are not known, only how many there are.
        """
        sha, committed = last, self._nodes[last].committed if last in self._nodes else 0
        for _ in range(size):
            node = self._nodes.get(sha)
            if node is None or len(node.parents) != 1 or node.number or committed - node.committed > _AT_ONCE:
                return None
            sha = node.parents[0]
        return Landing(sha, last, "rebase")

    def commits_of(self, number: int, head: Sha | None) -> tuple[Sha, ...]:
        """The pull request's own commits, oldest first, as far as the clone has them; `head` is the last as known."""
        known = head if head in self._nodes else self._heads.get(number)
        return self._finder.commits_of(known) if known else ()

    def commits_in(self, landing: Landing) -> tuple[Sha, ...]:
        """What the merge added to the branch, newest first: the merge itself, or all commits of a rebase."""
        found = [landing.merge_commit]
        while landing.how == "rebase" and (parents := self._parents(found[-1])) and parents[0] != landing.base_commit:
            found.append(parents[0])
        return tuple(found)

    def knows(self, number: int) -> bool:
        """Whether the clone shows that the number is a pull request's."""
        return number in self._found or number in self._heads

    def _start_of_rebase(self, last: Sha, commits: Sequence[Commit]) -> Sha | None:
        """The parent of the first of the consecutive commits that are the pull request's anew; None for a squash."""
        wanted = [likeness(commit) for commit in commits if not commit.message.startswith("Merge ")]
        sha = last
        for expected in reversed(wanted):
            node = self._node(sha)
            if node is None or node.likeness != expected or len(node.parents) != 1:
                return None
            sha = node.parents[0]
        return sha if len(wanted) > 1 else None

    def _parents(self, sha: Sha) -> tuple[Sha, ...] | None:
        node = self._node(sha)
        return node.parents if node else None

    def _node(self, sha: Sha) -> Node | None:
        """Of the graph, or of a commit that no branch we look at reaches."""
        if sha in self._nodes:
            return self._nodes[sha]
        if self._clone.absent([sha]):
            return None
        return _as_node(next(iter(self._clone.read([sha]))))


def likeness(commit: Commit) -> int:
    """What `Node.likeness` is of the same commit: git's subject is the first paragraph on one line."""
    paragraph = commit.message.strip("\n").split("\n\n", 1)[0]
    return hash((commit.author_date, " ".join(paragraph.split("\n"))))


def _as_node(entry: LogEntry) -> Node:
    committed = int(entry.committer_date.timestamp())
    return Node(entry.parents, committed, 0, hash((entry.author_date, entry.subject)), 0, merges=False)
