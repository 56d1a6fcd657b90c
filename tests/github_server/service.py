"""From a request to an answer: tokens, limits, counters, and what goes wrong on purpose."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphql import GraphQLError

from github_server.basics import moment
from github_server.executing import Executor, Prepared, encoded, error_node
from github_server.faults import WITHIN, Fault, Faults, spoilt
from github_server.paging import Node
from github_server.rest import Asked, Rest
from github_server.tokens import Account, Accounts

DOCS = "https://docs.github.com"
_TIMED_OUT = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug."
    " Please include `1A2B:3C4D:5E6F` when reporting this issue."
)


@dataclass(frozen=True)
class Request:
    """`parameters` are those of the URL; header names are lower-case."""

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """With `cut`, only the first half of the body arrives; with `silent`, nothing does."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


@dataclass
class Counts:
    """What was asked so far. `points` are GraphQL's; `rest` counts requests by route, `faults` failures by kind.

    `sent` are bytes of answers with their headers, of `api` and of `git`.
    """

    points: int = 0
    graphql: int = 0
    git: int = 0
    rest: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)


class Service:
    """Answers one request at a time: the interpreter would not do more anyway."""

    def __init__(
        self, executor: Executor, rest: Rest, accounts: Accounts, faults: Faults, clock: Callable[[], float]
    ) -> None:
        self.counts = Counts()
        self.accounts = accounts
        self._executor = executor
        self._rest = rest
        self._faults = faults
        self._clock = clock
        self._ordinal = 0
        self._lock = threading.Lock()

    def respond(self, request: Request) -> Response:
        with self._lock:
            return self._respond(request)

    def _respond(self, request: Request) -> Response:
        account = self._account(request)
        if account is None and ("authorization" in request.headers or _is_graphql(request)):
            return _refused(401, "Bad credentials", "/rest")
        self._ordinal += 1
        fault = self._faults.of(self._ordinal)
        if fault:
            self.counts.faults[fault] += 1
        if fault and fault not in WITHIN and fault is not Fault.CUT:
            return self._failure(fault, request, account)
        response = self._graphql(request, account, fault) if account and _is_graphql(request) else None
        response = response or self._plain(request, account)
        return Response(response.status, response.body, response.headers, cut=fault is Fault.CUT)

    def _account(self, request: Request) -> Account | None:
        account = self.accounts.find(request.headers.get("authorization"))
        return None if account is None or account.token in self._faults.expired else account

    # --- GraphQL

    def _graphql(self, request: Request, account: Account, fault: Fault | None) -> Response:
        self.counts.graphql += 1
        quota = account.graphql
        if not quota.remaining:
            return self._used_up(account)
        try:
            asked = json.loads(request.body)
            prepared = self._executor.prepare(asked["query"], asked.get("variables") or {})
        except GraphQLError as error:
            return Response(200, encoded({"errors": [error_node(error)]}), quota.headers("graphql"))
        except (ValueError, KeyError, TypeError):
            return _refused(400, "Problems parsing JSON", "/graphql")
        if self._faults.most_nodes is not None and prepared.cost.nodes > self._faults.most_nodes:
            return Response(502, encoded({"data": None, "errors": [{"message": _TIMED_OUT}]}))
        self.counts.points += prepared.cost.points
        quota.used += prepared.cost.points
        body = self._executor.execute(prepared, _rate_limit(account, prepared))
        if fault in WITHIN and fault is not None:
            body = spoilt(body, fault, self._ordinal)
        return Response(200, encoded(body), quota.headers("graphql"))

    def _used_up(self, account: Account) -> Response:
        message = f"API rate limit exceeded for user ID {account.user_id}."
        headers = account.graphql.headers("graphql")
        return Response(200, encoded({"errors": [{"type": "RATE_LIMITED", "message": message}]}), headers)

    # --- REST

    def _plain(self, request: Request, account: Account | None) -> Response:
        headers: Mapping[str, str] = {}
        if account is not None and request.path == "/rate_limit":  # free, the service says
            self.counts.rest["rate limit"] += 1
            return Response(200, encoded(account.overview()))
        if account is not None:
            if not account.core.remaining:
                message = f"API rate limit exceeded for user ID {account.user_id}."
                return _refused(
                    403, message, "/rest/overview/rate-limits-for-the-rest-api", account.core.headers("core")
                )
            account.core.used += 1
            headers = account.core.headers("core")
        if request.method != "GET":
            return _refused(404, "Not Found", "/rest", headers)
        base, accept = f"http://{request.headers.get('host', '')}", request.headers.get("accept", "")
        found = self._rest.respond(Asked(base, request.path, request.parameters, accept, private=account is not None))
        self.counts.rest[found.route] += 1
        if found.body is None:
            return _refused(found.status, found.message, "/rest", headers)
        body = found.body if isinstance(found.body, bytes) else encoded(found.body)
        return Response(found.status, body, {**headers, **found.headers})

    # --- what goes wrong

    def _failure(self, fault: Fault, request: Request, account: Account | None) -> Response:
        if fault is Fault.SILENCE:
            return Response(200, b"", silent=True)
        if fault is Fault.MALFORMED:
            return Response(200, b'{"data":{"repository":{"pullRequests":{"nodes":[{"number":1,')
        if fault is Fault.BAD_GATEWAY:
            return Response(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"content-type": "text/html"})
        if fault is Fault.GATEWAY_TIMEOUT:
            return Response(504, encoded({"message": "We couldn't respond to your request in time."}))
        if fault is Fault.WENT_WRONG:
            return Response(200, encoded({"data": None, "errors": [{"message": _TIMED_OUT}]}))
        return self._limited(fault, request, account)

    def _limited(self, fault: Fault, request: Request, account: Account | None) -> Response:
        if fault is Fault.PRIMARY:
            user = account.user_id if account else 0
            message = f"API rate limit exceeded for user ID {user}."
            headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-used": "5000"}
            headers["x-ratelimit-reset"] = str(int(self._clock()) + 60)
            if _is_graphql(request):
                body = {"errors": [{"type": "RATE_LIMITED", "message": message}]}
                return Response(200, encoded(body), {**headers, "x-ratelimit-resource": "graphql"})
            return _refused(403, message, "/rest/overview/rate-limits-for-the-rest-api", headers)
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        waits = {"retry-after": "30"} if fault is not Fault.SECONDARY_BARE else {}
        quota = account.graphql.headers("graphql") if account else {}
        where = "/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
        return _refused(429 if fault is Fault.TOO_MANY_REQUESTS else 403, message, where, {**quota, **waits})


def _is_graphql(request: Request) -> bool:
    return request.method == "POST" and request.path in ("/graphql", "/api/graphql")


def _refused(status: int, message: str, where: str, headers: Mapping[str, str] | None = None) -> Response:
    body = {"message": message, "documentation_url": f"{DOCS}{where}", "status": str(status)}
    return Response(status, encoded(body), headers or {})


def _rate_limit(account: Account, prepared: Prepared) -> Node:
    quota = account.graphql
    return {
        "cost": prepared.cost.points,
        "limit": quota.limit,
        "remaining": quota.remaining,
        "used": quota.used,
        "nodeCount": prepared.cost.nodes,
        "resetAt": moment(quota.reset),
    }
