"""One request and what becomes of it: failures that pass, limits, budgets, other hosts, and what is never shown."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from github_server import Fault, Faults, Shape, World, serve
from harvest_factory import Clock

from builder.errors import BuilderError, InfrastructureError, NetworkMissingError, TokenMissingError, UnknownNameError
from builder.github_answers import TooLargeError
from builder.github_client import BudgetSpentError, GithubClient
from builder.protocols import Access
from builder.tokens import Token

SECRET = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
QUERY = 'query { rateLimit { cost } repository(owner: "octo", name: "sums") { nameWithOwner } }'

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=6))


def client(url: str, *tokens: str, clock: Clock | None = None, **access: Any) -> GithubClient:
    found = [Token(value, f"token {position}") for position, value in enumerate(tokens or (SECRET,), start=1)]
    return GithubClient(Access(api_url=url, **access), found, clock=clock or Clock())


@contextmanager
def answering(
    answer: Callable[[BaseHTTPRequestHandler], Answer], certificate: Path | None = None
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers every request by a function; yields its URL and the headers that it was sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, body = answer(self)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{listener.server_port}", seen
        finally:
            listener.shutdown()


def always(status: int, body: object = None, **headers: str) -> Callable[[BaseHTTPRequestHandler], Answer]:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize("fault", list(Fault))
def test_one_failure_is_got_over(world: World, fault: Fault) -> None:
    clock = Clock()
    with serve(world, faults=Faults(at={1: fault}), clock=clock) as server:
        asking = client(server.url, *server.tokens, clock=clock)
        answer = asking.graphql(QUERY, {})
        while answer.errors:  # what comes beside data is for the caller to ask again
            answer = asking.graphql(QUERY, {})
        assert answer.data["repository"]["nameWithOwner"] == "octo/sums"
        assert server.counts.faults[fault] == 1
        assert json.loads(answer.body)["data"] == answer.data


@pytest.mark.parametrize(
    "fault", [Fault.GATEWAY_TIMEOUT, Fault.BAD_GATEWAY, Fault.SILENCE, Fault.CUT, Fault.WENT_WRONG]
)
def test_what_fails_again_and_again_is_too_large(world: World, fault: Fault) -> None:
    """The same page would be asked for until the quota is gone."""
    clock = Clock()
    with serve(world, faults=Faults(rate=1.0, kinds=[fault], in_a_row=99), clock=clock) as server:
        asking = client(server.url, *server.tokens, clock=clock)
        with pytest.raises(TooLargeError):
            asking.graphql(QUERY, {}, tries=2)
        assert asking.requests == 2


@pytest.mark.parametrize("kind", ["RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"])
def test_a_limit_on_nodes_is_not_tried_twice(kind: str) -> None:
    with answering(always(200, {"data": None, "errors": [{"type": kind, "message": "too much"}]})) as (url, seen):
        with pytest.raises(TooLargeError):
            client(url).graphql(QUERY, {})
        assert len(seen) == 1


def test_tokens_take_turns_when_one_is_used_up(world: World) -> None:
    clock = Clock()
    with serve(world, points=3, clock=clock) as server:
        asking = client(server.url, *server.tokens, clock=clock)
        for _ in range(6):
            asking.graphql(QUERY, {})
        assert clock.time == 1_800_000_000
        asking.graphql(QUERY, {})
        assert 3500 < clock.time - 1_800_000_000 < 3700
        assert asking.points == 7


def test_a_budget_is_kept_before_anything_is_sent(world: World) -> None:
    with serve(world) as server:
        asking = client(server.url, *server.tokens, max_points=3)
        asking.graphql(QUERY, {}, estimate=3)
        with pytest.raises(BudgetSpentError, match="3 points"):
            asking.graphql(QUERY, {}, estimate=3)
        assert asking.requests == 1


def test_a_query_that_is_wrong_says_how() -> None:
    body = {"errors": [{"message": "Field 'x' doesn't exist on type 'Query'"}]}
    with answering(always(200, body)) as (url, seen), pytest.raises(InfrastructureError, match="Field 'x'"):
        client(url).graphql("query { x }", {})
    assert len(seen) == 1


def test_expired_tokens_are_named_by_where_they_came_from(world: World) -> None:
    with serve(world, faults=Faults(expired=["a", "b"])) as server:
        with pytest.raises(TokenMissingError, match="token 1, token 2"):
            client(server.url, "a", "b").graphql(QUERY, {})
        assert client(server.url, "a", *server.tokens).graphql(QUERY, {}).data


# --- REST


def test_pages_are_counted_by_the_link_header() -> None:
    link = '<http://h/x?per_page=1&page=2>; rel="next", <http://h/x?per_page=1&page=345>; rel="last"'
    with answering(always(200, [{}], link=link)) as (url, seen):
        assert client(url).rest("/repos/o/n/contributors", {"per_page": 1}).last_page == 345
    with answering(always(200, [{}])) as (url, seen):
        assert client(url).rest("/repos/o/n/contributors").last_page is None
    assert seen[0]["x-github-api-version"]


def test_a_redirect_is_followed_on_the_same_host_only() -> None:
    """Whoever makes a service redirect elsewhere would be sent the token."""

    def moved(handler: BaseHTTPRequestHandler) -> Answer:
        return (301, {"location": "/new"}, b"") if handler.path == "/old" else (200, {}, b'{"here": 1}')

    with answering(moved) as (url, _):
        assert client(url).rest("/old").data == {"here": 1}
    with (
        answering(always(200, {})) as (other, stolen),
        answering(always(301, {}, location=f"{other}/x")) as (url, _),
        pytest.raises(InfrastructureError, match="another host"),
    ):
        client(url).rest("/old")
    assert stolen == []


def test_what_is_not_there_and_what_is_refused() -> None:
    with answering(always(404, {"message": "Not Found"})) as (url, _), pytest.raises(UnknownNameError, match="/repos"):
        client(url).rest("/repos/o/n")
    with answering(always(403, {"message": "No way"})) as (url, _), pytest.raises(InfrastructureError, match="No way"):
        client(url).rest("/repos/o/n")
    with answering(always(500)) as (url, seen), pytest.raises(InfrastructureError, match="500"):
        client(url).rest("/repos/o/n")
    assert len(seen) == 6


# --- the network


def test_nobody_there_is_said_with_what_to_check() -> None:
    with pytest.raises(NetworkMissingError, match=r"127\.0\.0\.1 .*\n.*--proxy"):
        client("http://127.0.0.1:9").graphql(QUERY, {})


def test_a_companys_own_authority_is_trusted_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if --ca-bundle is ignored, or if a certificate that nobody vouches for is taken."""
    pem = tmp_path / "ca.pem"
    subject = ["-subj", "/CN=authority", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-out", str(pem), "-days", "2", *subject], check=True, capture_output=True
    )
    (tmp_path / "both.pem").write_bytes(pem.read_bytes() + (tmp_path / "key.pem").read_bytes())
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with answering(always(200, {"data": {"rateLimit": {"cost": 2}}}), tmp_path / "both.pem") as (url, seen):
        assert client(url, ca_bundle=pem).graphql(QUERY, {}).cost == 2
        with pytest.raises(NetworkMissingError, match="--ca-bundle"):
            client(url).graphql(QUERY, {})
    assert len(seen) == 1


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.github_client._MOST_BYTES", 10_000)
    with answering(always(200, b"x" * 20_000)) as (url, _), pytest.raises(InfrastructureError, match="10000 bytes"):
        client(url).graphql(QUERY, {})


