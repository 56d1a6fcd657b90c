"""The engine of one machine: threads over blocking calls, since sandboxes do the computing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


class LocalEngine:
    """Hands out at most `workers` items at a time, so memory does not grow with their number (T62)."""

    name = "local"

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, work: Callable[[Item], Value], chains: Iterable[Sequence[Item]]) -> Iterator[tuple[Item, Value]]:
        """Work through the chains, each in its order, and yield what comes as it comes.

        An exception of `work` is raised here, after which nothing more is handed out.
        """
        waiting = iter(chains)
        running: dict[Future[Value], list[Item]] = {}
        with ThreadPoolExecutor(self.workers, thread_name_prefix="builder") as pool:
            while True:
                while len(running) < self.workers:
                    chain = next(waiting, None)
                    if chain is None:
                        break
                    _hand_out(pool, work, list(reversed(chain)), running)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    rest = running.pop(future)
                    item = rest.pop()
                    value = future.result()
                    _hand_out(pool, work, rest, running)
                    yield item, value


def _hand_out(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Value],
    rest: list[Item],
    running: dict[Future[Value], list[Item]],
) -> None:
    if rest:
        running[pool.submit(work, rest[-1])] = rest


def create(workers: int) -> LocalEngine:
    return LocalEngine(workers)
