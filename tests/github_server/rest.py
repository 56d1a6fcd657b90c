"""REST, as far as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from github_server.world import World


@dataclass(frozen=True)
class Found:
    """An answer of a route; `body` is None for an error, which `message` names."""

    route: str
    status: int
    body: dict[str, Any] | list[Any] | bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


class Rest:
    """Answers GET requests on one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def respond(self, path: str, parameters: Mapping[str, str], *, private: bool) -> Found:
        return Found("unknown", 404, None, message="Not Found")
