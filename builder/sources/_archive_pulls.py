"""Records of merged pull requests: what archives said of them, joined with the history that they became."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee

from builder.links import closing_links
from builder.models import Issue, IssueLink, PullRequest
from builder.sources._archive_events import Kind
from builder.sources._archive_spool import Spool
from builder.sources._archive_states import PullState, issue_state, pull_state
from builder.sources._history import Clone, moment
from builder.sources._landings import Landing, Landings
from builder.sources._merges import Merge
from builder.sources._records import Recorder


class PullMaker:
    """Of one repository. `problems` names merges that the clone does not have.

    What the archive does not tell of a pull request (its words, since events were trimmed) is taken from its commits.
    """

    def __init__(self, repo: str, spool: Spool, key: int, clone: Clone) -> None:
        self.problems: list[str] = []
        self._repo = repo
        self._spool = spool
        self._key = key
        self._clone = clone
        self._landings = Landings(clone)
        self._recorder = Recorder(repo, clone, ())
        self._names = spool.names(key)

    def records(self, merges: Iterable[tuple[int, int]]) -> Iterator[PullRequest]:
        """Of pull requests by number and time of the merge, in the order given; a few dozen are read at a time."""
        landed, again = tee(self._landed(merges))
        told = self._recorder.records(merge for _, merge in again)
        for record, (state, _) in zip(told, landed, strict=True):
            yield self._completed(record, state)

    def _landed(self, merges: Iterable[tuple[int, int]]) -> Iterator[tuple[PullState, Merge]]:
        for number, merged_at in merges:
            state = pull_state(number, merged_at, self._spool.sightings(self._key, Kind.PULL, number))
            landing = self._landing(state)
            if landing is None:
                wanted = f"commit {state.merge}" if state.merge else "commit that names it"
                self.problems.append(f"{self._repo}#{number}: {self._clone.path} has no {wanted}")
                continue
            commits = self._landings.commits_of(number, state.head)
            base, last, how = landing.base_commit, landing.merge_commit, landing.how
            yield state, Merge(number, how, base, last, merged_at, state.head, commits)

    def _landing(self, state: PullState) -> Landing | None:
        landing = self._landings.of(state.number, state.merge, ())
        if landing and landing.how == "squash" and state.size > 1:
            return self._landings.rebase(landing.merge_commit, state.size) or landing
        return landing

    def _completed(self, told: PullRequest, state: PullState) -> PullRequest:
        title, body = (state.words.title, state.words.body) if state.words else (told.title, told.body)
        links = self._links(told, title, body)
        facts = {
            "source": "gharchive",
            "title": title,
            "body": body,
            "links": links,
            "issues": tuple(self._issues(links, state)),
            "labels": state.labels,
            "created_at": None if state.created_at is None else moment(state.created_at),
            "pr_base_sha": state.base or told.pr_base_sha,
        }
        return told.model_copy(update=facts)

    def _links(self, told: PullRequest, title: str, body: str) -> tuple[IssueLink, ...]:
        """In the pull request's own words first, then in its commits' and in those of the merge."""
        messages = [commit.message for commit in told.commits]
        own = closing_links(
            self._repo, title=title, body=body, messages=messages, pulls={told.number}, aliases=self._names
        )
        numbers = {link.number for link in own}
        merges = [link.model_copy(update={"source": "commit"}) for link in told.links if link.number not in numbers]
        return tuple(link for link in (*own, *merges) if not self._is_pull(link.number))

    def _is_pull(self, number: int) -> bool:
        return self._spool.has(self._key, Kind.PULL, number) or self._landings.knows(number)

    def _issues(self, links: Iterable[IssueLink], state: PullState) -> Iterator[Issue]:
        for number in dict.fromkeys(link.number for link in links):
            sightings = self._spool.sightings(self._key, Kind.ISSUE, number)
            comments = self._spool.sightings(self._key, Kind.COMMENT, number)
            issue = issue_state(self._repo, number, sightings, comments, state.created_at)
            if issue:
                yield issue
