"""Requests to GitHub's APIs: one at a time, patient, within the quota, and without showing a token.

A request that fails for reasons that pass is sent again; one that is too large for the service is given back to be cut;
limits are waited for. Errors carry no request object, since that holds the token.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from builder import __version__
from builder.errors import InfrastructureError, NetworkMissingError, SettingsError
from builder.github_answers import (
    AgainError,
    Answer,
    Response,
    RestAnswer,
    TooLargeError,
    graphql_answer,
    is_slowed_down,
    is_used_up,
    rest_answer,
)
from builder.protocols import Access
from builder.quota import Clock, Pool, SystemClock
from builder.tokens import Token

Result = TypeVar("Result")

_log = logging.getLogger(__name__)

TRIES = 6
"""How often a request is sent that fails for reasons that may pass."""
_TIMEOUTS = (15.0, 70.0)  # seconds to connect, and without a byte; GitHub ends a query after ten
_MOST_BYTES = 64 * 1024**2
_REDIRECTS = 5


class BudgetSpentError(Exception):
    """The points that may be spent are spent; nothing was sent."""


class GithubClient:
    """`points` and `requests` are those spent so far."""

    def __init__(self, access: Access, tokens: Sequence[Token], *, clock: Clock | None = None) -> None:
        """Raises SettingsError for an address that is none."""
        _check(access.api_url)
        self.points = 0
        self.requests = 0
        self._access = access
        self._clock = clock or SystemClock()
        self._pools = {kind: Pool(tokens, self._clock) for kind in ("graphql", "core")}
        self._session = _session(access)

    def graphql(self, query: str, variables: Mapping[str, object], *, estimate: int = 1, tries: int = TRIES) -> Answer:
        """Send a query that will cost about `estimate` points.

        Raises BudgetSpentError before anything is sent; TooLargeError after `tries` failures that a smaller query may
        not have; TokenMissingError, NetworkMissingError, InfrastructureError.
        """
        limit = self._access.max_points
        if limit is not None and self.points + estimate > limit:
            raise BudgetSpentError(f"the {limit} points that may be spent are used up")
        asked = json.dumps({"query": query, "variables": dict(variables)}).encode("ascii")
        return self._patiently(lambda: self._graphql(asked, estimate), tries)

    def rest(self, path: str, params: Mapping[str, str | int] | None = None) -> RestAnswer:
        """Read a resource (`/repos/o/n`). Raises UnknownNameError for a 404, and as `graphql` but for points."""
        try:
            return self._patiently(lambda: self._rest(path, params or {}), TRIES)
        except TooLargeError as error:  # there is nothing to cut
            raise InfrastructureError(f"{path}: {error}", hint="The same command goes on from there later.") from error

    def close(self) -> None:
        self._session.close()

    # --- once

    def _graphql(self, asked: bytes, estimate: int) -> Answer:
        answer = graphql_answer(self._send("graphql", "POST", _graphql_url(self._access.api_url), data=asked), estimate)
        self.points += answer.cost
        return answer

    def _rest(self, path: str, params: Mapping[str, str | int]) -> RestAnswer:
        url = self._access.api_url.rstrip("/") + path
        for _ in range(_REDIRECTS):
            response = self._send("core", "GET", url, params=dict(params))
            if response.status not in (301, 302, 307, 308):
                break
            url, params = _same_host(url, response.headers.get("location", "")), {}
        return rest_answer(path, response)

    def _send(self, kind: str, method: str, url: str, **given: Any) -> Response:
        """With whatever token may be used; one that the service refuses, or lets wait, is put aside for the next."""
        pool = self._pools[kind]
        while True:
            token = pool.take()
            response = self._exchange(method, url, token, **given)
            if response.status == 401:
                _log.warning("%s does not accept the token from %s", _host(url), token.origin)
                for each in self._pools.values():
                    each.refused(token)
            elif is_used_up(response):
                pool.used_up(token, response.headers)
            elif is_slowed_down(response):
                pool.slowed_down(token, response.headers)
            else:
                pool.told(token, response.headers)
                return response

    def _exchange(self, method: str, url: str, token: Token, **given: Any) -> Response:
        self.requests += 1
        headers = {"Authorization": token.header()}
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                timeout=_TIMEOUTS,
                allow_redirects=False,
                stream=True,
                verify=str(self._access.ca_bundle) if self._access.ca_bundle else None,
                **given,
            ) as response:
                lower = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, lower, _read(response))
        except (
            requests.exceptions.SSLError,
            requests.exceptions.InvalidURL,
            requests.exceptions.MissingSchema,
        ) as error:
            failure: Exception = NetworkMissingError(
                f"{_host(url)} cannot be trusted or named: {_plain(error)}", hint="Check --api-url and --ca-bundle."
            )
        except (requests.exceptions.ReadTimeout, requests.exceptions.ChunkedEncodingError) as error:
            failure = AgainError(f"{_host(url)} broke off: {_plain(error)}", heavy=True)
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            broken = "RemoteDisconnected" in repr(error) or "reset" in repr(error)
            failure = AgainError(f"{_host(url)} does not answer: {_plain(error)}", heavy=broken, network=not broken)
        except requests.exceptions.RequestException as error:
            failure = InfrastructureError(f"{_host(url)}: {_plain(error)}")
        raise failure  # here, so that it does not carry the error of requests, which holds the token

    # --- again

    def _patiently(self, attempt: Callable[[], Result], tries: int) -> Result:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(AgainError),
            stop=_enough(tries),
            wait=tenacity.wait_exponential_jitter(initial=1, max=60),
            sleep=self._clock.sleep,
            reraise=True,
        )
        failure: AgainError
        try:
            return retrying(attempt)
        except AgainError as error:
            failure = error
        raise _final(failure, self._access)


def _check(api_url: str) -> None:
    try:
        address = urlsplit(api_url)
        usable = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"--api-url {api_url!r} is no address", hint="Write it as https://HOST/api/v3.")


def _session(access: Access) -> requests.Session:
    session = requests.Session()
    session.auth = _no_netrc
    session.headers.update(
        {
            "User-Agent": f"builder/{__version__}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
    )
    if access.proxy:
        session.proxies = {"http": access.proxy, "https": access.proxy}
        session.trust_env = False
    return session


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An `auth` of our own keeps requests from looking into ~/.netrc, which would replace the token."""
    return request


