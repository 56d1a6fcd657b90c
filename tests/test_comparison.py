"""FAIL_TO_PASS, PASS_TO_PASS, flaky and pass-to-fail from runs made up by hand."""

from __future__ import annotations

import pytest

from builder.comparison import Comparison, Rule, compare, distinct_when_cut
from builder.models import TestRun, TestStatus

RULES: list[Rule] = ["swe-bench", "swe-gym"]


def ran(exit_code: int = 1, errors: tuple[str, ...] = (), **statuses: str) -> TestRun:
    read = {name: TestStatus(status) for name, status in statuses.items()}
    return TestRun(outcome="completed", statuses=read, exit_code=exit_code, collection_errors=errors)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("before", "after", "to_pass"),
    [
        ("failed", "passed", True),
        ("error", "passed", True),
        ("failed", "xfailed", True),
        ("failed", "xpassed", False),
        ("failed", "skipped", False),
        ("failed", "error", False),
        ("skipped", "passed", False),
        ("xpassed", "passed", False),
        ("passed", "passed", False),
        ("xfailed", "passed", False),
    ],
)
def test_t34_what_turns_a_failure_into_a_pass(rule: Rule, before: str, after: str, to_pass: bool) -> None:
    found = compare([ran(t=before)] * 3, [ran(t=after)] * 3, rule)
    assert found.fail_to_pass == (("t",) if to_pass else ())


def test_what_passes_on_both_sides() -> None:
    before = [ran(a="passed", b="xfailed", c="skipped", d="passed", e="passed")]
    after = [ran(a="passed", b="passed", c="skipped", d="skipped")]
    assert compare(before, after, "swe-bench").pass_to_pass == ("a", "b")


def test_t35_absent_afterwards_is_neither_passing_nor_broken() -> None:
    assert compare([ran(t="passed")], [ran(u="passed")], "swe-gym") == Comparison()


def test_absent_before_counts_by_one_rule_only() -> None:
    before, after = [ran(a="passed")] * 2, [ran(a="passed", new="passed")] * 2
    assert compare(before, after, "swe-bench").fail_to_pass == ("new",)
    assert compare(before, after, "swe-gym").fail_to_pass == ()


def test_t33_a_stopped_run_speaks_only_for_the_files_it_could_not_collect() -> None:
    """Fails if the tests of other files, never tried before, become FAIL_TO_PASS."""
    before = [ran(2, ("t/test_a.py", "pkg"))]
    names = ["t/test_a.py::x", "t/test_a.py.bak::x", "t/test_b.py::x", "pkg/test_c.py::x"]
    after = [ran(0, (), **dict.fromkeys(names, "passed"))]
    assert compare(before, after, "swe-bench").fail_to_pass == ("pkg/test_c.py::x", "t/test_a.py::x")


def test_t36_a_run_without_results_makes_every_list_empty() -> None:
    good, bad = ran(t="passed"), TestRun(outcome="timed_out", statuses={"t": TestStatus.FAILED})
    assert compare([bad], [good], "swe-bench") == Comparison()
    assert compare([ran(t="failed")], [good, bad], "swe-bench") == Comparison()
    assert compare([], [good], "swe-bench") == Comparison()
    assert compare([ran(t="failed")], [], "swe-bench") == Comparison()


@pytest.mark.parametrize("rule", RULES)
def test_flaky_tests_are_in_no_other_list(rule: Rule) -> None:
    before = [ran(a="failed", b="passed", c="passed"), ran(a="failed", b="failed", c="passed")]
    after = [ran(a="passed", b="passed", c="failed"), ran(a="skipped", b="passed", c="failed", d="passed")]
    assert compare(before, after, rule) == Comparison(flaky=("a", "b", "d"), pass_to_fail=("c",))


def test_pass_to_fail_is_steady_on_both_sides() -> None:
    before = [ran(a="passed", b="passed", c="failed")]
    after = [ran(a="error", b="skipped", c="failed")]
    assert compare(before, after, "swe-bench").pass_to_fail == ("a",)


def test_t30_published_lists_are_counted_as_they_were_cut() -> None:
    assert distinct_when_cut(["t[a b]", "t[a c]", "t[b]", "u"]) == 3
