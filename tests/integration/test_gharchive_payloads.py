"""The published examples of real payloads, wrapped as archive events, through the reader of archives.

They are downloaded from the npm registry when the test runs; none of them is kept here.
"""

from __future__ import annotations

import json
from typing import Any

import archive_factory as made
import pytest
from history_factory import START

from builder.sources._archive_events import Event, Kind, parse
from builder.sources._archive_filter import Filter, objects
from integration.npm import installed

pytestmark = pytest.mark.network

PACKAGE = "@octokit/webhooks-examples@7.6.1"
TYPES = {"pull_request": "PullRequest", "issues": "Issues", "issue_comment": "IssueComment"}
Payload = dict[str, Any]


@pytest.fixture(scope="module")
def payloads() -> list[tuple[str, Payload]]:
    """Type and payload of every example that archives have, of the service and of its Enterprise versions."""
    folder = installed(PACKAGE) / "@octokit" / "webhooks-examples"
    found = [
        (TYPES[described["name"]], payload)
        for index in sorted(folder.glob("*/index.json"))
        for described in json.loads(index.read_text(encoding="utf-8"))
        if described["name"] in TYPES
        for payload in described["examples"]
    ]
    assert len(found) > 100
    return found


def wrapped(kind: str, payload: Payload) -> bytes:
    """Public events do not carry `repository` and `sender` in their payload."""
    kept = {name: value for name, value in payload.items() if name not in ("repository", "sender", "installation")}
    repo = payload["repository"]
    return made.line(made.event(kind, START, kept, repo=repo["full_name"], repo_id=repo["id"]))


def read(line: bytes) -> Event:
    (value,) = objects(line)
    event = parse(value)
    assert event is not None
    return event


def test_every_example_is_read(payloads: list[tuple[str, Payload]]) -> None:
    """Catches a shape that real payloads have and ours do not: what is read is what the payload says."""
    for kind, payload in payloads:
        event = read(wrapped(kind, payload))
        subject = payload.get("pull_request") or payload["issue"]
        shown = event.sightings[-1] if kind != "IssueComment" else event.sightings[0]
        assert (event.repo, event.repo_id) == (payload["repository"]["full_name"], payload["repository"]["id"])
        assert shown.number == subject["number"]
        assert shown.words
        assert (shown.words.title, shown.words.body) == (subject["title"], subject["body"] or "")
        assert (shown.kind == Kind.PULL) == (kind == "PullRequest" or bool(subject.get("pull_request")))


def test_pull_requests_and_comments_have_their_facts(payloads: list[tuple[str, Payload]]) -> None:
    """Catches commits, merges, authors or dates that are looked for where real payloads do not have them."""
    for kind, payload in payloads:
        shown = read(wrapped(kind, payload)).sightings[-1]
        if kind == "PullRequest":
            pull = payload["pull_request"]
            assert (shown.facts["base"], shown.facts["head"]) == (pull["base"]["sha"], pull["head"]["sha"])
            assert (shown.merged_at is not None) == bool(pull["merged"])
            assert shown.facts["commits"] == pull["commits"]
        elif kind == "IssueComment" and shown.kind == Kind.COMMENT:
            said = payload["comment"]
            assert (shown.facts["id"], shown.facts["author"]) == (said["id"], said["user"]["login"])
            assert shown.words
            assert shown.words.body == said["body"]
            assert ("deleted" in shown.facts) == (payload["action"] == "deleted")


def test_the_bytes_of_every_example_tell_whose_it_is(payloads: list[tuple[str, Payload]]) -> None:
    """Catches a filter that misses a wanted event, or parses those of others, because of what payloads hold inside."""
    for kind, payload in payloads:
        line, repo = wrapped(kind, payload), payload["repository"]
        assert Filter({repo["full_name"].lower(): 1}, {}).lets_through(line)
        assert Filter({}, {repo["id"]: 1}).lets_through(line)
        assert not Filter({"x/y": 1}, {1: 1}).lets_through(line)
