"""Published descriptions of GitHub's interfaces, installed from npm into a cache of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCHEMA = "@octokit/graphql-schema@15.26.1"
OPENAPI = "@octokit/openapi@21.0.0"
PRISM = "@stoplight/prism-cli@5.14.2"


def installed(*packages: str) -> Path:
    """The `node_modules` that holds them, made where it is missing; skips the test where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = "_".join(package.replace("/", "-").strip("@") for package in packages)
    place = cache / "builder-tests" / name
    done = place / ".done"
    if not done.exists():
        place.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(place), *packages]
        subprocess.run(command, check=True, timeout=280)
        done.touch()
    return place / "node_modules"
