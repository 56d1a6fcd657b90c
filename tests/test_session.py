"""A command's hold on a workspace: which runtime, and what an interruption does."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from builder import session
from builder.errors import SettingsError, UnknownNameError
from builder.runtimes import scripted
from builder.settings import Settings


def test_a_misspelt_runtime_offers_the_nearest_and_never_the_fake(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Perhaps you meant 'bubblewrap'"):
        session.open_runtime(Settings(tmp_path, runtime="bubblewarp"))
    with pytest.raises(UnknownNameError):
        session.open_runtime(Settings(tmp_path, runtime="scripted"))


def test_what_a_killed_command_left_in_temporary_files_is_removed(tmp_path: Path) -> None:
    """A killed harvest leaves borrowed clones; hundreds of them would fill the disk that nobody looks at."""
    leftover = tmp_path / "scratch/builder-git-x/objects"
    leftover.mkdir(parents=True)
    usual = tempfile.gettempdir()
    with session.writing(Settings(tmp_path, quiet=True)):
        assert not leftover.exists()
        assert Path(tempfile.mkdtemp()).parent == tmp_path / "scratch"
    assert tempfile.gettempdir() == usual
    assert not (tmp_path / "scratch").exists()


def test_an_interruption_closes_the_runtime_before_it_ends_the_command(tmp_path: Path) -> None:
    """Fails if sandboxes would go on, or the pipeline wait for them, after Ctrl-C."""
    closed: list[str] = []

    class Closing(scripted.ScriptedRuntime):
        def close(self) -> None:
            closed.append("closed")

    before = signal.getsignal(signal.SIGTERM)

    def interrupted() -> None:
        with session.writing(Settings(tmp_path, quiet=True)) as opened:
            opened._runtime = Closing([], {})
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert closed
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_repository_is_opened_once(tmp_path: Path) -> None:
    from builder.sample import create_sample

    create_sample(tmp_path / "clone.git")
    with session.writing(Settings(tmp_path / "w", quiet=True)) as opened:
        assert opened.repository(str(tmp_path / "clone.git")) is opened.repository(str(tmp_path / "clone.git"))


def test_a_relative_workspace_is_named_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a history kept below the workspace could not be found from another directory."""
    monkeypatch.chdir(tmp_path)
    with session.writing(Settings(Path("w"), quiet=True)) as opened:
        assert opened.work_dir == tmp_path / "w" / "work"


def test_a_line_that_is_no_fact_is_named(tmp_path: Path) -> None:
    for name in ("templates", "instances/o__n"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "instances/o__n/validated.jsonl").write_text("{}\n")
    settings = Settings(tmp_path / "w", quiet=True, data_dir=tmp_path)
    with session.writing(settings) as opened, pytest.raises(SettingsError, match=r"validated\.jsonl:1"):
        opened.facts("o/n")
