"""The whole job on the sample repository, through the command line and the embedded runtime.

Needs no network: environments install the pytest that runs these tests, from an index on the loopback.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder import loopback_index
from builder.sample import SAMPLE_REPO, create_sample, sample_repo_yaml

pytestmark = [pytest.mark.integration, pytest.mark.sandbox, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
TIMES = {"validated_at", "seconds_before", "seconds_after", "cpu_seconds", "image"}
"""What may differ between two validations of the same instance."""


@pytest.fixture(scope="module", autouse=True)
def index() -> Iterator[None]:
    """The environments' packages."""
    with loopback_index.serving(loopback_index.wheels_of("pytest")) as url, loopback_index.only_index(url):
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Templates as they are, and instances/ with nothing but the sample's repo.yaml."""
    directory = tmp_path_factory.mktemp("data")
    shutil.copytree(ROOT / "templates", directory / "templates")
    (directory / "instances" / "sample__pantry").mkdir(parents=True)
    (directory / "instances" / "sample__pantry" / "repo.yaml").write_text(sample_repo_yaml())
    return directory


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clone") / "pantry.git"
    create_sample(path)
    return path


@pytest.fixture(scope="module")
def workspace(index: None, tmp_path_factory: pytest.TempPathFactory, data_dir: Path, clone: Path) -> Path:
    """A workspace with the sample harvested and validated, undisturbed."""
    path = tmp_path_factory.mktemp("undisturbed")
    harvest(path, data_dir, clone)
    run("validate", workspace=path, data_dir=data_dir)
    return path


def command(*arguments: str, workspace: Path, data_dir: Path) -> list[str]:
    options = ["--workspace", str(workspace), "--data-dir", str(data_dir), "--workers", "2", "--json"]
    return [sys.executable, "-m", "builder", *arguments, *options]


def run(*arguments: str, workspace: Path, data_dir: Path) -> Any:
    words = command(*arguments, workspace=workspace, data_dir=data_dir)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def harvest(workspace: Path, data_dir: Path, clone: Path) -> Any:
    return run("harvest", SAMPLE_REPO, "--git-dir", str(clone), workspace=workspace, data_dir=data_dir)


def verdicts(workspace: Path, data_dir: Path) -> dict[str, dict[str, Any]]:
    """The verdicts as they are in the workspace; nothing is run, since all is done."""
    shown = run("validate", workspace=workspace, data_dir=data_dir)
    return {entry["instance_id"]: {k: v for k, v in entry.items() if k not in TIMES} for entry in shown}


