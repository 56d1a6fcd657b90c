"""The verdict over several runs a side: every reason, the order of the reasons, and when no further run is made."""

from __future__ import annotations

import pytest
from record_factory import Statuses, prepare, scripted_pytest
from task_factory import environment, task

from builder.errors import UsageError
from builder.models import Reason
from builder.protocols import ExecResult, ImageSpec, Limits
from builder.runtimes import scripted
from builder.runtimes.scripted import Call, Rule, ScriptedSandbox
from builder.validate import Validation, validate

IMAGE = ImageSpec("base", "base", "3.9.18")
BROKEN, MENDED = {"a": "failed", "b": "passed"}, {"a": "passed", "b": "passed"}
TIMED_OUT, CRASHED = ExecResult(None, b"", timed_out=True), ExecResult(139, b"")


def judged(*runs: Statuses | ExecResult, n_runs: int = 3, refuse: str = "") -> Validation:
    """The verdict where the runs, before and after by turns, end like this. `refuse`: in patches with this text."""
    rules: list[Rule] = scripted_pytest(runs)
    if refuse:
        rules.insert(0, (refuse, ExecResult(65, b"error: patch does not apply")))
    runtime = scripted.create(answers=rules)
    return validate(task(), environment(), IMAGE, runtime, n_runs=n_runs, timeout=5)


def test_a_task_takes_all_runs_on_both_sides() -> None:
    made = judged(*[BROKEN, MENDED] * 3)
    assert (made.report.validated, made.report.n_runs) == (True, 3)
    assert (len(made.before), len(made.after)) == (3, 3)
    assert (made.report.fail_to_pass, made.report.pass_to_pass) == (("a",), ("b",))
    assert (made.report.seconds_before, made.report.cpu_seconds) == ((2.0, 2.0, 2.0), 6.0)
    assert (made.report.image, made.report.runtime) == (IMAGE.digest, "scripted")


@pytest.mark.parametrize(
    ("runs", "reason", "sides"),
    [
        pytest.param([TIMED_OUT], Reason.TIMED_OUT, (1, 0), id="T36 before hangs"),
        pytest.param([CRASHED], Reason.NO_RESULTS, (1, 0), id="T36 before crashes"),
        pytest.param([BROKEN, CRASHED], Reason.NO_RESULTS, (1, 1), id="after crashes"),
        pytest.param([BROKEN, MENDED, BROKEN, TIMED_OUT], Reason.TIMED_OUT, (2, 2), id="hangs the second time"),
        pytest.param([MENDED, MENDED], Reason.NO_FAIL_TO_PASS, (1, 1), id="nothing was broken"),
        pytest.param([BROKEN, BROKEN], Reason.NO_FAIL_TO_PASS, (1, 1), id="nothing is mended"),
        pytest.param([BROKEN, MENDED, BROKEN, BROKEN], Reason.FLAKY, (2, 2), id="mended once only"),
        pytest.param([BROKEN, MENDED, MENDED, MENDED], Reason.FLAKY, (2, 2), id="broken once only"),
        pytest.param([BROKEN, {"a": "passed", "b": "failed"}] * 3, Reason.GOLD_BREAKS_TESTS, (3, 3), id="breaks b"),
    ],
)
def test_each_reason(runs: list[Statuses | ExecResult], reason: Reason, sides: tuple[int, int]) -> None:
    """Fails also if more runs are made than the verdict needs."""
    made = judged(*runs)
    assert (made.report.reason, (len(made.before), len(made.after))) == (reason, sides)
    assert made.report.detail


def test_a_gold_patch_that_does_not_apply() -> None:
    from builder.testrun import _laid_out

    gold = _laid_out("x", task().patch).splitlines()[-2]
    made = judged(BROKEN, refuse=gold)
    assert (made.report.reason, made.report.detail) == (
        Reason.PATCH_FAILED,
        "after the patch: error: patch does not apply",
    )


def test_a_test_that_vanishes_is_not_broken() -> None:
    made = judged(*[BROKEN, {"a": "passed"}] * 3)
    assert (made.report.reason, made.report.pass_to_fail) == (None, ())


def test_one_flaky_test_among_others_does_not_reject() -> None:
    made = judged(BROKEN, MENDED, {**BROKEN, "b": "failed"}, MENDED, BROKEN, MENDED)
    assert (made.report.reason, made.report.flaky_tests, made.report.fail_to_pass) == (None, ("b",), ("a",))


def test_the_lists_of_a_rejected_report_are_complete() -> None:
    made = judged(BROKEN, {"a": "passed", "b": "failed"}, n_runs=1)
    assert (made.report.fail_to_pass, made.report.pass_to_fail) == (("a",), ("b",))


def test_t37_each_run_has_a_sandbox_of_its_own_with_the_limits_asked_for() -> None:
    """Fails if state could leak from run to run, or a run may use more than the caller allows."""
    runtime, limits = scripted.create(answers=scripted_pytest([BROKEN, MENDED] * 2)), Limits(processes=7)
    validate(task(), environment(), IMAGE, runtime, n_runs=2, timeout=5, limits=limits)
    assert [start.limits for start in runtime.started] == [limits] * 4
    assert [call.timeout for call in runtime.calls if "BUILDER_PROBE" in call.env] == [5] * 4


def test_before_has_the_tests_of_the_change_and_after_its_source_too() -> None:
    """Fails if the sides are swapped, or one of them runs without the tests of the change."""
    seen: list[list[bytes]] = []

    def note(sandbox: ScriptedSandbox, call: Call) -> ExecResult:
        done = prepare(sandbox, call)
        seen.append([content for path, content in sandbox.files.items() if path.endswith(".patch")])
        return done

    rules: list[Rule] = [("base64 -d", note), *scripted_pytest([BROKEN, MENDED])]
    validate(task(), environment(), IMAGE, scripted.create(answers=rules), n_runs=1, timeout=5)
    assert seen == [[task().test_patch], [task().test_patch, task().patch]]


def test_t50_a_forged_run_is_no_evidence() -> None:
    def forge(sandbox: ScriptedSandbox, _call: Call) -> ExecResult:
        sandbox.files.update(dict.fromkeys(sandbox.files, b"{}\n"))
        return ExecResult(0, b"2 passed")

    runtime = scripted.create(answers=[("base64 -d", prepare), (" -p p[0-9a-f]{16} ", forge)])
    made = validate(task(), environment(), IMAGE, runtime, timeout=5)
    assert (made.report.reason, made.report.fail_to_pass) == (Reason.TAMPERED, ())


def test_a_test_that_always_passed_before_was_not_mended_however_flaky() -> None:
    """Fails if the reason says `flaky` where nothing was ever broken."""
    made = judged(MENDED, {**MENDED, "a": "failed"}, MENDED, MENDED, n_runs=2)
    assert made.report.reason is Reason.NO_FAIL_TO_PASS


def test_a_detail_names_a_few_of_many_tests() -> None:
    """Fails if a line of the report grows with the test suite."""
    many = [f"t{number:02}" for number in range(30)]
    made = judged(
        {"a": "failed", **dict.fromkeys(many, "passed")}, {"a": "passed", **dict.fromkeys(many, "failed")}, n_runs=1
    )
    assert made.report.detail == "30 tests: t00, t01, t02, t03, t04 and 25 more"


def test_no_runs_are_refused() -> None:
    with pytest.raises(UsageError, match="0 runs"):
        judged(n_runs=0)
