"""Records of merged pull requests from what was read of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from builder.models import Issue, PullRequest
from builder.protocols import HarvestRequest
from builder.revisions import body_at, title_at
from builder.sources._github_needs import Window, needs_edits
from builder.sources._github_pages import GithubPages
from builder.sources._github_records import Node, comments, moment, revisions
from builder.sources._github_told import Teller, Told
from builder.sources._landings import Landing, Landings


class PullMaker:
    """Of one repository.

    `problems` names pull requests without a place in the clone, `waiting` those that were not fully read.
    """

    def __init__(self, request: HarvestRequest, pages: GithubPages, landings: Landings, path: Path) -> None:
        self.problems: list[str] = []
        self.waiting: list[int] = []
        self._request = request
        self._pages = pages
        self._teller = Teller(request, pages, landings)
        self._path = path

    def record(self, node: Node) -> PullRequest | None:
        """None for what is named by `problems` or `waiting`."""
        told = self._teller.told(node)
        if told.landing is None:
            wanted = f"commit {told.words.merge_sha}" if told.words.merge_sha else "commit that names it"
            self.problems.append(f"{self._request.repo}#{told.words.number}: {self._path} has no {wanted}")
            return None
        if not self._teller.is_whole(node) or not all(self._is_read(number, node) for number in told.numbers):
            self.waiting.append(told.words.number)
            return None
        return self._record(told, told.landing)

    def _record(self, told: Told, landing: Landing) -> PullRequest:
        words, issues = told.words, tuple(self._issues(told))
        known = {issue.number for issue in issues}
        return PullRequest(
            repo=self._request.repo,
            number=words.number,
            title=words.title,
            body=words.body,
            merged_at=words.merged_at,
            base_commit=landing.base_commit,
            merge_commit=landing.merge_commit,
            source="github",
            created_at=words.created_at,
            pr_base_sha=words.base_sha,
            head_sha=words.head_sha,
            how_merged=landing.how,
            commits=words.commits,
            links=tuple(link for link in told.links if link.number in known),
            issues=issues,
            labels=words.labels,
            git_dir=str(self._path),
        )

    def _is_read(self, number: int, pull: Node) -> bool:
        created = str(pull["createdAt"])
        if (self._pages.issue_read(number) or "") < created:
            return False
        pending = needs_edits(self._pages, self._teller.closers, number, Window(created, created))
        return not pending or self._pages.edits_read(number) is not None

    def _issues(self, told: Told) -> Iterator[Issue]:
        """Those of the numbers that are issues."""
        for number in told.numbers:
            node = self._pages.issue(number)
            if node is not None:
                yield self._issue(node, told.words.created_at)

    def _issue(self, node: Node, when: datetime) -> Issue:
        """As it was at a moment, so that a later harvest says the same."""
        number = node["number"]
        title, body = self._title_at(node, when), self._body_at(node, when)
        known = title is not None and body is not None
        return Issue(
            repo=self._request.repo,
            number=number,
            title=node["title"] if title is None else title,
            body=node["body"] if body is None else body,
            created_at=moment(node["createdAt"]),
            body_as_of=when if known else None,
            comments=tuple(
                each for each in comments(node, self._pages.rest(node, "comments")) if each.created_at <= when
            ),
        )

    def _title_at(self, node: Node, when: datetime) -> str | None:
        renames = self._teller.closers.renames(node["number"], node["updatedAt"])
        return None if renames is None else title_at(node["title"], renames, when)

    def _body_at(self, node: Node, when: datetime) -> str | None:
        if node["lastEditedAt"] is None or moment(node["lastEditedAt"]) <= when:
            return str(node["body"])
        edited = self._pages.edited(node["number"])
        if edited is None or not edited["userContentEdits"]:
            return None
        return body_at(revisions(edited), when)
