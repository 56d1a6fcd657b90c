"""What is told of a merged pull request: its words, where it landed, and which issues it resolves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from builder.links import closing_links, convention_links
from builder.models import IssueLink, Sha
from builder.protocols import HarvestRequest
from builder.sources._github_pages import GithubPages
from builder.sources._github_records import Node, PullWords, pull_words
from builder.sources._landings import Landing, Landings

LONG_LISTS = ("commits", "closingIssuesReferences")
"""Of a pull request; a page shows their beginning."""


@dataclass(frozen=True)
class Told:
    """`links` may name a number twice, by what tells of it, and may name what turns out to be a pull request."""

    words: PullWords
    landing: Landing | None
    links: tuple[IssueLink, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(link.number for link in self.links))


class Teller:
    """Joins what the pages and the clone say of the pull requests of one repository; `closers` are the pages'."""

    def __init__(self, request: HarvestRequest, pages: GithubPages, landings: Landings) -> None:
        self._request = request
        self._pages = pages
        self._landings = landings
        self.closers = pages.closers()

    def told(self, node: Node) -> Told:
        words = pull_words(node, self._pages.names, {name: self._pages.rest(node, name) for name in LONG_LISTS})
        landing = self._landings.of(words.number, words.merge_sha, words.commits)
        return Told(words, landing, tuple(self._links(words, landing)))

    def is_whole(self, node: Node) -> bool:
        """Whether the long lists of the pull request were read to their ends."""
        return all(self._pages.rest_unread(node, name) is None for name in LONG_LISTS)

    def _links(self, words: PullWords, landing: Landing | None) -> Iterator[IssueLink]:
        for number in words.closing:
            yield self._link(number, "closing_reference")
        for number in self.closers.closed_by(words.number, self._commits(words, landing)):
            yield self._link(number, "closed_event")
        yield from closing_links(
            self._request.repo,
            title=words.title,
            body=words.body,
            messages=[commit.message for commit in words.commits],
            pulls={words.number},
            aliases=self._pages.names,
            host=self._pages.host,
        )
        yield from convention_links(
            self._request.repo, self._request.conventions, title=words.title, paths=words.paths, pulls={words.number}
        )

    def _link(self, number: int, source: str) -> IssueLink:
        return IssueLink(repo=self._request.repo, number=number, source=source)

    def _commits(self, words: PullWords, landing: Landing | None) -> Sequence[Sha]:
        """A rebased pull request's commits have other ids on the branch, and it is those that close issues."""
        own = [commit.sha for commit in words.commits]
        return [*own, *(self._landings.commits_in(landing) if landing else ())]
