"""One pass over an archive, for all wanted repositories at once, into the spool."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from builder.sources._archive_events import Event, parse
from builder.sources._archive_files import ArchiveFile, DamagedError, archive_files, lines
from builder.sources._archive_filter import Filter, objects
from builder.sources._archive_spool import Spool
from builder.sources._history import moment

_QUIET = 90 * 86400  # seconds
_log = logging.getLogger(__name__)


class ArchivePass:
    """Reads what was not read before. Newest hours first: a wanted name is mostly today's, and what had it first is
    then known by its id, so that its former names are recognised in older hours.

    `problems` names the damaged files, of which the whole part counts, and events that cannot be read.
    """

    def __init__(self, directory: Path, spool: Spool) -> None:
        self.problems: list[str] = []
        self.files = 0
        self.events = 0
        self._directory = directory
        self._spool = spool

    def run(self, names: Collection[str]) -> None:
        """Raises SettingsError for a directory without hours, WorkspaceError, DiskFullError."""
        offered = archive_files(self._directory)
        self._spool.want(names)
        wanted = {key for name in names if (key := self._spool.key_of(name)) is not None}
        read_for = self._spool.read_for()
        for file in offered:
            lacking = wanted - read_for.get((file.name, file.size), set())
            if lacking:
                self._read(file, lacking)
        self._warn_of_silence(names, offered[0])

    def _read(self, file: ArchiveFile, keys: set[int]) -> None:
        before = self.events
        with self._spool.transaction():
            try:
                self._keep(file, keys)
                self._spool.mark_read(file, keys)
            except DamagedError as error:
                self.problems.append(f"{file.path}: {error}")
        self.files += 1
        _log.info("%s: %d events", file.name, self.events - before)

    def _keep(self, file: ArchiveFile, keys: set[int]) -> None:
        known = self._spool.repositories()
        names = {repository.name: repository.key for repository in known if repository.key in keys}
        passing = Filter(names, {repository.id: repository.key for repository in known if repository.id is not None})
        for event in self._events(file, passing):
            key = passing.key_of(event.repo, event.repo_id)
            if key not in keys:
                continue
            if event.repo_id is not None and not passing.knows(event.repo_id):
                self._spool.identify(key, event.repo_id)
                passing.learn(key, event.repo_id)
            self._spool.add(key, event)
            self.events += 1

    def _events(self, file: ArchiveFile, passing: Filter) -> Iterator[Event]:
        for number, line in enumerate(lines(file.path), start=1):
            if passing.lets_through(line):
                try:
                    parsed = [parse(value) for value in objects(line)]
                except (ValueError, RecursionError) as error:
                    self.problems.append(f"{file.path}:{number}: {error}")
                else:
                    yield from (event for event in parsed if event is not None)

    def _warn_of_silence(self, names: Iterable[str], newest: ArchiveFile) -> None:
        """A name that events no longer have may be a former one; what followed is under a name that was not wanted."""
        for name in names:
            key = self._spool.key_of(name)
            last = self._spool.last_seen(key) if key is not None else None
            if last is not None and newest.begins_at - last > _QUIET:
                _log.warning("%s: no event since %s; is it called otherwise now?", name, moment(last).date())
