"""What a harvest will cost, before it is begun."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from builder.errors import InfrastructureError, UnknownNameError
from builder.github_answers import TooLargeError
from builder.github_client import GithubClient
from builder.sources import _github_queries as queries

_AT_A_TIME = 20
_POINTS_PER_PAGE = {"pulls": 4, "closers": 1, "issues": 1, "edits": 2}
_PAGE = 100


@dataclass(frozen=True)
class Estimate:
    """`points` are of a whole harvest: an upper bound but for lists longer than a page, which are rare."""

    repo: str
    merged: int
    closed: int
    closed_issues: int
    points: int


def estimates(client: GithubClient, repos: Sequence[str]) -> Iterator[Estimate]:
    """In the order given. Raises UnknownNameError for a repository that does not exist."""
    for start in range(0, len(repos), _AT_A_TIME):
        batch = repos[start : start + _AT_A_TIME]
        try:
            answer = client.graphql(queries.estimate([repo.partition("/")[::2] for repo in batch]), {})
        except TooLargeError as error:
            raise InfrastructureError(f"the cost of {batch[0]} and others cannot be asked for: {error}") from error
        for position, repo in enumerate(batch):
            node = answer.data.get(f"r{position}")
            if node is None:
                raise UnknownNameError("repository", repo, (), hint="A private one needs a token that may read it.")
            yield _estimate(repo, node)


def _estimate(repo: str, node: dict[str, Any]) -> Estimate:
    """As if every merged pull request resolved an issue of its own whose text was edited."""
    merged, closed, issues = (node[name]["totalCount"] for name in ("merged", "closed", "issues"))
    linked = min(merged, issues)
    counts = {"pulls": merged, "closers": issues, "issues": linked, "edits": linked}
    points = sum(math.ceil(number / _PAGE) * _POINTS_PER_PAGE[kind] for kind, number in counts.items())
    return Estimate(repo, merged, closed, issues, points + 1)
