"""Catches references that are misread, credentials that go astray, and a registry's moods taken for an answer."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InfrastructureError, TokenMissingError, UsageError
from builder.protocols import StoredLayer
from builder.registry import Reference, Registry, credentials, parse, require_target

DIGEST = "sha256:" + "a" * 64
BODY = json.dumps({"config": {"digest": DIGEST, "size": 7}, "layers": [{"digest": DIGEST, "size": 5}]}).encode()
BODY_DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@dataclass
class Clock:
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return 1_000_000.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Server:
    """Answers in turn: (status, headers, body), or None for a connection that is reset; the last one stays."""

    answers: list[tuple[int, dict[str, str], bytes] | None]
    host: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def serving(*answers: tuple[int, dict[str, str], bytes] | None) -> Iterator[Server]:
    served = Server(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            answer = served.answers.pop(0) if len(served.answers) > 1 else served.answers[0]
            if answer is None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("HOST", served.host))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        served.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asking(clock: Clock | None = None) -> Iterator[Registry]:
    registry = Registry(clock=clock or Clock())
    try:
        yield registry
    finally:
        registry.close()


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `docker login` keeps its words; nobody is logged in."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def log_in(config: Path, host: str) -> None:
    word = base64.b64encode(b"kim:secret").decode()
    config.write_text(json.dumps({"auths": {host: {"auth": word}}}))


GOOD = (200, {"Docker-Content-Digest": BODY_DIGEST}, BODY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:5000/ns/name:Tag_1", Reference("localhost:5000", "ns/name", "Tag_1")),
        (f"registry.example/a/b/c@{DIGEST}", Reference("registry.example", "a/b/c", DIGEST)),
        ("[::1]:5000/n__m:t", Reference("[::1]:5000", "n__m", "t")),
        ("docker.io/org/x:latest", Reference("docker.io", "org/x", "latest")),
    ],
)
def test_a_reference_is_read_and_written_back(text: str, expected: Reference) -> None:
    assert parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["name", "ns/name:tag", "h.x/Name:tag", "h.x/name", "h.x/name@sha256:12", "h.x//n:t", ""]
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no image"):
        parse(text)


def test_a_place_for_images_has_a_registry() -> None:
    assert require_target("localhost:5000/tasks/") == "localhost:5000/tasks"
    assert require_target("localhost:5000") == "localhost:5000"
    for target in ("tasks", "Org/x", "http://h.x/ns", "h.x/Upper"):
        with pytest.raises(UsageError, match="no place for images"):
            require_target(target)


def test_an_image_is_there_or_not() -> None:
    with serving(GOOD, (404, {}, b"{}")) as server, asking() as registry:
        reference = Reference(server.host, "ns/n", "t")
        assert registry.digest(reference) == BODY_DIGEST
        assert registry.digest(reference) is None
    assert [(method, path) for method, path, _ in server.asked] == [("HEAD", "/v2/ns/n/manifests/t")] * 2


def test_a_manifest_is_its_own_digest_and_layers() -> None:
    with serving(GOOD) as server, asking() as registry:
        found = registry.manifest(Reference(server.host, "ns/n", "t"))
    assert (found.digest, found.layers) == (BODY_DIGEST, (StoredLayer(DIGEST, 5),))


def test_t63_another_manifest_than_asked_for_is_an_error() -> None:
    with serving(GOOD) as server, asking() as registry, pytest.raises(InfrastructureError, match="another manifest"):
        registry.manifest(Reference(server.host, "ns/n", DIGEST))


@pytest.mark.parametrize("failure", [(500, {}, b""), (503, {}, b"x"), (429, {}, b""), None])
def test_t61_a_mood_of_the_registry_is_waited_out(failure: tuple[int, dict[str, str], bytes] | None) -> None:
    clock = Clock()
    with serving(GOOD, failure, failure, failure, GOOD) as server, asking(clock) as registry:
        registry.digest(Reference(server.host, "ns/warm", "t"))
        assert registry.digest(Reference(server.host, "ns/n", "t")) == BODY_DIGEST
    assert len(clock.slept) >= 2


def test_t61_a_registry_that_stays_down_is_an_infrastructure_error() -> None:
    with serving(GOOD, (500, {}, b"")) as server, asking() as registry:
        registry.digest(Reference(server.host, "ns/n", "t"))
        with pytest.raises(InfrastructureError, match="answered 500"):
            registry.digest(Reference(server.host, "ns/n", "t"))


@pytest.mark.parametrize(("told", "least"), [("77", 77.0), ("Mon, 12 Jan 1970 13:48:00 GMT", 79.0), ("soon", 0.0)])
def test_what_the_registry_asks_to_wait_is_waited(told: str, least: float) -> None:
    clock = Clock()
    with serving((429, {"Retry-After": told}, b""), GOOD) as server, asking(clock) as registry:
        registry.digest(Reference(server.host, "ns/n", "t"))
    assert clock.slept[0] >= least


def test_a_password_goes_to_the_host_that_it_was_given_for(config: Path) -> None:
    challenge = (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
    with serving(challenge, GOOD) as server, asking() as registry:
        log_in(config, server.host)
        assert registry.digest(Reference(server.host, "ns/n", "t")) == BODY_DIGEST
    assert [word for _, _, word in server.asked] == ["", "Basic " + base64.b64encode(b"kim:secret").decode()]
    log_in(config, "other.example")
    with (
        serving(challenge) as server,
        asking() as registry,
        pytest.raises(TokenMissingError, match="refuses") as caught,
    ):
        registry.digest(Reference(server.host, "ns/n", "t"))
    assert "docker login" in caught.value.hint
    assert {word for _, _, word in server.asked} == {""}


def test_a_token_is_fetched_once_and_used_again(config: Path) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://HOST/token",service="s",scope="x"'}
    with serving((401, challenge, b""), (200, {}, b'{"token": "abc"}'), GOOD, GOOD) as server, asking() as registry:
        log_in(config, server.host)
        for _ in range(2):
            assert registry.digest(Reference(server.host, "ns/n", "t")) == BODY_DIGEST
    paths = [path.partition("?")[0] for _, path, _ in server.asked]
    assert paths == ["/v2/ns/n/manifests/t", "/token", "/v2/ns/n/manifests/t", "/v2/ns/n/manifests/t"]
    assert "scope=repository%3Ans%2Fn%3Apull" in server.asked[1][1]
    assert [word for _, _, word in server.asked[2:]] == ["Bearer abc"] * 2


def test_an_answer_that_is_no_manifest_is_an_error() -> None:
    for body, kind in ((b"<html>", InfrastructureError), (b'{"manifests": []}', UsageError)):
        with serving((200, {}, body)) as server, asking() as registry, pytest.raises(kind):
            registry.manifest(Reference(server.host, "ns/n", "t"))


def test_broken_credentials_are_named(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert credentials("h.example") is None
    helper = tmp_path / "docker-credential-broken"
    helper.write_text("#!/bin/sh\necho no keyring\nexit 1\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    config.write_text(json.dumps({"credsStore": "broken"}))
    with pytest.raises(UsageError, match=r"credentials for h\.example"):
        credentials("h.example")
