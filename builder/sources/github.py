"""GitHub's GraphQL API: merged pull requests, the issues that they resolve, and what was said there.

Everything that the service answers is kept as raw pages; records are made of those pages and of a clone, so that
`replay` makes them again without the service. Diffs come from the clone: no call is made for a single pull request.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime

from builder.errors import IncompleteHarvestError, UnknownNameError, UsageError
from builder.github_client import BudgetSpentError, GithubClient
from builder.models import PullRequest
from builder.protocols import Access, HarvestRequest
from builder.quota import Clock
from builder.rawpages import RawPages, raw_directory
from builder.selection import Selection
from builder.sources import _github_needs as needs
from builder.sources._clones import open_clone
from builder.sources._github_estimate import Estimate, estimates
from builder.sources._github_manifest import Manifest
from builder.sources._github_pages import GithubPages
from builder.sources._github_pulls import PullMaker
from builder.sources._github_reader import Reader
from builder.sources._github_records import Node, moment
from builder.sources._github_told import Teller
from builder.sources._github_walks import CLOSERS, PULLS, Enough, reached
from builder.sources._history import Clone
from builder.sources._landings import Landings
from builder.tokens import find_tokens


class GithubSource:
    """Implements `protocols.Source`. One object serves a command: its repositories share a client, and so the quota."""

    name = "github"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._clients: dict[Access, GithubClient] = {}

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]:
        """Last updated first; without numbers, dates and limit, all of them.

        Raises UsageError for a replay of nothing, UnknownNameError for a repository or a wanted number that is none,
        TokenMissingError, NetworkMissingError, InfrastructureError, RepositoryError, WorkspaceError, DiskFullError.
        What the service or the clone does not have, and what has to wait for a larger budget of points, is named by
        IncompleteHarvestError after the rest.
        """
        raw = RawPages(raw_directory(request.raw_dir, self.name, request.repo))
        if request.replay:
            _check_known(request, raw)
            yield from _Harvest(request, raw).pull_requests(None)
        else:
            yield from _Harvest(request, raw).pull_requests(self._client(request.access))

    def estimate(self, repos: Sequence[str], access: Access) -> Iterator[Estimate]:
        """What harvesting the repositories for the first time would cost; asking costs a point for each twenty.

        Raises UnknownNameError, TokenMissingError, NetworkMissingError, InfrastructureError.
        """
        return estimates(self._client(access), repos)

    def _client(self, access: Access) -> GithubClient:
        if access not in self._clients:
            self._clients[access] = GithubClient(access, find_tokens(access, os.environ), clock=self._clock)
        return self._clients[access]


def create() -> GithubSource:
    return GithubSource()


class _Harvest:
    """One repository, once: first read what is missing, then make records of what is there."""

    def __init__(self, request: HarvestRequest, raw: RawPages) -> None:
        self._request = request
        self._selection = Selection.of(request)
        self._raw = raw
        self._landings: Landings | None = None
        self._manifest = Manifest(request.repo, request.access.api_url)

    def pull_requests(self, client: GithubClient | None) -> Iterator[PullRequest]:
        """What is wanted, read before as far as the points go; without a client, what was read."""
        try:
            if client is not None:
                self._ask(client)
            yield from self._records()
        finally:
            self._manifest.write(self._request.raw_dir)
        if self._manifest.problems:
            raise IncompleteHarvestError(self._manifest.problems)

    def _ask(self, client: GithubClient) -> None:
        requests, points = client.requests, client.points
        try:
            self._read(Reader(client, self._raw, self._request.repo))
        except BudgetSpentError as error:
            self._manifest.problems.append(f"{self._request.repo}: {error}; the next harvest goes on from there")
        finally:
            self._manifest.requests, self._manifest.points = client.requests - requests, client.points - points

    def _records(self) -> Iterator[PullRequest]:
        pages = self._pages()
        maker = PullMaker(self._request, pages, self._landed(), self._clone_path)
        try:
            for node in self._wanted(pages):
                record = maker.record(node)
                if record is not None:
                    self._manifest.count(record)
                    yield record
        finally:  # also where the reader has enough, and stops
            self._manifest.finish(self._raw, pages, maker)

    def _read(self, reader: Reader) -> None:
        reader.repository()
        if self._request.pulls:
            reader.named_pulls(self._request.pulls)
            self._check_named()
        else:
            reader.walk(PULLS, self._enough_pulls())
            reader.walk(CLOSERS, reached(self._oldest_merge()))
        needs.read_long_lists(reader, self._pages, self._wanted(self._pages()))
        teller = Teller(self._request, pages := self._pages(), self._landed())
        needed = needs.windows(teller, self._wanted(pages))
        needs.read_issues(reader, pages, needed)
        needs.read_past(reader, self._pages(), teller.closers, needed)
        needs.read_comments(reader, self._pages, needed)

    def _pages(self) -> GithubPages:
        """What the pages say by now."""
        return GithubPages(self._raw, self._request.repo)

    def _landed(self) -> Landings:
        """The clone's history, read once, after what was merged is there."""
        if self._landings is None:
            pages = self._pages()
            clone = open_clone(self._request, pages.names[-1])
            clone.fetch_commits(_merge_commits(self._wanted(pages)))
            self._clone_path = clone.path
            self._landings = Landings(Clone(clone.path))
        return self._landings

    def _wanted(self, pages: GithubPages) -> Iterator[Node]:
        found = pages.named_pulls(self._request.pulls) if self._request.pulls else pages.pulls()
        admitted = (node for node in found if self._selection.admits(node["number"], moment(node["mergedAt"])))
        for position, node in enumerate(admitted):
            if self._request.limit is not None and position >= self._request.limit:
                return
            yield node

    def _check_named(self) -> None:
        known = {node["number"] for node in self._pages().named_pulls(self._request.pulls)}
        missing = [number for number in self._request.pulls if number not in known]
        if missing:
            hint = "It does not exist, is an issue, or was closed without a merge."
            raise UnknownNameError("pull request", str(missing[0]), map(str, known), hint=hint)

    def _enough_pulls(self) -> Enough:
        limit, passed = self._request.limit, reached(self._selection.since)
        seen: set[int] = set()

        def enough(nodes: Sequence[Node]) -> bool:
            admitted = (n["number"] for n in nodes if self._selection.admits(n["number"], moment(n["mergedAt"])))
            seen.update(admitted)
            return passed(nodes) or (limit is not None and len(seen) >= limit)

        return enough

    def _oldest_merge(self) -> datetime | None:
        """Issues that were last updated before it are not resolved by a wanted pull request; None: all may be."""
        if self._request.limit is None:
            return self._selection.since
        merged = (moment(node["mergedAt"]) for node in self._wanted(self._pages()))
        return min(merged, default=None)


def _check_known(request: HarvestRequest, raw: RawPages) -> None:
    if not raw.pages("repository"):
        raise UsageError(
            f"{request.repo}: nothing was harvested yet that could be replayed from {raw.root}",
            hint="Harvest it once without --replay.",
        )


def _merge_commits(nodes: Iterator[Node]) -> Iterator[str]:
    return (node["mergeCommit"]["oid"] for node in nodes if node["mergeCommit"])
