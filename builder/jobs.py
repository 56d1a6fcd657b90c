"""The steps as the pipeline runs them: what each takes, what its result depends on, what must come before it.

The names of the steps are the store's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builder import candidates, facts, images, platforms, validate
from builder.environments import Planner
from builder.errors import Rejected
from builder.models import Environment, PullRequest, Record, Sha, TaskInstance, TestRun, ValidationReport, digest_of
from builder.pipeline import Step, Summary
from builder.protocols import ImageSpec
from builder.recipes import Workshop, base_image, repository_image
from builder.session import Session
from builder.store import CANDIDATE, DONE, ENVIRONMENT, IMAGE, PULL_REQUEST, VALIDATION, put_artifact
from builder.templating import Templates

RULES_VERSION = 4
"""Raised when the code of a step changes what it finds, so that results of earlier code are made again."""

_VERSION_SECONDS = 300.0


class ImageRecord(Record):
    """A built instance layer and the environment layer below it. Bytes are what each adds; seconds are of its build."""

    instance_id: str
    env_id: str
    image: str
    layer_bytes: int
    wall_seconds: float
    cpu_seconds: float
    environment_bytes: int
    environment_wall_seconds: float
    environment_cpu_seconds: float
    runtime: str
    platform: str = ""


class UploadRecord(Record):
    """An image in a registry: `reference` by digest, `tag` for people; bytes are of its compressed layers."""

    instance_id: str
    image: str
    reference: str
    tag: str
    bytes: int


class ValidationRecord(Record):
    """A verdict, and the artefact that holds the runs it rests on (`RunsRecord`)."""

    report: ValidationReport
    runs: str


class RunsRecord(Record):
    """All runs of a validation, in order, without their output (that is in the log)."""

    before: tuple[TestRun, ...]
    after: tuple[TestRun, ...]


@dataclass(frozen=True)
class ValidationRules:
    """Fresh runs per side, the rule for FAIL_TO_PASS, and seconds for one run where repo.yaml says nothing."""

    n_runs: int = 3
    f2p_rule: Literal["swe-bench", "swe-gym"] = "swe-bench"
    timeout: int = 1800


@dataclass(frozen=True)
class Prepared:
    """A candidate with its environment."""

    instance: TaskInstance
    environment: Environment


@dataclass(frozen=True)
class Recipes:
    """The environment layer, and the instance layer on top of it."""

    environment: ImageSpec
    instance: ImageSpec


def make_candidates(session: Session, keys: Sequence[str]) -> Summary:
    """Turn stored pull requests into candidate tasks."""
    step = Step[PullRequest](
        CANDIDATE,
        key=pull_request_id,
        repo=lambda pull: pull.repo,
        inputs=lambda pull: digest_of([RULES_VERSION, pull.digest(), session.config(pull.repo).digest()]),
        work=lambda pull, _log: _candidate(session, pull),
    )
    found = (session.store.result(PULL_REQUEST, key) for key in keys)
    return session.pipeline.run(step, ([PullRequest.from_json(one.value)] for one in found if one and one.value))


def pull_request_id(pull: PullRequest) -> str:
    """The `instance_id` that a candidate from this pull request has."""
    return pull.instance_id or candidates.instance_id(pull.repo, pull.number)


def plan_environments(session: Session, instances: Sequence[TaskInstance]) -> Summary:
    """Give every instance an environment: one chain per repository, oldest commit first, so that later ones share."""
    known: dict[str, dict[str, Environment]] = defaultdict(dict)
    for repo in {instance.repo for instance in instances}:
        for stored in session.store.results(ENVIRONMENT, repo=repo, outcome=DONE):
            environment = Environment.from_json(stored.value or "")
            known[repo][environment.env_id] = environment
    step = Step[TaskInstance](
        ENVIRONMENT,
        key=lambda instance: instance.instance_id,
        repo=lambda instance: instance.repo,
        inputs=lambda instance: _environment_inputs(session, instance),
        work=lambda instance, _log: _plan(session, instance, known[instance.repo]),
    )
    chains = defaultdict(list)
    for instance in sorted(instances, key=lambda one: (_committed(session, one), one.instance_id)):
        chains[instance.repo].append(instance)
    return session.pipeline.run(step, chains.values())


def build_images(session: Session, prepared: Sequence[Prepared]) -> Summary:
    """Build the layers: one chain per environment, since its first instance builds what the others stand on."""
    templates = _templates_digest(session)
    step = Step[Prepared](
        IMAGE,
        key=lambda one: one.instance.instance_id,
        repo=lambda one: one.instance.repo,
        inputs=lambda one: digest_of(
            [
                *(RULES_VERSION, templates, one.environment.digest(), one.instance.base_commit),
                *(session.runtime.name, platforms.here()),
            ]
        ),
        work=lambda one, log: _build(session, one, log),
    )
    chains = defaultdict(list)
    for one in prepared:
        chains[one.environment.env_id].append(one)
    return session.pipeline.run(step, chains.values())


def validate_instances(session: Session, built: Sequence[tuple[Prepared, str]], rules: ValidationRules) -> Summary:
    """Validate instances whose image (its digest) is built."""
    step = Step[tuple[Prepared, str]](
        VALIDATION,
        key=lambda one: one[0].instance.instance_id,
        repo=lambda one: one[0].instance.repo,
        inputs=lambda one: digest_of(
            [RULES_VERSION, one[0].instance.digest(), one[0].environment.digest(), one[1], rules.__dict__]
        ),
        work=lambda one, log: _validate(session, one[0], rules, log),
    )
    return session.pipeline.run(step, ([one] for one in built))


def workshop(session: Session, repo: str, git_dir: str) -> Workshop:
    """What the recipes of a repository's images need."""
    return Workshop(
        repo, session.repository(git_dir), Templates(session.settings.templates_dir), session.work_dir / repo
    )