def live_sandboxes(workspace: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(workspace).encode() in words:
            yield words.replace(b"\0", b" ").decode()


def test_every_planted_case_gets_the_verdict_it_was_planted_for(workspace: Path, data_dir: Path, clone: Path) -> None:
    planted = {case.pull_number: case.expected for case in create_sample(clone)}
    found = run("status", workspace=workspace, data_dir=data_dir)
    rejected = {row["reason"] for row in found["counts"] if row["outcome"] == "rejected"}
    got = {int(name.rpartition("-")[2]): entry["verdict"] for name, entry in verdicts(workspace, data_dir).items()}
    assert {number: expected for number, expected in planted.items() if number in got} == got
    assert {expected for number, expected in planted.items() if number not in got} <= rejected


def test_t30_ids_with_spaces_and_dashes_survive_to_the_published_row(workspace: Path, data_dir: Path) -> None:
    row = run("show", "sample__pantry-16", workspace=workspace, data_dir=data_dir)
    names = json.loads(row["FAIL_TO_PASS"]) + json.loads(row["PASS_TO_PASS"])
    assert any(" - " in name for name in names)
    assert any(" [" in name for name in names)
    assert len(names) == len(set(names))


def test_a_second_run_does_nothing_again(workspace: Path, data_dir: Path) -> None:
    """Fails if anything is validated twice for the same inputs."""
    before = run("show", "sample__pantry-2", workspace=workspace, data_dir=data_dir)
    run("validate", workspace=workspace, data_dir=data_dir)
    assert run("show", "sample__pantry-2", workspace=workspace, data_dir=data_dir) == before


def test_the_pushed_set_loads_and_is_the_same_twice(workspace: Path, data_dir: Path, tmp_path: Path) -> None:
    import datasets

    for name in ("one", "two"):
        run("push", f"dir:{tmp_path / name / 'set'}", workspace=workspace, data_dir=data_dir)
    one, two = (sorted((tmp_path / name / "set").rglob("*.*")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one if path.is_file()] == [
        path.read_bytes() for path in two if path.is_file()
    ]
    loaded = datasets.load_dataset(str(tmp_path / "one" / "set"), cache_dir=str(tmp_path / "cache"))
    assert loaded["full"]["instance_id"] == sorted(
        name for name, entry in verdicts(workspace, data_dir).items() if entry["verdict"] == "validated"
    )


def test_facts_and_a_clone_reproduce_the_verdicts(workspace: Path, data_dir: Path, clone: Path, tmp_path: Path) -> None:
    """Fails if validated.jsonl and the locks lack something that another machine needs."""
    elsewhere = tmp_path / "data"
    shutil.copytree(data_dir, elsewhere)
    run("export", "facts", str(elsewhere / "instances"), workspace=workspace, data_dir=data_dir)
    fresh = tmp_path / "w"
    options = ["--source", "index", "--git-dir", str(clone)]
    run("harvest", SAMPLE_REPO, *options, workspace=fresh, data_dir=elsewhere)
    again = {entry["instance_id"]: entry for entry in run("validate", workspace=fresh, data_dir=elsewhere)}
    for name, entry in verdicts(workspace, data_dir).items():
        if entry["verdict"] == "validated":
            for column in ("verdict", "env_id", "fail_to_pass", "pass_to_pass"):
                assert again[name][column] == entry[column], (name, column)


def test_images_are_removed_under_a_budget_and_come_back(
    workspace: Path, data_dir: Path, clone: Path, tmp_path: Path
) -> None:
    """Catches the removal of what a candidate without a verdict still needs, and a run that misses what was removed."""
    harvest(tmp_path, data_dir, clone)
    run("build-images", workspace=tmp_path, data_dir=data_dir)
    nothing = run("clean", "--disk-budget", "0", workspace=tmp_path, data_dir=data_dir)["pruned"]
    assert nothing["images"] == 0
    assert nothing["over"] == nothing["kept"] > 0
    run("validate", "--instance", "sample__pantry-2", workspace=tmp_path, data_dir=data_dir)
    one = run("clean", "--disk-budget", "0", workspace=tmp_path, data_dir=data_dir)["pruned"]
    assert (one["images"], one["freed"] + one["kept"]) == (1, nothing["kept"])
    run("validate", workspace=tmp_path, data_dir=data_dir)
    here, there = (verdicts(path, data_dir).items() for path in (tmp_path, workspace))
    assert {name: one["verdict"] for name, one in here} == {name: one["verdict"] for name, one in there}
    rest = run("clean", "--disk-budget", "0", workspace=tmp_path, data_dir=data_dir)["pruned"]
    assert (rest["freed"], rest["kept"], rest["over"]) == (one["kept"], 0, 0)
    again = run("validate", "--instance", "sample__pantry-2", "--runs", "1", workspace=tmp_path, data_dir=data_dir)
    assert [record["verdict"] for record in again] == ["validated"]


def test_killed_at_twenty_random_instants_the_data_set_is_the_same(
    workspace: Path, data_dir: Path, clone: Path, tmp_path: Path
) -> None:
    """kill -9 of the command's process, from its start to its end; nothing is lost, nothing stays behind (T60, T62)."""
    randomly = random.Random(20)
    killed = tmp_path / "w"
    harvest(killed, data_dir, clone)
    kills = 0
    while kills < 20:
        process = subprocess.Popen(
            command("validate", workspace=killed, data_dir=data_dir),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(randomly.uniform(0.2, 4.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        else:  # It was finished before it could be killed: begin again.
            shutil.rmtree(killed)
            harvest(killed, data_dir, clone)
    run("validate", workspace=killed, data_dir=data_dir)
    flaky = {"sample__pantry-10"}
    expected, got = verdicts(workspace, data_dir), verdicts(killed, data_dir)
    assert {name: e for name, e in got.items() if name not in flaky} == {
        name: e for name, e in expected.items() if name not in flaky
    }
    assert {name: got[name]["verdict"] for name in flaky} == dict.fromkeys(flaky, "flaky")
    run("clean", workspace=killed, data_dir=data_dir)
    assert list((killed / "sandboxes").glob("sandbox-*")) == []
    assert list(live_sandboxes(killed)) == []


def test_ctrl_c_ends_the_command_and_its_sandboxes(data_dir: Path, clone: Path, tmp_path: Path) -> None:
    harvest(tmp_path / "w", data_dir, clone)
    process = subprocess.Popen(
        command("validate", workspace=tmp_path / "w", data_dir=data_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    sandboxes = tmp_path / "w" / "sandboxes"
    while not any(sandboxes.glob("sandbox-*/script")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"goes on from there" in said
    assert list(live_sandboxes(tmp_path / "w")) == []
    assert list(sandboxes.glob("sandbox-*")) == []
