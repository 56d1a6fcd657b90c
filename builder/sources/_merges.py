"""Which commits of a history brought in which pull request.

In order of trust: a subject that names the number (squash `Title (#12)`, `Merge pull request #12 …`); a merge whose
second parent is the pull request's head; a run of commits with the author dates and subjects of all the pull
request's commits, which is what a rebase leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builder.models import Sha
from builder.sources._history import History, Node

MAX_COMMITS = 250
"""More commits than this are no pull request but another history; GitHub's API shows as many at most."""
_FORKS_SHARE = 10
"""So many times as many pull requests as a fork has of its own are in its history, at least."""
_CLOCK_SKEW = 600  # seconds by which a contributor's clock may be ahead


@dataclass(frozen=True)
class Merge:
    """`commits` are the pull request's own, oldest first, as far as the clone has them."""

    number: int
    how: str
    base_commit: Sha
    merge_commit: Sha
    committed: int
    head: Sha | None
    commits: tuple[Sha, ...]


@dataclass(frozen=True)
class _Candidate:
    """Smaller is better: known head first, then the released branches, then the earliest (later ones are picks)."""

    doubtful: bool
    aside: bool
    committed: int
    sha: Sha


class MergeFinder:
    """Finds the merges of one history, once each."""

    def __init__(self, history: History) -> None:
        self._nodes = history.nodes
        self._released = _reachable(history, past_pulls=False)
        self._aside = _reachable(history, past_pulls=True) - self._released
        self._own = _of_one_root(history)
        self._heads = history.pull_heads if self._are_ours(history.pull_heads) else {}

    def merges(self) -> list[Merge]:
        """Newest first."""
        found = {merge.number: merge for merge in self._named()}
        for merge in self._by_head(found):
            found[merge.number] = merge
        for merge in self._rebased(found):
            found[merge.number] = merge
        return sorted(found.values(), key=lambda merge: (-merge.committed, -merge.number))

    def commits_of(self, head: Sha) -> tuple[Sha, ...]:
        """What `head` has beyond the released branches, oldest first; empty if that is no pull request's size."""
        seen: set[Sha] = set()
        stack = [head]
        while stack:
            sha = stack.pop()
            if sha in seen or sha in self._released or sha not in self._nodes:
                continue
            seen.add(sha)
            if len(seen) > MAX_COMMITS:
                return ()
            stack.extend(self._nodes[sha].parents)
        return tuple(sorted(seen, key=lambda sha: -self._nodes[sha].position))

    def _named(self) -> Iterator[Merge]:
        candidates: dict[int, list[_Candidate]] = defaultdict(list)
        for sha, node in self._nodes.items():
            if node.number and node.parents and self._believable(sha, node):
                candidates[node.number].append(self._candidate(sha, node))
        for number, choices in candidates.items():
            best = min(choices, key=lambda choice: (choice.doubtful, choice.aside, choice.committed))
            yield self._merge(number, best.sha)

    def _are_ours(self, heads: Mapping[int, Sha]) -> bool:
        """Whether the heads are of the pull requests that the history names: a fork has a few of its own, from 1 on."""
        nodes = (self._nodes[sha] for sha in self._own.intersection(self._released))
        named = {node.number for node in nodes if node.number}
        return len(named) < _FORKS_SHARE * max(len(heads), 1)

    def _believable(self, sha: Sha, node: Node) -> bool:
        """Whether the number can be one of this repository's: not a fork's, an issue's, or a merged-in project's."""
        head = self._heads.get(node.number)
        if node.merges and node.parents[-1] == head:
            return sha in self._released or sha in self._aside
        if sha not in self._own or (self._heads and head is None):
            return False
        return sha in self._released or (sha in self._aside and not node.merges and head is not None)

    def _candidate(self, sha: Sha, node: Node) -> _Candidate:
        head = self._heads.get(node.number)
        doubtful = node.merges and head is not None and node.parents[-1] != head
        return _Candidate(doubtful, sha in self._aside, node.committed, sha)

    def _merge(self, number: int, sha: Sha) -> Merge:
        node = self._nodes[sha]
        how = "merge" if len(node.parents) > 1 else "squash"
        head = self._heads.get(number) or (node.parents[1] if how == "merge" else None)
        commits = self.commits_of(head) if head else ()
        return Merge(number, how, node.parents[0], sha, node.committed, head, commits)

    def _by_head(self, found: dict[int, Merge]) -> Iterator[Merge]:
        """Merges in other words, made by hand: their second parent is the head of a pull request."""
        taken = {merge.merge_commit for merge in found.values()}
        unnamed = {head: number for number, head in sorted(self._heads.items()) if number not in found}
        for sha in self._released:
            node = self._nodes[sha]
            number = unnamed.get(node.parents[1]) if len(node.parents) == 2 else None
            if number and sha not in taken:
                yield self._merge(number, sha)

    def _rebased(self, found: dict[int, Merge]) -> Iterator[Merge]:
        """Larger pull requests first, then the last pushed, each commit once: what was closed in favour of another
        is a part of it, or older."""
        alike: dict[int, list[Sha]] = defaultdict(list)
        for sha in self._released:
            if len(self._nodes[sha].parents) == 1:
                alike[self._nodes[sha].likeness].append(sha)
        taken = {merge.merge_commit for merge in found.values()}
        for number, commits in self._unmerged(found):
            run = self._run_of(commits, alike)
            if run and not taken.intersection(run):
                taken.update(run)
                yield self._rebase(number, run, commits)

    def _unmerged(self, found: dict[int, Merge]) -> list[tuple[int, tuple[Sha, ...]]]:
        pulls = ((number, self.commits_of(head)) for number, head in self._heads.items() if number not in found)
        return sorted(
            ((number, commits) for number, commits in pulls if commits),
            key=lambda pull: (-len(pull[1]), -self._nodes[pull[1][-1]].committed, pull[0]),
        )

    def _run_of(self, commits: tuple[Sha, ...], alike: dict[int, list[Sha]]) -> list[Sha]:
        """Consecutive released commits that are the given ones anew, oldest first; merges among them fell away.

        A run from before the pull request's last commit is what that was picked from.
        """
        pushed = self._nodes[commits[-1]].committed - _CLOCK_SKEW
        wanted = [node.likeness for node in map(self._nodes.__getitem__, commits) if len(node.parents) == 1]
        for last in sorted(alike.get(wanted[-1], ()), key=lambda sha: self._nodes[sha].committed) if wanted else ():
            run = [last]
            for likeness in reversed(wanted[:-1]):
                parent = self._nodes[run[-1]].parents[0] if self._nodes[run[-1]].parents else ""
                if parent not in self._nodes or self._nodes[parent].likeness != likeness:
                    break
                run.append(parent)
            if len(run) == len(wanted) and self._nodes[run[-1]].parents and self._nodes[last].committed >= pushed:
                return run[::-1]
        return []

    def _rebase(self, number: int, run: list[Sha], commits: tuple[Sha, ...]) -> Merge:
        base = self._nodes[run[0]].parents[0]
        return Merge(number, "rebase", base, run[-1], self._nodes[run[-1]].committed, self._heads[number], commits)


def _reachable(history: History, *, past_pulls: bool) -> set[Sha]:
    """Commits reachable from the tips; without `past_pulls` not through the second parents of pull requests' merges."""
    seen: set[Sha] = set()
    stack = list(history.tips)
    while stack:
        sha = stack.pop()
        if sha in seen or sha not in history.nodes:
            continue
        seen.add(sha)
        node = history.nodes[sha]
        stack.extend(node.parents if past_pulls or not node.merges else node.parents[:1])
    return seen


def _of_one_root(history: History) -> set[Sha]:
    """Commits whose line of first parents starts where HEAD's does; a merged-in project has numbers of its own."""
    roots: dict[Sha, Sha] = {}
    for sha, node in reversed(history.nodes.items()):  # parents come after their children, so now before them
        roots[sha] = roots.get(node.parents[0], node.parents[0]) if node.parents else sha
    root = roots.get(history.tips[0])
    return {sha for sha, start in roots.items() if start == root}
