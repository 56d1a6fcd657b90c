"""Where tokens come from, and that nobody gets to see one."""

from __future__ import annotations

import copy
import logging
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from builder.errors import SettingsError, TokenMissingError
from builder.protocols import Access
from builder.tokens import Token, find_tokens

SECRET = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
OWN_HOST = Access(api_url="https://git.example.org/api/v3")


@pytest.fixture(autouse=True)
def without_gh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def origins(access: Access, environ: dict[str, str]) -> list[str]:
    return [token.origin for token in find_tokens(access, environ)]


def test_a_token_shows_where_it_came_from_and_nothing_else() -> None:
    """A log line, an assertion or a report of an error would publish it."""

    @dataclass
    class Holder:
        token: Token

    token = Token(SECRET, "GITHUB_TOKEN")
    shown = [repr(token), str(token), f"{token}", f"{[token]!r}", repr(Holder(token)), "%s" % token]  # noqa: UP031
    assert all(SECRET not in text for text in shown)
    assert "GITHUB_TOKEN" in repr(token)
    assert token.header() == f"bearer {SECRET}"
    for leave in (pickle.dumps, copy.deepcopy, lambda held: asdict(Holder(held))):
        with pytest.raises(TypeError, match="not to be stored"):
            leave(token)


def test_several_are_found_each_once(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("# ours\none\n\n two  # spare\nthree\n")
    (tmp_path / "tokens").chmod(0o600)
    environ = {"BUILDER_GITHUB_TOKENS": "three, four\nfive", "GITHUB_TOKEN": "four", "GH_TOKEN": "six"}
    found = find_tokens(Access(token_file=tmp_path / "tokens"), environ)
    assert [token.password() for token in found] == ["three", "four", "five", "six", "one", "two"]
    assert [token.origin for token in found][-1] == f"line 4 of {tmp_path / 'tokens'}"


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access(), ["GH_TOKEN", "GITHUB_TOKEN"]),
        (Access(api_url="https://api.octo.ghe.com"), ["GH_TOKEN", "GITHUB_TOKEN"]),
        (Access(api_url="http://127.0.0.1:8000"), ["GH_TOKEN", "GITHUB_TOKEN"]),
        (Access(api_url="https://127.0.0.1.example.org"), ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"]),
        (OWN_HOST, ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"]),
    ],
)
def test_a_token_goes_to_the_host_that_it_is_for(access: Access, expected: list[str]) -> None:
    """github.com's token would be handed to whoever runs another server."""
    names = ("GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    assert origins(access, {name: name.lower() for name in names}) == expected


def test_the_services_command_line_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\n[ "$*" = "auth token --hostname git.example.org" ] && echo from_gh\n')
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert origins(OWN_HOST, {"PATH": f"{tmp_path}:/bin:/usr/bin"}) == ["gh auth token"]
    assert origins(OWN_HOST, {"GH_ENTERPRISE_TOKEN": "set"}) == ["GH_ENTERPRISE_TOKEN"]
    with pytest.raises(TokenMissingError, match=r"no token for github\.com"):
        find_tokens(Access(), {"PATH": f"{tmp_path}:/bin:/usr/bin"})


def test_without_any_the_error_says_what_to_do() -> None:
    with pytest.raises(TokenMissingError, match=r"GITHUB_TOKEN.*--token-file.*gh auth login"):
        find_tokens(Access(), {})


def test_a_file_that_others_can_read_is_named_without_its_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        find_tokens(Access(token_file=path), {})
    assert "chmod 600" in caplog.text
    assert SECRET not in caplog.text


def test_what_cannot_be_a_token_is_refused_without_being_shown(tmp_path: Path) -> None:
    """A line break in a header would let a file write headers of its own."""
    path = tmp_path / "tokens"
    path.write_bytes(f"{SECRET} and more\n".encode())
    with pytest.raises(SettingsError) as caught:
        find_tokens(Access(token_file=path), {})
    assert SECRET not in str(caught.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        find_tokens(Access(token_file=tmp_path / "none"), {})
