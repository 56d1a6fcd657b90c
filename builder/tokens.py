"""The tokens for a hosting service: where they are looked for, and that they are never shown.

As the service's own command line does it ("gh help environment"): GITHUB_TOKEN and GH_TOKEN are for github.com, its
subdomains of ghe.com, and whatever listens on this machine; GH_ENTERPRISE_TOKEN and GITHUB_ENTERPRISE_TOKEN for other
hosts. What is named for `builder` itself goes wherever `builder` is told to go.
"""

from __future__ import annotations

import logging
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from builder.errors import SettingsError, TokenMissingError
from builder.protocols import Access

OWN = "BUILDER_GITHUB_TOKENS"
_PUBLIC = ("GH_TOKEN", "GITHUB_TOKEN")
_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_SEPARATORS = re.compile(r"[\s,]+")
_GH_SECONDS = 10
_log = logging.getLogger(__name__)


class Token:
    """A secret. Shown and compared by where it came from; only `header` and `password` give it away."""

    def __init__(self, value: str, origin: str) -> None:
        self._value = value
        self.origin = origin

    def header(self) -> str:
        """The value of an Authorization header for the API."""
        return f"bearer {self._value}"

    def password(self) -> str:
        """What git sends as the password over HTTPS."""
        return self._value

    def is_same(self, other: Token) -> bool:
        """Whether both are one secret, wherever they came from."""
        return self._value == other._value

    def __repr__(self) -> str:
        return f"<token from {self.origin}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not to be stored")


def find_tokens(access: Access, environ: Mapping[str, str]) -> tuple[Token, ...]:
    """All tokens for the host of `access`, each once; those of the service's command line only if there is no other.

    Raises TokenMissingError if there is none, SettingsError for a token file that cannot be read.
    """
    host = api_host(access.api_url)
    found: list[Token] = []
    for token in (*_from_environment(environ, host), *_from_file(access.token_file)):
        if not any(token.is_same(known) for known in found):
            found.append(token)
    found = found or list(_from_gh(host, environ))
    if not found:
        names = " or ".join(_PUBLIC if is_public(host) else _ENTERPRISE)
        hint = f"Set {names}, name a file with --token-file, or run: gh auth login --hostname {host}"
        raise TokenMissingError(f"there is no token for {host}", hint=hint)
    return tuple(found)


def api_host(api_url: str) -> str:
    """The host that people know the service by: `github.com` for its API's own."""
    host = urlsplit(api_url).hostname or api_url
    return (
        "github.com" if host == "api.github.com" else host.removeprefix("api.") if host.endswith(".ghe.com") else host
    )


def is_public(host: str) -> bool:
    """Whether the service's own names of variables are for this host; the machine itself may have them, too."""
    return host in ("github.com", "localhost", "127.0.0.1", "::1") or host.endswith(".ghe.com")


def _from_environment(environ: Mapping[str, str], host: str) -> Iterator[Token]:
    for name in (OWN, *(_PUBLIC if is_public(host) else _ENTERPRISE)):
        for value in filter(None, _SEPARATORS.split(environ.get(name, ""))):
            yield _checked(value, name)


def _from_file(path: Path | None) -> Iterator[Token]:
    if path is None:
        return
    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the token file {path} cannot be read: {type(error).__name__}") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        _log.warning("The token file %s can be read by others: chmod 600 %s", path, path)
    for number, line in enumerate(text.splitlines(), start=1):
        value = line.partition("#")[0].strip()
        if value:
            yield _checked(value, f"line {number} of {path}")


def _checked(value: str, origin: str) -> Token:
    """A header is one line of visible ASCII; anything else was not meant as a token."""
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise SettingsError(f"the token from {origin} is none: it has spaces or characters that no token has")
    return Token(value, origin)


def _from_gh(host: str, environ: Mapping[str, str]) -> Iterator[Token]:
    command = ["gh", "auth", "token", "--hostname", host]
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=_GH_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return  # not installed, or waiting for something
    if done.returncode == 0 and done.stdout.strip():
        yield _checked(done.stdout.strip(), " ".join(command[:3]))
