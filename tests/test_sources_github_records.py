"""What single answers of GitHub's API mean, and how page sizes follow what the service can do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from builder.sources._github_estimate import Estimate, estimates
from builder.sources._github_records import Events, comments, events, moment, nodes, rest_after
from builder.sources._github_walks import CLOSERS, PULLS, PageSize


def closed(closer: dict[str, Any] | None) -> dict[str, Any]:
    return {"__typename": "ClosedEvent", "createdAt": "2021-01-01T00:00:00Z", "closer": closer}


def past(*items: dict[str, Any] | None, total: int | None = None) -> dict[str, Any]:
    return {"timelineItems": {"totalCount": len(items) if total is None else total, "nodes": list(items)}}


def pull(number: int, repo: str = "octo/sums") -> dict[str, Any]:
    return {"__typename": "PullRequest", "number": number, "repository": {"nameWithOwner": repo}}


def test_another_repositorys_pull_request_closes_nothing_of_ours() -> None:
    """Number 7 of a fork would be taken for number 7 of ours."""
    found = events(past(closed(pull(7, "Fork/sums")), closed(pull(8, "Octo/Sums"))), ["octo/sums"])
    assert found.pulls == (8,)


def test_an_issue_that_was_reopened_has_several_closers() -> None:
    commit = {"__typename": "Commit", "oid": "a" * 40}
    found = events(past(closed(pull(7)), closed(commit), closed(None), closed(pull(7))), ["octo/sums"])
    assert found == Events(pulls=(7,), commits=("a" * 40,), renames=(), whole=True)


def test_events_that_are_not_all_there_are_known_to_be_part() -> None:
    """A title would be taken for the first one though it was renamed before."""
    assert not events(past(closed(pull(7)), total=25), ["octo/sums"]).whole
    assert not events(past(closed(pull(7)), None), ["octo/sums"]).whole
    assert not events({"timelineItems": None}, ["octo/sums"]).whole


@pytest.mark.parametrize(
    ("author", "login"),
    [
        ({"__typename": "User", "login": "ann"}, "ann"),
        ({"__typename": "Bot", "login": "dependabot"}, "dependabot[bot]"),
        ({"__typename": "Bot", "login": "codecov[bot]"}, "codecov[bot]"),
        (None, None),
    ],
)
def test_bots_are_told_from_people(author: dict[str, str] | None, login: str | None) -> None:
    """GraphQL leaves `[bot]` out of a bot's login; its reports would become hints."""
    entry = {"author": author, "createdAt": "2021-01-01T00:00:00Z", "body": "done"}
    (found,) = comments({"comments": {"nodes": [entry]}}, [])
    assert found.author == login


def test_lists_with_nothing_where_something_may_not_be_seen() -> None:
    assert nodes({"nodes": [None, {"a": 1}]}) == [{"a": 1}]
    assert (nodes(None), nodes({"nodes": None})) == ([], [])
    assert rest_after({"files": None}, "files") is None
    assert rest_after({"files": {"pageInfo": {"hasNextPage": False, "endCursor": "x"}}}, "files") is None
    assert rest_after({"files": {"pageInfo": {"hasNextPage": True, "endCursor": "x"}}}, "files") == "x"


def test_moments_have_a_zone() -> None:
    assert moment("2021-01-01T00:00:00Z") == datetime(2021, 1, 1, tzinfo=UTC)


def test_pages_become_larger_at_once_until_one_fails() -> None:
    size = PageSize(10, 100)
    seen = []
    for _ in range(5):
        seen.append(size.now)
        size.went_well()
    assert seen == [10, 20, 40, 80, 100]


def test_after_a_failure_a_larger_page_is_tried_now_and_then() -> None:
    """Trying at once would fail every second time; never trying would make the rest dear."""
    size = PageSize(100, 100)
    size.failed()
    seen = []
    for _ in range(6):
        seen.append(size.now)
        size.went_well()
    assert seen == [50, 50, 50, 50, 100, 100]
    for _ in range(9):
        size.failed()
    assert size.now == 1


def test_pages_cost_what_the_published_rule_says() -> None:
    assert (PULLS.points(100), PULLS.points(10), CLOSERS.points(100)) == (4, 1, 1)


def test_estimates_count_whole_pages() -> None:
    class Client:
        def graphql(self, query: str, variables: object) -> Any:
            counts = {"merged": {"totalCount": 101}, "closed": {"totalCount": 50}, "issues": {"totalCount": 20}}
            return type("Answer", (), {"data": {"r0": counts}, "errors": ()})

    (found,) = estimates(Client(), ["octo/sums"])  # type: ignore[arg-type]
    assert found == Estimate("octo/sums", merged=101, closed=50, closed_issues=20, points=8 + 1 + 1 + 2 + 1)
