"""Hostile programs end in a result that names the limit, and leave the machine as it was."""

from __future__ import annotations

import pytest

from builder.protocols import ExecResult, Limits, Runtime
from conformance.conftest import FOREVER, KNOWN, Image, processes_named

MIB = 1024**2
SMALL = Limits(memory_bytes=256 * MIB, processes=100, disk_bytes=200 * MIB, output_bytes=100_000)


def _attack(runtime: Runtime, image: Image, script: str, *, timeout: float = 60) -> ExecResult:
    """Run the script, and see that the same sandbox still answers afterwards."""
    with runtime.start(image(), limits=SMALL) as sandbox:
        result = sandbox.exec(script, timeout=timeout, env=KNOWN)
        assert sandbox.exec("echo alive", timeout=30).output == b"alive\n"
    assert processes_named(FOREVER) == []
    return result


_HOLD = "python3 -c 'x = b\"x\" * 10**8; import time; time.sleep(60)'"
_THREADS = """
python3 - <<'END'
import threading, time
while True:
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        time.sleep(0.01)
END
"""


@pytest.mark.parametrize(
    "script",
    [
        "python3 -c 'x = [bytearray(10**7) for _ in range(10**4)]'; sleep $FOREVER",
        f"for i in 1 2 3 4 5 6 7 8; do {_HOLD} & done; sleep $FOREVER",
        "python3 -c 'import mmap; m = mmap.mmap(-1, 10**9); m.write(b\"x\" * 10**9)'; sleep $FOREVER",
    ],
    ids=["one", "many", "shared"],
)
def test_t50_memory(runtime: Runtime, image: Image, script: str) -> None:
    """T50: catches allocating all memory, in one process, in many, and in shared pages."""
    result = _attack(runtime, image, script)
    assert (result.exit_code, result.timed_out, result.killed_by) == (None, False, "memory")


def test_shared_pages_count_once(runtime: Runtime, image: Image) -> None:
    """Catches a server that forks workers being killed for memory that it does not use."""
    script = """
python3 - <<'END'
import os, time
data = b"x" * 100_000_000
os.fork()
os.fork()
time.sleep(0.4)
END
"""
    assert _attack(runtime, image, script).killed_by == ""


def test_shared_memory_files_are_bounded(runtime: Runtime, image: Image) -> None:
    """Catches memory that is in no process: files in /dev/shm."""
    result = _attack(runtime, image, "cat /dev/zero >/dev/shm/a; cat /dev/zero >/dev/shm/b; du -sm /dev/shm | cut -f1")
    assert result.killed_by == "memory" or int(result.output.split()[-1]) <= SMALL.memory_bytes // MIB


@pytest.mark.parametrize(
    "script",
    [
        ":() { : | : & }; : ; sleep $FOREVER",
        "while :; do sleep $FOREVER & done",
        _THREADS,
        "f() { (setsid bash -c 'sleep $FOREVER' &) ; f; }; f",
    ],
    ids=["bomb", "loop", "threads", "sessions"],
)
def test_t50_processes(runtime: Runtime, image: Image, script: str) -> None:
    """T50: catches forking without end."""
    result = _attack(runtime, image, script)
    assert (result.exit_code, result.timed_out, result.killed_by) == (None, False, "processes")


_FILL = "for i in $(seq 30); do head -c 10M /dev/zero >f$i; done"


def _filled(runtime: Runtime, image: Image, script: str) -> ExecResult:
    """Run a script that breaks the disk limit; what lies in the sandbox must stay readable as evidence."""
    with runtime.start(image(), limits=SMALL) as sandbox:
        assert sandbox.exec("echo evidence >kept", timeout=30).ok
        result = sandbox.exec(script, timeout=60, env=KNOWN)
        assert sandbox.read("/testbed/kept") == b"evidence\n"
    assert processes_named(FOREVER) == []
    return result


@pytest.mark.parametrize("place", ["/testbed", "/opt/env", "/tmp", "/home/agent"])
def test_t50_disk(runtime: Runtime, image: Image, place: str) -> None:
    """T50: catches filling the disk, wherever a sandbox can write."""
    assert _filled(runtime, image, f"cd {place}; {_FILL}; sleep $FOREVER").killed_by == "disk"


def test_t50_disk_held_by_deleted_files(runtime: Runtime, image: Image) -> None:
    """T50: catches filling the disk with files that no directory lists."""
    script = "exec 3>a 4>b 5>c; rm a b c; for i in 3 4 5; do head -c 100M /dev/zero >&$i; done; sleep $FOREVER"
    assert _filled(runtime, image, script).killed_by == "disk"


def test_one_file_cannot_pass_the_disk_limit(runtime: Runtime, image: Image) -> None:
    """Catches a single fast write that is over before anyone looks."""
    script = "cat /dev/zero >big; fallocate -l 1G other; sleep $FOREVER"
    assert _filled(runtime, image, script).killed_by == "disk"


@pytest.mark.parametrize("place", ["/run", "/var/tmp", "/dev/shm"])
def test_memory_file_systems_are_bounded(runtime: Runtime, image: Image, place: str) -> None:
    result = _attack(runtime, image, f"head -c 500M /dev/zero >{place}/big && exit 0; exit 77")
    assert result.killed_by == "memory" or result.exit_code == 77


def test_limits_allow_what_is_below_them(runtime: Runtime, image: Image) -> None:
    """Catches limits that strike too early."""
    script = """
set -e
for i in $(seq 60); do sleep 0.5 & done; wait
head -c 150M /dev/zero >/testbed/file
python3 -c 'x = b"x" * 150_000_000'
"""
    result = _attack(runtime, image, script)
    assert result.ok, result


def test_no_core_files(runtime: Runtime, image: Image) -> None:
    result = _attack(runtime, image, "ulimit -c; sh -c 'kill -SEGV $$'; ls -A")
    assert result.output.splitlines()[0] == b"0"
    assert b"core" not in b"".join(result.output.splitlines()[2:])


def test_limits_cannot_be_raised(runtime: Runtime, image: Image) -> None:
    assert _attack(runtime, image, "ulimit -f unlimited && exit 0; exit 77").exit_code == 77


def test_deep_and_unreadable_trees_are_removed(runtime: Runtime, image: Image) -> None:
    """Catches a sandbox that cannot be cleaned up: paths longer than the system allows, locked directories."""
    script = """
python3 - <<'END'
import os
for _ in range(1500):
    os.mkdir("deep"); os.chdir("deep")
END
mkdir -p locked/inner; touch locked/inner/file; chmod 000 locked/inner locked
"""
    with runtime.start(image(), limits=SMALL) as sandbox:
        assert sandbox.exec(script, timeout=60).ok
    assert runtime.clean().sandboxes == 0
