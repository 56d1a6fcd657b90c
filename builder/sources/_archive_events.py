"""What an event of an archive shows of a pull request, an issue or a comment. Pure: JSON in, values out.

Three generations of events are read:
* since 2015, and in 2011, those of GitHub's Events API: `repo` with `id` and `name`, whole objects in `payload`;
* of 2012 to 2014, those of its former timeline: `repository` instead of `repo`, times with an offset, no `id`. Pull
  requests are whole there; issues and comments are numbers only, of which nothing can be made;
* since 2025-10-07, trimmed ones ("Upcoming changes to GitHub Events API payloads", GitHub changelog of 2025-08-08): a
  pull request has number, base and head, and being merged is an `action` of its own. Issues and comments are whole, and
  a comment on a pull request still brings the words of that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]

_LARGEST_NUMBER = 10**9
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Kind(StrEnum):
    PULL = "pull"
    ISSUE = "issue"
    COMMENT = "comment"


@dataclass(frozen=True)
class Words:
    """A title and a text; a comment has no title."""

    title: str
    body: str


@dataclass(frozen=True)
class Sighting:
    """A pull request, issue or comment as one event shows it. Times are Unix seconds, `at` is the event's.

    `number` is that of the pull request or issue. `words` is None where the event does not carry them, `merged_at`
    where it shows no merge. `facts` (JSON) are what is known beyond: of a pull request `created_at`, `base`, `head`,
    `merge`, `commits` (how many), `labels`; of an issue `created_at`; of a comment `id`, `author`, `created_at`,
    `deleted`.
    """

    kind: Kind
    number: int
    at: int
    words: Words | None
    merged_at: int | None = None
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """`id` tells an event from others of the same second; the service has begun to count anew in between."""

    id: int
    at: int
    repo: str
    repo_id: int | None
    sightings: tuple[Sighting, ...]


def parse(event: Json) -> Event | None:
    """None for an event of another type. Raises ValueError for one without a repository or a time."""
    read = _READERS.get(str(event.get("type")))
    if read is None:
        return None
    name, repo_id = _repository(event)
    at = _seconds(event.get("created_at"))
    if not name or at is None:
        raise ValueError("an event without repository or time")
    return Event(_identity(event), at, name, repo_id, tuple(read(_object(event.get("payload")), at)))


def _repository(event: Json) -> tuple[str, int | None]:
    repo = _object(event.get("repo"))
    if repo:
        return _text(repo.get("name")), _id(repo.get("id"))
    old = _object(event.get("repository"))
    owner, name = _text(old.get("owner")), _text(old.get("name"))
    return (f"{owner}/{name}" if owner and name else ""), _id(old.get("id"))


def _identity(event: Json) -> int:
    told = str(event.get("id", ""))
    if told.isdecimal() and len(told) < 19:
        return int(told)
    digest = hashlib.blake2b(repr(sorted(event.items())).encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return -int.from_bytes(digest, "big")


def _pull_request(payload: Json, at: int) -> Iterator[Sighting]:
    pull = _object(payload.get("pull_request"))
    number = _number(payload.get("number")) or _number(pull.get("number"))
    if number is None:
        return
    action = payload.get("action")
    merged = action == "merged" or pull.get("merged") is True or pull.get("merged_at") is not None
    facts = {
        "created_at": _seconds(pull.get("created_at")) or (at if action == "opened" else None),
        "base": _sha(_object(pull.get("base")).get("sha")),
        "head": _sha(_object(pull.get("head")).get("sha")),
        "merge": _sha(pull.get("merge_commit_sha")) if merged else None,  # before, that of a trial merge
        "commits": _number(pull.get("commits")),
        "labels": _labels(pull),
    }
    merged_at = (_seconds(pull.get("merged_at")) or at) if merged else None
    yield Sighting(Kind.PULL, number, at, _words(pull), merged_at, _known(facts))


def _issues(payload: Json, at: int) -> Iterator[Sighting]:
    issue = _object(payload.get("issue"))
    sighting = _issue(issue, at)
    if sighting is None:
        return
    changes = _object(payload.get("changes"))
    former = {name: _object(change).get("from") for name, change in changes.items() if name in ("title", "body")}
    if any(isinstance(text, str) for text in former.values()):
        yield Sighting(sighting.kind, sighting.number, at - 1, _words({**issue, **former}), None, sighting.facts)
    yield sighting


def _issue_comment(payload: Json, at: int) -> Iterator[Sighting]:
    issue, comment = _object(payload.get("issue")), _object(payload.get("comment"))
    sighting = _issue(issue, at)
    if sighting is None:
        return
    yield sighting
    comment_id = _id(comment.get("id"))
    if sighting.kind == Kind.ISSUE and comment_id is not None:
        facts = {
            "id": comment_id,
            "author": _text(_object(comment.get("user")).get("login")) or None,
            "created_at": _seconds(comment.get("created_at")) or at,
            "deleted": True if payload.get("action") == "deleted" else None,
        }
        yield Sighting(Kind.COMMENT, sighting.number, at, Words("", _text(comment.get("body"))), None, _known(facts))


def _issue(issue: Json, at: int) -> Sighting | None:
    """An issue, or the pull request that it is; None for the timeline's mere numbers."""
    number, words = _number(issue.get("number")), _words(issue)
    if number is None or words is None:
        return None
    facts = {"created_at": _seconds(issue.get("created_at"))}
    pull = _object(issue.get("pull_request"))
    if not any(pull.values()):  # until 2015 an issue had one too, empty
        return Sighting(Kind.ISSUE, number, at, words, None, _known(facts))
    merged_at = _seconds(pull.get("merged_at"))
    return Sighting(Kind.PULL, number, at, words, merged_at, _known({**facts, "labels": _labels(issue)}))


_READERS = {"PullRequestEvent": _pull_request, "IssuesEvent": _issues, "IssueCommentEvent": _issue_comment}


def _words(subject: Json) -> Words | None:
    title = _text(subject.get("title"))
    return Words(title, _text(subject.get("body"))) if title else None


def _labels(subject: Json) -> list[str] | None:
    labels = subject.get("labels")
    if not isinstance(labels, list):
        return None
    return [name for label in labels if (name := _text(_object(label).get("name")))]


def _seconds(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    if "/" in text:
        return int(datetime.strptime(text, "%Y/%m/%d %H:%M:%S %z").timestamp())
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _text(value: object) -> str:
    """Empty for what is none; without the halves of characters that no file can hold."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 < value < _LARGEST_NUMBER else None


def _id(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 2**63 else None


def _sha(value: object) -> str | None:
    return value if isinstance(value, str) and _SHA.fullmatch(value) else None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _known(facts: Json) -> Json:
    return {name: value for name, value in facts.items() if value is not None}
