"""Connections: cursors, pages and counts, as the service cuts them.

Cursors name what was last seen, not a position, so they stay good while things move.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

Node = dict[str, Any]
Arguments = dict[str, Any]


class RefusedError(GraphQLError):
    """An error that the service answers with; `kind` is its `type`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Page:
    """Entries of an order, as they were asked for."""

    entries: list[int]
    has_next: bool
    has_previous: bool


def cut(order: Sequence[int], arguments: Arguments, *, descending: bool = False) -> Page:
    """A page of `order` (ascending, each entry once), read from its end if `descending`."""
    low, high = 0, len(order)
    after, before = _entry(arguments.get("after")), _entry(arguments.get("before"))
    if descending:
        after, before = before, after
    if after is not None:
        low = bisect_right(order, after)
    if before is not None:
        high = max(low, bisect_left(order, before))
    from_end = (arguments.get("first") is None) != descending
    size = min(high - low, int(arguments["last"] if arguments.get("first") is None else arguments["first"]))
    start, end = (high - size, high) if from_end else (low, low + size)
    entries = list(order[start:end])
    more_above, more_below = end < len(order), start > 0
    if descending:
        return Page(entries[::-1], more_below, more_above)
    return Page(entries, more_above, more_below)


def connection(
    order: Sequence[int], arguments: Arguments, make: Callable[[int], Node | None], *, descending: bool = False
) -> Node:
    """A connection's fields. Without `first` and `last`, only its count can be asked for (`cost` sees to that)."""

    def nodes(info: Any) -> list[Node | None]:
        return [make(entry) for entry in page.entries]

    def edges(info: Any) -> list[Node]:
        return [{"cursor": _cursor(entry), "node": make(entry)} for entry in page.entries]

    counted = arguments.get("first") is None and arguments.get("last") is None
    page = Page([], False, False) if counted else cut(order, arguments, descending=descending)
    return {
        "totalCount": len(order),
        "nodes": nodes,
        "edges": edges,
        "pageInfo": {
            "hasNextPage": page.has_next,
            "hasPreviousPage": page.has_previous,
            "startCursor": _cursor(page.entries[0]) if page.entries else None,
            "endCursor": _cursor(page.entries[-1]) if page.entries else None,
        },
    }


def listed(items: Sequence[Any], arguments: Arguments, make: Callable[[Any], Node | None]) -> Node:
    """A connection over things that only ever get more at the end."""
    return connection(range(len(items)), arguments, lambda position: make(items[position]))


def _cursor(entry: int) -> str:
    return base64.b64encode(f"cursor:v2:{entry}".encode()).decode()


def _entry(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("cursor:v2:"))
    except ValueError:
        message = f"`{cursor}` does not appear to be a valid cursor."
        raise RefusedError("INVALID_CURSOR_ARGUMENTS", message) from None
