"""Which merges a harvest wants: dates, numbers. Shared by the sources, which stop early, and by the step."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Self

from builder.errors import SettingsError, UnknownNameError
from builder.protocols import HarvestRequest


@dataclass(frozen=True)
class Selection:
    """`since` and `until` are aware UTC and inclusive; empty `pulls` means all."""

    since: datetime | None
    until: datetime | None
    pulls: frozenset[int]

    @classmethod
    def of(cls, request: HarvestRequest) -> Self:
        """Raises SettingsError for a date that is not ISO 8601, an empty range, or a limit below 1."""
        if request.limit is not None and request.limit < 1:
            raise SettingsError(f"--limit {request.limit} must be at least 1")
        since = _moment("--since", request.since, time.min)
        until = _moment("--until", request.until, time.max)
        if since and until and since > until:
            raise SettingsError(f"--since {request.since} is later than --until {request.until}")
        return cls(since, until, frozenset(request.pulls))

    def admits(self, number: int, merged_at: datetime) -> bool:
        if self.pulls and number not in self.pulls:
            return False
        return not (self.since and merged_at < self.since) and not (self.until and merged_at > self.until)

    def check(self, known: Iterable[int], unmerged: Container[int] = ()) -> None:
        """Raises UnknownNameError, with the nearest, for a wanted number that is none of `known`.

        `unmerged` are numbers that exist without a merge that could be found.
        """
        missing = sorted(self.pulls.difference(numbers := set(known)))
        if missing:
            hint = "It was closed without a merge, or merged into a branch that is not looked at."
            explained = hint if missing[0] in unmerged else ""
            raise UnknownNameError("pull request", str(missing[0]), map(str, numbers), hint=explained)


def _moment(option: str, text: str | None, fill: time) -> datetime | None:
    """A date alone means its first moment (`since`) or its last (`until`); a time without zone is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{option} {text!r} is not an ISO 8601 date", hint="Write it as 2024-01-31.") from error
    if len(text) <= len("2024-01-31"):
        moment = datetime.combine(moment.date(), fill)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
