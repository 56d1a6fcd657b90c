"""What a person reads: tables, units, progress lines."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from builder import console


def test_numbers_stand_right_and_text_left() -> None:
    text = console.table(["name", "count"], [["a", 5], ["longer", 1234]])
    assert text.splitlines() == ["name    count", "──────  ─────", "a           5", "longer   1234"]


@pytest.mark.parametrize(("quiet", "shown"), [(False, "working\nbeware\n"), (True, "beware\n")])
def test_messages_are_lines_on_stderr(quiet: bool, shown: str) -> None:
    """A harvest of an hour would say nothing, or a quiet one would hide that tokens are refused."""
    code = (
        f"import logging; from builder import console; console.show_messages(quiet={quiet}); "
        f"console.show_messages(quiet={quiet}); log = logging.getLogger('builder.sources.x'); "
        "log.debug('detail'); log.info('working'); log.warning('beware')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", shown)


def test_an_empty_table_is_its_head() -> None:
    assert console.table(["a", "b"], []).splitlines() == ["a  b", "─  ─"]


@pytest.mark.parametrize(("given", "shown"), [(4.21, "4.2 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")])
def test_durations(given: float, shown: str) -> None:
    assert console.seconds(given) == shown


@pytest.mark.parametrize(("given", "shown"), [(0, "0 B"), (999, "999 B"), (4_200_000, "4.2 MB"), (5e12, "5000.0 GB")])
def test_sizes(given: float, shown: str) -> None:
    assert console.size(given) == shown


def test_progress_lines_tell_what_came_of_it_and_nothing_is_said_about_nothing() -> None:
    stream = io.StringIO()
    lines = console.Lines(stream)
    lines.start("validate", 2)
    lines.advance("done")
    lines.advance("rejected")
    lines.finish()
    lines.start("image", 0)
    lines.finish()
    assert stream.getvalue().startswith("validate: 2/2 (1 done, 1 rejected) in ")
    assert stream.getvalue().count("\n") == 1


def test_live_progress_shows_counts_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails if a column asks for what is not there, which only a terminal would show."""
    live = console.Live()
    live.start("validate", 2)
    live.advance("done")
    live.advance("rejected")
    live.finish()
    shown = capsys.readouterr().err
    assert "1 done  1 rejected" in shown
    assert "a minute" in shown
