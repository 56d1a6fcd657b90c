"""What each command of the command line does, with the steps it needs before it. Shows nothing; returns values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from builder import contents, jobs, plugins
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
from builder.jobs import Prepared, ValidationRecord, ValidationRules
from builder.models import Environment, PullRequest, TaskInstance, ValidationReport
from builder.pipeline import Summary, record_found
from builder.protocols import Access, HarvestRequest, Leftovers, Source
from builder.rawpages import manifest_path
from builder.session import Session
from builder.settings import Settings
from builder.store import CANDIDATE, DONE, ENVIRONMENT, IMAGE, PULL_REQUEST, REJECTED, STEPS, VALIDATION, Attempt, Store

if TYPE_CHECKING:
    from builder.figures import Funnel
    from builder.publish import Push
    from builder.repositories import Chosen, Criteria
    from builder.rows import Row
    from builder.sources._github_estimate import Estimate

PYPI_OWNER = "pypi/"


@dataclass
class Outcome:
    """What a command did: the summaries of its steps, in order, what a source could not deliver, what it was charged.

    `points` are a hosting service's, by repository.
    """

    summaries: list[Summary] = field(default_factory=list)
    incomplete: list[IncompleteHarvestError] = field(default_factory=list)
    points: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether something should be tried again."""
        return bool(self.errors or self.incomplete)

    @property
    def errors(self) -> list[Attempt]:
        """The attempts that failed for no fault of their item."""
        return [attempt for summary in self.summaries for attempt in summary.errors]


@dataclass(frozen=True)
class Validated:
    """An instance that is a task, with what it was validated in."""

    instance: TaskInstance
    environment: Environment
    report: ValidationReport


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


def select(session: Session, repos: Sequence[str], ids: Sequence[str]) -> list[TaskInstance]:
    """The candidates of the workspace that are meant: all, or those of some repositories, or some ids.

    Raises UnknownNameError with the nearest name.
    """
    known = {count.repo for count in session.store.counts()} if repos else set()
    for repo in repos:
        if repo not in known:
            raise UnknownNameError("repository", repo, known, hint="`builder harvest` makes a repository known.")
    if not ids:
        stored = [one for repo in repos or ("",) for one in session.store.results(CANDIDATE, repo=repo)]
        return [TaskInstance.from_json(one.value) for one in stored if one.outcome == DONE and one.value]
    return [_candidate(session.store, instance_id) for instance_id in ids]


def build_images(session: Session, instances: Sequence[TaskInstance]) -> Outcome:
    """Plan the environments of candidates and build their layers."""
    contents.complete(instance.git_dir for instance in _without_environment(session.store, instances))
    outcome = Outcome([jobs.plan_environments(session, instances)])
    outcome.summaries.append(jobs.build_images(session, prepared(session.store, instances)))
    return outcome


def _without_environment(store: Store, instances: Iterable[TaskInstance]) -> Iterator[TaskInstance]:
    return (instance for instance in instances if store.result(ENVIRONMENT, instance.instance_id) is None)


def validate(session: Session, instances: Sequence[TaskInstance], rules: ValidationRules) -> Outcome:
    """Validate candidates; environments and layers that are missing are made first."""
    outcome = build_images(session, instances)
    built = []
    for one in prepared(session.store, instances):
        result = session.store.result(IMAGE, one.instance.instance_id)
        if result and result.value:
            built.append((one, jobs.ImageRecord.from_json(result.value).image))
    outcome.summaries.append(jobs.validate_instances(session, built, rules))
    return outcome


def push(settings: Settings, store: Store, target: str, splits: Sequence[str], *, dry_run: bool) -> Push:
    """Publish the workspace's data set to `dir:PATH`. Raises UsageError, DiskFullError, WorkspaceError."""
    from builder import publish, rows
    from builder.templating import Templates

    kind, _, place = target.partition(":")
    if kind != "dir" or not place:
        raise UsageError(f"{target!r} is not a target for push", hint="Write dir:PATH, for instance dir:./dataset.")
    templates = Templates(settings.templates_dir)
    verdicts = (publish.validation(one.instance, one.environment, one.report, templates) for one in validated(store))
    published = rows.build_rows(_records(store, CANDIDATE, TaskInstance), verdicts)
    chosen = (row for row in published if not splits or row.split in splits)
    data = publish.DataSet(chosen, funnel(store), Path(place).resolve().name)
    if dry_run:
        return publish.preview_directory(data, Path(place), templates)
    return publish.push_directory(data, Path(place), templates)


