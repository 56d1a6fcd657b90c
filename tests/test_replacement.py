"""Replacing a directory: old or new at every instant, also for a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builder import replacement
from builder.errors import WorkspaceBusyError
from builder.replacement import recover, replacing


def content(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def old_set(tmp_path: Path) -> Path:
    target = tmp_path / "set"
    target.mkdir()
    (target / "a").write_text("old")
    (target / "b").write_text("old")
    return target


def without_exchange(left: Path, right: Path) -> bool:
    return False


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    """Catches a replacement that needs something to replace, and leftovers beside it."""
    target = tmp_path / "deep" / "set"
    with replacing(target) as staging:
        (staging / "a").write_text("new")
        assert not target.exists()
    assert content(target) == {"a": "new"}
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("exchange", [True, False])
def test_an_old_directory_is_replaced_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    """Catches files of the old set among the new ones, with the system call and without."""
    target = old_set(tmp_path)
    if not exchange:
        monkeypatch.setattr(replacement, "_exchange", without_exchange)
    with replacing(target) as staging:
        (staging / "a").write_text("new")
        assert content(target) == {"a": "old", "b": "old"}
    assert content(target) == {"a": "new"}
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_the_old_directory_alone(tmp_path: Path) -> None:
    """Catches half a set after an error, and the rest of the attempt left on the disk."""
    target = old_set(tmp_path)

    def fail() -> None:
        with replacing(target) as staging:
            (staging / "a").write_text("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert content(target) == {"a": "old", "b": "old"}
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_while_the_old_directory_stands_aside_puts_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches an old set lost between the two renames of a file system that cannot exchange."""
    target = old_set(tmp_path)
    monkeypatch.setattr(replacement, "_exchange", without_exchange)
    rename = Path.rename

    def failing(self: Path, other: Path) -> Path:
        if self.name == ".set.new":
            raise OSError(5, "broken")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", failing)

    def replace() -> None:
        with replacing(target):
            pass

    with pytest.raises(OSError, match="broken"):
        replace()
    assert content(target) == {"a": "old", "b": "old"}
    assert list(tmp_path.iterdir()) == [target]


KILLED_AT = {
    "while writing": "os.kill(os.getpid(), 9)",
    "before the swap": "replacement._swap = lambda *paths: os.kill(os.getpid(), 9)",
    "between two renames": (
        "replacement._exchange = lambda *paths: False\n"
        "    rename = Path.rename\n"
        "    Path.rename = lambda s, o: os.kill(os.getpid(), 9) if s.name == '.set.new' else rename(s, o)"
    ),
    "after the swap": "replacement._sync = lambda path: os.kill(os.getpid(), 9) if path.name != '.set.new' else None",
}


@pytest.mark.parametrize("instant", KILLED_AT)
def test_t60_a_kill_leaves_the_old_set_or_the_new_one(tmp_path: Path, instant: str) -> None:
    """Catches a mixture, or nothing at all, after kill -9; and a next push that trips over the rest."""
    target = old_set(tmp_path)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom builder import replacement\n"
        "with replacement.replacing(Path(sys.argv[1])) as staging:\n"
        "    (staging / 'a').write_text('new')\n"
        f"    {KILLED_AT[instant]}\n"
    )
    if instant == "after the swap":
        script = script.replace(
            "replacement._sync =", "replacement._sync_tree = lambda root: None\n    replacement._sync ="
        )
    result = subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    assert result.returncode == -signal.SIGKILL
    recover(target)
    expected = {"a": "new"} if instant == "after the swap" else {"a": "old", "b": "old"}
    assert content(target) == expected
    with replacing(target) as staging:
        assert content(staging) == {}
        (staging / "c").write_text("newer")
    assert content(target) == {"c": "newer"}
    assert list(tmp_path.iterdir()) == [target]


def test_two_processes_cannot_replace_the_same_directory(tmp_path: Path) -> None:
    """Catches two pushes that write into one staging directory."""
    target = old_set(tmp_path)

    def second() -> None:
        with replacing(target):
            pass

    with replacing(target) as staging:
        (staging / "a").write_text("first")
        with pytest.raises(WorkspaceBusyError):
            second()
    assert content(target) == {"a": "first"}


def test_everything_is_on_the_disk_before_the_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a directory that is swapped in before its files are durable: after a power cut they would be empty."""
    events: list[str] = []
    fsync = os.fsync
    swap = replacement._swap

    def synced(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    def swapped(staging: Path, target: Path, aside: Path) -> None:
        events.append("SWAP")
        swap(staging, target, aside)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(replacement, "_swap", swapped)
    with replacing(tmp_path / "set") as staging:
        (staging / "data").mkdir()
        (staging / "data" / "rows").write_text("x")
    assert set(events[: events.index("SWAP")]) == {"rows", "data", ".set.new"}
    assert events[events.index("SWAP") + 1 :] == [tmp_path.name]
