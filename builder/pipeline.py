"""Run a step over many items: skip what is done, try the rest, record every try, keep going.

The only module that joins steps to the store, and the only one with a broad `except`: whatever a step raises ends in
a row. `Rejected` is a result; an `InfrastructureError` is tried again, with growing pauses; any other exception is
an error of this item, shown at the end, and the item is tried again by the next run.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from builder.errors import BuilderError, InfrastructureError, Rejected, ServiceMissingError
from builder.models import Record
from builder.protocols import Engine
from builder.store import DONE, ERROR, REJECTED, Attempt, Result, Store, now

Item = TypeVar("Item")

TRIES = 3
"""How often an item is tried when our own means fail."""


@dataclass(frozen=True)
class Step(Generic[Item]):
    """One kind of work. `inputs` is the digest of everything that can change the result (T60)."""

    name: str
    key: Callable[[Item], str]
    repo: Callable[[Item], str]
    inputs: Callable[[Item], str]
    work: Callable[[Item, Path], Record]
    """Called in a worker with the item and the path of the attempt's log file; raises `Rejected`."""


class Progress(Protocol):
    """What a run tells a person while it goes on."""

    def start(self, step: str, total: int) -> None: ...

    def advance(self, outcome: str) -> None: ...

    def finish(self) -> None: ...


@dataclass
class Summary:
    """What a run of a step came to; `errors` holds the failed attempts."""

    step: str
    skipped: int = 0
    done: int = 0
    rejected: int = 0
    errors: list[Attempt] = field(default_factory=list)

    def count(self, attempt: Attempt) -> None:
        if attempt.result.outcome == DONE:
            self.done += 1
        elif attempt.result.outcome == REJECTED:
            self.rejected += 1
        else:
            self.errors.append(attempt)


@dataclass(frozen=True)
class Pipeline:
    """The store, the engine and the means to stop, shared by the steps of one command."""

    store: Store
    engine: Engine
    progress: Progress
    stop: threading.Event

    def run(self, step: Step[Item], chains: Iterable[Sequence[Item]]) -> Summary:
        """Work through chains of items (each in order, one worker at a time) and record what comes of them.

        Raises ServiceMissingError as soon as an item meets one, since every other would too.
        """
        summary = Summary(step.name)
        pending = [remaining for chain in chains if (remaining := self._pending(step, chain, summary))]
        self.progress.start(step.name, sum(len(chain) for chain in pending))
        try:
            for _, attempt in self.engine.run(lambda item: self._attempt(step, item), pending):
                self.store.record(attempt)
                summary.count(attempt)
                self.progress.advance(attempt.result.outcome)
        finally:
            self.progress.finish()
        return summary

    def _pending(self, step: Step[Item], chain: Sequence[Item], summary: Summary) -> list[Item]:
        remaining = [item for item in chain if self.store.digest(step.name, step.key(item)) != step.inputs(item)]
        summary.skipped += len(chain) - len(remaining)
        return remaining

    def _attempt(self, step: Step[Item], item: Item) -> Attempt:
        """Try an item until it has a result, or our own means failed TRIES times. Runs in a worker."""
        log = log_path(self.store.workspace, step.name, step.key(item))
        log.parent.mkdir(parents=True, exist_ok=True)
        started, clock = now(), time.monotonic()
        result = self._result(step, item, log)
        return Attempt(result, started, time.monotonic() - clock, str(log.relative_to(self.store.workspace)))

    def _result(self, step: Step[Item], item: Item, log: Path) -> Result:
        def result(outcome: str, value: str | None = None, reason: str = "", detail: str = "") -> Result:
            return Result(step.name, step.key(item), step.repo(item), inputs, outcome, value, reason, detail)

        inputs = step.inputs(item)
        try:
            return result(DONE, self._patiently(step, item, log).to_json())
        except Rejected as rejection:
            shown = rejection.record.to_json() if rejection.record else None
            return result(REJECTED, shown, rejection.reason, rejection.detail)
        except ServiceMissingError:
            raise
        except BuilderError as error:
            return result(ERROR, None, type(error).__name__, str(error))
        except Exception as error:
            log.write_text(traceback.format_exc(), encoding="utf-8", errors="backslashreplace")
            return result(ERROR, None, type(error).__name__, str(error))

    def _patiently(self, step: Step[Item], item: Item, log: Path) -> Record:
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            sleep_using_event,
            stop_after_attempt,
            stop_when_event_set,
            wait_exponential_jitter,
        )

        attempts = Retrying(
            retry=retry_if_exception_type(InfrastructureError),
            stop=stop_after_attempt(TRIES) | stop_when_event_set(self.stop),
            wait=wait_exponential_jitter(initial=1, max=30),
            sleep=sleep_using_event(self.stop),
            reraise=True,
        )
        return attempts(step.work, item, log)


def record_found(store: Store, step: str, found: Iterable[tuple[str, str, Record]], *, batch: int = 500) -> int:
    """Record what a source yields, (item, repo, record) by (item, repo, record); returns how many were new or changed.

    For steps whose items are not known beforehand. What was read before an error is kept.
    """
    changed = 0
    for group in _batches(found, batch):
        fresh = [entry for entry in group if store.digest(step, entry[0]) != entry[2].digest()]
        changed += len(fresh)
        store.record(*(_found(step, *entry) for entry in fresh))
    return changed


def _found(step: str, item: str, repo: str, record: Record) -> Attempt:
    return Attempt(Result(step, item, repo, record.digest(), DONE, record.to_json()), now(), 0.0)


def _batches(found: Iterable[tuple[str, str, Record]], size: int) -> Iterator[list[tuple[str, str, Record]]]:
    group: list[tuple[str, str, Record]] = []
    try:
        for entry in found:
            group.append(entry)
            if len(group) == size:
                yield group
                group = []
    except BuilderError:
        yield group
        raise
    yield group


def log_path(workspace: Path, step: str, item: str) -> Path:
    """Where the newest attempt at an item logs to; any item makes a valid file name (T24)."""
    name = quote(item, safe="#@ ")[:200]
    return workspace / "logs" / step / f"{name}.log"