def test_a_proxy_is_used_and_netrc_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests would replace the token by what ~/.netrc says for the host."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    data = {"data": {"rateLimit": {"cost": 2}}}
    with answering(always(200, data)) as (url, direct), answering(always(200, data)) as (proxy, proxied):
        asking = client(url)
        assert asking.graphql(QUERY, {}).cost == 2
        assert direct[0]["authorization"] == f"bearer {SECRET}"
        client("http://service.invalid/api/v3", proxy=proxy).graphql(QUERY, {})
        assert proxied[0]["host"] == "service.invalid"


@pytest.mark.parametrize(("api_url", "path"), [("{}", "/graphql"), ("{}/", "/graphql"), ("{}/api/v3", "/api/graphql")])
def test_where_graphql_is(api_url: str, path: str) -> None:
    paths = []

    def answer(handler: BaseHTTPRequestHandler) -> Answer:
        paths.append(handler.path)
        return 200, {}, b'{"data": {"rateLimit": {"cost": 1}}}'

    with answering(answer) as (url, _):
        client(api_url.format(url)).graphql(QUERY, {})
    assert paths == [path]


@pytest.mark.parametrize(
    "answer", [always(500, {"message": "no"}), always(403, {"message": "no"}), always(200, b"<html>"), always(401)]
)
def test_t06_no_error_and_no_log_holds_a_token(
    answer: Callable[[BaseHTTPRequestHandler], Answer], caplog: pytest.LogCaptureFixture
) -> None:
    """The errors of requests carry the request, and with it the header."""
    with caplog.at_level(logging.DEBUG), answering(answer) as (url, _):
        for asked in (url, "http://127.0.0.1:9", "http://[broken"):
            with pytest.raises((BuilderError, TooLargeError)) as caught:
                client(asked).graphql(QUERY, {})
            error: BaseException | None = caught.value
            while error is not None:
                held = [repr(error), str(error), repr(vars(error)), *map(repr, error.args)]
                held.append("".join(traceback.format_exception(error)))
                assert all(SECRET not in text for text in held)
                assert not hasattr(error, "request")
                error = error.__cause__ or error.__context__
    assert SECRET not in caplog.text
