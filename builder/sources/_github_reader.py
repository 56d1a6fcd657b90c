"""From the service into raw pages: asks for what is not there yet, and nothing twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from builder.errors import InfrastructureError, UnknownNameError, WorkspaceError
from builder.github_answers import Answer, TooLargeError
from builder.github_client import TRIES, GithubClient
from builder.rawpages import RawPage, RawPages
from builder.sources import _github_queries as queries
from builder.sources._github_walks import Connection, Enough, PageSize, seen_until, walks

Item = TypeVar("Item")
Place = tuple[str, str]
"""A node's id, and the cursor in one of its lists."""

_log = logging.getLogger(__name__)
_SILENCE = 15.0  # seconds between two messages
_FIRST_LOOK = 10
"""Page size of a walk that will probably end soon."""
_TRIES_OF_MANY = 2
_FINAL = ("NOT_FOUND", "FORBIDDEN", "INSUFFICIENT_SCOPES")
"""Errors beside data that asking again does not mend: what they leave out is not for this token."""


class Reader:
    """Reads one repository. Raises InfrastructureError and its kin as the client does; what was read stays."""

    def __init__(self, client: GithubClient, raw: RawPages, repo: str) -> None:
        self._client = client
        self._raw = raw
        self._repo = repo
        self._said = time.monotonic()
        self._totals: dict[str, int] = {}
        owner, _, name = repo.partition("/")
        self._names = {"owner": owner, "name": name}

    def repository(self) -> None:
        """Ask what the repository is. Raises UnknownNameError, or WorkspaceError where the name now means another."""
        try:
            answer = self._client.graphql(queries.REPOSITORY, self._names)
        except TooLargeError as error:
            raise self._hopeless("itself", error) from error
        found = self._repository(answer)
        for page in self._raw.pages("repository"):
            if page.facts["id"] != found["id"]:
                raise WorkspaceError(
                    f"{self._repo} is another repository than the one whose pages are in {self._raw.root}",
                    hint="Move that directory away to harvest the new one.",
                )
        facts = {
            "id": found["id"],
            "name": found["nameWithOwner"],
            "host": urlsplit(found["url"]).netloc,
            "license": (found["licenseInfo"] or {}).get("spdxId") or "",
        }
        self._raw.add("repository", facts, answer.body, answer.cost)
        self._totals = {"pulls": found["merged"]["totalCount"], "closers": found["issues"]["totalCount"]}

    def walk(self, connection: Connection, enough: Enough) -> None:
        """Read pages until the repository is known to its end, or `enough` is said."""
        earlier = walks(self._raw, connection.kind)
        following = [*earlier, None]
        top = earlier[0].top if earlier else ""
        number = max((walk.number for walk in earlier), default=0) + 1
        if not self._advance(connection, number, None, top, enough):
            return
        for walk, below in zip(earlier, following[1:], strict=True):
            floor = below.top if below else ""
            if not walk.reaches(floor) and not self._advance(connection, walk.number, walk.end, floor, enough):
                return

    def named_pulls(self, numbers: Sequence[int]) -> None:
        """Read some pull requests by number, whether or not they are known."""
        self._batches("named", queries.named_pulls, numbers, queries.NAMED_AT_A_TIME)

    def issues(self, numbers: Sequence[int]) -> None:
        """Read some issues with their comments."""
        self._batches("issues", queries.issues, numbers, queries.ISSUES_AT_A_TIME)

    def edits(self, numbers: Sequence[int]) -> None:
        """Read the earlier texts and titles of some issues."""
        self._batches("edits", queries.edits, numbers, queries.ISSUES_AT_A_TIME)

    def more(self, connection: str, places: Sequence[Place]) -> None:
        """Read the pages behind some places of lists that are longer than a page shows."""
        _in_batches(places, queries.MORE_AT_A_TIME, lambda batch: self._more(connection, batch))

    # --- below

    def _advance(self, connection: Connection, walk: int, after: str | None, floor: str, enough: Enough) -> bool:
        """Go on with a walk to its floor; False if enough was read before."""
        first = _FIRST_LOOK if floor and after is None else connection.largest
        first = max(1, min(first, self._totals.get(connection.kind, first)))  # a page costs what it could hold
        size = PageSize(first, connection.largest)
        while True:
            page = self._page(connection, walk, after, size.now)
            if page is None:
                size.failed()
                continue
            size.went_well()
            self._say(connection)
            facts = page.facts
            if not facts["more"] or (floor and facts["oldest"] < floor):
                return True
            if enough(self._nodes(connection, page)):
                return False
            after = facts["end"]

    def _page(self, connection: Connection, walk: int, after: str | None, size: int) -> RawPage | None:
        """The next page, kept; None where a smaller one may do better. What fails alone is kept as it came."""
        variables = {**self._names, "first": size, "after": after}
        try:
            answer = self._client.graphql(
                connection.query, variables, estimate=connection.points(size), tries=_tries(size)
            )
        except TooLargeError as error:
            if size > 1:
                return None
            raise self._hopeless(f"a single one of its {connection.field}", error) from error
        found = self._repository(answer)[connection.field]
        failures = _failures(answer, found["nodes"])
        if failures and size > 1:
            return None
        updated = [node["updatedAt"] for node in found["nodes"] if node]
        facts = {
            "walk": walk,
            "after": after,
            "end": found["pageInfo"]["endCursor"],
            "more": found["pageInfo"]["hasNextPage"],
            "newest": max(updated, default=""),
            "oldest": min(updated, default=""),
            "failures": failures,
        }
        return self._raw.add(connection.kind, facts, answer.body, answer.cost)

    def _say(self, connection: Connection) -> None:
        """How far it is, now and then."""
        if time.monotonic() - self._said >= _SILENCE:
            self._said = time.monotonic()
            pages = len(self._raw.pages(connection.kind))
            message = "%s: %d pages of its %s are read, for %d points in all"
            _log.info(message, self._repo, pages, connection.title, self._raw.points())

    def _nodes(self, connection: Connection, page: RawPage) -> list[Mapping[str, Any]]:
        found = self._raw.body(page)["data"]["repository"][connection.field]["nodes"]
        return [node for node in found if node]

    def _batches(self, kind: str, query: Callable[[Iterable[int]], str], numbers: Sequence[int], largest: int) -> None:
        _in_batches(numbers, largest, lambda batch: self._batch(kind, query, batch))

    def _batch(self, kind: str, query: Callable[[Iterable[int]], str], batch: Sequence[int]) -> bool:
        """Read and keep; False where a smaller batch may do better. What fails alone is kept as it came."""
        try:
            answer = self._client.graphql(query(batch), self._names, estimate=2, tries=_tries(len(batch)))
        except TooLargeError as error:
            if len(batch) > 1:
                return False
            raise self._hopeless(f"number {batch[0]} alone", error) from error
        failures = _failures(answer)
        if failures and len(batch) > 1:
            return False
        updated = [node["updatedAt"] for node in self._repository(answer).values() if _is_dated(node)]
        newest = max(updated, default="") if kind == "named" else seen_until(self._raw)
        facts = {"numbers": list(batch), "newest": newest, "failures": failures}
        self._raw.add(kind, facts, answer.body, answer.cost)
        return True

    def _more(self, connection: str, batch: Sequence[Place]) -> bool:
        """As `_batch`; what fails alone is asked again before it is kept."""
        for _ in range(1 if len(batch) > 1 else TRIES):
            try:
                answer = self._client.graphql(queries.more(connection, batch), {}, tries=_tries(len(batch)))
            except TooLargeError as error:
                if len(batch) > 1:
                    return False
                raise self._hopeless(f"the rest of {connection}", error) from error
            found = [(answer.data.get(f"m{position}") or {}).get("more") for position in range(len(batch))]
            failures = _failures(
                answer, [node for more in found for node in (more or {"nodes": [None]})["nodes"] or ()]
            )
            if not failures:
                break
        if failures and len(batch) > 1:
            return False
        if not found[0]:
            raise InfrastructureError(f"{self._repo}: the rest of {connection} is not to be had: {_said(answer)}")
        facts = {"places": [list(place) for place in batch], "failures": failures}
        self._raw.add(connection, facts, answer.body, answer.cost)
        return True

    def _repository(self, answer: Answer) -> dict[str, Any]:
        found = answer.data.get("repository")
        if found is None:
            hint = "A private repository needs a token that may read it."
            if not answer.errors or any(error.get("type") == "NOT_FOUND" for error in answer.errors):
                raise UnknownNameError("repository", self._repo, (), hint=hint)
            raise InfrastructureError(f"{self._repo} cannot be read: {_said(answer)}", hint=hint)
        whole: dict[str, Any] = found
        return whole

    def _hopeless(self, part: str, error: TooLargeError) -> InfrastructureError:
        message = f"{self._repo}: the service cannot answer for {part}: {error}"
        return InfrastructureError(message, hint="The same command goes on from there.")


def _in_batches(items: Sequence[Item], largest: int, attempt: Callable[[Sequence[Item]], bool]) -> None:
    """Work through items; a batch that fails is tried again with fewer."""
    size, done = PageSize(largest, largest), 0
    while done < len(items):
        batch = items[done : done + size.now]
        if attempt(batch):
            size.went_well()
            done += len(batch)
        else:
            size.failed()


def _tries(size: int) -> int:
    """How often what runs out of time is tried again before less is asked for, where that is possible."""
    return _TRIES_OF_MANY if size > 1 else TRIES


def _is_dated(node: Any) -> bool:
    return isinstance(node, dict) and "updatedAt" in node


def _failures(answer: Answer, nodes: Sequence[Any] = ()) -> list[str]:
    """What is missing from an answer and may come when it is asked for again."""
    said = [str(error.get("message", error)) for error in answer.errors if error.get("type") not in _FINAL]
    return said or [f"{sum(node is None for node in nodes)} came as null"] * any(node is None for node in nodes)


def _said(answer: Answer) -> str:
    return "; ".join(str(error.get("message", error)) for error in answer.errors) or "no reason given"
