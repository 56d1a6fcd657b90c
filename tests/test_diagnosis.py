"""What doctor says: everything that is missing is a line with a remedy, never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder import diagnosis
from builder.errors import RuntimeMissingError
from builder.settings import Settings
from builder.views import findings


def test_a_missing_runtime_is_a_finding_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> None:
        raise RuntimeMissingError("no user namespaces", hint="sysctl …")

    monkeypatch.setattr(diagnosis, "open_runtime", broken)
    finding = diagnosis._runtime(Settings(tmp_path))
    assert (finding.ok, finding.needed, finding.hint) == (False, True, "sysctl …")
    assert "MISSING" in findings([finding]).text


def test_a_missing_git_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert diagnosis._git(Settings(tmp_path)).ok is False


def test_the_disk_is_that_of_a_workspace_that_is_not_there_yet(tmp_path: Path) -> None:
    assert str(tmp_path) in diagnosis._disk(Settings(tmp_path / "a" / "b")).detail
