"""One system for both runtimes: the base image, and the same unpacked for the embedded runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conformance.conftest import OVER_A_BASE, emptied, new_runtime

from builder import interpreters
from builder.protocols import ImageSpec, Runtime
from integration.docker_place import Place

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SHOW = r"""
find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /home \) \
  -prune -o -printf '%y %p %l\n' 2>/dev/null
unset OLDPWD; env; id; ldconfig -p | grep python; which -a git cc python3; uv --version
python3 -c 'import sys, ssl; print(sys.prefix, sys.version, ssl.OPENSSL_VERSION)'
"""
DIFFERENT = {
    "f /.dockerenv ",
    "f /etc/ld.so.conf.d/python.conf ",
    "f /etc/builder-base ",
    "f /var/cache/ldconfig/aux-cache ",  # Only root reads what is in there, and here everything is the user's.
}


@pytest.fixture(scope="module")
def base() -> Path:
    found = os.environ.get("TEST_BASE_DIR", "")
    if not found:
        pytest.skip("TEST_BASE_DIR names no system that `builder base-image` unpacked")
    return Path(found)


def seen(runtime: Runtime, script: str) -> set[str]:
    version = interpreters.installed()[0].version
    image = ImageSpec("environment", "x", version, ImageSpec("base", "base", version), "true")
    with runtime.start(image) as sandbox:
        return set(sandbox.exec(script, timeout=120).output.decode().splitlines())


def test_both_runtimes_see_the_same_system(tmp_path: Path) -> None:
    """Every file, link, variable, library and program; what may differ is listed."""
    over_base = new_runtime(OVER_A_BASE, tmp_path)
    with emptied(new_runtime("docker", tmp_path)) as docker, emptied(over_base) as bubblewrap:
        there, here = seen(docker, SHOW), seen(bubblewrap, SHOW)
    assert len(there) > 5000
    assert there ^ here <= DIFFERENT


def test_nothing_of_the_machine_is_in_it(tmp_path: Path) -> None:
    with emptied(new_runtime(OVER_A_BASE, tmp_path)) as runtime:
        lines = seen(runtime, "cat /proc/self/mountinfo; ls /usr/local/bin")
    assert not [line for line in lines if str(Path(sys.base_prefix)) in line and sys.base_prefix != "/usr"]
    assert not [name for name in ("docker", "builder") if name in lines]


def test_the_same_verdicts_over_the_unpacked_base(place: Place, base: Path, tmp_path: Path) -> None:
    options = ["--workspace", str(tmp_path), "--data-dir", str(place.data_dir), "--json", "--quiet"]
    builder = [sys.executable, "-m", "builder"]
    harvest = [*builder, "harvest", "sample/pantry", "--git-dir", str(place.clone), *options]
    subprocess.run(harvest, capture_output=True, check=True)
    validate = [*builder, "validate", "--runs", "1", "--base", str(base), *options]
    done = json.loads(subprocess.run(validate, capture_output=True, check=True).stdout)
    expected = place.run("validate", "--runs", "1")
    lists = ("instance_id", "verdict", "FAIL_TO_PASS", "PASS_TO_PASS")
    assert [{key: one.get(key) for key in lists} for one in done] == [
        {key: one.get(key) for key in lists} for one in expected
    ]
    assert any(one["verdict"] == "validated" for one in done)


def test_a_directory_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    command = [sys.executable, "-m", "builder", "base-image", "--unpack", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
