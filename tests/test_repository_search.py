from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from github_server import Server, Shape, Traits, World, serve
from harvest_factory import Clock

from builder import repository_search as search
from builder.errors import InfrastructureError, UnknownNameError
from builder.github_answers import Answer, RestAnswer
from builder.github_client import BudgetSpentError, GithubClient
from builder.protocols import Access
from builder.repositories import Criteria
from builder.tokens import Token

SMALL = Criteria(pulls_over=10, contributors_over=20)
DAY = 86_400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    others = {
        "octo/sums-2": Traits(stars=500),
        "octo/sums-3": Traits(stars=9000, contributors=20),
        "octo/sums-4": Traits(stars=700, language="Rust"),
        "octo/sums-5": Traits(stars=800, code_bytes=300 * 40 - 1),
        "octo/sums-6": Traits(stars=1500, license="GPL-3.0"),
    }
    world = World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=20), repositories=6, others=others)
    with serve(world) as running:
        yield running


def client(server: Server, **access: Any) -> GithubClient:
    token = Token(server.tokens[0], "test")
    return GithubClient(Access(api_url=server.url, **access), [token], clock=Clock())


def test_what_meets_the_criteria_is_found_with_its_contributors(server: Server) -> None:
    before = server.counts.rest["contributors"]
    chosen = search.from_search(client(server), SMALL)
    assert {each.repo: each.contributors for each in chosen.candidates} == {"octo/sums": 24, "octo/sums-6": 24}
    assert chosen.failed == {"contributors": 1, "lines": 1}
    assert server.counts.rest["contributors"] - before == 3


def test_licences_can_be_filtered(server: Server) -> None:
    chosen = search.from_search(client(server), Criteria(pulls_over=10, contributors_over=20, licenses=("MIT",)))
    assert [each.repo for each in chosen.candidates] == ["octo/sums"]


def test_a_spent_budget_is_said(server: Server) -> None:
    chosen = search.from_search(client(server, max_points=1), SMALL)
    assert chosen.candidates == []
    assert "not complete" in chosen.problems[0]


class Many:
    """A service with `stars` repositories by number of stars, that shows a thousand a search; `pages` were read."""

    def __init__(self, stars: dict[int, int]) -> None:
        self.all = [
            (count, f"o/{count}-{n}", n * DAY * 3) for count in sorted(stars, reverse=True) for n in range(stars[count])
        ]
        self.pages = 0

    def graphql(self, query: str, variables: dict[str, Any], *, estimate: int = 1, tries: int = 1) -> Answer:
        self.pages += 1
        words = dict(word.split(":", 1) for word in variables["query"].split())
        low, _, high = words["stars"].partition("..")
        most = None if high == "*" else int(high or low)
        found = [each for each in self.all if int(low) <= each[0] and (most is None or each[0] <= most)]
        if ".." in words["created"]:
            days = [datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in words["created"].split("..")]
            found = [each for each in found if days[0] <= 1_300_000_000 + each[2] < days[1] + DAY]
        start = int(variables["after"] or 0)
        shown = found[:1000][start : start + variables["first"]]
        info = {"hasNextPage": start + len(shown) < min(len(found), 1000), "endCursor": str(start + len(shown))}
        nodes = [node(stars, name, age) for stars, name, age in shown]
        return Answer({"search": {"repositoryCount": len(found), "pageInfo": info, "nodes": nodes}}, (), 3, b"")


def node(stars: int, name: str, age: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(1_300_000_000 + age, UTC).isoformat()
    empty = {"totalCount": 0}
    facts = {"isArchived": False, "isFork": False, "primaryLanguage": None, "licenseInfo": None, "languages": None}
    return {
        "nameWithOwner": name,
        "createdAt": created,
        "stargazerCount": stars,
        "pullRequests": empty,
        "issues": empty,
    } | facts


def test_more_than_a_search_shows_is_found_in_slices() -> None:
    """GitHub shows a thousand results; the rest of thirty thousand would be missing without a word."""
    service = Many(dict.fromkeys(range(501, 601), 37))
    assert len(list(search.found(service, Criteria()))) == 3700  # type: ignore[arg-type]
    assert service.pages < 45


def test_more_with_equally_many_stars_than_a_search_shows() -> None:
    service = Many({510: 3, 505: 1300, 502: 4})
    found = [each.repo for each in search.found(service, Criteria())]  # type: ignore[arg-type]
    assert len(found) == len(set(found)) == 1307


class Contributors:
    def __init__(self, answer: RestAnswer | Exception) -> None:
        self.answer = answer

    def rest(self, path: str, params: dict[str, Any]) -> RestAnswer:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (RestAnswer([{}], 345), 345),
        (RestAnswer([{}], None), 1),
        (RestAnswer(None, None), 0),
        (UnknownNameError("address", "x", ()), None),
        (InfrastructureError("403 The history or contributor list is too large to list"), 1_000_000),
    ],
)
def test_contributors_are_counted_by_the_last_page(answer: RestAnswer | Exception, expected: int | None) -> None:
    assert search.contributors(Contributors(answer), "o/n") == expected  # type: ignore[arg-type]


def test_other_errors_are_not_taken_for_many_contributors() -> None:
    with pytest.raises(InfrastructureError):
        search.contributors(Contributors(InfrastructureError("500")), "o/n")  # type: ignore[arg-type]
    with pytest.raises(BudgetSpentError):
        search.contributors(Contributors(BudgetSpentError("spent")), "o/n")  # type: ignore[arg-type]
