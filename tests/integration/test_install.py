"""What a user gets from `pip install .`: outside the checkout, with its data, and nothing of ours around."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the project installed from its wheel; returns its bin directory."""
    from uv import find_uv_bin

    home = tmp_path_factory.mktemp("home")
    environment = home / "env"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", home / "dist", ROOT], check=True)
    (wheel,) = (home / "dist").glob("*.whl")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python", wheel], check=True)
    return environment / "bin"


def run(bin_directory: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{bin_directory}:/usr/bin:/bin", "HOME": str(cwd)} | {
        name: value for name, value in os.environ.items() if name.endswith(("_PROXY", "_CERT_FILE", "_CA_BUNDLE"))
    }
    return subprocess.run(
        [bin_directory / "builder", *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def test_the_installed_program_finds_its_templates_and_instances(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, "doctor", "--json", cwd=tmp_path)
    assert "site-packages/builder/data/templates" in shown.stdout
    assert "site-packages/builder/data/instances" in shown.stdout


@pytest.mark.sandbox
def test_the_installed_program_does_the_sample(installed: Path, tmp_path: Path) -> None:
    """Fails if the wheel lacks the probe, a template, or the sample's history."""
    shown = run(installed, "demo", "--sample", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "4 validated" in shown.stdout
    assert (tmp_path / "workspace" / "dataset" / "README.md").is_file()
