"""From merges found in a clone to `PullRequest` records: their words, their commits, the issues that they name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from builder.gitlog import LogEntry
from builder.links import closing_links
from builder.models import Commit, IssueLink, PullRequest, Sha
from builder.sources._history import Clone, moment, pull_number
from builder.sources._merges import Merge

_SQUASH_NUMBER = re.compile(r"\s*\(#\d+\)(?=(?:\s*\[[^\]]*\])*\s*$)")
_AT_A_TIME = 50  # pull requests whose messages are in memory


@dataclass(frozen=True)
class Words:
    """What a pull request says of itself, as far as history tells. Bytes that are not UTF-8 are replaced."""

    title: str
    body: str


class Recorder:
    """Makes the records of one repository's merges.

    `pulls` are the numbers known to be pull requests, which an issue link cannot mean. Links here are those in words;
    a repository's conventions look into the change, which is read when a candidate is made of it.
    """

    def __init__(self, repo: str, clone: Clone, pulls: Collection[int]) -> None:
        self._repo = repo
        self._clone = clone
        self._pulls = pulls

    def records(self, merges: Iterable[Merge]) -> Iterator[PullRequest]:
        """In the order given; a few dozen are read at a time."""
        remaining = iter(merges)
        while batch := list(islice(remaining, _AT_A_TIME)):
            wanted = dict.fromkeys(sha for merge in batch for sha in (merge.merge_commit, *merge.commits))
            entries = {entry.sha: entry for entry in self._clone.read(wanted)}
            for merge in batch:
                yield self._record(merge, entries)

    def _record(self, merge: Merge, entries: dict[Sha, LogEntry]) -> PullRequest:
        commits = [entries[sha] for sha in merge.commits]
        words = _words(merge, entries[merge.merge_commit], commits)
        return PullRequest(
            repo=self._repo,
            number=merge.number,
            title=words.title,
            body=words.body,
            merged_at=moment(merge.committed),
            base_commit=merge.base_commit,
            merge_commit=merge.merge_commit,
            source="git",
            pr_base_sha=commits[0].parents[0] if commits and commits[0].parents else None,
            head_sha=merge.head,
            how_merged=merge.how,
            commits=tuple(_commit(entry) for entry in commits),
            links=self._links(merge, words, [entries[merge.merge_commit], *commits]),
            git_dir=str(self._clone.path.resolve()),
        )

    def _links(self, merge: Merge, words: Words, entries: list[LogEntry]) -> tuple[IssueLink, ...]:
        pulls = {merge.number, *self._pulls}
        messages = [_clean(entry.message) for entry in entries]
        return closing_links(self._repo, title=words.title, body=words.body, messages=messages, pulls=pulls)


def _words(merge: Merge, entry: LogEntry, commits: list[LogEntry]) -> Words:
    """A squash carries title and description; a merge the title, seldom more; a rebase only the commits' own words."""
    own = [commit for commit in commits if len(commit.parents) == 1]
    if merge.how == "rebase" and own:
        return Words(_clean(own[0].subject), _clean(_joined(own)))
    number, merged = pull_number(entry.subject)
    if not merged:
        subject = _SQUASH_NUMBER.sub("", entry.subject) if number == merge.number else entry.subject
        return Words(_clean(subject), _clean(entry.body))
    title, _, body = entry.body.strip().partition("\n")
    if not title:
        title = own[0].subject if own else entry.subject
    return Words(_clean(title), _clean(body.strip() or _joined(own)))


def _joined(commits: list[LogEntry]) -> str:
    """What GitHub proposes as the description of a squash: the only commit's body, or all messages as a list."""
    if len(commits) == 1:
        return commits[0].body
    return "\n\n".join(f"* {commit.message}" for commit in commits)


def _commit(entry: LogEntry) -> Commit:
    return Commit(sha=entry.sha, message=_clean(entry.message), author_date=entry.author_date)


def _clean(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
