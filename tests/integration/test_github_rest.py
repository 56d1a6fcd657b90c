"""The generated service's REST answers are those that GitHub's published OpenAPI description allows."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from github_server import Server, Shape, World, serve

from integration.npm import OPENAPI, PRISM, installed

pytestmark = [pytest.mark.network, pytest.mark.integration]

ROUTES = {
    "/repos/octo/sums": 200,
    "/repos/octo/sums/pulls": 200,
    "/repos/octo/sums/pulls?state=all&sort=updated&direction=desc&per_page=50&page=2": 200,
    "/repos/octo/sums/pulls/{merged}": 200,
    "/repos/octo/sums/pulls/{merged}/commits": 200,
    "/repos/octo/sums/pulls/{merged}/files": 200,
    "/repos/octo/sums/pulls/99999": 404,
    "/repos/octo/sums/issues/1": 200,
    "/repos/octo/sums/issues/{merged}": 200,
    "/repos/octo/sums/issues/21/comments?per_page=100": 200,
    "/repos/octo/sums/contributors?per_page=1&anon=true": 200,
    "/repos/octo/nothing": 404,
    "/rate_limit": 200,
    "/search/repositories?q=language:python&sort=stars": 200,
}
_FORK_DELETED = ".head.repo must be object"
"""The service answers null where the fork was deleted, though the description does not say so."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=120))) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    modules = installed(OPENAPI, PRISM)
    description = modules / "@octokit/openapi/generated/api.github.com.json"
    with prism(modules / ".bin/prism", description, server.url, tmp_path_factory.mktemp("prism") / "log") as url:
        yield url


@contextmanager
def prism(program: Path, description: Path, upstream: str, log: Path) -> Iterator[str]:
    """A proxy that checks every request and answer; it takes some seconds to start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(program),
        "proxy",
        "--errors",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        str(description),
        upstream,
    ]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_for(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            selectors.DefaultSelector().select(0.2)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.mark.parametrize("route", ROUTES)
def test_answers_are_those_of_the_description(server: Server, proxy: str, route: str) -> None:
    """What the description forbids comes back as a violation."""
    repo = server.world.repositories[0]
    merged = next(number for number in repo.merged() if not repo.plan(number).fork_deleted)
    headers = {"authorization": f"bearer {server.tokens[0]}"}
    answer = requests.get(proxy + route.format(merged=merged), headers=headers, timeout=60)
    violations = [each["message"] for each in json.loads(answer.headers.get("sl-violations", "[]"))]
    assert [message for message in violations if not message.endswith(_FORK_DELETED)] == []
    assert violations or answer.status_code == ROUTES[route]
