"""Choosing repositories, harvesting them, and making candidates of what was found. Shows nothing; returns values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder import contents, jobs, plugins
from builder.commands import Outcome
from builder.errors import (
    DiskFullError,
    IncompleteHarvestError,
    InfrastructureError,
    RepositoryError,
    UnknownNameError,
    UsageError,
    WorkspaceError,
)
from builder.facts import facts_path
from builder.models import PullRequest
from builder.pipeline import Summary, record_found
from builder.protocols import Access, HarvestRequest, Source
from builder.rawpages import manifest_path
from builder.session import Session
from builder.store import CANDIDATE, PULL_REQUEST, Store

if TYPE_CHECKING:
    from builder.repositories import Chosen, Criteria
    from builder.sources._github_estimate import Estimate

_PYPI_OWNER = "pypi/"


def choose_repositories(
    access: Access, criteria: Criteria, seart: Path | None, output: Path | None, limit: int | None
) -> Chosen:
    """Repositories that meet the criteria, ranked, from GitHub's search or from an export; written to a list.

    Raises SettingsError, TokenMissingError, NetworkMissingError, InfrastructureError, DiskFullError.
    """
    from builder import repositories
    from builder.seart import from_seart

    chosen = _searched(access, criteria) if seart is None else from_seart(seart, criteria)
    chosen.candidates = repositories.ranked(chosen.candidates)[:limit]
    if output is not None:
        repositories.write_list(output, chosen.candidates)
    return chosen


def named_repositories(repos: Sequence[str], listed: Path | None) -> tuple[str, ...]:
    """Those named and those of a list, once each. Raises UsageError if there are none, SettingsError for a bad list."""
    from builder.repositories import read_list

    named = tuple(dict.fromkeys([*repos, *(read_list(listed) if listed else ())]))
    if not named:
        raise UsageError("no repository is named", hint="Name one as OWNER/NAME, or a list with --repos FILE.")
    return named


def harvest(session: Session, repos: Sequence[str], source: str | None, request: HarvestRequest) -> Outcome:
    """Harvest repositories and make candidates of what is found; `request` says which part, not of which or where to.

    What a source yields before it breaks is kept. Of several repositories, one that cannot be harvested does not stop
    the others. Raises UsageError, RepositoryError, ServiceMissingError, InfrastructureError.
    """
    if len(repos) > 1 and (request.git_dir or request.index or request.pulls):
        raise UsageError(
            "--git-dir, --index and --pull go with one repository", hint="Call harvest once for each repository."
        )
    outcome = Outcome()
    request = replace(request, work_dir=session.work_dir, raw_dir=session.raw_dir, together=tuple(repos))
    sources: dict[str, Source] = {}  # one object of each for all repositories: they share its quota
    for repo in repos:
        name = source or _source_for(repo, request)
        if name not in sources:
            sources[name] = plugins.load("sources", name).create()
        try:
            _harvest_one(session, sources[name], replace(request, repo=repo))
        except IncompleteHarvestError as error:
            outcome.incomplete.append(error)
        except (UnknownNameError, RepositoryError, WorkspaceError, InfrastructureError) as error:
            if len(repos) == 1 or isinstance(error, DiskFullError):
                raise
            outcome.incomplete.append(IncompleteHarvestError([f"{repo}: {error.message}"], hint=error.hint))
        outcome.points[repo] = _points(manifest_path(request.raw_dir, name, repo))
        outcome.summaries.append(_make_candidates(session, repo, replay=request.replay))
    return outcome


def estimate(repos: Sequence[str], source: str | None, request: HarvestRequest) -> list[Estimate]:
    """What harvesting repositories from GitHub would cost, asked for a point or two.

    Raises UsageError where another source would be read, UnknownNameError, ServiceMissingError, InfrastructureError.
    """
    from builder.sources import github

    for repo in repos:
        if (source or _source_for(repo, request)) != github.GithubSource.name:
            raise UsageError(f"{repo}: only the github source costs something", hint="Leave out --dry-run.")
    return list(github.create().estimate(repos, request.access))


def _searched(access: Access, criteria: Criteria) -> Chosen:
    from builder.github_client import GithubClient
    from builder.repository_search import from_search
    from builder.tokens import find_tokens

    client = GithubClient(access, find_tokens(access, os.environ))
    try:
        return from_search(client, criteria)
    finally:
        client.close()


def _source_for(repo: str, request: HarvestRequest) -> str:
    if repo.startswith(_PYPI_OWNER):
        return "pypi"
    named = {"index": request.index, "gharchive": request.archive_dir, "git": request.git_dir}
    return next((source for source, given in named.items() if given), "github")


def _make_candidates(session: Session, repo: str, *, replay: bool) -> Summary:
    """With what they read fetched before. What was overlooked then is fetched by completing the clone, once."""
    if not replay:
        contents.fetch_changes(session, _without_candidate(session.store, repo))
    keys = [one.item for one in session.store.results(PULL_REQUEST, repo=repo)]
    summary = jobs.make_candidates(session, keys)
    lacking = [attempt.result.item for attempt in summary.errors if attempt.result.reason == RepositoryError.__name__]
    if lacking and not replay and contents.complete(_git_dirs(session.store, lacking)):
        return jobs.make_candidates(session, keys)
    return summary


def _without_candidate(store: Store, repo: str) -> Iterator[PullRequest]:
    for one in store.results(PULL_REQUEST, repo=repo):
        if one.value and store.result(CANDIDATE, one.item) is None:
            yield PullRequest.from_json(one.value)


def _git_dirs(store: Store, items: Iterable[str]) -> set[str]:
    found = (store.result(PULL_REQUEST, item) for item in items)
    return {PullRequest.from_json(one.value).git_dir for one in found if one and one.value}


def _points(manifest: Path) -> int:
    return int(json.loads(manifest.read_bytes())["points"]) if manifest.exists() else 0


def _harvest_one(session: Session, source: Source, request: HarvestRequest) -> None:
    from builder.harvest import harvest as harvested

    config = session.config(request.repo)  # a broken repo.yaml is said before anything is read
    request = replace(request, conventions=config.links)
    if source.name == "index" and request.index is None:
        request = replace(request, index=facts_path(session.settings.instances_dir, request.repo))
    pulls = (
        pull if pull.git_dir else pull.model_copy(update={"git_dir": str((request.git_dir or Path()).absolute())})
        for pull in harvested(request, source)
    )
    record_found(session.store, PULL_REQUEST, ((jobs.pull_request_id(pull), pull.repo, pull) for pull in pulls))
