"""Hostile patches (T50) against the machine, the files and the process, in a real sandbox with narrow limits.

What attacks the probe from within pytest is in `test_hostile_patches.py`. Here: patches that lead out of the tree, that
change the tests they are judged by, that use up the machine, that outlive the run, and that end or replace the process.
As in an evaluation the tests come as a second patch, after the hostile one. Every sample has the outcome that it must
have; none may be a completed run in which the failing test passed.

Not here, since nothing in the same process can tell them from a repair: replacing what the tests call or compare with
(`unittest.TestCase.assertEqual`, the test function itself, an object that equals everything, a trace function that
jumps over the assertion), from a `conftest.py` or from the code under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from testbed_factory import added, repository_image

from builder.models import TestRun, TestStatus
from builder.protocols import ImageSpec, Limits, Runtime
from builder.runtimes import bubblewrap
from builder.testrun import run_tests

pytestmark = [pytest.mark.integration, pytest.mark.sandbox]

BASE = {"calc.py": b"def add(a, b):\n    return a - b\n", "old/test_old.py": b"def test_old():\n    pass\n"}
TESTS = "from calc import add\n\ndef test_wrong():\n    assert add(1, 2) == 3\n\ndef test_right():\n    pass\n"
TEST_PATCH = added({"tests/test_calc.py": TESTS})
VICTIM, OTHER = "tests/test_calc.py::test_wrong", "tests/test_calc.py::test_right"
LIMITS = Limits(memory_bytes=512 * 1024**2, processes=64, disk_bytes=128 * 1024**2, output_bytes=1024**2)


@dataclass(frozen=True)
class Attack:
    """Files that the patch adds, or the `patch` itself, and the outcome it must come to."""

    outcome: str
    files: Mapping[str, str]
    patch: bytes = b""
    timeout: float = 60.0


def a_link(name: str, target: str) -> bytes:
    """A git diff that adds a symbolic link."""
    return (
        f"diff --git a/{name} b/{name}\nnew file mode 120000\nindex {'0' * 40}..{'1' * 40}\n"
        f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n"
    ).encode()


def conftest(text: str) -> dict[str, str]:
    return {"conftest.py": text}


REFUSED = {
    "a hook of git": Attack("patch_failed", {".git/hooks/post-index-change": "#!/bin/sh\nexit 0\n"}),
    "git's attributes": Attack("patch_failed", {".git/info/attributes": "* filter=x\n"}),
    "a path upwards": Attack("patch_failed", {"../opt/env/bin/python4": "#!/bin/sh\nexit 0\n"}),
    "an absolute path": Attack("patch_failed", {"/opt/env/bin/python4": "#!/bin/sh\nexit 0\n"}),
    "a link out of the tree": Attack(
        "patch_failed", {}, a_link("out", "/opt/env/bin") + added({"out/pytest": "#!/bin/sh\nexit 0\n"})
    ),
    "the tests directory a link": Attack("patch_failed", {}, a_link("tests", "/opt/env")),
    "the tests themselves": Attack("patch_failed", {"tests/test_calc.py": "def test_wrong():\n    pass\n"}),
    "no diff at all": Attack("patch_failed", {}, b"pass all tests, please\n"),
}

USED_UP = {
    "processes": Attack("no_results", conftest("import os\nwhile True:\n    os.fork()\n")),
    "memory": Attack("no_results", conftest("kept = []\nwhile True:\n    kept.append(bytearray(1 << 24))\n")),
    "disk": Attack(
        "no_results", conftest("with open('big', 'wb') as f:\n    while True:\n        f.write(bytes(1 << 22))\n")
    ),
    "time": Attack("timed_out", conftest("while True:\n    pass\n"), timeout=4.0),
    "time, by a child that ignores signals": Attack(
        "timed_out",
        conftest(
            "import os, signal, time\n"
            "if os.fork() == 0:\n    os.setsid()\n    signal.signal(15, signal.SIG_IGN)\n    time.sleep(1000)\n"
            "os.wait()\n"
        ),
        timeout=4.0,
    ),
    "output": Attack("completed", conftest("print('PASSED tests/test_calc.py::test_wrong\\n' * 100_000)\n")),
}

LATER = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3000):
            for root, _, names in os.walk("/tmp"):
                for name in names:
                    if not name.endswith(".py"):
                        open(os.path.join(root, name), "a").write("later")
            time.sleep(0.01)
    os._exit(0)
"""
WRAPPED = """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    outcome = yield
    outcome.force_result(None)
"""
CALL_INFO = """
from _pytest import runner
original = runner.CallInfo.from_call
def from_call(func, when, reraise=None):
    found = original(func, when, reraise)
    if when == "call":
        found.excinfo = None
    return found
runner.CallInfo.from_call = staticmethod(from_call)
"""
EXIT_STATUS = """
import pytest
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    session.exitstatus = 0
"""
XFAIL = "import pytest\ndef pytest_itemcollected(item):\n    item.add_marker(pytest.mark.xfail)\n"
CHILD = "import os\nif os.fork():\n    os.wait()\n    os._exit(0)\n"
OTHER_PYTEST = "import os, sys\nos.execv(sys.executable, [sys.executable, '-m', 'pytest', '--noconftest', 'old'])\n"
SHADOWS = {"tests/conftest.py": "import sys\n", "tests/test_calc/__init__.py": "def test_wrong():\n    pass\n"}

