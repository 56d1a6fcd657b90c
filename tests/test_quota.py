"""Whose turn it is, and how long to wait, by the service's published rules."""

from __future__ import annotations

import logging

import pytest
from harvest_factory import Clock

from builder.errors import InfrastructureError, TokenMissingError
from builder.quota import Pool, retry_after
from builder.tokens import Token

ONE, TWO = Token("one", "first"), Token("two", "second")


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def pool(clock: Clock) -> Pool:
    return Pool([ONE, TWO], clock)


def left(number: int) -> dict[str, str]:
    return {"x-ratelimit-remaining": str(number)}


def test_the_token_with_most_left_is_taken(pool: Pool) -> None:
    pool.told(ONE, left(10))
    pool.told(TWO, left(20))
    assert pool.take() is TWO
    pool.told(TWO, left(5))
    assert pool.take() is ONE


def test_t06_a_used_up_token_rests_until_its_hour_is_over(pool: Pool, clock: Clock) -> None:
    pool.used_up(ONE, {"x-ratelimit-reset": str(int(clock.time) + 600)})
    assert pool.take() is TWO
    pool.used_up(TWO, {"x-ratelimit-reset": str(int(clock.time) + 300)})
    assert pool.take() is TWO
    assert clock.time == pytest.approx(1_000_301)


@pytest.mark.parametrize(("reset", "waits"), [("999_000", 2), ("2000000", 3601), ("soon", 61), ("", 61)])
def test_a_reset_that_cannot_be_waits_neither_too_long_nor_not_at_all(
    pool: Pool, clock: Clock, reset: str, waits: int
) -> None:
    """A clock that is wrong here, or there, would make a harvest sleep for days, or ask without a pause."""
    headers = {"x-ratelimit-reset": reset.replace("_", "")}
    pool.used_up(ONE, headers)
    pool.used_up(TWO, headers)
    pool.take()
    assert clock.time - 1_000_000 == pytest.approx(waits)


def test_a_secondary_limit_waits_as_asked_or_longer_each_time(clock: Clock) -> None:
    pool = Pool([ONE], clock)
    pool.slowed_down(ONE, {"retry-after": "30"})
    pool.take()
    assert clock.time == 1_000_031
    waits = []
    for _ in range(3):
        before = clock.time
        pool.slowed_down(ONE, {})
        pool.take()
        waits.append(clock.time - before)
    assert waits == [120, 240, 480]
    pool.told(ONE, {})
    before = clock.time
    pool.slowed_down(ONE, {})
    pool.take()
    assert clock.time - before == 60


def test_waiting_does_not_go_on_for_ever(clock: Clock) -> None:
    pool = Pool([ONE], clock)
    for _ in range(8):
        pool.slowed_down(ONE, {})
        pool.take()
    with pytest.raises(InfrastructureError, match="in a row"):
        pool.slowed_down(ONE, {})


def test_refused_tokens_are_named_by_origin(pool: Pool) -> None:
    pool.refused(ONE)
    assert pool.take() is TWO
    pool.refused(TWO)
    with pytest.raises(TokenMissingError, match="first, second"):
        pool.take()


def test_a_long_wait_is_said(pool: Pool, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A command that sleeps for half an hour without a word looks broken."""
    for token in (ONE, TWO):
        pool.used_up(token, {"x-ratelimit-reset": str(int(clock.time) + 1800)})
    with caplog.at_level(logging.WARNING):
        pool.take()
    assert "30 minutes" in caplog.text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 12 Jan 1970 13:46:50 GMT", 10.0),
        ("Mon, 12 Jan 1970 13:46:30 GMT", 0.0),
        ("99999", 3600.0),
        ("later", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, 1_000_000.0) == seconds
    assert retry_after({}, 1_000_000.0) is None
