"""What each command of the command line does, with the steps it needs before it. Shows nothing; returns values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from builder import contents, jobs, layer_sizes, plugins, pruning
from builder.errors import (
    IncompleteHarvestError,
    UnknownNameError,
    UsageError,
)
from builder.jobs import Prepared, ValidationRecord, ValidationRules
from builder.layer_sizes import Sizes
from builder.models import Environment, TaskInstance, ValidationReport
from builder.pipeline import Summary
from builder.protocols import Leftovers
from builder.pruning import Pruned
from builder.session import Session
from builder.settings import Settings
from builder.store import (
    CANDIDATE,
    DONE,
    ENVIRONMENT,
    IMAGE,
    PULL_REQUEST,
    REJECTED,
    STEPS,
    UPLOAD,
    VALIDATION,
    Attempt,
    Store,
)

if TYPE_CHECKING:
    from builder import rows
    from builder.figures import Funnel
    from builder.publish import Push
    from builder.rows import Row
    from builder.templating import Templates


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
    """An instance that is a task, with what it was validated in.

    `image` is the reference of just that image in a registry, if it was uploaded.
    """

    instance: TaskInstance
    environment: Environment
    report: ValidationReport
    image: str
    platform: str


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
    outcome = plan(session, instances)
    outcome.summaries.append(jobs.build_images(session, prepared(session.store, instances)))
    return outcome


def write_contexts(session: Session, instances: Sequence[TaskInstance], directory: Path) -> dict[str, Path]:
    """Write what `docker build` needs to build the images of candidates with an environment; a directory each."""
    from builder import dockerfiles
    from builder.templating import Templates

    found = prepared(session.store, instances)
    images = (jobs.recipes(session, one).instance for one in found)
    templates = Templates(session.settings.templates_dir)
    base = session.settings.base if session.settings.runtime == "docker" else ""  # Else it is a directory.
    written = dockerfiles.write(images, directory, templates, system=base or dockerfiles.SYSTEM_IMAGE)
    return dict(zip((one.instance.instance_id for one in found), written, strict=True))


def plan(session: Session, instances: Sequence[TaskInstance]) -> Outcome:
    """Plan the environments of candidates."""
    contents.complete(instance.git_dir for instance in _without_environment(session.store, instances))
    return Outcome([jobs.plan_environments(session, instances)])


def _without_environment(store: Store, instances: Iterable[TaskInstance]) -> Iterator[TaskInstance]:
    return (instance for instance in instances if store.result(ENVIRONMENT, instance.instance_id) is None)


def validate(session: Session, instances: Sequence[TaskInstance], rules: ValidationRules) -> Outcome:
    """Validate candidates; environments and layers that are missing are made first."""
    outcome = build_images(session, instances)
    outcome.summaries.append(jobs.validate_instances(session, built(session.store, instances), rules))
    return outcome


def upload(session: Session, instances: Sequence[TaskInstance], target: str) -> Outcome:
    """Build images and upload them below `target`, REGISTRY/NAMESPACE. Raises UsageError before anything is built."""
    from builder import registry, uploads

    place = registry.require_target(target)
    outcome = build_images(session, instances)
    outcome.summaries.append(uploads.upload_images(session, built(session.store, instances), place))
    return outcome


@dataclass(frozen=True)
class Measured:
    """What images weigh where they are built, and, compressed, those that are in a registry."""

    built: Sizes
    uploaded: Sizes


def sizes(session: Session, instances: Sequence[TaskInstance]) -> Measured:
    """Weigh the built images, and those that were uploaded by their manifests."""
    from builder import uploads

    images = built(session.store, instances)
    layers = ((one, session.runtime.layers(jobs.recipes(session, one).instance)) for one, _ in images)
    here = {one.instance.instance_id: found for one, found in layers if found}
    there = uploads.uploaded_layers(session, list(here))
    return Measured(layer_sizes.measure(here), layer_sizes.measure(there))


def push(settings: Settings, store: Store, target: str, splits: Sequence[str], *, dry_run: bool) -> Push:
    """Publish the workspace's data set to `dir:PATH`. Raises UsageError, DiskFullError, WorkspaceError."""
    from builder import publish, rows
    from builder.templating import Templates

    kind, _, place = target.partition(":")
    if kind != "dir" or not place:
        raise UsageError(f"{target!r} is not a target for push", hint="Write dir:PATH, for instance dir:./dataset.")
    templates = Templates(settings.templates_dir)
    verdicts = (_verdict(one, templates) for one in validated(store))
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
    report = ValidationRecord.from_json(validation).report
    image, upload = (store.result(step, instance_id) for step in (IMAGE, UPLOAD))
    uploaded = jobs.UploadRecord.from_json(upload.value) if upload and upload.value else None
    return Validated(
        TaskInstance.from_json(candidate),
        Environment.from_json(environment),
        report,
        uploaded.reference if uploaded and uploaded.image == report.image else "",
        jobs.ImageRecord.from_json(image.value).platform if image and image.value else "",
    )


def clean(session: Session) -> Leftovers:
    """Remove what killed runs left in the workspace."""
    return session.runtime.clean()


def remove_layers(session: Session) -> int:
    """Remove everything that the runtime can build or download again; returns the bytes that were freed."""
    return session.runtime.purge()


def prune(session: Session, budget: int) -> Pruned:
    """Remove the oldest images until the others fit `budget` bytes; those of candidates without a verdict stay."""
    store = session.store
    candidates = prepared(store, select(session, (), ()))
    waiting = [one for one in candidates if store.digest(VALIDATION, one.instance.instance_id) is None]
    needed = {jobs.recipes(session, one).instance.digest for one in waiting}
    stored = session.runtime.stored()
    chosen = pruning.removable(stored, needed, budget)
    session.runtime.remove(chosen)
    gone = set(chosen)
    freed = sum(image.bytes for image in stored if image.digest in gone)
    kept = sum(image.bytes for image in stored) - freed
    return Pruned(len(chosen), freed, kept, max(0, kept - budget))


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
    from builder import rows
    from builder.templating import Templates

    one = validated_instance(store, instance_id)
    if one:
        return rows.validated_row(_verdict(one, Templates(settings.templates_dir)))
    candidate = store.result(CANDIDATE, instance_id)
    if candidate and candidate.outcome == DONE and candidate.value:
        return rows.candidate_row(TaskInstance.from_json(candidate.value))
    return None


def _verdict(one: Validated, templates: Templates) -> rows.Validation:
    from builder import publish

    return publish.validation(
        one.instance, one.environment, one.report, templates, image=one.image, platform=one.platform
    )


def prepared(store: Store, instances: Iterable[TaskInstance]) -> list[Prepared]:
    """The candidates that have an environment, with it."""
    found = []
    for instance in instances:
        result = store.result(ENVIRONMENT, instance.instance_id)
        if result and result.outcome == DONE and result.value:
            found.append(Prepared(instance, Environment.from_json(result.value)))
    return found


def built(store: Store, instances: Iterable[TaskInstance]) -> list[tuple[Prepared, str]]:
    """The candidates that have an image, with its digest."""
    found = []
    for one in prepared(store, instances):
        result = store.result(IMAGE, one.instance.instance_id)
        if result and result.value:
            found.append((one, jobs.ImageRecord.from_json(result.value).image))
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
