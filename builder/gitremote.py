"""Reach another machine's repository with git: the only place where git has network, and a token.

The token is a header for the remote's own host, handed over in the environment: it is in no argument, no file and no
URL, and git follows no redirect with it. ssh takes the user's own keys and known hosts, and never asks.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import tenacity

from builder.errors import BuilderError, DiskFullError, InfrastructureError, NetworkMissingError, RepositoryError
from builder.gitcommand import GitFailed
from builder.tokens import Token

_TRIES = 4
_PASSING = re.compile(
    r"could not resolve|timed? ?out|connection (?:reset|refused|closed)|early eof|rpc failed|unexpected disconnect"
    r"|remote end hung up|returned error: (?:429|5\d\d)|failed to connect|couldn't connect|network is unreachable"
    r"|bad gateway|gnutls|ssl_read|recv failure|send failure|transfer closed",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(r"could not resolve|failed to connect|couldn't connect|network is unreachable", re.IGNORECASE)
_REFUSED = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied|returned error: 40[13]"
    r"|host key verification failed|terminal prompts disabled",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"not found|returned error: 404|does not (?:exist|appear)|returned error: 30\d", re.IGNORECASE)


@dataclass(frozen=True)
class Remote:
    """Where to fetch from. `api_url` is that of the service which the token belongs to."""

    url: str
    api_url: str = "https://api.github.com"
    token: Token | None = None
    ca_bundle: Path | None = None
    proxy: str = ""

    def to_json(self) -> str:
        """All but the token, and what a URL or proxy says before its host."""
        ca_bundle = str(self.ca_bundle.absolute()) if self.ca_bundle else ""
        told = {"url": self.url, "api_url": self.api_url, "ca_bundle": ca_bundle, "proxy": shown(self.proxy)}
        return json.dumps(told, indent=2) + "\n"


def network_environment(remote: Remote) -> dict[str, str]:
    """The variables that let one git command reach the remote, beyond `gitcommand`'s isolation."""
    settings = {"http.followRedirects": "false" if remote.token else "initial", "core.sshCommand": _ssh()}
    if remote.token:
        address = urlsplit(remote.url)
        secret = base64.b64encode(f"x-access-token:{remote.token.password()}".encode()).decode("ascii")
        settings[f"http.{address.scheme}://{address.netloc}/.extraHeader"] = f"Authorization: Basic {secret}"
    authority = str(remote.ca_bundle) if remote.ca_bundle else os.environ.get("GIT_SSL_CAINFO", "")
    settings.update({"http.sslCAInfo": authority} if authority else {})
    settings.update({"http.proxy": remote.proxy} if remote.proxy else {})
    variables = {"GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file", "GIT_CONFIG_COUNT": str(len(settings))}
    for position, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{position}": name, f"GIT_CONFIG_VALUE_{position}": value}
    return variables


def fetch_patiently(remote: Remote, attempt: Callable[[], bytes]) -> bytes:
    """Run what fetches, again where it failed for reasons that pass.

    Raises RepositoryError where the remote has no such repository or object, or refuses us; NetworkMissingError,
    DiskFullError, InfrastructureError.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_passes),
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=tenacity.wait_exponential_jitter(initial=1, max=20),
        reraise=True,
    )
    try:
        return retrying(attempt)
    except GitFailed as error:
        raise _explained(error, remote) from None


def shown(url: str) -> str:
    """A URL without what it says before its host."""
    return re.sub(r"//[^/@\s]*@", "//", url)


def _ssh() -> str:
    return f"{os.environ.get('GIT_SSH_COMMAND', 'ssh')} -o BatchMode=yes"


def _passes(error: BaseException) -> bool:
    return isinstance(error, GitFailed) and bool(_PASSING.search(error.stderr)) and not _REFUSED.search(error.stderr)


def _explained(error: GitFailed, remote: Remote) -> BuilderError:
    url, said = shown(remote.url), shown(error.stderr.strip())
    if "No space left on device" in said:
        return DiskFullError(f"{url} cannot be fetched: no space left on device", hint="Free some space; run it again.")
    if _REFUSED.search(said):
        hint = "A private repository needs a token that may read it, or a key that ssh can use without asking."
        return RepositoryError(f"{url} refuses us: {said}", hint=hint)
    if _UNREACHABLE.search(said):
        return NetworkMissingError(
            f"{url} cannot be reached: {said}", hint="Check the network, --clone-url and --proxy."
        )
    if _PASSING.search(said):
        return InfrastructureError(
            f"{url} broke off {_TRIES} times: {said}", hint="Run it again; it goes on from there."
        )
    hint = "Check --clone-url; it may have moved, or not be there." if _UNKNOWN.search(said) else ""
    return RepositoryError(f"{url} cannot be fetched: {said}", hint=hint)
