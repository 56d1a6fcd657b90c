"""One run: what reaches the sandbox, and which outcome what comes back means. Played by the scripted runtime."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from scripted_tests import Rehearsed, Script, laid_out, rehearse

from builder.errors import SandboxError, UsageError
from builder.models import TestRun
from builder.protocols import ExecResult, ImageSpec
from builder.runtimes.scripted import Call, ScriptedRuntime, create
from builder.testrun import run_tests

IMAGE = ImageSpec("instance", "some-org__proj-1", "3.9.18")
GOOD = Script({"tests/test_a.py::test_one": "passed"})


def run(runtime: ScriptedRuntime, patches: Sequence[bytes] = (), **changes: Any) -> TestRun:
    options: dict[str, Any] = {"test_cmd": "pytest", "test_files": ["tests/test_a.py"], "test_env": {}, "timeout": 9.0}
    return run_tests(runtime, IMAGE, patches=patches, **{**options, **changes})


def play(script: Script = GOOD, patches: Sequence[bytes] = (), **changes: Any) -> tuple[TestRun, Call, Rehearsed]:
    """The run, the call of the test command, and what the sandbox was given."""
    runtime, actor = rehearse({len(patches): [script]})
    done = run(runtime, patches, **changes)
    tests = [call for call in runtime.calls if "BUILDER_PROBE" in call.env]
    return done, tests[-1] if tests else runtime.calls[-1], actor


def test_a_run_carries_statuses_times_and_output() -> None:
    """Fails if what a person needs to judge the run is lost; output that is not UTF-8 stays as it is (T39)."""
    script = Script({"t.py::a": "passed", "t.py::b": "failed", "t.py::c[x y]": "skipped"}, errors=["u.py"])
    done, _, _ = play(script)
    assert (done.outcome, done.exit_code, done.collection_errors) == ("completed", 1, ("u.py",))
    assert {name: str(status) for name, status in done.statuses.items()} == dict(script.tests)
    assert (done.wall_seconds, done.cpu_seconds, done.output) == (1.5, 1.25, b"output \xff")


def test_there_is_no_network_and_time_counts_for_the_tests_alone() -> None:
    """Fails if a slow patch could eat the tests' time, or the tests could reach the network."""
    runtime, _ = rehearse({0: [GOOD]})
    run(runtime, timeout=1.0)
    assert [start.network for start in runtime.started] == [False]
    assert [call.timeout == 1.0 for call in runtime.calls] == [False, True]


def test_t37_zone_locale_and_hash_seed_are_pinned_where_the_repository_says_nothing() -> None:
    _, call, _ = play(test_env={"LANG": "de_DE.UTF-8", "MODE": "x"})
    assert call.env.items() >= {"TZ": "UTC", "PYTHONHASHSEED": "0", "LANG": "de_DE.UTF-8", "MODE": "x"}.items()


def test_the_environment_of_the_repository_cannot_replace_the_probe() -> None:
    """Fails if BUILDER_PROBE in repo.yaml, or an import path there, decides what reports."""
    done, call, _ = play(test_env={"BUILDER_PROBE": "/testbed/mine", "PYTHONPATH": "/testbed/mine"})
    assert done.outcome == "completed"
    assert call.env["BUILDER_PROBE"].startswith("/tmp/")
    assert call.env["PYTHONPATH"].split(":")[0].startswith("/tmp/")


def test_the_secret_is_not_in_the_script_of_the_tests() -> None:
    """Fails if `cat` of the running script gives the key away."""
    runtime, _ = rehearse({0: [GOOD]})
    run(runtime)
    preparation, tests = runtime.calls
    keys = [json.loads(content)["key"] for content in laid_out(preparation.script).values() if b'"key"' in content[:9]]
    assert len(keys) == 1
    assert keys[0] not in " ".join([tests.script, *tests.env.values()])


def test_t14_a_patch_of_any_size_travels_in_a_script() -> None:
    """Fails if a patch becomes an argument, of which Linux takes 128 KiB."""
    patches = [b"x" * 1_500_000, bytes(range(256)) * 9]
    done, _, actor = play(patches=patches)
    assert done.outcome == "completed"
    assert actor.patches == [patches]


