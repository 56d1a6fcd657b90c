"""An engine that stops or runs full, and a run that is killed: nothing is lost, nothing is left, and all goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.sample import SAMPLE_REPO
from integration.docker_place import Place
from integration.private_engine import Engine, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SEED = 20261126
INSTANCES = ["sample__pantry-2", "sample__pantry-16"]
STEPS = ["build-images", "validate"]


@pytest.fixture(scope="module")
def engine(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running(tmp_path_factory.mktemp("engine"), "3G") as engine:
        yield engine


class Run:
    """Commands of one workspace over the private engine."""

    def __init__(self, place: Place, engine: Engine, workspace: Path) -> None:
        self._place = dataclasses.replace(place, workspace=workspace)
        self._engine = engine
        self.done("harvest", SAMPLE_REPO, "--git-dir", str(place.clone))

    def words(self, *arguments: str) -> list[str]:
        chosen = [word for name in INSTANCES for word in ("--instance", name)] if arguments[0] in STEPS else []
        runs = ["--runs", "1"] if arguments[0] == "validate" else []
        return self._place.command(*arguments, *chosen, *runs)

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        variables = {**os.environ, "DOCKER_HOST": self._engine.host}
        pipe = subprocess.PIPE
        return subprocess.Popen(self.words(*arguments), stdout=pipe, stderr=pipe, text=True, env=variables)

    def ended(self, *arguments: str) -> tuple[int, str, str]:
        with self.started(*arguments) as process:
            said, errors = process.communicate()
        return process.returncode, said, errors

    def done(self, *arguments: str) -> Any:
        code, said, errors = self.ended(*arguments)
        assert code == 0, errors
        return json.loads(said)

    def verdicts(self) -> dict[str, str]:
        return {one["instance_id"]: one["verdict"] for one in self.done("validate")}

    def require_nothing_left(self) -> None:
        """After `clean` there are the volumes of downloads and named images, and nothing else."""
        self.done("clean")
        kept = self._engine.kept()
        assert kept["containers"] == set()
        assert kept["networks"] == set()
        assert [name for name in kept["volumes"] if "-cache-" not in name] == []
        assert self._engine.nameless() == []
        assert not list((self._place.workspace / "sandboxes").glob("*-*"))


@pytest.fixture
def run(place: Place, engine: Engine, tmp_path: Path) -> Iterator[Run]:
    made = Run(place, engine, tmp_path / "workspace")
    yield made
    made.done("clean", "--layers")
    assert engine.kept()["volumes"] == set()


@pytest.fixture(scope="module")
def expected(place: Place) -> dict[str, str]:
    return {one["instance_id"]: one["verdict"] for one in place.run("validate") if one["instance_id"] in INSTANCES}


def has_a_container(engine: Engine, process: subprocess.Popen[str]) -> bool:
    """Wait until the step that was started has something running in a container; False if it ended well before."""
    with engine.client() as client:
        while not client.containers.list():
            if process.poll() is not None:
                assert process.returncode == 0, process.stderr and process.stderr.read()
                return False
            time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("step", "how"),
    [("build-images", signal.SIGTERM), ("validate", signal.SIGTERM), ("validate", signal.SIGKILL)],
    ids=["stopped in a build", "stopped in a validation", "killed in a validation"],
)
def test_t61_an_engine_that_goes_away(
    engine: Engine, run: Run, expected: dict[str, str], step: str, how: signal.Signals
) -> None:
    """Catches a verdict made of a dead engine, and work that is lost or left behind."""
    if step == "validate":
        run.done("build-images")
    with run.started(step) as process:
        assert has_a_container(engine, process)
        engine.stop(how)
        _, errors = process.communicate(timeout=120)
    assert process.returncode in (1, 3), errors
    assert "Traceback" not in errors
    engine.start()
    assert run.verdicts() == expected
    run.require_nothing_left()


def test_t62_a_run_that_is_killed(engine: Engine, run: Run, expected: dict[str, str]) -> None:
    """At random instants of building and validating; what was in the engine then goes with the next `clean`."""
    instants = random.Random(SEED)
    for _ in range(6):
        with run.started("validate") as process:
            if not has_a_container(engine, process):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(instants.uniform(0.0, 5.0))
            process.kill()
        run.require_nothing_left()
    assert run.verdicts() == expected
    run.require_nothing_left()


def test_t61_a_full_disk_of_the_engine(engine: Engine, run: Run, expected: dict[str, str]) -> None:
    """The disk is as full as it can be when the build begins; the same command goes on when there is room."""
    filler = engine.disk / "filler"
    free = os.statvfs(engine.disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - 4 * 1024**2)
    code, _, errors = run.ended("build-images")
    filler.unlink()
    assert code in (1, 3), errors
    assert "no space left" in errors or "left on the engine's disk" in errors
    assert "Traceback" not in errors
    assert run.verdicts() == expected
    run.require_nothing_left()


def test_an_engine_that_is_not_there_is_named(engine: Engine, run: Run) -> None:
    engine.stop()
    try:
        code, _, errors = run.ended("validate")
    finally:
        engine.start()
    assert code == 3
    assert engine.host.removeprefix("unix://") in errors
