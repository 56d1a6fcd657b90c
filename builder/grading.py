"""From the probe's records to statuses, and from the statuses of many runs to FAIL_TO_PASS and PASS_TO_PASS.

Pure: no clock, no files. What the records look like is said in `builder/probe/builder_probe.py`; pytest's exit codes
are those of its documentation (`pytest.ExitCode`). The decision, first match wins:

| what                                                                            | outcome      |
|---------------------------------------------------------------------------------|--------------|
| a line that is not authentic, out of order, or after the summary                | `tampered`   |
| no record at all                                                                | `no_results` |
| no summary (killed, crashed, `os._exit`), whatever was reported before          | `no_results` |
| the summary's exit status is not the process's exit code                        | `tampered`   |
| a phase reported as passed that raised, or that was not seen to run             | `tampered`   |
| exit 0 or 1, and fewer tests reported than collected (stopped, `--collect-only`)| `no_results` |
| exit 0, and a failure or collection error was reported                          | `tampered`   |
| exit 0, and no test has a status                                                | `no_results` |
| exit 0                                                                          | `completed`  |
| exit 1, and no failure or collection error was reported                         | `tampered`   |
| exit 1                                                                          | `completed`  |
| exit 2, collection errors, and no test ran                                      | `completed`  |
| exit 2 otherwise (interrupted)                                                  | `no_results` |
| exit 5, nothing collected and nothing reported                                  | `completed`  |
| exit 5 otherwise                                                                | `tampered`   |
| any other exit code (internal error, usage error, signal)                       | `no_results` |
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from builder.models import TestStatus

PHASES = ("setup", "call", "teardown")
EXIT_OK, EXIT_TESTS_FAILED, EXIT_INTERRUPTED, EXIT_NO_TESTS = 0, 1, 2, 5

Outcome = Literal["completed", "no_results", "tampered"]
ProbeRecord = Mapping[str, Any]


@dataclass(frozen=True)
class Graded:
    """What one run's records say."""

    outcome: Outcome
    detail: str = ""
    statuses: dict[str, TestStatus] = field(default_factory=dict)
    collection_errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stream:
    """The authentic records at the head of a channel, and what came after them, if anything did."""

    records: tuple[ProbeRecord, ...]
    problem: str = ""
    cut: bool = False


def read_channel(data: bytes, key: bytes) -> Stream:
    """Check and decode a channel. `cut` says that the last line is incomplete, as after a crash or a full disk."""
    *lines, rest = data.split(b"\n")
    previous = b""
    records: list[ProbeRecord] = []
    for number, line in enumerate(lines):
        mac, _, text = line.partition(b" ")
        expected = hmac.new(key, previous + text, hashlib.sha256)
        if not hmac.compare_digest(mac, expected.hexdigest().encode("ascii")):
            return Stream(tuple(records), f"line {number + 1} of the channel is not the probe's")
        record = json.loads(text)
        if record["n"] != number:
            return Stream(tuple(records), f"line {number + 1} of the channel is numbered {record['n'] + 1}")
        previous = expected.digest()
        records.append(record)
    return Stream(tuple(records), cut=bool(rest))


def grade(channel: bytes, key: bytes, exit_code: int | None) -> Graded:
    """Judge one run by the table above. `exit_code` is the test command's own; None if it was killed."""
    stream = read_channel(channel, key)
    graded = _statuses(stream.records)
    outcome, detail = _judge(stream, graded, exit_code)
    return Graded(outcome, detail, graded.statuses, graded.collection_errors)


def _judge(stream: Stream, graded: Graded, exit_code: int | None) -> tuple[Outcome, str]:
    records = stream.records
    if stream.problem:
        return "tampered", stream.problem
    if not records:
        return "no_results", f"pytest did not start (exit code {exit_code})"
    ends = [record for record in records if record["kind"] == "end"]
    if not ends:
        return "no_results", f"the test process ended without a summary (exit code {exit_code})"
    if len(ends) > 1 or records[-1] is not ends[0] or stream.cut:
        return "tampered", "the channel goes on after the summary"
    if ends[0]["exit"] != exit_code:
        return "tampered", f"pytest ended with {ends[0]['exit']}, but its process with {exit_code}"
    suspicion = _suspicion(records)
    if suspicion:
        return "tampered", suspicion
    return _judge_exit(records, graded, ends[0])


