"""Harvests of a generated repository from its service on the loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from github_server import Server, Text, Truth, World

from builder.errors import IncompleteHarvestError
from builder.models import Issue, PullRequest
from builder.protocols import Access, HarvestRequest
from builder.sources.github import GithubSource

REPO = "octo/sums"


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now

    def __call__(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def request_to(server: Server, place: Path, *, repo: str = REPO, **given: Any) -> HarvestRequest:
    access = {name: given.pop(name) for name in ("max_points", "token_file") if name in given}
    clone_url = given.pop("clone_url", f"{server.url}/{{repo}}.git")
    reached = Access(api_url=server.url, clone_url=clone_url, **access)
    return HarvestRequest(repo, place / "work", place / "raw", access=reached, **given)


def harvest(request: HarvestRequest, clock: Clock | None = None) -> dict[int, PullRequest]:
    """All records, by number."""
    return {each.number: each for each in GithubSource(clock or Clock()).pull_requests(request)}


def incomplete(request: HarvestRequest, clock: Clock | None = None) -> tuple[dict[int, PullRequest], tuple[str, ...]]:
    """The records, and what the harvest says is missing."""
    found: dict[int, PullRequest] = {}
    try:
        for each in GithubSource(clock or Clock()).pull_requests(request):
            found[each.number] = each
    except IncompleteHarvestError as error:
        return found, error.problems
    return found, ()


def told_as(truth: Truth) -> dict[str, Any]:
    """What a record must say, but for texts."""
    return {
        "base_commit": truth.base_commit,
        "merge_commit": truth.merge_commit,
        "how_merged": truth.how_merged,
        "head_sha": truth.head,
        "commits": truth.commits,
        "links": {number: set(sources) for number, sources in truth.links.items()},
        "statements": truth.statements,
    }


def told_by(record: PullRequest) -> dict[str, Any]:
    """The same of a record."""
    links: dict[int, set[str]] = {}
    for link in record.links:
        links.setdefault(link.number, set()).add(link.source)
    return {
        "base_commit": record.base_commit,
        "merge_commit": record.merge_commit,
        "how_merged": record.how_merged,
        "head_sha": record.head_sha,
        "commits": tuple(commit.sha for commit in record.commits),
        "links": links,
        "statements": {issue.number: _text(issue) for issue in record.issues},
    }


def alike(one: dict[int, PullRequest], other: dict[int, PullRequest]) -> bool:
    """Whether two harvests found the same, each in a clone of its own."""
    return {n: r.model_copy(update={"git_dir": ""}) for n, r in one.items()} == {
        n: r.model_copy(update={"git_dir": ""}) for n, r in other.items()
    }


def moments_of(world: World) -> tuple[int, int]:
    """Two moments of a world's first repository: when most of it was there, and its end."""
    repository = world.repositories[0]
    number = repository.merged()[-12]
    return repository.fate(number).merged, world.now


def _text(issue: Issue) -> Text | None:
    return Text(issue.title, issue.body) if issue.body_as_of else None
