"""From the statuses of runs before and after a change to FAIL_TO_PASS, PASS_TO_PASS and the flaky tests.

Pure. Only completed runs say anything: with a single run that is not, every list is empty (T34-T36).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from builder.grading import EXIT_INTERRUPTED
from builder.models import TestRun, TestStatus

Rule = Literal["swe-bench", "swe-gym"]
_BROKEN = (TestStatus.FAILED, TestStatus.ERROR)


@dataclass(frozen=True)
class Comparison:
    """Test ids, each list sorted. `pass_to_fail`: passed in every run before, failed or errored in every run after."""

    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    pass_to_fail: tuple[str, ...] = ()


def compare(before: Sequence[TestRun], after: Sequence[TestRun], rule: Rule) -> Comparison:
    """Sort the test ids of N runs before and M runs after a change.

    `swe-bench` (Jimenez et al., arXiv 2310.06770, section 2.1): FAIL_TO_PASS passed in every run after, and in every
    run before failed, errored, or was absent with evidence (see `_absent_for_cause`). `swe-gym` (Pan et al., arXiv
    2412.21139): it must have failed or errored, under its id, in every run before. Under both a test whose status
    differs between runs of one side is flaky, and in no other list.
    """
    if not before or not after or any(run.outcome != "completed" for run in (*before, *after)):
        return Comparison()
    names = sorted({name for run in (*before, *after) for name in run.statuses})
    flaky = {name for name in names if _differs(name, before) or _differs(name, after)}
    steady = [name for name in names if name not in flaky]
    mended = [name for name in steady if _passes(name, after)]
    return Comparison(
        fail_to_pass=tuple(name for name in mended if _was_broken(name, before, rule)),
        pass_to_pass=tuple(name for name in mended if _passes(name, before)),
        flaky=tuple(sorted(flaky)),
        pass_to_fail=tuple(name for name in steady if _passes(name, before) and _breaks(name, after)),
    )


def _differs(name: str, runs: Sequence[TestRun]) -> bool:
    return len({run.statuses.get(name) for run in runs}) > 1


def _passes(name: str, runs: Sequence[TestRun]) -> bool:
    return all(name in run.statuses and run.statuses[name].counts_as_pass for run in runs)


def _breaks(name: str, runs: Sequence[TestRun]) -> bool:
    return all(run.statuses.get(name) in _BROKEN for run in runs)


def _was_broken(name: str, before: Sequence[TestRun], rule: Rule) -> bool:
    if name in before[0].statuses:
        return _breaks(name, before)
    return rule == "swe-bench" and all(_absent_for_cause(name, run) for run in before)


def _absent_for_cause(name: str, run: TestRun) -> bool:
    """Whether the run shows that the test could not have passed.

    A run that went through all it collected does. One that collection errors stopped speaks only for the files that
    could not be collected: the tests of the others were never tried (T33).
    """
    if run.exit_code != EXIT_INTERRUPTED:
        return True
    return any(name == error or name.startswith((f"{error}::", f"{error}/")) for error in run.collection_errors)


def distinct_when_cut(names: Iterable[str]) -> int:
    """How many ids remain if each is cut at its first space, as SWE-Gym's published lists are (T30)."""
    return len({name.split(" ", 1)[0] for name in names})
