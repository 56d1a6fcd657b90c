"""Contents for mirrors of our own, fetched before a step needs them: a few requests instead of one for every file."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from builder.candidates import may_be_linked
from builder.licenses import LICENSE_FILES
from builder.mirrors import Mirror
from builder.models import PullRequest, Sha
from builder.session import Session
from builder.versions import version_paths

_log = logging.getLogger(__name__)


def fetch_changes(session: Session, pulls: Iterable[PullRequest]) -> None:
    """What making candidates of pull requests mostly reads. Other clones than our mirrors are left alone.

    Raises RepositoryError, NetworkMissingError, DiskFullError.
    """
    wanted: dict[tuple[str, str], list[tuple[Sha, Sha]]] = defaultdict(list)
    for pull in pulls:
        if may_be_linked(pull, session.config(pull.repo)):
            wanted[pull.git_dir, pull.repo].append((pull.base_commit, pull.merge_commit))
    for (git_dir, repo), changes in wanted.items():
        mirror = Mirror.at(Path(git_dir), os.environ)
        if mirror is not None:
            paths = version_paths(session.config(repo).version, repo)
            number = mirror.fetch_changes(changes, (*LICENSE_FILES, *paths))
            _log.info("%s: %d contents fetched for %d changes", repo, number, len(changes))


def complete(git_dirs: Iterable[str]) -> bool:
    """Make full clones of our mirrors; returns whether there was any.

    Raises RepositoryError, NetworkMissingError, DiskFullError.
    """
    mirrors = [Mirror.at(Path(git_dir), os.environ) for git_dir in dict.fromkeys(git_dirs)]
    for mirror in filter(None, mirrors):
        mirror.complete()
    return any(mirrors)
