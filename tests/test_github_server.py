"""The server that stands in for GitHub in tests: it must be right before anything tested against it can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from github_server import Server, Shape, World, serve


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=120))


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with serve(world) as running:
        yield running


def ask(server: Server, query: str, **variables: Any) -> dict[str, Any]:
    response = requests.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": variables},
        headers={"authorization": f"bearer {server.tokens[0]}"},
        timeout=10,
    )
    body: dict[str, Any] = response.json()
    return body


def test_walks_every_merged_pull_request_once(server: Server) -> None:
    """A cursor that skips or repeats would look like a harvester's mistake."""
    query = """query($after: String) { repository(owner: "octo", name: "sums") {
      pullRequests(states: MERGED, first: 7, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
        totalCount pageInfo { hasNextPage endCursor } nodes { number updatedAt } } } }"""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = ask(server, query, after=after)["data"]["repository"]["pullRequests"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    merged = server.world.repositories[0].merged()
    assert sorted(node["number"] for node in found) == sorted(merged)
    assert [node["updatedAt"] for node in found] == sorted((node["updatedAt"] for node in found), reverse=True)
    assert page["totalCount"] == len(merged)
