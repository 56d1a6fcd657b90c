"""Catches secrets of this machine in a build, and builds behind a proxy of its own authority that trust nobody."""

from __future__ import annotations

from pathlib import Path

from builder import network_settings


def test_credentials_stay_outside() -> None:
    """Catches a token of a private index in the environment of foreign build scripts."""
    environment = {
        "UV_INDEX_URL": "https://user:token@example.org:8080/simple",
        "PIP_EXTRA_INDEX_URL": "https://a:b@one.example/x https://two.example/y",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "GITHUB_TOKEN": "secret",
        "SSL_CERT_FILE": "",
    }
    assert network_settings.for_downloads(environment) == {
        "UV_INDEX_URL": "https://example.org:8080/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.example/x https://two.example/y",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }


def test_the_first_file_of_certificates_that_exists_is_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    missing = str(tmp_path / "missing")
    assert network_settings.certificates({"SSL_CERT_FILE": missing, "PIP_CERT": str(bundle)}) == bundle
    assert network_settings.certificates({"SSL_CERT_FILE": missing, "PIP_CERT": ""}) is None
    assert network_settings.certificates({"SSL_CERT_FILE": str(tmp_path)}) is None
