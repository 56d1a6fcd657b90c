"""A local clone's whole history: pull requests from subjects, merges and `refs/pull/N/head`, without network.

Looked at are the commits reachable from HEAD, from branches named like release or development branches, and from tags
named like versions, but not the insides of other people's merges. A pull request that was closed without a merge, or
merged into another branch, is not found; neither is one that was pushed by fast-forward.
"""

from __future__ import annotations

from collections.abc import Iterator

from builder.errors import UsageError
from builder.models import PullRequest
from builder.protocols import HarvestRequest
from builder.selection import Selection
from builder.sources._history import Clone, moment
from builder.sources._merges import MergeFinder
from builder.sources._records import Recorder


class GitSource:
    """Implements `protocols.Source`."""

    name = "git"

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]:
        """Newest merge first. Text is read as it is asked for; the graph takes about half a kilobyte a commit.

        Raises UsageError without a clone, RepositoryError for what is none or not whole, and UnknownNameError for a
        wanted number that no merge of the clone has.
        """
        if request.git_dir is None:
            raise UsageError(f"{request.repo}: the git source needs a clone", hint="Name one with --git-dir.")
        clone = Clone(request.git_dir)
        selection = Selection.of(request)
        history = clone.history()
        merges = MergeFinder(history).merges()
        selection.check((merge.number for merge in merges), history.pull_heads)
        pulls = {merge.number for merge in merges}.union(history.pull_heads)
        del history
        wanted = (merge for merge in merges if selection.admits(merge.number, moment(merge.committed)))
        yield from Recorder(request.repo, clone, pulls).records(wanted)


def create() -> GitSource:
    return GitSource()
