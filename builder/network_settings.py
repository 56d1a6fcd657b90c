"""What of this machine's environment a download needs: proxies, certificates, and where the package index is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from builder.protocols import CONTEXT_DIR

PROXY_NAMES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)
INDEX_NAMES = (
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
)
CA_FILE_NAMES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
CA_FILE = f"{CONTEXT_DIR}/ca-bundle.pem"
"""Where a sandbox that has a file system of its own finds the certificates of this machine; never part of an image."""
CA_NAMES = (*CA_FILE_NAMES, "SSL_CERT_DIR")


def for_downloads(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that a download needs: proxies, certificates, and index addresses without credentials."""
    plain = {name: environment[name] for name in (*PROXY_NAMES, *CA_NAMES) if environment.get(name)}
    index = {name: _without_credentials(environment[name]) for name in INDEX_NAMES if environment.get(name)}
    return plain | index


def for_other_systems(environment: Mapping[str, str]) -> dict[str, str]:
    """`for_downloads` where this machine's files are not: its certificates, if it has any, are at `CA_FILE`."""
    found = for_downloads(environment)
    if certificates(environment) is None:
        return found
    return {name: CA_FILE if name in CA_FILE_NAMES else value for name, value in found.items()}


def _without_credentials(addresses: str) -> str:
    return " ".join(_anonymous(address) for address in addresses.split())


def _anonymous(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else address


def certificates(environment: Mapping[str, str]) -> Path | None:
    """The file of certificates that this machine trusts beyond the usual, where its environment names one."""
    for name in CA_FILE_NAMES:
        path = Path(environment.get(name) or "/nonexistent")
        if path.is_file():
            return path
    return None
