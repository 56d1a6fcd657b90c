"""Whose turn it is: what several tokens may still spend, and how long to wait where none may.

The rules are GitHub's ("Rate limits for the REST API", "Rate limits and query limits for the GraphQL API",
docs.github.com): a used-up primary limit is over at `x-ratelimit-reset` (Unix seconds); a secondary limit after
`retry-after` seconds, or, where there is none, after a minute that doubles each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

from builder.errors import InfrastructureError, TokenMissingError
from builder.tokens import Token

_MINUTE = 60.0
_HOUR = 3600.0
_SECONDARY_TRIES = 8
_log = logging.getLogger(__name__)


class Clock(Protocol):
    """Unix seconds, and waiting."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class _State:
    """`remaining` is None until the service said so; before `free_at` the token is not used; `dead`: never again."""

    token: Token
    remaining: int | None = None
    free_at: float = 0.0
    secondary: int = 0
    dead: bool = False


class Pool:
    """The tokens for one kind of request. The one that may spend most is taken; ties go to the first."""

    def __init__(self, tokens: Sequence[Token], clock: Clock) -> None:
        self._states = [_State(token) for token in tokens]
        self._clock = clock

    def take(self) -> Token:
        """A token that may be used now; waits for it. Raises TokenMissingError if the service takes none."""
        living = [state for state in self._states if not state.dead]
        if not living:
            origins = ", ".join(state.token.origin for state in self._states)
            hint = "Renew them, or name others with --token-file."
            raise TokenMissingError(f"the service accepts none of the tokens: {origins}", hint=hint)
        now = self._clock.now()
        free = [state for state in living if state.free_at <= now]
        if not free:
            first = min(living, key=lambda state: state.free_at)
            self._wait(first.free_at - now)
            free = [first]
        return max(free, key=lambda state: _HOUR if state.remaining is None else state.remaining).token

    def told(self, token: Token, headers: Mapping[str, str]) -> None:
        """Take in what an answer's headers say that is left."""
        state = self._state(token)
        state.secondary = 0
        remaining = headers.get("x-ratelimit-remaining", "")
        if remaining.isdecimal():
            state.remaining = int(remaining)

    def used_up(self, token: Token, headers: Mapping[str, str]) -> None:
        """The hour's budget is spent: not before it is renewed."""
        reset = headers.get("x-ratelimit-reset", "")
        wait = float(reset) - self._clock.now() if reset.isdecimal() else _MINUTE
        self._block(token, min(max(wait, 1.0), _HOUR) + 1.0)
        self._state(token).remaining = None

    def slowed_down(self, token: Token, headers: Mapping[str, str]) -> None:
        """Asked to wait. Raises InfrastructureError where waiting does not help."""
        state = self._state(token)
        state.secondary += 1
        if state.secondary > _SECONDARY_TRIES:
            message = f"the service asked {_SECONDARY_TRIES} times in a row to slow down ({token.origin})"
            raise InfrastructureError(message, hint="Try again in an hour; what was read is kept.")
        asked = retry_after(headers, self._clock.now())
        self._block(token, _MINUTE * 2.0 ** (state.secondary - 1) if asked is None else asked + 1.0)

    def refused(self, token: Token) -> None:
        """The service does not take the token (any more)."""
        self._state(token).dead = True

    def _state(self, token: Token) -> _State:
        return next(state for state in self._states if state.token is token)

    def _block(self, token: Token, seconds: float) -> None:
        self._state(token).free_at = self._clock.now() + seconds

    def _wait(self, seconds: float) -> None:
        if seconds > _MINUTE:
            _log.warning("All tokens have to wait: going on in %.0f minutes", seconds / _MINUTE)
        self._clock.sleep(seconds)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, section 10.2.3: seconds or a date); None without one."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(float(value), _HOUR)
    try:
        return min(max(parsedate_to_datetime(value).timestamp() - now, 0.0), _HOUR) if value else None
    except ValueError:
        return None
