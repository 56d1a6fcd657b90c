"""Public event archives: merged pull requests, issues and comments without a hosting service, its quota or a token.

First one pass over the archive for all repositories of a command, which keeps what it says of them in a spool; then,
for each repository, records from the spool and from a clone. What was read is not read again: a later harvest reads
new hours only, and, of hours that were read, those of repositories that were not wanted then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from builder.errors import IncompleteHarvestError, UsageError
from builder.models import PullRequest
from builder.protocols import HarvestRequest
from builder.selection import Selection
from builder.sources._archive_events import Kind
from builder.sources._archive_pass import ArchivePass
from builder.sources._archive_pulls import PullMaker
from builder.sources._archive_spool import Spool
from builder.sources._clones import open_clone
from builder.sources._history import Clone, moment


class GharchiveSource:
    """Implements `protocols.Source`. One object serves a command: it reads the archive for the first repository."""

    name = "gharchive"

    def __init__(self) -> None:
        self._read: set[tuple[Path, Path, str]] = set()

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]:
        """Last merged first. A merge is a pull request of which any event says so.

        Raises UsageError without an archive or a clone, SettingsError for an archive without hours, RepositoryError,
        UnknownNameError for a wanted number that no merged pull request has, WorkspaceError, DiskFullError.
        Damaged archive files (once, with the first repository), merges that the clone does not have, and a repository
        that the archive does not mention are named by IncompleteHarvestError after the rest.
        """
        selection = Selection.of(request)
        path = spool_path(request.raw_dir)
        if request.replay and not path.exists():
            raise UsageError(f"there is nothing to replay in {path}", hint="Harvest once without --replay.")
        with Spool(path) as spool:
            problems = [] if request.replay else self._pass(request, spool)
            key = spool.key_of(request.repo)
            if key is None or spool.last_seen(key) is None:
                problems.append(f"{request.repo}: the archive does not mention it")
            else:
                yield from self._records(request, selection, spool, key, problems)
        if problems:
            raise IncompleteHarvestError(problems)

    def _pass(self, request: HarvestRequest, spool: Spool) -> list[str]:
        """Read the archive, unless it was for another repository of the same command; returns what is wrong with it."""
        if request.archive_dir is None:
            hint = "Name a directory of hourly files with --archive-dir."
            raise UsageError(f"{request.repo}: the gharchive source needs an archive", hint=hint)
        names = {request.repo, *request.together}
        if all((request.archive_dir, spool.path, name) in self._read for name in names):
            return []
        archive = ArchivePass(request.archive_dir, spool)
        archive.run(names)
        self._read.update((request.archive_dir, spool.path, name) for name in names)
        return archive.problems

    def _records(
        self, request: HarvestRequest, selection: Selection, spool: Spool, key: int, problems: list[str]
    ) -> Iterator[PullRequest]:
        if selection.pulls:
            merged = {number for number, _ in spool.merges(key)}
            selection.check(merged, set(spool.numbers(key, Kind.PULL)))
        wanted = [(number, at) for number, at in spool.merges(key) if selection.admits(number, moment(at))]
        clone = open_clone(request)
        clone.fetch_pulls(number for number, _ in wanted)
        maker = PullMaker(request.repo, spool, key, Clone(clone.path))
        yield from maker.records(wanted)
        problems += maker.problems


def create() -> GharchiveSource:
    return GharchiveSource()


def spool_path(raw_dir: Path) -> Path:
    """Where the spool is: one for all repositories."""
    return raw_dir / GharchiveSource.name / "spool.db"