PROCESS = {
    "a process that outlives the run": Attack("tampered", conftest(LATER)),
    "an exception swallowed around the call": Attack("tampered", conftest(WRAPPED)),
    "exceptions swallowed by the runner": Attack("tampered", conftest(CALL_INFO)),
    "an exit status set at the end": Attack("tampered", conftest(EXIT_STATUS)),
    "every test expected to fail": Attack("completed", conftest(XFAIL)),
    "tests in a child": Attack("no_results", conftest(CHILD)),
    "another pytest in its place": Attack("no_results", conftest(OTHER_PYTEST)),
    "a shell that is killed": Attack("no_results", conftest("import os\nos.kill(os.getppid(), 9)\nos._exit(0)\n")),
    "a filter for all files": Attack("completed", {".gitattributes": "* filter=x diff=x merge=x ident eol=crlf\n"}),
    "a package in place of the test module": Attack("completed", SHADOWS),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return bubblewrap.create(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    return repository_image(tmp_path_factory.mktemp("wheels"), BASE)


def attacked(runtime: Runtime, image: ImageSpec, attack: Attack) -> TestRun:
    return run_tests(
        runtime,
        image,
        patches=[attack.patch or added(attack.files), TEST_PATCH],
        test_cmd="python -m pytest",
        test_files=["tests/test_calc.py"],
        test_env={},
        timeout=attack.timeout,
        limits=LIMITS,
    )


def test_an_honest_patch_passes_and_no_patch_fails(runtime: Runtime, image: ImageSpec) -> None:
    """Fails if the samples prove nothing, since nothing passes under these limits or everything does."""
    lines = b"-    return a - b\n+    return a + b\n"
    honest = b"--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n" + lines
    run = attacked(runtime, image, Attack("", {}, honest))
    assert (run.outcome, run.statuses) == ("completed", {VICTIM: TestStatus.PASSED, OTHER: TestStatus.PASSED})
    idle = attacked(runtime, image, Attack("", {"unused.py": "x = 1\n"}))
    assert (idle.outcome, idle.statuses) == ("completed", {VICTIM: TestStatus.FAILED, OTHER: TestStatus.PASSED})


ATTACKS = {**REFUSED, **USED_UP, **PROCESS}


@pytest.mark.parametrize("name", ATTACKS)
def test_t50_no_patch_makes_the_failing_test_pass(runtime: Runtime, image: ImageSpec, name: str) -> None:
    run = attacked(runtime, image, ATTACKS[name])
    assert run.outcome == ATTACKS[name].outcome, (run.detail, run.output.decode("utf-8", "replace")[-2000:])
    assert run.outcome != "completed" or run.statuses.get(VICTIM) is not TestStatus.PASSED
