"""The local engine: order within a chain, and never more handed out than there are workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from builder.engines.local import create


def test_t62_no_more_items_are_taken_than_there_are_workers() -> None:
    """Fails if memory would grow with the number of items."""
    taken: list[int] = []

    def chains() -> Iterator[list[int]]:
        for number in range(100):
            taken.append(number)
            yield [number]

    finished = 0
    for _ in create(3).run(lambda item: item, chains()):
        finished += 1
        assert len(taken) <= finished + 3
    assert finished == 100


def test_a_chain_is_worked_through_in_order_and_never_twice_at_once() -> None:
    busy: dict[str, threading.Lock] = {"a": threading.Lock(), "b": threading.Lock()}

    def work(item: tuple[str, int]) -> int:
        assert busy[item[0]].acquire(blocking=False)
        busy[item[0]].release()
        return item[1]

    order: dict[str, list[int]] = {"a": [], "b": []}
    for (chain, _), value in create(4).run(work, [[("a", n) for n in range(20)], [("b", n) for n in range(20)]]):
        order[chain].append(value)
    assert order == {"a": list(range(20)), "b": list(range(20))}


def test_an_exception_of_the_work_reaches_the_caller_and_stops_the_handing_out() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise ZeroDivisionError
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        list(create(1).run(work, [[number] for number in range(100)]))
    assert done == [0, 1, 2]
