"""What GitHub's answers mean: limits, failures that may pass, requests that were too large. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from builder.errors import InfrastructureError, UnknownNameError

_TOO_LARGE = ("RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED")
_HEAVY_WORDS = re.compile(r"something went wrong while executing|timed?.?out|couldn't respond", re.IGNORECASE)


class TooLargeError(Exception):
    """This request failed in a way in which one for less may not."""


class AgainError(Exception):
    """Failed, but may succeed. `heavy`: perhaps since too much was asked; `network`: nobody answered."""

    def __init__(self, message: str, *, heavy: bool = False, network: bool = False) -> None:
        super().__init__(message)
        self.heavy = heavy
        self.network = network


@dataclass(frozen=True)
class Response:
    """As it was received; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body's JSON; None for what is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def words(self) -> str:
        """The status, and the service's own message where it has one."""
        content = self.content
        message = content.get("message", "") if isinstance(content, dict) else ""
        return f"{self.status} {message}".strip()


@dataclass(frozen=True)
class Answer:
    """Of GraphQL. `cost` is in points; `body` the JSON as it was received."""

    data: dict[str, Any]
    errors: tuple[dict[str, Any], ...]
    cost: int
    body: bytes


@dataclass(frozen=True)
class RestAnswer:
    """`last_page` is the number of the last page, where the service links to one."""

    data: Any
    last_page: int | None


def graphql_answer(response: Response, estimate: int) -> Answer:
    """Read an answer; where it does not say what it cost, it cost the estimate.

    Raises AgainError, TooLargeError, and InfrastructureError for a query that is wrong.
    """
    if response.status >= 500:
        raise AgainError(response.words, heavy=response.status in (502, 504))
    if response.status >= 400:
        raise InfrastructureError(f"the service answers {response.words}")
    content = response.content
    if not isinstance(content, dict):
        raise AgainError(f"the answer is no JSON object, but {len(response.body)} bytes of something else", heavy=True)
    data = content.get("data")
    errors = tuple(error for error in content.get("errors") or () if isinstance(error, dict))
    if not data:
        raise _without_data(response, errors)
    return Answer(data, errors, int((data.get("rateLimit") or {}).get("cost", estimate)), response.body)


def rest_answer(path: str, response: Response) -> RestAnswer:
    """Read an answer. Raises AgainError, UnknownNameError for a 404, InfrastructureError for a refusal."""
    if response.status >= 500:
        raise AgainError(response.words)
    if response.status == 404:
        raise UnknownNameError("address", path, (), hint="A private repository needs a token that may read it.")
    if response.status >= 300:
        raise InfrastructureError(f"{path}: the service answers {response.words}")
    if response.body and response.content is None:
        raise AgainError(f"{path}: the answer is no JSON")
    return RestAnswer(response.content, _last_page(response.headers))


def is_used_up(response: Response) -> bool:
    """Whether the primary limit is reached."""
    if response.status in (403, 429) and response.headers.get("x-ratelimit-remaining") == "0":
        return "retry-after" not in response.headers
    if response.status != 200 or b'"RATE_LIMITED"' not in response.body[:2000]:
        return False
    content = response.content
    found = content.get("errors") if isinstance(content, dict) and not content.get("data") else ()
    return any(isinstance(error, dict) and error.get("type") == "RATE_LIMITED" for error in found or ())


def is_slowed_down(response: Response) -> bool:
    """Whether a secondary limit is reached."""
    if response.status == 429:
        return True
    slowed = "retry-after" in response.headers or b"secondary rate limit" in response.body
    return response.status == 403 and slowed


def _without_data(response: Response, errors: Sequence[Mapping[str, Any]]) -> Exception:
    words = "; ".join(str(error.get("message", error)) for error in errors) or response.words
    if any(error.get("type") in _TOO_LARGE for error in errors):
        return TooLargeError(words)
    if _HEAVY_WORDS.search(words):
        return AgainError(words, heavy=True)
    return InfrastructureError(f"the service answers: {words}")


def _last_page(headers: Mapping[str, str]) -> int | None:
    """By the Link header (RFC 8288)."""
    for link in headers.get("link", "").split(","):
        target, _, relation = link.partition(";")
        if 'rel="last"' in relation:
            pages = parse_qs(urlsplit(target.strip(" <>")).query).get("page", [])
            return int(pages[0]) if pages and pages[0].isdecimal() else None
    return None
