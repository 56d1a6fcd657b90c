"""The generated service in a process of its own, so that its time and memory are not those of who asks it."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from github_server import Repository, Server

LATER = 0.02
"""Pull requests that are opened after the first harvest, as a share of those before."""
_UNLIMITED = 10**9


@dataclass(frozen=True)
class Asked:
    """What the service was asked, and the bytes it sent, headers included and nothing compressed.

    `rest` are requests that count against the limit of 5,000 an hour; `free` are pages of diffs, and requests for the
    limit itself.
    """

    points: int = 0
    graphql: int = 0
    rest: int = 0
    free: int = 0
    git: int = 0
    api_bytes: int = 0
    git_bytes: int = 0

    def since(self, before: Asked) -> Asked:
        names = self.__dataclass_fields__
        return Asked(**{name: getattr(self, name) - getattr(before, name) for name in names})


@dataclass(frozen=True)
class Merged:
    """Of a merged pull request: its base commit, and the issues it resolves with the sources that name them."""

    base_commit: str
    links: dict[int, frozenset[str]]


Truths = dict[str, dict[int, Merged]]


class Service:
    """The other side of the process. The world stands still at a moment until `forward`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url, self.token, self.repos = pipe.recv()

    def asked(self) -> Asked:
        asked: Asked = self._call("asked")
        return asked

    def closed(self) -> int:
        """Pull requests that are closed by now, merged or not, in all repositories."""
        closed: int = self._call("closed")
        return closed

    def truths(self) -> Truths:
        truths: Truths = self._call("truths")
        return truths

    def forward(self) -> None:
        """Let everything happen that happens later."""
        self._call("forward")

    def _call(self, name: str) -> Any:
        self._pipe.send(name)
        return self._pipe.recv()


@contextmanager
def generated(root: Path, pulls: int, repositories: int) -> Iterator[Service]:
    """`pulls` in all; generating takes a second for each thousand, and is not done again in the same directory."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, root, pulls // repositories, repositories), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Service(ours)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, root: Path, pulls: int, repositories: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from github_server import Shape, World, serve
    from github_server.fates import END, created_at
    from github_server.numbering import pull_number

    shape = Shape(pulls=pulls + int(pulls * LATER))
    world = World.generate(root, shape, repositories=repositories)
    world.at(created_at(shape, pull_number(pulls)) - 1)
    shown = world.repositories[:repositories]  # without the one that others name
    with serve(world, points=_UNLIMITED) as server:
        pipe.send((server.url, server.tokens[0], [repo.name for repo in shown]))
        answers: dict[str, Callable[[], object]] = {
            "asked": lambda: _asked(server),
            "closed": lambda: sum(len(repo.ordered("pulls", "CLOSED|MERGED", "created")) for repo in shown),
            "truths": lambda: _truths(shown),
            "forward": lambda: world.at(END),
        }
        try:
            while True:
                pipe.send(answers[pipe.recv()]())
        except EOFError:
            return


def _asked(server: Server) -> Asked:
    counts = server.counts
    free = counts.rest["diff page"] + counts.rest["rate limit"]
    rest, sent = counts.rest.total() - free, counts.sent
    return Asked(counts.points, counts.graphql, rest, free, counts.git, sent["api"], sent["git"])


def _truths(repositories: Sequence[Repository]) -> Truths:
    from github_server.truth import links_of

    return {
        repo.name: {
            number: Merged(repo.git.oids.of_mark(repo.git.merged_on[number]), links_of(repo.fate(number), repo.solver))
            for number in repo.merged()
        }
        for repo in repositories
    }