def recipes(session: Session, one: Prepared) -> Recipes:
    """The recipes of an instance's two layers."""
    instance = one.instance
    shop = workshop(session, instance.repo, instance.git_dir)
    parent = images.environment_image(shop, one.environment)
    image = images.instance_image(shop, instance.instance_id, instance.base_commit, one.environment, parent)
    return Recipes(parent, image)


def _candidate(session: Session, pull: PullRequest) -> TaskInstance:
    def run_command(commit: Sha, command: str) -> str:
        shop = workshop(session, pull.repo, pull.git_dir)
        image = repository_image(shop, base_image("3"), commit)
        with session.runtime.start(image) as sandbox:
            return sandbox.exec(command, timeout=_VERSION_SECONDS).output.decode("utf-8", "replace")

    repository = session.repository(pull.git_dir)
    return candidates.candidate(pull, repository, session.config(pull.repo), run_command=run_command)


def _committed(session: Session, instance: TaskInstance) -> str:
    repository = session.repository(instance.git_dir)
    return repository.commit(instance.base_commit).committer_date.isoformat()


def _environment_inputs(session: Session, instance: TaskInstance) -> str:
    fact = session.facts(instance.repo).get(instance.instance_id)
    config = session.config(instance.repo).environment_for(instance.version)
    prescribed = fact.env_id if fact and fact.base_commit == instance.base_commit else ""
    return digest_of([RULES_VERSION, instance.base_commit, instance.version, config.digest(), prescribed])


def _plan(session: Session, instance: TaskInstance, known: dict[str, Environment]) -> Environment:
    shop = workshop(session, instance.repo, instance.git_dir)
    planner = Planner(shop, session.config(instance.repo), session.runtime)
    environment = _recreated(session, planner, instance, known) or planner.assign(
        instance.base_commit, instance.version, known.values()
    )
    known[environment.env_id] = environment
    return environment


def _recreated(
    session: Session, planner: Planner, instance: TaskInstance, known: dict[str, Environment]
) -> Environment | None:
    """The environment that the instance was validated in before, if its facts and its lock are at hand."""
    fact = session.facts(instance.repo).get(instance.instance_id)
    if fact is None or fact.base_commit != instance.base_commit:
        return None
    if fact.env_id in known:
        return known[fact.env_id]
    lock = facts.read_environment_lock(session.settings.instances_dir, fact)
    return planner.recreate(fact.environment_setup_commit, instance.version, lock) if lock else None


def _build(session: Session, one: Prepared, log: Path) -> ImageRecord:
    recipe = recipes(session, one)
    log.unlink(missing_ok=True)
    below = session.runtime.build(recipe.environment, log=log)
    built = session.runtime.build(recipe.instance, log=log)
    return ImageRecord(
        instance_id=one.instance.instance_id,
        env_id=one.environment.env_id,
        image=built.digest,
        layer_bytes=built.layer_bytes,
        wall_seconds=round(built.wall_seconds, 3),
        cpu_seconds=round(built.cpu_seconds, 3),
        environment_bytes=below.layer_bytes,
        environment_wall_seconds=round(below.wall_seconds, 3),
        environment_cpu_seconds=round(below.cpu_seconds, 3),
        runtime=session.runtime.name,
        platform=platforms.here(),
    )


def _validate(session: Session, one: Prepared, rules: ValidationRules, log: Path) -> ValidationRecord:
    instance, environment = one.instance, one.environment
    configured = session.config(instance.repo).environment_for(instance.version).test_timeout
    validation = validate.validate(
        instance,
        environment,
        recipes(session, one).instance,
        session.runtime,
        n_runs=rules.n_runs,
        rule=rules.f2p_rule,
        timeout=configured or rules.timeout,
    )
    log.write_bytes(b"".join(_logged(validation)))
    record = ValidationRecord(report=validation.report, runs=_keep_runs(session, validation))
    if validation.report.reason:
        raise Rejected(validation.report.reason, validation.report.detail, record)
    return record


def _keep_runs(session: Session, validation: validate.Validation) -> str:
    before, after = (
        tuple(run.model_copy(update={"output": b""}) for run in runs) for runs in (validation.before, validation.after)
    )
    record = RunsRecord(before=before, after=after)
    return put_artifact(session.store.workspace, record.to_json().encode("utf-8", "surrogatepass"))


def _logged(validation: validate.Validation) -> Iterable[bytes]:
    for side, runs in (("before", validation.before), ("after", validation.after)):
        for number, run in enumerate(runs, start=1):
            head = f"=== {side}, run {number}: {run.outcome} {run.detail} in {run.wall_seconds:.1f} s ===\n"
            yield head.encode("utf-8", "backslashreplace") + run.output + b"\n"


def _templates_digest(session: Session) -> str:
    """The setup scripts decide what an image holds."""
    directory = session.settings.templates_dir
    paths = sorted((*directory.glob("setup_*.j2"), *directory.glob("_*.j2")))
    return digest_of([path.read_text(encoding="utf-8") for path in paths])
