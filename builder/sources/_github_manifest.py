"""What a harvest of one repository did, written beside its raw pages."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from builder import files
from builder.models import PullRequest
from builder.rawpages import RawPages, manifest_path
from builder.sources._github_pages import GithubPages
from builder.sources._github_pulls import PullMaker


@dataclass
class Manifest:
    """Requests and points are of the last harvest; `points_in_all` of all that the raw pages are from.

    `links` counts by source, `texts_as_of` issues by whether their words are those of the pull request's `creation` or
    may be `later` ones. `waiting` counts pull requests that were not fully read.
    """

    repo: str
    api_url: str
    name: str = ""
    license: str = ""
    requests: int = 0
    points: int = 0
    points_in_all: int = 0
    pull_requests: int = 0
    issues: int = 0
    waiting: int = 0
    links: dict[str, int] = field(default_factory=dict)
    texts_as_of: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, record: PullRequest) -> None:
        """Take a record into the figures."""
        self.pull_requests += 1
        self.issues += len(record.issues)
        for link in record.links:
            self.links[link.source] = self.links.get(link.source, 0) + 1
        for issue in record.issues:
            state = "later" if issue.body_as_of is None else "creation"
            self.texts_as_of[state] = self.texts_as_of.get(state, 0) + 1

    def finish(self, raw: RawPages, pages: GithubPages, maker: PullMaker) -> None:
        """Complete the figures."""
        self.name, self.license = pages.names[-1], pages.license
        self.points_in_all = raw.points()
        self.waiting = len(maker.waiting)
        self.problems += [*(f"{self.repo}: {failure}" for failure in pages.failures()), *maker.problems]
        if maker.waiting:
            self.problems.append(f"{self.repo}: {self.waiting} pull requests wait for what was not read yet")

    def write(self, raw_dir: Path) -> None:
        """Raises DiskFullError, WorkspaceError."""
        path = manifest_path(raw_dir, "github", self.repo)
        files.write_file(path, (json.dumps(asdict(self), indent=2) + "\n").encode("utf-8"))
