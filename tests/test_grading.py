"""From records to statuses and an outcome: every row of the table at the head of `grading.py`."""

from __future__ import annotations

import pytest
from record_factory import KEY, Made, channel, collected, end, error, fails, passes, phase, start

from builder.grading import PHASES, grade, read_channel, status_of
from builder.models import TestStatus

TABLE = [
    pytest.param([], 1, "no_results", id="pytest did not start"),
    pytest.param([start(), collected(1), *passes("a")], 0, "no_results", id="no summary"),
    pytest.param([start(), collected(1), *passes("a"), end(1, 1)], 0, "tampered", id="exit code changed afterwards"),
    pytest.param([start(), *passes("a"), end(0, 1), *passes("b")], 0, "tampered", id="records after the summary"),
    pytest.param([start(), *passes("a"), end(0, 1), end(0, 1)], 0, "tampered", id="two summaries"),
    pytest.param([start(), *passes("a"), end(0, 2)], 0, "no_results", id="stopped half-way, exit 0"),
    pytest.param([start(), *fails("a"), end(1, 2)], 1, "no_results", id="stopped half-way, exit 1"),
    pytest.param([start(), *fails("a"), end(0, 1)], 0, "tampered", id="failure, exit 0"),
    pytest.param([start(), error("b"), *passes("a"), end(0, 1)], 0, "tampered", id="collection error, exit 0"),
    pytest.param([start(), end(0, 0)], 0, "no_results", id="T34 nothing ran, exit 0"),
    pytest.param([start(), phase("a", "setup"), phase("a", "teardown"), end(0, 1)], 0, "no_results", id="setup only"),
    pytest.param([start(), *passes("a"), end(0, 1)], 0, "completed", id="all well"),
    pytest.param([start(), *passes("a"), end(1, 1)], 1, "tampered", id="exit 1 without failure"),
    pytest.param([start(), *fails("a"), end(1, 1)], 1, "completed", id="a failure"),
    pytest.param([start(), error("b"), *passes("a"), end(1, 1)], 1, "completed", id="collection error, rest ran"),
    pytest.param([start(), error("b"), end(2, 1)], 2, "completed", id="T33 stopped by a collection error"),
    pytest.param([start(), *passes("a"), end(2, 2)], 2, "no_results", id="interrupted"),
    pytest.param([start(), end(3, 0)], 3, "no_results", id="internal error"),
    pytest.param([start(), end(4, 0)], 4, "no_results", id="usage error"),
    pytest.param([start(), end(5, 0)], 5, "completed", id="no tests"),
    pytest.param([start(), *passes("a"), end(5, 1)], 5, "tampered", id="exit 5 with tests"),
    pytest.param([start(), *passes("a"), end(-11, 1)], -11, "no_results", id="unknown status"),
    pytest.param([start(), *passes("a"), end(0, 1)], None, "tampered", id="killed after the summary"),
]


@pytest.mark.parametrize(("records", "exit_code", "outcome"), TABLE)
def test_the_table(records: list[Made], exit_code: int | None, outcome: str) -> None:
    assert grade(channel(*records), KEY, exit_code).outcome == outcome


WHOLE = channel(start(), collected(1), *passes("a"), end(0, 1))
LINES = WHOLE.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        pytest.param(WHOLE, "completed", id="untouched"),
        pytest.param(WHOLE + b"garbage\n", "tampered", id="a line appended"),
        pytest.param(WHOLE + b"\xff\x00", "tampered", id="bytes appended"),
        pytest.param(b"x" + WHOLE, "tampered", id="bytes in front"),
        pytest.param(WHOLE + LINES[-1], "tampered", id="a line repeated"),
        pytest.param(b"".join([*LINES[:2], *LINES[3:]]), "tampered", id="a line dropped"),
        pytest.param(b"".join([LINES[0], LINES[2], LINES[1], *LINES[3:]]), "tampered", id="lines swapped"),
        pytest.param(WHOLE.replace(b'"passed"', b'"failed"', 1), "tampered", id="a word changed"),
        pytest.param(channel(start(), *passes("a"), end(0, 1), key=b"guess"), "tampered", id="a guessed key"),
        pytest.param(WHOLE[:-9], "no_results", id="cut in the summary"),
        pytest.param(b"".join(LINES[:-1]), "no_results", id="cut before the summary"),
    ],
)
def test_t50_only_the_untouched_channel_is_a_result(data: bytes, outcome: str) -> None:
    assert grade(data, KEY, 0).outcome == outcome


