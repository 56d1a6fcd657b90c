"""Repositories that meet the criteria, by GitHub's own search."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from builder.errors import InfrastructureError, UnknownNameError
from builder.github_answers import TooLargeError
from builder.github_client import BudgetSpentError, GithubClient
from builder.repositories import Candidate, Chosen, Criteria, failing

_BYTES_A_LINE = 40
"""Of Python, generously: so that a repository's lines are underestimated, rather than overestimated."""
_AT_MOST = 1000  # results of one search ("About search", docs.github.com)
_MANY_CONTRIBUTORS = 1_000_000
_FIRST_DAY = datetime(2008, 1, 1, tzinfo=UTC)

SEARCH = """
query Search($query: String!, $first: Int!, $after: String) {
  rateLimit { cost remaining resetAt }
  search(type: REPOSITORY, query: $query, first: $first, after: $after) {
    repositoryCount
    pageInfo { hasNextPage endCursor }
    nodes {
      ... on Repository {
        nameWithOwner createdAt stargazerCount isArchived isFork
        primaryLanguage { name }
        licenseInfo { spdxId }
        languages(first: 1, orderBy: {field: SIZE, direction: DESC}) { edges { size } }
        pullRequests { totalCount }
        issues(states: CLOSED) { totalCount }
      }
    }
  }
}
"""
"""A page of a search; 3 points for 100."""


def from_search(client: GithubClient, criteria: Criteria) -> Chosen:
    """Those that meet the criteria; contributors are counted for those that meet all others, a REST call each.

    A budget that is spent ends the search, and is among the problems. Raises TokenMissingError, NetworkMissingError,
    InfrastructureError.
    """
    chosen = Chosen()
    try:
        for candidate in found(client, criteria):
            criterion = failing(candidate, criteria)
            if criterion is None:
                candidate = candidate.model_copy(update={"contributors": contributors(client, candidate.repo)})
                criterion = failing(candidate, criteria)
            if criterion is None:
                chosen.candidates.append(candidate)
            else:
                chosen.failed[criterion] += 1
    except BudgetSpentError as error:
        chosen.problems.append(f"the search is not complete: {error}")
    return chosen


def found(client: GithubClient, criteria: Criteria) -> Iterator[Candidate]:
    """Everything that the search's own qualifiers leave, most stars first, each once.

    A search shows a thousand: the next one begins with the stars of the last one shown. Where a thousand have equally
    many stars, they are searched by the time of their creation.
    """
    seen: set[str] = set()
    most: int | None = None
    while True:
        shown = list(_shown(client, _query(criteria, f"{criteria.stars_over + 1}..{'*' if most is None else most}")))
        yield from _fresh(shown, seen)
        if len(shown) < _AT_MOST:
            return
        least = min(each.stars for each in shown)
        if least == most:
            yield from _fresh(_by_creation(client, criteria, least, _FIRST_DAY, criteria.created_before), seen)
            least -= 1
        most = least


def contributors(client: GithubClient, repo: str) -> int | None:
    """How many people have contributed, anonymous ones included: the number of pages of one each.

    A very large number where GitHub refuses since there are too many; None for a repository that has gone.
    """
    try:
        answer = client.rest(f"/repos/{repo}/contributors", {"per_page": 1, "anon": "true"})
    except UnknownNameError:
        return None
    except InfrastructureError as error:
        if "too large" in error.message:
            return _MANY_CONTRIBUTORS
        raise
    return answer.last_page or len(answer.data or ())


def _by_creation(
    client: GithubClient, criteria: Criteria, stars: int, first: datetime, last: datetime
) -> Iterator[Candidate]:
    """All of equally many stars, created between two days; halved until a search shows them all."""
    days = f"{first:%Y-%m-%d}..{last:%Y-%m-%d}"
    shown = list(_shown(client, f"language:{criteria.language} stars:{stars} created:{days} fork:false"))
    if len(shown) < _AT_MOST or last - first < timedelta(days=1):
        yield from shown
        return
    middle = first + (last - first) / 2
    yield from _by_creation(client, criteria, stars, first, middle)
    yield from _by_creation(client, criteria, stars, middle + timedelta(days=1), last)


def _query(criteria: Criteria, stars: str) -> str:
    created = f"created:<{criteria.created_before:%Y-%m-%d}"
    return f"language:{criteria.language} stars:{stars} {created} fork:false sort:stars-desc"


def _shown(client: GithubClient, query: str) -> Iterator[Candidate]:
    after, size = None, 100
    while True:
        try:
            answer = client.graphql(SEARCH, {"query": query, "first": size, "after": after}, estimate=3, tries=2)
        except TooLargeError as error:
            if size == 1:
                raise InfrastructureError(f"the search cannot be answered: {error}") from error
            size = (size + 1) // 2
            continue
        search = answer.data["search"]
        yield from (_candidate(node) for node in search["nodes"] or () if node)
        if not search["pageInfo"]["hasNextPage"]:
            return
        after = search["pageInfo"]["endCursor"]


def _fresh(candidates: Iterator[Candidate] | list[Candidate], seen: set[str]) -> Iterator[Candidate]:
    for candidate in candidates:
        if candidate.repo not in seen:
            seen.add(candidate.repo)
            yield candidate


def _candidate(node: dict[str, Any]) -> Candidate:
    edges = (node["languages"] or {}).get("edges") or []
    return Candidate(
        repo=node["nameWithOwner"],
        language=(node["primaryLanguage"] or {}).get("name", ""),
        created_at=datetime.fromisoformat(node["createdAt"]),
        stars=node["stargazerCount"],
        lines=sum(edge["size"] for edge in edges if edge) // _BYTES_A_LINE,
        pulls=node["pullRequests"]["totalCount"],
        closed_issues=node["issues"]["totalCount"],
        contributors=None,
        license=(node["licenseInfo"] or {}).get("spdxId") or "",
        archived=node["isArchived"],
        fork=node["isFork"],
    )
