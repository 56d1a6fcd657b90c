"""One test run: what is asked of the sandbox, how runs end, and patches as git really applies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from record_factory import Statuses, prepare, scripted_pytest
from testbed_factory import added, repository_image

from builder import testrun
from builder.errors import SandboxError, UsageError
from builder.models import TestRun, TestStatus
from builder.protocols import ExecResult, ImageSpec, Limits, Runtime
from builder.runtimes import bubblewrap, scripted
from builder.runtimes.scripted import Rule, ScriptedRuntime
from builder.testrun import run_tests

IMAGE = ImageSpec("base", "base", "3.11.7")


def run(runtime: Runtime, image: ImageSpec = IMAGE, **changes: Any) -> TestRun:
    asked: dict[str, Any] = {
        "patches": [],
        "test_cmd": "pytest",
        "test_files": ["tests/test_a.py"],
        "test_env": {},
        "timeout": 60,
    }
    return run_tests(runtime, image, **{**asked, **changes})


def scripted_run(*runs: Statuses | ExecResult, **changes: Any) -> tuple[TestRun, ScriptedRuntime]:
    runtime = scripted.create(answers=scripted_pytest(runs))
    return run(runtime, **changes), runtime


def test_a_completed_run_has_statuses_times_and_output() -> None:
    done, _ = scripted_run({"a": "passed", "b": "failed"})
    assert (done.outcome, done.statuses) == ("completed", {"a": TestStatus.PASSED, "b": TestStatus.FAILED})
    assert (done.exit_code, done.output, done.wall_seconds, done.cpu_seconds) == (1, b"said", 2.0, 1.0)


@pytest.mark.parametrize(
    ("result", "outcome", "words"),
    [
        (ExecResult(0, b"2 passed"), "no_results", "did not start"),
        (ExecResult(None, b"", timed_out=True), "timed_out", "60 s"),
        (ExecResult(137, b"", killed_by="memory"), "no_results", "memory limit"),
        (ExecResult(4, b"none of the test files exists"), "no_results", "exit code 4"),
    ],
)
def test_t36_a_run_that_ended_badly_is_no_result(result: ExecResult, outcome: str, words: str) -> None:
    done, _ = scripted_run(result)
    assert (done.outcome, words in done.detail) == (outcome, True)


def test_t37_the_environment_is_pinned_and_the_network_off() -> None:
    _, runtime = scripted_run({"a": "passed"}, test_env={"TZ": "Asia/Tokyo", "X": "1"}, limits=Limits(processes=7))
    env = runtime.calls[1].env
    assert (env["TZ"], env["LANG"], env["PYTHONHASHSEED"], env["X"]) == ("Asia/Tokyo", "C.UTF-8", "0", "1")
    assert "CI" not in env
    assert (runtime.started[0].network, runtime.started[0].limits.processes) == (False, 7)


def test_the_environment_of_the_repository_cannot_replace_the_probe() -> None:
    """Fails if BUILDER_PROBE or an import path of repo.yaml decides who reports."""
    mine = {"BUILDER_PROBE": "/testbed/mine", "PYTHONPATH": "/testbed/mine"}
    done, runtime = scripted_run({"a": "passed"}, test_env=mine)
    env = runtime.calls[1].env
    assert (done.outcome, env["BUILDER_PROBE"][:5], env["PYTHONPATH"][:5]) == ("completed", "/tmp/", "/tmp/")


def test_without_test_files_the_command_runs_as_it_is() -> None:
    """Fails if a repository whose command names its own tests is told that none exists."""
    _, runtime = scripted_run({"a": "passed"}, test_files=[], test_cmd="pytest -q tests")
    assert "none of the test files" not in runtime.calls[1].script
    assert runtime.calls[1].script.splitlines()[-1].startswith("pytest -q tests -p p")


def test_the_secret_is_not_in_the_script_that_the_tests_can_read() -> None:
    _, runtime = scripted_run({"a": "passed"})
    prepared, tested = runtime.calls
    assert "base64" in prepared.script
    assert "base64" not in tested.script
    assert set(tested.env) - set(testrun.PINNED) == {"BUILDER_PROBE", "PYTHONPATH"}


def test_nothing_about_a_run_can_be_foreseen() -> None:
    first, second = (scripted_run({"a": "passed"})[1].calls[1] for _ in range(2))
    assert first.script != second.script
    assert first.env["BUILDER_PROBE"] != second.env["BUILDER_PROBE"]


def test_t14_long_lists_go_into_the_script_and_too_long_ones_are_refused() -> None:
    _, runtime = scripted_run({"a": "passed"}, test_files=[f"tests/{number:0200}.py" for number in range(5000)])
    assert len(runtime.calls[1].script) > 1_000_000
    with pytest.raises(UsageError, match="1 test files take 200001 bytes"):
        run(scripted.create(), test_files=["x" * 200_000])
    with pytest.raises(UsageError, match="20000 test files"):
        run(scripted.create(), test_files=[f"tests/{number:0100}.py" for number in range(20_000)])


def without_channel(then: ExecResult | Callable[..., ExecResult]) -> Sequence[Rule]:
    """The tests remove the channel; `then` is what a look at it answers."""

    def remove(sandbox: scripted.ScriptedSandbox, _call: scripted.Call) -> ExecResult:
        sandbox.files.clear()
        return ExecResult(0, b"")

    return [("base64 -d", prepare), (" -p p[0-9a-f]{16} ", remove), (r"^\[ -f ", then)]


def test_t50_a_removed_channel_is_tampering() -> None:
    done = run(scripted.create(answers=without_channel(ExecResult(1, b""))))
    assert (done.outcome, done.detail) == ("tampered", "the probe's channel is gone")


def test_t61_a_sandbox_that_cannot_be_read_is_an_error_not_an_outcome() -> None:
    with pytest.raises(SandboxError):
        run(scripted.create(answers=without_channel(ExecResult(0, b""))))


def test_t61_a_preparation_that_broke_is_an_error_not_a_refused_patch() -> None:
    with pytest.raises(SandboxError, match="No space left"):
        run(scripted.create(answers=ExecResult(1, b"No space left on device")))


BASE = {
    "calc.py": b"def add(a, b):\n    return a - b",
    "tests/test_a.py": b"from calc import add\ndef test_a():\n    assert add(1, 2) == 3\n",
    "windows.txt": b"one\r\ntwo\r\n",
    ".gitattributes": b"*.txt text eol=crlf\n*.raw -text\n",
    "kept.raw": b"\x00\r\n\xff",
}
REPAIR = (
    b"diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n"
    b"-    return a - b\n\\ No newline at end of file\n+    return a + b\n\\ No newline at end of file\n"
)
WINDOWS = (
    b"diff --git a/windows.txt b/windows.txt\n--- a/windows.txt\n+++ b/windows.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return bubblewrap.create(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    return repository_image(tmp_path_factory.mktemp("wheels"), BASE, "")


def real_run(real: Runtime, image: ImageSpec, **changes: Any) -> TestRun:
    return run(real, image, **{"test_cmd": "python -m pytest", **changes})


@pytest.mark.sandbox
def test_before_and_after_a_patch(real: Runtime, image: ImageSpec) -> None:
    before, after = real_run(real, image), real_run(real, image, patches=[REPAIR])
    assert before.statuses == {"tests/test_a.py::test_a": TestStatus.FAILED}
    assert after.statuses == {"tests/test_a.py::test_a": TestStatus.PASSED}
    assert after.wall_seconds > 0


@pytest.mark.sandbox
def test_a_patch_that_does_not_apply_is_refused_in_gits_words(real: Runtime, image: ImageSpec) -> None:
    done = real_run(real, image, patches=[REPAIR, REPAIR])
    assert (done.outcome, "calc.py: patch does not apply" in done.detail) == ("patch_failed", True)


@pytest.mark.sandbox
def test_t11_lines_end_as_at_checkout(real: Runtime, image: ImageSpec) -> None:
    """Fails if a diff of the stored text is held against the CRLF of the work tree."""
    check = added(
        {"tests/test_b.py": "def test_b():\n    assert open('windows.txt', 'rb').read() == b'one\\r\\n2\\r\\n'"}
    )
    done = real_run(real, image, patches=[WINDOWS, check], test_files=["tests/test_b.py"])
    assert done.statuses == {"tests/test_b.py::test_b": TestStatus.PASSED}, (done.detail, done.output)


@pytest.mark.sandbox
def test_t12_files_that_are_gone_do_not_stop_the_others(real: Runtime, image: ImageSpec) -> None:
    both = real_run(real, image, test_files=["tests/gone.py", "tests/test_a.py"])
    assert list(both.statuses) == ["tests/test_a.py::test_a"]
    none = real_run(real, image, test_files=["tests/gone.py"])
    assert (none.outcome, none.exit_code) == ("no_results", 4)


@pytest.mark.sandbox
def test_t14_thousands_of_test_ids_cost_the_tests_no_time(real: Runtime, image: ImageSpec) -> None:
    """Fails if the shell copies the whole list for each id: half of these took more than the time allowed here."""
    names = [f"tests/test_a.py::test_a[{number} x]" for number in range(19_999)]
    done = real_run(real, image, test_cmd="true", test_files=names, timeout=30)
    assert (done.outcome, done.exit_code) == ("no_results", 0)


@pytest.mark.sandbox
def test_t14_a_patch_above_the_limits_of_a_command_line(real: Runtime, image: ImageSpec) -> None:
    large = added({"data.raw": "\n".join(f"{number:0100}" for number in range(40_000))})
    done = real_run(real, image, patches=[large])
    assert (len(large) > 4_000_000, done.outcome) == (True, "completed")


@pytest.mark.sandbox
def test_t50_links_out_of_the_tree_are_not_followed(real: Runtime, image: ImageSpec) -> None:
    link = (
        b"diff --git a/out b/out\nnew file mode 120000\nindex 0000000..1111111\n--- /dev/null\n+++ b/out\n"
        b"@@ -0,0 +1 @@\n+/tmp\n\\ No newline at end of file\n"
    )
    done = real_run(real, image, patches=[link, added({"out/escaped.txt": "x"})])
    assert done.outcome == "patch_failed"


@pytest.mark.sandbox
def test_t40_a_run_that_hangs_ends_with_its_children(real: Runtime, image: ImageSpec) -> None:
    hang = added({"tests/test_h.py": "import os, time\ndef test_h():\n    os.fork()\n    time.sleep(600)"})
    done = real_run(real, image, patches=[hang], test_files=["tests/test_h.py"], timeout=2)
    assert (done.outcome, done.detail) == ("timed_out", "not done after 2 s")
