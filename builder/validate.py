"""Validate an instance: run its tests before and after the gold patch, several times, each in a fresh sandbox.

*Before* is the base commit with `test_patch`, *after* the same with `patch` too. The verdict, first match wins:

1. a run that is not completed: its outcome (`patch_failed`, `timed_out`, `tampered`, `no_results`), worst first in
   that order, since a patch that does not apply explains everything that follows;
2. no FAIL_TO_PASS: `flaky` if a flaky test passed after the patch and not always before it, else `no_fail_to_pass`;
3. a test that passed in every run before and fails or errors in every run after: `gold_breaks_tests`. One that is
   absent afterwards is not broken: patches rename parametrised ids. (SWE-Gym keeps such instances; the lists of a
   rejected report are complete, so that they can be compared.)

Nothing is validated on fewer than `n_runs` runs a side. A rejection may come earlier: after the first pair if it
already excludes every FAIL_TO_PASS, or after any run without results.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from builder.comparison import Comparison, Rule, compare
from builder.errors import UsageError
from builder.models import Environment, Reason, TaskInstance, TestRun, ValidationReport
from builder.protocols import ImageSpec, Limits, Runtime
from builder.testrun import run_tests

_BAD_OUTCOMES = (Reason.PATCH_FAILED, Reason.TIMED_OUT, Reason.TAMPERED, Reason.NO_RESULTS)
_SHOWN = 5


@dataclass(frozen=True)
class Validation:
    """The verdict, and the runs that it rests on, in the order in which they were made."""

    report: ValidationReport
    before: tuple[TestRun, ...]
    after: tuple[TestRun, ...]


@dataclass(frozen=True)
class _Made:
    """What was run, where, and to be judged by which rule."""

    image: str
    runtime: str
    rule: Rule
    before: list[TestRun]
    after: list[TestRun]


@dataclass(frozen=True)
class Verdict:
    """`reason` is None if the instance is a task."""

    reason: Reason | None
    detail: str = ""


def validate(
    instance: TaskInstance,
    environment: Environment,
    image: ImageSpec,
    runtime: Runtime,
    *,
    n_runs: int = 3,
    rule: Rule = "swe-bench",
    timeout: float,
    limits: Limits | None = None,
) -> Validation:
    """Run the tests up to `n_runs` times a side and judge. `timeout`: seconds for one run of the test command.

    Raises UsageError for `n_runs` below 1, SandboxError and DiskFullError if the runtime broke.
    """
    if n_runs < 1:
        raise UsageError(f"{n_runs} runs are none", hint="Give --runs 1 or more; 3 is the default.")
    spec = environment.spec

    def run(*patches: bytes) -> TestRun:
        return run_tests(
            runtime,
            image,
            patches=patches,
            test_cmd=spec.test_cmd,
            test_files=instance.test_files,
            test_env=spec.test_env,
            timeout=timeout,
            limits=limits,
        )

    before: list[TestRun] = []
    after: list[TestRun] = []
    while len(after) < n_runs and not _certainly_rejected(before, after, rule):
        before.append(run(instance.test_patch))
        if before[-1].outcome == "completed":
            after.append(run(instance.test_patch, instance.patch))
    made = _Made(image.digest, runtime.name, rule, before, after)
    return Validation(_report(instance, environment, made), tuple(before), tuple(after))


def _report(instance: TaskInstance, environment: Environment, made: _Made) -> ValidationReport:
    before, after = made.before, made.after
    comparison = compare(before, after, made.rule)
    verdict = judge(before, after, comparison)
    return ValidationReport(
        instance_id=instance.instance_id,
        env_id=environment.env_id,
        image=made.image,
        runtime=made.runtime,
        f2p_rule=made.rule,
        n_runs=len(after),
        fail_to_pass=comparison.fail_to_pass,
        pass_to_pass=comparison.pass_to_pass,
        flaky_tests=comparison.flaky,
        pass_to_fail=comparison.pass_to_fail,
        reason=verdict.reason,
        detail=verdict.detail,
        test_cmd=environment.spec.test_cmd,
        test_files=instance.test_files,
        seconds_before=tuple(round(run.wall_seconds, 3) for run in before),
        seconds_after=tuple(round(run.wall_seconds, 3) for run in after),
        cpu_seconds=round(sum(run.cpu_seconds for run in (*before, *after)), 3),
        flags=instance.flags,
        validated_at=datetime.now(UTC),
    )


def _certainly_rejected(before: list[TestRun], after: list[TestRun], rule: Rule) -> bool:
    """Whether no further run can make a task of it: each can only take ids away from FAIL_TO_PASS."""
    if not before:
        return False
    if any(run.outcome != "completed" for run in (*before, *after)):
        return True
    return not compare(before, after, rule).fail_to_pass


def judge(before: list[TestRun], after: list[TestRun], comparison: Comparison) -> Verdict:
    """The verdict by the list at the head of this module."""
    for reason in _BAD_OUTCOMES:
        for side, runs in (("before", before), ("after", after)):
            for run in runs:
                if run.outcome == reason.value:
                    return Verdict(reason, f"{side} the patch: {run.detail}")
    if not comparison.fail_to_pass:
        return _judge_empty(before, after, comparison)
    if comparison.pass_to_fail:
        return Verdict(Reason.GOLD_BREAKS_TESTS, _named(comparison.pass_to_fail))
    return Verdict(None)


def _judge_empty(before: list[TestRun], after: list[TestRun], comparison: Comparison) -> Verdict:
    mended = [name for name in comparison.flaky if _ever_passes(name, after) and not _always_passes(name, before)]
    if mended:
        return Verdict(Reason.FLAKY, _named(mended))
    return Verdict(Reason.NO_FAIL_TO_PASS, "no test fails before and passes after")


def _ever_passes(name: str, runs: list[TestRun]) -> bool:
    return any(name in run.statuses and run.statuses[name].counts_as_pass for run in runs)


def _always_passes(name: str, runs: list[TestRun]) -> bool:
    return all(name in run.statuses and run.statuses[name].counts_as_pass for run in runs)


def _named(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} tests: " + ", ".join(names[:_SHOWN]) + more
