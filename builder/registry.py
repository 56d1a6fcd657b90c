"""Reads from image registries: whether an image is there, its digest, and what its layers weigh.

Engines upload; this only asks. Rules: the OCI distribution specification
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md); tokens as in distribution's "Token
Authentication Specification". Credentials are those of `docker login` (`~/.docker/config.json` and its helpers).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import tenacity
from docker import auth
from docker.errors import DockerException

from builder import __version__
from builder.errors import InfrastructureError, NetworkMissingError, TokenMissingError, UsageError
from builder.protocols import StoredLayer
from builder.quota import Clock, SystemClock

TRIES = 6
_TIMEOUTS = (15.0, 60.0)
_MOST_BYTES = 8 * 1024**2
_PIECE = 64 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+|/)[a-z0-9]+)*")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """An image in a registry: `host/repository` with a tag or a digest (`sha256:…`)."""

    host: str
    repository: str
    version: str

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}{'@' if self.version.startswith('sha256:') else ':'}{self.version}"

    def at(self, digest: str) -> Reference:
        return Reference(self.host, self.repository, digest)


@dataclass(frozen=True)
class Manifest:
    """What an image consists of: its layers, compressed, lowest first. `digest` is of the manifest itself."""

    digest: str
    layers: tuple[StoredLayer, ...]


def parse(text: str) -> Reference:
    """`HOST/REPOSITORY:TAG` or `HOST/REPOSITORY@sha256:…`, the host always written out. Raises UsageError."""
    host, slash, rest = text.partition("/")
    repository, at, version = rest.partition("@")
    if not at:
        repository, _, version = rest.rpartition(":")
    usable = slash and _HOST.fullmatch(host) and _is_host(host) and _REPOSITORY.fullmatch(repository) and version
    if not usable or (at and not _DIGEST.fullmatch(version)):
        raise UsageError(f"{text!r} names no image in a registry", hint="Write HOST/NAMESPACE/NAME:TAG, or …@sha256:….")
    return Reference(host, repository, version)


def require_target(target: str) -> str:
    """A place for images, REGISTRY/NAMESPACE, without a slash at the end. Raises UsageError."""
    cleaned = target.rstrip("/")
    try:
        parse(f"{cleaned}/name:tag")
    except UsageError as error:
        hint = "Write REGISTRY/NAMESPACE in lower case, for instance docker.io/ORG or localhost:5000/tasks."
        raise UsageError(f"{target!r} is no place for images", hint=hint) from error
    return cleaned


def credentials(host: str) -> dict[str, str] | None:
    """What `docker login` keeps for a registry, as an engine takes it (`auth_config`). Raises UsageError."""
    try:
        found = auth.load_config().resolve_authconfig(host)
    except DockerException as error:
        raise UsageError(f"the credentials for {host} cannot be read: {error}") from error
    return None if found is None else {name: str(value) for name, value in found.items() if value}


class Registry:
    """Asks registries, patiently. One object for all hosts and threads of a command."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"builder/{__version__}"
        self._clock = clock or SystemClock()
        self._tokens: dict[tuple[str, str], str] = {}
        self._schemes: dict[str, str] = {}
        self._looking = threading.Lock()

    def digest(self, reference: Reference) -> str | None:
        """The digest of what a reference names now, or None if it is not there. See `manifest` for errors."""
        answer = self._patiently("HEAD", reference)
        if answer is None:
            return None
        return answer.headers.get("docker-content-digest") or self.manifest(reference).digest

    def manifest(self, reference: Reference) -> Manifest:
        """Raises UsageError if it is not there or names several platforms; InfrastructureError, TokenMissingError."""
        answer = self._patiently("GET", reference)
        if answer is None:
            raise UsageError(f"{reference} is not in the registry")
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if reference.version.startswith("sha256:") and digest != reference.version:
            raise InfrastructureError(f"{reference}: the registry sent another manifest, {digest}")
        read = _parsed(answer.body, reference)
        if "layers" not in read:
            raise UsageError(f"{reference} is an index of several platforms", hint="Name one of its images by digest.")
        return Manifest(digest, tuple(_layer(described) for described in read["layers"]))

    def close(self) -> None:
        self._session.close()

    # --- once

    def _ask(self, method: str, reference: Reference) -> _Answer | None:
        path = f"/v2/{reference.repository}/manifests/{reference.version}"
        answer = self._authorized(method, reference, path)
        if answer.status == requests.codes.not_found:
            return None
        if answer.status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise TokenMissingError(
                f"{reference.host} refuses {method} of {reference.repository}",
                hint=f"Run `docker login {reference.host}`.",
            )
        if answer.status != requests.codes.ok:
            raise InfrastructureError(f"{reference.host} answered {answer.status} to {method} {path}")
        return answer

    def _authorized(self, method: str, reference: Reference, path: str) -> _Answer:
        key = (reference.host, reference.repository)
        answer = self._send(method, reference.host, path, self._tokens.get(key, ""))
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status != requests.codes.unauthorized or not challenge:
            return answer
        header = self._header(reference, challenge)
        if not header:
            return answer
        self._tokens[key] = header
        return self._send(method, reference.host, path, header)

    def _header(self, reference: Reference, challenge: str) -> str:
        """The header that a registry asks for, from what `docker login` keeps."""
        kept = credentials(reference.host) or {}
        pair = (kept.get("username", ""), kept.get("password", ""))
        if challenge.lower().startswith("basic"):
            prepared = requests.Request("GET", "http://x/", auth=pair).prepare()
            return prepared.headers["Authorization"] if pair[0] else ""
        given = dict(_CHALLENGE.findall(challenge))
        wanted = {"service": given.get("service", ""), "scope": f"repository:{reference.repository}:pull"}
        answer = self._exchange("GET", given.get("realm", ""), params=wanted, auth=pair if pair[0] else None)
        if answer.status != requests.codes.ok:
            return ""
        read = _parsed(answer.body, reference)
        return f"Bearer {read.get('token') or read.get('access_token')}"

    def _send(self, method: str, host: str, path: str, header: str) -> _Answer:
        headers = {"Accept": ", ".join(_MANIFESTS)} | ({"Authorization": header} if header else {})
        address = _HUB_HOST if host == _HUB else host
        return self._exchange(method, f"{self._scheme(host)}://{address}{path}", headers=headers)

    def _scheme(self, host: str) -> str:
        """As engines do it: this machine's own registry may be without TLS, and no other."""
        with self._looking:
            if host not in self._schemes:
                self._schemes[host] = "http" if _is_loopback(host) and not self._speaks_tls(host) else "https"
            return self._schemes[host]

    def _speaks_tls(self, host: str) -> bool:
        try:
            self._session.get(f"https://{host}/v2/", timeout=_TIMEOUTS[0])
        except requests.exceptions.SSLError as error:
            return "CERTIFICATE" in str(error)
        except requests.exceptions.RequestException:
            return False
        return True

    def _exchange(self, method: str, url: str, **given: Any) -> _Answer:
        try:
            with self._session.request(method, url, timeout=_TIMEOUTS, stream=True, **given) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                pieces = itertools.islice(response.iter_content(_PIECE), _MOST_BYTES // _PIECE)
                answer = _Answer(response.status_code, headers, b"".join(pieces))
        except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
            raise NetworkMissingError(f"{_host(url)} cannot be trusted or named: {error}") from None
        except requests.exceptions.RequestException as error:
            raise _AgainError(f"{_host(url)} does not answer: {type(error).__name__}") from None
        if answer.status == requests.codes.too_many_requests or answer.status >= requests.codes.server_error:
            raise _AgainError(f"{_host(url)} answered {answer.status}", _seconds(answer.headers, self._clock))
        return answer

    # --- again

    def _patiently(self, method: str, reference: Reference) -> _Answer | None:
        backoff = tenacity.wait_exponential_jitter(initial=1, max=60)

        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(backoff(state), error.seconds if isinstance(error, _AgainError) else 0.0)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=pause,
            sleep=self._clock.sleep,
            reraise=True,
        )
        return retrying(self._ask, method, reference)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _AgainError(InfrastructureError):
    """A request that may succeed later; `seconds` is what the registry asks to wait."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message, hint="The same command goes on from there later.")
        self.seconds = seconds


def _seconds(headers: Mapping[str, str], clock: Clock) -> float:
    """`Retry-After`: seconds, or a date (RFC 9110, 10.2.3)."""
    told = headers.get("retry-after", "")
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - clock.now())
    except ValueError:
        return 0.0


def _parsed(body: bytes, reference: Reference) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise InfrastructureError(f"{reference.host} did not answer with JSON about {reference}")
    return read


def _layer(described: Mapping[str, Any]) -> StoredLayer:
    return StoredLayer(str(described["digest"]), int(described["size"]))


def _is_host(word: str) -> bool:
    """As engines tell a registry from a namespace."""
    return "." in word or ":" in word or word == "localhost"


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name in ("localhost", "[::1]") or name.startswith("127.")


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
