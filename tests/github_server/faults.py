"""What goes wrong with a service, on purpose: at given requests, or at random with a seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """One failure of one request. The last three come inside an answer that is otherwise right."""

    BAD_GATEWAY = "bad_gateway"  # 502 with a page of HTML
    GATEWAY_TIMEOUT = "gateway_timeout"  # 504 with JSON
    SILENCE = "silence"  # the connection ends without an answer: what a client's own time-out comes down to
    CUT = "cut"  # the body ends in the middle
    MALFORMED = "malformed"  # a whole body that is no JSON
    WENT_WRONG = "went_wrong"  # 200, no data, "Something went wrong while executing your query"
    PRIMARY = "primary"  # the hour's points are used up
    SECONDARY = "secondary"  # 403 with retry-after
    SECONDARY_BARE = "secondary_bare"  # 403 without
    TOO_MANY_REQUESTS = "too_many_requests"  # 429 with retry-after
    NULL_NODES = "null_nodes"
    PARTIAL = "partial"  # a list that may be null is, and an error says so
    RESOURCE_LIMITS = "resource_limits"


WITHIN = (Fault.NULL_NODES, Fault.PARTIAL, Fault.RESOURCE_LIMITS)
_MESSAGES = {
    Fault.NULL_NODES: "Something went wrong while executing your query.",
    Fault.PARTIAL: "Something went wrong while executing your query. Please include `1A2B:3C4D` in a report.",
    Fault.RESOURCE_LIMITS: "Resource limits for this query exceeded.",
}


@dataclass
class Faults:
    """`at` says which request (from 1, of those with a valid token) fails how; any other fails with the probability
    `rate`, at most `in_a_row` times one after another. `expired` are tokens that are no longer taken. A GraphQL request
    for more than `most_nodes` nodes always runs into a time-out of the service.
    """

    at: Mapping[int, Fault] = field(default_factory=dict)
    rate: float = 0.0
    kinds: Sequence[Fault] = tuple(Fault)
    seed: int = 1
    in_a_row: int = 2
    expired: Collection[str] = ()
    most_nodes: int | None = None
    _run: int = 0

    def of(self, ordinal: int) -> Fault | None:
        """What goes wrong with the request of that number; asked once for each, in order."""
        planned = self.at.get(ordinal)
        draw = random.Random(f"{self.seed}:{ordinal}")
        if planned is None and self._run < self.in_a_row and draw.random() < self.rate:
            planned = draw.choice(list(self.kinds))
        self._run = self._run + 1 if planned else 0
        return planned


def spoilt(body: dict[str, Any], fault: Fault, seed: int) -> dict[str, Any]:
    """The answer with something missing, and the error beside it, where the schema lets anything be missing."""
    draw = random.Random(f"{seed}:{fault}")
    spots = [
        spot for spot in _spots(body.get("data"), ("data",)) if (spot[-1] == "nodes") == (fault is Fault.NULL_NODES)
    ]
    spots = spots or list(_spots(body.get("data"), ("data",)))
    if not spots:
        return body
    *path, name = draw.choice(spots)
    owner: Any = body
    for key in path:
        owner = owner[key]
    where: list[str | int] = [*path[1:], name]
    if name == "nodes":
        position = draw.randrange(len(owner[name]))
        owner[name][position] = None
        where.append(position)
    else:
        owner[name] = None
    kind = {"type": "RESOURCE_LIMITS_EXCEEDED"} if fault is Fault.RESOURCE_LIMITS else {}
    errors = [*body.get("errors", ()), {**kind, "path": where, "message": _MESSAGES[fault]}]
    return {**body, "errors": errors}


_NULLABLE = ("closingIssuesReferences", "files", "labels", "userContentEdits")


def _spots(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, ...]]:
    """Where something may be null: members of `nodes`, and some connections."""
    if isinstance(value, list):
        for position, each in enumerate(value):
            yield from _spots(each, (*path, position))
    elif isinstance(value, dict):
        for name, each in value.items():
            if (name == "nodes" and isinstance(each, list) and each) or (name in _NULLABLE and each):
                yield (*path, name)
            yield from _spots(each, (*path, name))