def export(store: Store, kind: str, directory: Path) -> int:
    """Write the validated instances in another form; returns how many. Raises UnknownNameError."""
    exporter = plugins.load("exports", kind).create()
    entries = ((one.instance, one.environment, one.report) for one in validated(store))
    return int(exporter.write(directory, entries))


def validated(store: Store) -> Iterator[Validated]:
    """Every instance that is a task, by `instance_id`."""
    for instance_id in store.items(VALIDATION):
        one = validated_instance(store, instance_id)
        if one:
            yield one


def validated_instance(store: Store, instance_id: str) -> Validated | None:
    """The instance if it is a task."""
    found = [store.result(step, instance_id) for step in (CANDIDATE, ENVIRONMENT, VALIDATION)]
    candidate, environment, validation = (one.value if one and one.outcome == DONE else None for one in found)
    if not (candidate and environment and validation):
        return None
    return Validated(
        TaskInstance.from_json(candidate),
        Environment.from_json(environment),
        ValidationRecord.from_json(validation).report,
    )


def clean(session: Session) -> Leftovers:
    """Remove what killed runs left in the workspace."""
    return session.runtime.clean()


def remove_layers(session: Session) -> int:
    """Remove everything that the runtime can build or download again; returns the bytes that were freed."""
    return session.runtime.purge()


def funnel(store: Store) -> Funnel:
    """How many changes came through each stage, and why the others did not."""
    from builder.figures import Funnel

    done = dict.fromkeys(STEPS, 0)
    lost: dict[str, dict[str, int]] = {step: {} for step in STEPS}
    for count in store.counts():
        if count.outcome == DONE:
            done[count.step] += count.number
        elif count.outcome == REJECTED:
            lost[count.step][count.reason] = lost[count.step].get(count.reason, 0) + count.number
    not_built = dict(lost[ENVIRONMENT])
    for reason, number in lost[IMAGE].items():
        not_built[reason] = not_built.get(reason, 0) + number
    return Funnel(
        pull_requests=done[PULL_REQUEST],
        candidates=done[CANDIDATE],
        built=done[IMAGE],
        validated=done[VALIDATION],
        not_candidates=lost[CANDIDATE],
        not_built=not_built,
        not_validated=lost[VALIDATION],
    )


def published_row(settings: Settings, store: Store, instance_id: str) -> Row | None:
    """The row of a validated instance, else of a candidate, else None."""
    from builder import publish, rows
    from builder.templating import Templates

    one = validated_instance(store, instance_id)
    if one:
        templates = Templates(settings.templates_dir)
        return rows.validated_row(publish.validation(one.instance, one.environment, one.report, templates))
    candidate = store.result(CANDIDATE, instance_id)
    if candidate and candidate.outcome == DONE and candidate.value:
        return rows.candidate_row(TaskInstance.from_json(candidate.value))
    return None


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
    if repo.startswith(PYPI_OWNER):
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


def prepared(store: Store, instances: Iterable[TaskInstance]) -> list[Prepared]:
    """The candidates that have an environment, with it."""
    found = []
    for instance in instances:
        result = store.result(ENVIRONMENT, instance.instance_id)
        if result and result.outcome == DONE and result.value:
            found.append(Prepared(instance, Environment.from_json(result.value)))
    return found


def _candidate(store: Store, instance_id: str) -> TaskInstance:
    result = store.result(CANDIDATE, instance_id)
    if result is None:
        raise UnknownNameError("instance", instance_id, store.items(CANDIDATE))
    if result.outcome != DONE or not result.value:
        raise UsageError(f"{instance_id} is not a candidate: {result.reason}", hint=result.detail)
    return TaskInstance.from_json(result.value)


def _records(store: Store, step: str, kind: type[TaskInstance]) -> Iterator[TaskInstance]:
    return (kind.from_json(one.value) for one in store.results(step, outcome=DONE) if one.value)