@pytest.mark.parametrize(
    "names",
    [["tests/" + "x" * 140_000], [f"tests/test_{number:05}.py::test_with_a_long_name" for number in range(60_000)]],
)
def test_t14_more_test_ids_than_a_command_line_holds_are_refused(names: list[str]) -> None:
    """Fails if the tests do not start, and the instance is scored for it."""
    with pytest.raises(UsageError, match="command line"):
        play(test_files=names)


def test_t14_as_many_test_ids_as_a_command_line_holds_are_given() -> None:
    names = [f"tests/test_{number:05}.py::test_name[a b]" for number in range(30_000)]
    _, call, _ = play(test_files=names)
    lines = set(call.script.splitlines())
    assert all(f"[ -e {name[:19]} ] && test_files+=({shlex.quote(name)})" in lines for name in names)


def test_t12_each_test_file_is_looked_for_before_pytest_is_asked() -> None:
    """Fails if a deleted file makes pytest refuse to run the others; node ids are looked for by their file."""
    _, call, _ = play(test_files=["tests/gone.py", "tests/a b.py::test_x[1 2]"])
    assert "[ -e tests/gone.py ] && " in call.script
    assert "[ -e 'tests/a b.py' ] && test_files+=('tests/a b.py::test_x[1 2]')" in call.script


def test_without_test_files_the_command_runs_as_it_is() -> None:
    _, call, _ = play(test_files=[], test_cmd="pytest -q tests")
    assert call.script.splitlines()[-1].startswith("pytest -q tests -p p")
    assert "exit" not in call.script


def test_a_patch_that_does_not_apply_is_an_outcome_with_its_words() -> None:
    """Fails if the tests are run all the same, or the person does not learn which file it was."""
    done, call, _ = play(Script(patch_refused=b"error: patch failed: a.py:1\n"), patches=[b"x"])
    assert (done.outcome, done.detail) == ("patch_failed", "error: patch failed: a.py:1")
    assert "BUILDER_PROBE" not in call.env


@pytest.mark.parametrize("code", [1, 2, 128, None])
def test_t61_a_preparation_that_breaks_is_nobodys_failure(code: int | None) -> None:
    """Fails if a full disk or a missing tool of ours is scored as a patch that does not apply."""
    with pytest.raises(SandboxError, match="prepared"):
        run(create(answers=ExecResult(code, b"No space left on device")))


BAD: Mapping[str, tuple[Script, str]] = {
    "killed for its time": (Script(GOOD.tests, timed_out=True), "timed_out"),
    "killed for its memory": (Script(GOOD.tests, killed_by="memory"), "no_results"),
    "nothing was reported": (Script(channel=b""), "no_results"),
    "a line of somebody else": (Script(channel=b'{"outcome": "passed"}\n'), "tampered"),
    "another exit code": (Script({"t.py::a": "failed"}, exit_code=0), "tampered"),
    "a usage error": (Script(exit_code=4), "no_results"),
}


@pytest.mark.parametrize("what", BAD)
def test_t36_a_run_that_went_wrong_is_not_completed(what: str) -> None:
    script, outcome = BAD[what]
    done, _, _ = play(script)
    assert done.outcome == outcome
    assert done.detail


def test_t40_a_time_out_keeps_what_was_reported_as_evidence() -> None:
    done, _, _ = play(Script(GOOD.tests, timed_out=True))
    assert done.detail == "not done after 9 s"
    assert done.statuses.keys() == GOOD.tests.keys()
    assert done.exit_code is None


def without_channel(readable: bool) -> ScriptedRuntime:
    """The channel cannot be read; whether the sandbox says that it is there."""
    return create(answers=[(r"stat -c", ExecResult(0 if readable else 1, b"")), (r"", ExecResult(0, b""))])


def test_a_channel_that_was_removed_is_tampering() -> None:
    """Fails if deleting the evidence counts as `no_results`, or ends the whole run."""
    assert run(without_channel(readable=False)).outcome == "tampered"


def test_t61_a_channel_that_is_there_but_cannot_be_read_is_the_sandboxs_fault() -> None:
    with pytest.raises(SandboxError):
        run(without_channel(readable=True))
