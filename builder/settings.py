"""Settings: what the command line and the environment say, and where our own data files are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """The options that all commands share. `data_dir` overrides where `templates/` and `instances/` are; `base` is the
    system that sandboxes see: an image of an engine, or a directory."""

    workspace: Path
    runtime: str = "auto"
    engine: str = "local"
    workers: int = 1
    json: bool = False
    quiet: bool = False
    data_dir: Path | None = None
    base: str = ""

    @property
    def instances_dir(self) -> Path:
        return data_directory("instances", self.data_dir)

    @property
    def templates_dir(self) -> Path:
        return data_directory("templates", self.data_dir)


def default_workers() -> int:
    """One per processor that this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


def data_directory(name: str, override: Path | None = None) -> Path:
    """Find `templates` or `instances`: the setting, else the checkout around this file, else the installed package.

    Raises SettingsError naming every place that was tried.
    """
    package = Path(__file__).resolve().parent
    places = [override / name] if override else [package.parent / name, package / "data" / name]
    for place in places:
        if place.is_dir():
            return place
    tried = ", ".join(str(place) for place in places)
    raise SettingsError(f"the data directory {name!r} is in none of: {tried}", hint="Set BUILDER_DATA_DIR.")