def test_what_was_said_before_a_forgery_is_still_read() -> None:
    stream = read_channel(WHOLE + b"garbage\n", KEY)
    assert len(stream.records) == len(LINES)
    assert "line 7" in stream.problem


def test_t50_a_pass_that_raised_or_never_ran_is_tampering() -> None:
    for evidence in (True, None):
        call = phase("a", "call", raised=evidence)
        run = grade(channel(start(), phase("a", "setup"), call, phase("a", "teardown"), end(0, 1)), KEY, 0)
        assert (run.outcome, "a: call" in run.detail) == ("tampered", True)


def test_t50_a_test_that_was_not_collected_has_no_status() -> None:
    forged = [phase("forged", when, unknown=True) for when in PHASES]
    run = grade(channel(start(), *passes("a"), *forged, end(0, 1)), KEY, 0)
    assert run.statuses == {"a": TestStatus.PASSED}


def test_workers_report_without_evidence() -> None:
    """With xdist the tests run in other processes, where nobody of ours looks."""
    records = [{key: value for key, value in record.items() if key != "raised"} for record in passes("a")]
    assert grade(channel(start(), *records, end(0, 1)), KEY, 0).statuses == {"a": TestStatus.PASSED}


XFAIL: Made = {"xfail": True}
CASES = [
    ([phase("a", "setup"), phase("a", "call"), phase("a", "teardown")], TestStatus.PASSED),
    (fails("a"), TestStatus.FAILED),
    ([phase("a", "setup", "failed"), phase("a", "teardown")], TestStatus.ERROR),
    ([phase("a", "setup"), phase("a", "call"), phase("a", "teardown", "failed")], TestStatus.ERROR),
    ([phase("a", "setup"), phase("a", "call", "failed"), phase("a", "teardown", "failed")], TestStatus.FAILED),
    ([phase("a", "setup", "skipped"), phase("a", "teardown")], TestStatus.SKIPPED),
    ([phase("a", "setup"), phase("a", "call", "skipped"), phase("a", "teardown")], TestStatus.SKIPPED),
    ([phase("a", "setup"), phase("a", "call", "skipped", **XFAIL), phase("a", "teardown")], TestStatus.XFAILED),
    ([phase("a", "setup"), phase("a", "call", **XFAIL), phase("a", "teardown")], TestStatus.XPASSED),
    ([phase("a", "setup"), phase("a", "call", "skipped", **XFAIL), phase("a", "teardown", "failed")], TestStatus.ERROR),
    ([phase("a", "setup"), phase("a", "call", "rerun"), *passes("a")], TestStatus.PASSED),
    ([*passes("a"), *fails("a")], TestStatus.FAILED),
    ([phase("a", "call", "failed", sub=True), *passes("a")], TestStatus.FAILED),
    ([phase("a", "call", "skipped", sub=True), *passes("a")], TestStatus.PASSED),
    ([phase("a", "???", "failed")], TestStatus.FAILED),
    ([phase("a", "setup"), phase("a", "call")], None),
    ([phase("a", "setup"), phase("a", "teardown")], None),
    ([], None),
]


@pytest.mark.parametrize(("phases", "status"), CASES)
def test_the_status_over_the_phases(phases: list[Made], status: TestStatus | None) -> None:
    assert status_of(phases) == status


def test_t30_ids_that_no_json_can_hold_stay_apart() -> None:
    records = [record for name in ("a\udcff", "a\udcfe") for record in passes(name)]
    assert set(grade(channel(start(), *records, end(0, 2)), KEY, 0).statuses) == {"a\\udcff", "a\\udcfe"}
