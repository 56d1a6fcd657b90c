"""A package index over the JSON form of the simple API (PEP 691, PEP 700): releases with upload times, downloads.

The index and the certificates are those that uv and pip would use here.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from builder.errors import InfrastructureError, NetworkMissingError, SettingsError, UsageError

if TYPE_CHECKING:
    import requests

DEFAULT_INDEX = "https://pypi.org/simple"
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE")
_ACCEPT = "application/vnd.pypi.simple.v1+json"
_ATTEMPTS = 4
_TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds between two bytes
MAX_SDIST_BYTES = 100 * 1024**2


@dataclass(frozen=True)
class Release:
    """One sdist. `sha256` is what the index promises."""

    project: str
    version: Version
    uploaded_at: datetime
    filename: str
    url: str
    sha256: str


class PackageIndex:
    """Reads one index; nothing is fetched before the first call."""

    def __init__(self, environ: Mapping[str, str], *, wait_seconds: float = 1.0) -> None:
        self.url = _configured_index(environ)
        self._certificates = next((environ[name] for name in _CERTIFICATE_VARIABLES if environ.get(name)), None)
        self._wait_seconds = wait_seconds

    def releases(self, project: str) -> list[Release]:
        """All sdists that are final, not yanked, and readable, oldest first.

        Raises UsageError if the index has no such project, SettingsError if it does not speak PEP 691 with upload
        times, NetworkMissingError if it does not answer.
        """
        page = f"{self.url}/{canonicalize_name(project)}/"
        response = self._get(page)
        if response.status_code == 404:
            raise UsageError(f"the package index {_public(self.url)} has no project {project!r}")
        if "json" not in response.headers.get("Content-Type", ""):
            raise SettingsError(
                f"the package index {_public(self.url)} does not offer the JSON simple API (PEP 691)",
                hint="Set UV_DEFAULT_INDEX to one that does; upload times are read from there.",
            )
        found = (self._release(project, page, entry) for entry in response.json().get("files", []))
        return sorted((item for item in found if item), key=lambda item: (item.uploaded_at, item.version))

    def _release(self, project: str, page: str, entry: dict[str, Any]) -> Release | None:
        version = _sdist_version(entry["filename"])
        if version is None or version.is_prerelease or entry.get("yanked"):
            return None
        if "upload-time" not in entry or "sha256" not in entry.get("hashes", {}):
            raise SettingsError(
                f"the package index {_public(self.url)} does not state upload times and SHA-256 hashes (PEP 700)",
                hint="Set UV_DEFAULT_INDEX to one that does.",
            )
        uploaded = datetime.fromisoformat(entry["upload-time"]).astimezone(UTC)
        url = urljoin(page, entry["url"])
        return Release(project, version, uploaded, entry["filename"], url, entry["hashes"]["sha256"])

    def download(self, release: Release, directory: Path) -> Path:
        """The sdist below `directory`, fetched once and checked each time.

        Raises InfrastructureError if its bytes are not those that the index promises, or too many.
        """
        path = directory / release.sha256[:16] / release.filename
        if path.is_file() and _sha256(path) == release.sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
            try:
                for chunk in self._chunks(release):
                    partial.write(chunk)
                partial.flush()
                os.fsync(partial.fileno())
                if _sha256(Path(partial.name)) != release.sha256:
                    raise InfrastructureError(f"{release.filename} does not have the hash that the index states")
                Path(partial.name).replace(path)
            finally:
                Path(partial.name).unlink(missing_ok=True)
        return path

    def _chunks(self, release: Release) -> Iterator[bytes]:
        import requests

        seen = 0
        response = self._get(release.url, stream=True)
        if response.status_code != 200:
            raise InfrastructureError(f"{release.filename}: the index answered {response.status_code}")
        try:
            for chunk in response.iter_content(1024 * 1024):
                seen += len(chunk)
                if seen > MAX_SDIST_BYTES:
                    raise InfrastructureError(f"{release.filename} is larger than {MAX_SDIST_BYTES} bytes")
                yield chunk
        except requests.RequestException as error:
            raise InfrastructureError(f"{release.filename}: the download broke off: {type(error).__name__}") from error
        finally:
            response.close()

    def _get(self, url: str, *, stream: bool = False) -> requests.Response:
        import requests
        import tenacity

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=self._wait_seconds, max=20),
            retry=tenacity.retry_if_exception_type((requests.ConnectionError, requests.Timeout, _TryAgain)),
            reraise=True,
        )
        try:
            return retrying(self._get_once, url, stream=stream)
        except (requests.ConnectionError, requests.Timeout, _TryAgain) as error:
            raise NetworkMissingError(
                f"the package index {_public(self.url)} cannot be reached ({_cause(error)})",
                hint="Connect to the network, or name another index in UV_DEFAULT_INDEX.",
            ) from error
        except requests.RequestException as error:
            raise SettingsError(f"the package index {_public(self.url)} is not usable: {_cause(error)}") from error

    def _get_once(self, url: str, *, stream: bool) -> requests.Response:
        import requests

        with requests.Session() as session:
            response = session.get(
                url, headers={"Accept": _ACCEPT}, timeout=_TIMEOUT, stream=stream, verify=self._certificates
            )
        if response.status_code == 429 or response.status_code >= 500:
            response.close()
            raise _TryAgain(f"HTTP {response.status_code}")
        return response


class _TryAgain(Exception):  # noqa: N818  a signal to the retry loop
    """The index asked for patience, or failed itself."""


def _configured_index(environ: Mapping[str, str]) -> str:
    value = next((environ[name] for name in _INDEX_VARIABLES if environ.get(name)), DEFAULT_INDEX)
    name, separator, url = value.partition("=")
    if separator and "/" not in name:  # uv's `name=url`
        value = url
    if urlsplit(value).scheme not in ("http", "https"):
        raise SettingsError(f"{value!r} is not the address of a package index")
    return value.rstrip("/")


def _public(url: str) -> str:
    """The address without user and password, which never reach a message."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _cause(error: BaseException) -> str:
    """The kind of failure; the library's own text would repeat addresses with their passwords."""
    return str(error) if isinstance(error, _TryAgain) else type(error).__name__


def _sdist_version(filename: str) -> Version | None:
    try:
        return parse_sdist_filename(filename)[1]
    except (InvalidSdistFilename, InvalidVersion):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
