"""Which numbers of a generated repository are pull requests, and which are issues: a service counts both together.

Of five numbers in a row, the first and the fourth are issues.
"""

from __future__ import annotations

from collections.abc import Iterator

BLOCK = 5
_PULL_PLACES = (1, 2, 4)
_ISSUE_PLACES = (0, 3)


def pull_number(position: int) -> int:
    """The number of the pull request that is opened as the `position`-th, from 0."""
    return BLOCK * (position // 3) + _PULL_PLACES[position % 3] + 1


def pull_position(number: int) -> int:
    """The other way round; `number` is a pull request's."""
    return 3 * block_of(number) + _PULL_PLACES.index((number - 1) % BLOCK)


def is_pull(number: int) -> bool:
    return (number - 1) % BLOCK in _PULL_PLACES


def block_of(number: int) -> int:
    return (number - 1) // BLOCK


def issues_of(block: int) -> tuple[int, ...]:
    return tuple(BLOCK * block + place + 1 for place in _ISSUE_PLACES)


def pulls_of(block: int) -> tuple[int, ...]:
    return tuple(BLOCK * block + place + 1 for place in _PULL_PLACES)


def pulls_up_to(last: int) -> Iterator[int]:
    return (number for number in range(1, last + 1) if is_pull(number))


def issues_up_to(last: int) -> Iterator[int]:
    return (number for number in range(1, last + 1) if not is_pull(number))
