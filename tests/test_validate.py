"""Verdicts over N + N runs, played by the scripted runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from scripted_tests import Rehearsed, Script, rehearse
from task_factory import environment, task

from builder.comparison import Rule
from builder.errors import UsageError
from builder.models import Reason
from builder.protocols import ImageSpec, Limits
from builder.runtimes.scripted import ScriptedRuntime
from builder.validate import Validation, validate

IMAGE = ImageSpec("instance", "some-org__proj-1", "3.9.18")
FIXED, KEPT, OTHER = (f"tests/test_parser.py::test_{name}" for name in ("fixed", "kept", "other"))
BROKEN = Script({FIXED: "failed", KEPT: "passed"})
MENDED = Script({FIXED: "passed", KEPT: "passed"})


def play(
    before: Sequence[Script], after: Sequence[Script], rule: Rule = "swe-bench", **changes: Any
) -> tuple[Validation, ScriptedRuntime, Rehearsed]:
    runtime, actor = rehearse({1: before, 2: after})
    options: dict[str, Any] = {"rule": rule, "timeout": 60.0, **changes}
    return validate(task(), environment(), IMAGE, runtime, **options), runtime, actor


def test_a_task_that_fails_before_and_passes_after_is_validated() -> None:
    """Fails if the lists, the number of runs or what identifies the run are lost on the way to the report."""
    done, _, _ = play([BROKEN], [MENDED])
    report = done.report
    assert report.validated
    assert (report.fail_to_pass, report.pass_to_pass, report.flaky_tests) == ((FIXED,), (KEPT,), ())
    assert (report.n_runs, len(done.before), len(done.after)) == (3, 3, 3)
    assert (report.image, report.runtime, report.env_id) == (IMAGE.digest, "scripted", "e0")
    assert (report.seconds_before, report.seconds_after, report.cpu_seconds) == ((1.5,) * 3, (1.5,) * 3, 7.5)


def test_before_has_the_tests_and_after_has_the_tests_and_the_fix() -> None:
    """Fails if the sides are swapped, or a side runs without the tests of the change."""
    _, _, actor = play([BROKEN], [MENDED], n_runs=1)
    assert actor.patches == [[task().test_patch], [task().test_patch, task().patch]]


def test_t37_every_run_has_a_sandbox_of_its_own() -> None:
    """Fails if state could leak from run to run."""
    _, runtime, _ = play([BROKEN], [MENDED], n_runs=2)
    assert len(runtime.started) == 4
    assert runtime.live == 0


@pytest.mark.parametrize("runs", [1, 5])
def test_as_many_runs_a_side_as_asked_for(runs: int) -> None:
    done, runtime, _ = play([BROKEN], [MENDED], n_runs=runs)
    assert done.report.n_runs == len(done.report.seconds_before) == len(done.report.seconds_after) == runs
    assert len(runtime.started) == 2 * runs


def test_no_runs_are_refused() -> None:
    """Fails if nothing at all could count as validated."""
    with pytest.raises(UsageError, match="0 runs"):
        play([BROKEN], [MENDED], n_runs=0)


def test_limits_and_time_reach_every_run() -> None:
    limits = Limits(memory_bytes=5, processes=6)
    _, runtime, _ = play([BROKEN], [MENDED], n_runs=1, timeout=7.0, limits=limits)
    assert {start.limits for start in runtime.started} == {limits}
    assert not any(start.network for start in runtime.started)
    assert [call.timeout for call in runtime.calls if "BUILDER_PROBE" in call.env] == [7.0, 7.0]


REFUSED = Script(patch_refused=b"error: patch does not apply")
CRASHED = Script({FIXED: "failed"}, exit_code=3)
FORGED = Script(channel=b"{}\n")
HUNG = Script(timed_out=True)
BROKEN_AFTER = Script({FIXED: "passed", KEPT: "failed"})


@pytest.mark.parametrize(
    ("reason", "before", "after"),
    [
        (Reason.PATCH_FAILED, REFUSED, MENDED),
        (Reason.PATCH_FAILED, BROKEN, REFUSED),
        (Reason.TIMED_OUT, HUNG, MENDED),
        (Reason.TIMED_OUT, BROKEN, HUNG),
        (Reason.TAMPERED, FORGED, MENDED),
        (Reason.TAMPERED, BROKEN, FORGED),
        (Reason.NO_RESULTS, CRASHED, MENDED),
        (Reason.NO_RESULTS, BROKEN, CRASHED),
        (Reason.NO_RESULTS, Script(killed_by="memory"), MENDED),
        (Reason.NO_FAIL_TO_PASS, MENDED, MENDED),
        (Reason.NO_FAIL_TO_PASS, BROKEN, BROKEN),
        (Reason.GOLD_BREAKS_TESTS, BROKEN, BROKEN_AFTER),
    ],
)
def test_t36_each_way_not_to_be_a_task_has_its_reason(reason: Reason, before: Script, after: Script) -> None:
    """Fails if a crash, a time-out or a forged run of one side is taken for evidence."""
    done, _, _ = play([before], [after])
    assert done.report.reason == reason
    assert done.report.detail
    if reason is not Reason.GOLD_BREAKS_TESTS:
        assert done.report.fail_to_pass == ()


@pytest.mark.parametrize("later", [CRASHED, HUNG, FORGED])
def test_t36_a_bad_run_after_good_ones_spoils_the_verdict(later: Script) -> None:
    """Fails if the first good pair is enough."""
    done, _, _ = play([BROKEN, BROKEN, later], [MENDED])
    assert not done.report.validated
    assert done.report.fail_to_pass == done.report.pass_to_pass == ()


def test_a_run_before_without_results_ends_it() -> None:
    """Fails if time is spent on runs that cannot change the verdict."""
    _, runtime, _ = play([HUNG], [MENDED])
    assert len(runtime.started) == 1


def test_a_first_pair_without_a_mended_test_ends_it() -> None:
    _, runtime, _ = play([MENDED], [MENDED])
    assert len(runtime.started) == 2


def test_a_broken_test_does_not_end_it() -> None:
    """Fails if the lists of a report are cut short, which are compared with published ones."""
    done, runtime, _ = play([BROKEN], [BROKEN_AFTER])
    assert len(runtime.started) == 6
    assert done.report.pass_to_fail == (KEPT,)


def test_a_test_that_only_sometimes_passes_after_is_flaky() -> None:
    done, _, _ = play([BROKEN], [MENDED, BROKEN, MENDED])
    assert done.report.reason is Reason.FLAKY
    assert done.report.flaky_tests == (FIXED,)
    assert FIXED in done.report.detail


def test_a_flaky_test_beside_a_mended_one_is_only_left_out() -> None:
    """Fails if one flaky test costs the whole instance, or is published as if it were steady."""
    wobbly = [Script({**MENDED.tests, OTHER: status}) for status in ("passed", "failed", "passed")]
    done, _, _ = play([Script({**BROKEN.tests, OTHER: "passed"})], wobbly)
    assert done.report.validated
    assert done.report.flaky_tests == (OTHER,)
    assert OTHER not in (*done.report.fail_to_pass, *done.report.pass_to_pass)


def test_a_test_that_always_passed_before_is_no_flaky_mending() -> None:
    """Fails if `flaky` is said where no run before failed: nothing was mended."""
    done, _, _ = play([MENDED], [BROKEN_AFTER, MENDED, MENDED])
    assert done.report.reason is Reason.NO_FAIL_TO_PASS


def test_t33_a_file_that_cannot_be_imported_before_counts_as_failing_by_swe_bench_only() -> None:
    before = Script({}, errors=("tests/test_parser.py",))
    done, _, _ = play([before], [MENDED])
    assert done.report.fail_to_pass == (FIXED, KEPT)
    narrow, _, _ = play([before], [MENDED], "swe-gym")
    assert narrow.report.reason is Reason.NO_FAIL_TO_PASS
    assert narrow.report.f2p_rule == "swe-gym"


def test_t34_tests_that_are_all_skipped_prove_nothing() -> None:
    done, _, _ = play([BROKEN], [Script({FIXED: "skipped", KEPT: "skipped"})])
    assert done.report.reason is Reason.NO_FAIL_TO_PASS
    assert done.report.pass_to_pass == ()


def test_t35_a_test_that_is_gone_after_the_patch_is_neither_passing_nor_broken() -> None:
    done, _, _ = play([BROKEN], [Script({FIXED: "passed"})])
    assert done.report.validated
    assert done.report.pass_to_pass == done.report.pass_to_fail == ()


def test_many_broken_tests_are_counted_and_some_named() -> None:
    """Fails if a detail grows with the test suite."""
    names = [f"tests/test_many.py::test_{number:03}" for number in range(100)]
    before = Script({FIXED: "failed", **dict.fromkeys(names, "passed")})
    after = Script({FIXED: "passed", **dict.fromkeys(names, "failed")})
    done, _, _ = play([before], [after])
    assert done.report.detail == f"100 tests: {', '.join(names[:5])} and 95 more"
