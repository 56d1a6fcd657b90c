"""The clone that a source looks history up in: one that is named, or a mirror that we make of the repository."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from builder.errors import UsageError
from builder.gitremote import shown
from builder.mirrors import Mirror, clone_url_for, remote_for
from builder.models import Sha
from builder.protocols import HarvestRequest
from builder.repo_config import directory_name

_log = logging.getLogger(__name__)


class OpenClone:
    """`path` is the clone; what it lacks can be fetched if it is ours, and there is network."""

    def __init__(self, path: Path, mirror: Mirror | None) -> None:
        self.path = path
        self._mirror = mirror

    def fetch_commits(self, shas: Iterable[Sha]) -> None:
        """Those that no branch reaches, where the remote still has them."""
        if self._mirror is not None:
            self._mirror.fetch_commits(shas)

    def fetch_pulls(self, numbers: Iterable[int]) -> None:
        """The heads of pull requests, as far as the remote has them."""
        if self._mirror is not None:
            self._mirror.fetch_pulls(numbers)


def open_clone(request: HarvestRequest, name: str = "") -> OpenClone:
    """The clone that `request` names, else our mirror of the repository, brought up to date unless it is a replay.

    `name` is what the service calls the repository now. Raises UsageError for a replay without a clone,
    RepositoryError, NetworkMissingError, DiskFullError, WorkspaceError.
    """
    if request.git_dir is not None:
        return OpenClone(request.git_dir, None)
    path = request.work_dir / "clones" / f"{directory_name(request.repo)}.git"
    if request.replay:
        if Mirror.at(path, {}) is None:
            raise UsageError(f"{request.repo}: there is no clone to replay with in {path}", hint="Name one: --git-dir.")
        return OpenClone(path, None)
    url = clone_url_for(request.access, name or request.repo)
    _log.info("%s: bringing the clone of %s up to date", request.repo, shown(url))
    mirror = Mirror.open(path, remote_for(url, request.access, os.environ))
    return OpenClone(path, mirror)
