"""Who may ask, and how much: the primary rate limit, counted as the service does, one hour at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

HOUR = 3_600
POINTS = 5_000


@dataclass
class Quota:
    """One budget of one token. `reset` is when it is whole again, in Unix seconds."""

    limit: int
    used: int = 0
    reset: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def renew(self, now: float) -> None:
        """Start a new hour if the last one is over."""
        if now >= self.reset:
            self.used, self.reset = 0, int(now) + HOUR

    def headers(self, resource: str) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-resource": resource,
        }

    def shown(self) -> dict[str, int]:
        return {"limit": self.limit, "used": self.used, "remaining": self.remaining, "reset": self.reset}


@dataclass
class Account:
    """Whom a token belongs to."""

    token: str
    graphql: Quota
    core: Quota
    user_id: int

    def overview(self) -> dict[str, object]:
        """What `/rate_limit` answers. Searches have a budget of their own, which nothing is counted against here."""
        search = Quota(30, reset=self.core.reset)
        resources = {"core": self.core, "graphql": self.graphql, "search": search}
        return {"resources": {name: quota.shown() for name, quota in resources.items()}, "rate": self.core.shown()}


@dataclass
class Accounts:
    """The tokens that the server takes. `clock` gives Unix seconds."""

    tokens: Iterable[str]
    clock: Callable[[], float]
    points: int = POINTS
    _accounts: dict[str, Account] = field(init=False)

    def __post_init__(self) -> None:
        self._accounts = {
            token: Account(token, Quota(self.points), Quota(self.points), 1000 + position)
            for position, token in enumerate(self.tokens)
        }

    def find(self, authorization: str | None) -> Account | None:
        """The account of an Authorization header, with its hour begun."""
        scheme, _, token = (authorization or "").partition(" ")
        account = self._accounts.get(token) if scheme.lower() in ("bearer", "token") else None
        return self._ready(account) if account else None

    def with_password(self, password: str) -> Account | None:
        """The account of a token that came as a password, as git sends it."""
        return self._accounts.get(password)

    def _ready(self, account: Account) -> Account:
        for quota in (account.graphql, account.core):
            quota.renew(self.clock())
        return account
