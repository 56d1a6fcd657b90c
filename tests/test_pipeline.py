"""The pipeline: what is skipped, what is tried again, what is recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.engines import local
from builder.errors import DiskFullError, Rejected, RepositoryError, RuntimeMissingError, SandboxError
from builder.models import Evidence, Record
from builder.pipeline import TRIES, Pipeline, Step, log_path, record_found
from builder.store import Store


class Quiet:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def start(self, step: str, total: int) -> None:
        self.seen.append(f"{step} {total}")

    def advance(self, outcome: str) -> None:
        self.seen.append(outcome)

    def finish(self) -> None:
        self.seen.append("finish")


def found(text: str) -> Evidence:
    return Evidence(rule=text, conclusion=text, source=text)


def step(work: Callable[[str, Path], Record], inputs: Callable[[str], str] = lambda item: "same") -> Step[str]:
    return Step("step", key=lambda item: item, repo=lambda item: "o/n", inputs=inputs, work=work)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    stop = threading.Event()
    stop.set()  # no pauses between tries
    with Store.writer(tmp_path) as store:
        yield Pipeline(store, local.create(2), Quiet(), stop)


def test_what_is_done_is_skipped_until_its_inputs_change(pipeline: Pipeline) -> None:
    calls: list[str] = []

    def work(item: str, log: Path) -> Record:
        calls.append(item)
        return found(item)

    first = pipeline.run(step(work), [["a"], ["b"]])
    again = pipeline.run(step(work), [["a"], ["b"]])
    changed = pipeline.run(step(work, inputs=lambda item: "new" if item == "b" else "same"), [["a"], ["b"]])
    assert (first.done, again.done, again.skipped, changed.done) == (2, 0, 2, 1)
    assert sorted(calls) == ["a", "b", "b"]


def test_a_rejection_is_a_result_with_its_reason(pipeline: Pipeline) -> None:
    def work(item: str, log: Path) -> Record:
        raise Rejected("flaky", "3 of 3")

    summary = pipeline.run(step(work), [["a"]])
    result = pipeline.store.result("step", "a")
    assert summary.rejected == 1
    assert result is not None
    assert (result.outcome, result.reason, result.detail) == ("rejected", "flaky", "3 of 3")


@pytest.mark.parametrize(
    "error", [SandboxError("broken"), DiskFullError("full"), ValueError("a bug"), RepositoryError("x")]
)
def test_t61_an_error_is_no_result_and_the_others_go_on(pipeline: Pipeline, error: Exception) -> None:
    def work(item: str, log: Path) -> Record:
        if item == "bad":
            raise error
        return found(item)

    summary = pipeline.run(step(work), [["a"], ["bad"], ["b"]])
    assert summary.done == 2
    assert [failed.result.reason for failed in summary.errors] == [type(error).__name__]
    assert pipeline.store.digest("step", "bad") is None


def test_our_own_failures_are_tried_again(tmp_path: Path) -> None:
    class NoWait(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False

    calls: list[str] = []

    def work(item: str, log: Path) -> Record:
        calls.append(item)
        if len(calls) < TRIES:
            raise SandboxError("broken")
        return found(item)

    with Store.writer(tmp_path) as store:
        summary = Pipeline(store, local.create(1), Quiet(), NoWait()).run(step(work), [["a"]])
    assert (summary.done, len(calls)) == (1, TRIES)


def test_a_missing_service_ends_the_run_at_once(pipeline: Pipeline) -> None:
    def work(item: str, log: Path) -> Record:
        raise RuntimeMissingError("no namespaces")

    with pytest.raises(RuntimeMissingError):
        pipeline.run(step(work), [[str(number)] for number in range(50)])
    assert pipeline.progress.seen[-1] == "finish"  # type: ignore[attr-defined]


def test_a_bug_leaves_its_traceback_in_the_log(pipeline: Pipeline) -> None:
    def work(item: str, log: Path) -> Record:
        raise ZeroDivisionError

    pipeline.run(step(work), [["a/b"]])
    assert "ZeroDivisionError" in log_path(pipeline.store.workspace, "step", "a/b").read_text()


def test_what_a_source_yields_before_it_breaks_is_kept(pipeline: Pipeline) -> None:
    def broken() -> Iterator[tuple[str, str, Record]]:
        yield "a", "o/n", found("a")
        raise RepositoryError("the rest is gone")

    with pytest.raises(RepositoryError):
        record_found(pipeline.store, "found", broken())
    assert pipeline.store.items("found") == ["a"]


def test_finding_the_same_again_changes_nothing(pipeline: Pipeline) -> None:
    entries = [(str(number), "o/n", found("x")) for number in range(7)]
    assert record_found(pipeline.store, "found", entries, batch=3) == 7
    assert record_found(pipeline.store, "found", [*entries, ("new", "o/n", found("y"))], batch=3) == 1


def test_t24_any_id_makes_one_log_file(tmp_path: Path) -> None:
    paths = [log_path(tmp_path, "step", item) for item in ("a/b", "a%2Fb", "../x", "é", "x" * 300)]
    assert len({path.parent for path in paths}) == 1
    assert all(len(path.name.encode()) <= 255 for path in paths)
    assert len(set(paths)) == len(paths)