def _suspicion(records: Iterable[ProbeRecord]) -> str:
    """The first phase whose report says passed, while the test was seen to raise, or not seen at all."""
    for record in records:
        if record["kind"] != "phase" or record["outcome"] != "passed" or "raised" not in record:
            continue
        if record["raised"] is None:
            return f"{record['id']}: {record['when']} was reported without having run"
        if record["raised"]:
            return f"{record['id']}: {record['when']} was reported as passed, but raised"
    return ""


def _judge_exit(records: tuple[ProbeRecord, ...], graded: Graded, end: ProbeRecord) -> tuple[Outcome, str]:
    status, collected = end["exit"], end["collected"]
    phases = [record for record in records if record["kind"] == "phase"]
    ran = len({record["id"] for record in phases if "unknown" not in record})
    bad = len(graded.collection_errors) + sum(record["outcome"] == "failed" for record in phases)
    if status in (EXIT_OK, EXIT_TESTS_FAILED) and ran < collected:
        return "no_results", f"{collected} tests were collected, but {ran} were run"
    if status == EXIT_OK:
        return _judge_success(graded, bad)
    if status == EXIT_TESTS_FAILED:
        return ("completed", "") if bad else ("tampered", "pytest says that tests failed, but no record does")
    if status == EXIT_INTERRUPTED and graded.collection_errors and not phases:
        return "completed", "stopped by collection errors"
    if status == EXIT_NO_TESTS:
        empty = not phases and not collected
        return ("completed", "no tests collected") if empty else ("tampered", "pytest says that no test was collected")
    return "no_results", f"pytest ended with exit status {status}"


def _judge_success(graded: Graded, bad: int) -> tuple[Outcome, str]:
    if bad:
        return "tampered", f"pytest says that all is well, but {bad} records say failed"
    if not graded.statuses:
        return "no_results", "no test has a status"
    return "completed", ""


def _statuses(records: Iterable[ProbeRecord]) -> Graded:
    """Statuses per id, whatever the outcome. Records of tests that were not collected count for nothing."""
    phases: dict[str, list[ProbeRecord]] = {}
    errors: dict[str, None] = {}
    for record in records:
        if record["kind"] == "collect_error":
            errors[_storable(record["id"])] = None
        elif record["kind"] == "phase" and "unknown" not in record:
            phases.setdefault(_storable(record["id"]), []).append(record)
    statuses = {name: status for name, seen in phases.items() if (status := status_of(seen)) is not None}
    return Graded("completed", "", statuses, tuple(errors))


def _storable(name: str) -> str:
    """The id itself; a lone surrogate (a file name that is not UTF-8) becomes `\\udcff`, since JSON cannot hold it."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def status_of(phases: Iterable[ProbeRecord]) -> TestStatus | None:
    """The status of one id from all of its phase records; None if they do not add up to one.

    The worst wins: a failed call over a failed setup or teardown (`error`) over skipped over xfailed or xpassed over
    passed, so that an id which ran twice passes only if it passed twice. Attempts that were run again (`rerun`) do
    not count, and of a subtest only its failure does. Passing takes all three phases.
    """
    whole = [record for record in phases if record["outcome"] != "rerun"]
    failed = {record["when"] for record in whole if record["outcome"] == "failed"}
    if failed:
        return TestStatus.ERROR if failed <= {"setup", "teardown"} else TestStatus.FAILED
    own = [record for record in whole if "sub" not in record]
    if not any(record["when"] == "teardown" for record in own):
        return None
    skipped = [record for record in own if record["outcome"] == "skipped"]
    if skipped:
        return TestStatus.XFAILED if all("xfail" in record for record in skipped) else TestStatus.SKIPPED
    if any("xfail" in record for record in own):
        return TestStatus.XPASSED
    passed = {record["when"] for record in own if record["outcome"] == "passed"}
    return TestStatus.PASSED if passed.issuperset(PHASES) else None
