"""The main job on real input, from nothing to a data set: `builder demo`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from builder import commands, harvesting, repo_config, session, views
from builder.commands import Outcome
from builder.console import seconds
from builder.errors import NetworkMissingError
from builder.jobs import ValidationRules
from builder.models import TaskInstance
from builder.protocols import HarvestRequest
from builder.settings import Settings
from builder.store import STEPS
from builder.views import View


class Release(NamedTuple):
    """A release of a project whose sdists ship their tests; it is compared with the one before it."""

    project: str
    version: str


RELEASES = (
    Release("tinydb", "4.8.2"),
    Release("cachetools", "7.3.1"),
    Release("mistune", "3.1.4"),
    Release("humanize", "4.12.3"),
)
"""Small, without dependencies, and each with tests that fail on the release before it."""


@dataclass(frozen=True)
class Demonstration:
    """What was shown, and what went wrong on the way."""

    view: View
    outcome: Outcome


def releases(settings: Settings) -> Demonstration:
    """Four release pairs from the package index. Raises NetworkMissingError, which offers the sample."""

    def harvest(opened: session.Session) -> list[TaskInstance]:
        wanted = []
        for release in RELEASES:
            request = HarvestRequest(f"pypi/{release.project}", opened.work_dir, releases=(release.version,))
            harvesting.harvest(opened, [request.repo], "pypi", request)
            wanted.append(f"pypi__{release.project}-{release.version}")
        return commands.select(opened, [], wanted)

    try:
        return _run(settings, harvest)
    except NetworkMissingError as error:
        raise NetworkMissingError(
            error.message,
            hint="The package index is needed for real releases; `builder demo --sample` uses the built-in sample.",
        ) from error


def sample(settings: Settings) -> Demonstration:
    """The project's own sample repository with its planted cases; needs no network, only the pytest installed here."""
    from builder import loopback_index
    from builder.sample import SAMPLE_REPO, create_sample, sample_repo_yaml

    def harvest(opened: session.Session) -> list[TaskInstance]:
        git_dir = opened.work_dir / "sample.git"
        if not git_dir.exists():
            create_sample(git_dir)
        opened.configure(SAMPLE_REPO, repo_config.parse(sample_repo_yaml(), "the sample's repo.yaml"))
        harvesting.harvest(opened, [SAMPLE_REPO], "git", HarvestRequest(SAMPLE_REPO, opened.work_dir, git_dir=git_dir))
        return commands.select(opened, [SAMPLE_REPO], [])

    with loopback_index.serving(loopback_index.wheels_of("pytest")) as url, loopback_index.only_index(url):
        return _run(settings, harvest)


def _run(settings: Settings, harvest: Callable[[session.Session], Sequence[TaskInstance]]) -> Demonstration:
    began = time.monotonic()
    with session.writing(settings) as opened:
        instances = harvest(opened)
        outcome = commands.validate(opened, instances, ValidationRules())
        target = settings.workspace / "dataset"
        push = commands.push(settings, opened.store, f"dir:{target}", (), dry_run=False)
        verdicts, pushed = views.validations(opened.store, instances), views.pushed(push)
    took = seconds(time.monotonic() - began)
    reading = f"In {took}. Read it with datasets.load_dataset({str(target)!r})."
    text = f"{verdicts.text}\n\n{pushed.text}\n\n{reading}"
    data = {"validations": verdicts.data, "dataset": pushed.data, "steps": list(STEPS)}
    return Demonstration(View(text, data), outcome)
