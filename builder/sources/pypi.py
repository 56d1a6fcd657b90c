"""Two consecutive releases of a project whose sdists ship tests: a task without GitHub.

The repository is named `pypi/<project>`. A release takes the place of a pull request: its number is its upload time
in Unix seconds, which no later upload, deletion or partial mirror can change, and its `instance_id` is
`pypi__<project>-<version>`. Its history is one bare repository below the work directory with two commits for each
pair, the older release and the newer one on it; commits depend on the pair alone, never on what else was harvested.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from builder.errors import UsageError
from builder.fastimport import NewCommit, write_commits
from builder.models import PullRequest
from builder.protocols import HarvestRequest
from builder.selection import Selection
from builder.sources._changelog import added_entry
from builder.sources._package_index import PackageIndex, Release
from builder.sources._sdist import Tree, carried_over, read_tree, ships_tests, without_generated

OWNER = "pypi"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """A release, and the one that it improves on."""

    old: Release
    new: Release

    @property
    def number(self) -> int:
        return int(self.new.uploaded_at.timestamp())


class PypiSource:
    """Implements `protocols.Source`."""

    name = "pypi"

    def __init__(self, index: PackageIndex) -> None:
        self._index = index

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]:
        """Pairs of which both sdists ship tests, newest first; a pair is downloaded when it is asked for.

        Raises UsageError for a repository that is not `pypi/<project>` or a project that does not exist, and
        NetworkMissingError, InfrastructureError, SettingsError as `PackageIndex` does.
        """
        project = project_of(request.repo)
        selection = Selection.of(request)
        pairs = consecutive(self._index.releases(project))
        selection.check(pair.number for pair in pairs)
        for pair in reversed(pairs):
            if not selection.admits(pair.number, pair.new.uploaded_at):
                continue
            if request.releases and str(pair.new.version) not in request.releases:
                continue
            pull_request = self._pull_request(request, pair)
            if pull_request:
                yield pull_request

    def _pull_request(self, request: HarvestRequest, pair: Pair) -> PullRequest | None:
        downloads = request.work_dir / "sdists"
        old = without_generated(read_tree(self._index.download(pair.old, downloads)))
        new = without_generated(read_tree(self._index.download(pair.new, downloads)))
        if not (ships_tests(old) and ships_tests(new)):
            _log.info("%s %s: no tests in the sdist", pair.new.project, pair.new.version)
            return None
        git_dir = request.work_dir / "histories" / f"{OWNER}__{canonicalize_name(pair.new.project)}.git"
        return _record(request.repo, pair, git_dir, old, new)


def create(*, index: PackageIndex | None = None) -> PypiSource:
    """A source over `index`, by default the one that the process's environment configures for uv or pip.

    Raises SettingsError for an index that is no address.
    """
    return PypiSource(index or PackageIndex(os.environ))


def project_of(repo: str) -> str:
    """`pypi/tinydb` → `tinydb`. Raises UsageError for anything else."""
    owner, separator, project = repo.partition("/")
    if owner != OWNER or not separator or not project or "/" in project:
        raise UsageError(f"{repo!r} is not a project of the package index", hint="Write it as pypi/<project>.")
    return project


def consecutive(releases: list[Release]) -> list[Pair]:
    """Each release with the highest version below it that was uploaded before it, by upload time.

    A fix release of an older line is thus compared with its own line, not with the newest release of all.
    """
    pairs: list[Pair] = []
    for position, new in enumerate(releases):
        older = [old for old in releases[:position] if old.version < new.version]
        if older:
            pairs.append(Pair(max(older, key=lambda old: old.version), new))
    return pairs


def _record(repo: str, pair: Pair, git_dir: Path, old: Tree, new: Tree) -> PullRequest:
    base, merge = _write_history(git_dir, pair, old, new)
    project, version = pair.new.project, str(pair.new.version)
    entry = added_entry(old, new, version)
    fallback = f"{project} {version} follows {project} {pair.old.version}; its sdist ships no change log."
    return PullRequest(
        repo=repo,
        number=pair.number,
        title=f"{project} {version}",
        body=entry.text if entry else fallback,
        merged_at=pair.new.uploaded_at,
        created_at=pair.new.uploaded_at,
        base_commit=base,
        merge_commit=merge,
        source="pypi",
        how_merged="release",
        instance_id=f"{OWNER}__{canonicalize_name(project)}-{version}",
        version=str(pair.old.version),
        git_dir=str(git_dir),
    )


def _write_history(git_dir: Path, pair: Pair, old: Tree, new: Tree) -> tuple[str, str]:
    heads = (f"refs/pull/{pair.number}/head", "refs/heads/main")
    first = NewCommit(_message(pair.old), pair.old.uploaded_at, old)
    second = NewCommit(_message(pair.new), pair.new.uploaded_at, carried_over(old, new), (0,), heads)
    base, merge = write_commits(git_dir, [first, second])
    return base, merge


def _message(release: Release) -> str:
    return f"Release {release.version}\n\nContent of {release.filename}, sha256 {release.sha256}.\n"
