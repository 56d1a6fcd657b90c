"""Catches locks that would install something else next year, and environments shared by commits they do not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder import locks
from builder.errors import SettingsError
from builder.models import Lock, Requirement

TEXT = """\
a-b==1.5 \\
    --hash=sha256:aaaa
moto[server]==2.0.dev1 \\
    --hash=sha256:bbbb
"""


def lock(**changes: object) -> Lock:
    values = {"python": "3.9", "as_of": datetime(2022, 4, 7, 1, 2, 3, tzinfo=UTC), "text": TEXT, **changes}
    return Lock.model_validate(values)


def unmet(*texts: str, held: Lock | None = None) -> list[str]:
    return locks.unmet([Requirement(text=text, tier=1, source="x") for text in texts], held or lock())


def test_t20_a_lock_read_back_is_the_lock_written(tmp_path: Path) -> None:
    written = lock(relaxed=("x==1", "y: wheels only"), dropped=("z",))
    locks.write_lock(tmp_path / "deep" / "l.txt", written)
    assert locks.read_lock(tmp_path / "deep" / "l.txt") == written
    assert locks.read_lock(tmp_path / "deep" / "l.txt").lock_id == written.lock_id
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["l.txt"]


@pytest.mark.parametrize(
    "text", ["", "# python: 3.9\n" + TEXT, "# python: 3.9\n# as_of: yesterday\n" + TEXT,
     "# python: 3.9\n# as_of: 2022-04-07T00:00:00Z\na==1\n"]
)  # fmt: skip
def test_t20_a_file_without_date_or_hashes_is_no_lock(tmp_path: Path, text: str) -> None:
    (tmp_path / "l.txt").write_text(text)
    with pytest.raises(SettingsError, match=r"l\.txt"):
        locks.read_lock(tmp_path / "l.txt")


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.txt"):
        locks.read_lock(tmp_path / "nowhere.txt")


def test_what_is_held_is_met() -> None:
    assert unmet("A.B>=1.5", "moto[server]", "moto>=1.9", "moto==2.0.dev1", 'gone; sys_platform == "win32"') == []
    assert unmet('backport; python_version < "3.9"') == []


def test_a_new_name_another_version_or_an_extra_is_unmet() -> None:
    wanted = ("new", "a-b<1.5", "moto[all]", 'backport; python_version < "3.10"')
    assert unmet(*wanted) == list(wanted)


def test_what_gave_way_is_not_tried_again_but_its_successor_is() -> None:
    held = lock(relaxed=("moto==1.dev5",), dropped=("gone>=1",))
    assert unmet("moto==1.dev5", "gone>=1", held=held) == []
    assert unmet("moto==1.dev6", "gone>=2", held=held) == ["moto==1.dev6", "gone>=2"]


def test_distributions_that_were_uploaded_again_are_taken_later() -> None:
    assert list(locks.late_uploads(datetime(2019, 1, 1, tzinfo=UTC))) == ["atomicwrites"]
    assert locks.late_uploads(datetime(2023, 1, 1, tzinfo=UTC)) == {}


def test_versions_are_found_by_any_spelling() -> None:
    assert str(locks.version_of(lock(), "A_B")) == "1.5"
    assert locks.version_of(lock(), "c") is None