def _read(response: requests.Response) -> bytes:
    """The body, decoded. Raises requests' errors for one that is cut, InfrastructureError for one without end."""
    pieces, size = [], 0
    for piece in response.iter_content(1 << 16):
        size += len(piece)
        if size > _MOST_BYTES:
            raise InfrastructureError(f"{_host(response.url)} sent more than {_MOST_BYTES} bytes in one answer")
        pieces.append(piece)
    return b"".join(pieces)


def _enough(tries: int) -> Callable[[tenacity.RetryCallState], bool]:
    def stop(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return state.attempt_number >= (tries if isinstance(error, AgainError) and error.heavy else TRIES)

    return stop


def _final(failure: AgainError, access: Access) -> Exception:
    if failure.heavy:
        return TooLargeError(str(failure))
    if failure.network:
        hint = "Check the network, --api-url, and --proxy. What was read is kept."
        return NetworkMissingError(f"{_host(access.api_url)} cannot be reached: {failure}", hint=hint)
    return InfrastructureError(f"{failure} ({TRIES} times)", hint="The same command goes on from there later.")


def _graphql_url(api_url: str) -> str:
    """`https://api.github.com/graphql`; for an enterprise server's `https://HOST/api/v3`, `https://HOST/api/graphql`."""
    root = api_url.rstrip("/")
    return f"{root.removesuffix('/v3')}/graphql"


def _same_host(url: str, location: str) -> str:
    """Where a redirect leads. Raises InfrastructureError for another host, which must not get the token."""
    target = urljoin(url, location)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise InfrastructureError(f"{_host(url)} redirects to another host: {_host(target)}")
    return target


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _plain(error: Exception) -> str:
    """The error's words without what a URL says before its host."""
    return re.sub(r"//[^/@\s]*@", "//", str(error))
