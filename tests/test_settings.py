"""Settings and the data directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.settings import Settings, data_directory


def test_the_checkout_is_found_without_a_setting() -> None:
    assert (data_directory("templates")).is_dir()
    assert Settings(workspace=Path("w")).instances_dir == data_directory("instances")


def test_the_setting_wins_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "instances").mkdir()
    settings = Settings(workspace=Path("w"), data_dir=tmp_path)
    assert settings.instances_dir == tmp_path / "instances"
    with pytest.raises(SettingsError, match=str(tmp_path / "templates")):
        _ = settings.templates_dir
