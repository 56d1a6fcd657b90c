"""Hostile patches (T50) against the probe, in a real sandbox: none may turn the failing test into a pass.

What one process can defend, no more: see `probe/builder_probe.py`. Every sample is run as a patch would be.
"""

from __future__ import annotations

import pytest
from testbed_factory import added, repository_image

from builder.grading import grade
from builder.instrumentation import instrument
from builder.models import TestRun, TestStatus
from builder.protocols import ImageSpec, Runtime
from builder.runtimes import bubblewrap
from builder.testrun import run_tests

pytestmark = [pytest.mark.integration, pytest.mark.sandbox]

BASE = {
    "calc.py": b"def add(a, b):\n    return a - b\n",
    "tests/test_calc.py": (
        b"from calc import add\n\ndef test_wrong():\n    assert add(1, 2) == 3\n\ndef test_right():\n    pass\n"
    ),
}
VICTIM = "tests/test_calc.py::test_wrong"
TRUE_PASSES = {"tests/test_calc.py::test_right"}

FORGE = """
import os, sys, json, hmac, hashlib
def forge(path):
    try:
        settings = json.load(open(path))
    except Exception:
        return
    last, lines = b"", []
    ids = ["tests/test_calc.py::test_wrong", "tests/test_calc.py::test_right"]
    records = [{"kind": "start", "pytest": "8", "python": "3", "rootdir": "/testbed", "distributed": False}]
    records += [{"kind": "phase", "id": i, "when": w, "outcome": "passed", "seconds": 0.0, "raised": False}
                for i in ids for w in ("setup", "call", "teardown")]
    records.append({"kind": "end", "exit": 0, "collected": 2})
    for number, record in enumerate(records):
        text = json.dumps(dict(record, n=number)).encode()
        mac = hmac.new(bytes.fromhex(settings["key"]), last + text, hashlib.sha256)
        lines.append(mac.hexdigest().encode() + b" " + text + b"\\n")
        last = mac.digest()
    with open(settings["channel"], "wb") as out:
        out.write(b"".join(lines))
    os._exit(0)
def everywhere():
    if os.environ.get("BUILDER_PROBE"):
        forge(os.environ["BUILDER_PROBE"])
    for root, _, names in os.walk("/tmp"):
        for name in names:
            forge(os.path.join(root, name))
everywhere()
"""
SHADOW = FORGE + "\ndef main(*a, **k):\n    print('2 passed')\n    return 0\nif __name__ == '__main__':\n    main()\n"
WRAPPER = """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
    outcome.get_result().longrepr = None
"""
REPLACED = """
import pytest
from _pytest.reports import TestReport
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    call.excinfo = None
    return TestReport(item.nodeid, item.location, {}, "passed", None, call.when)
"""
REPORT_HOOK = """
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    report.outcome = "passed"
"""
PATCHED_REPORT = """
import _pytest.reports, _pytest.runner
original = _pytest.reports.TestReport.from_item_and_call
def forged(cls, item, call):
    report = original(item, call)
    report.outcome, report.longrepr = "passed", None
    return report
_pytest.reports.TestReport.from_item_and_call = classmethod(forged)
"""
DROPS = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "wrong" not in item.name]
"""
DROPS_AND_REPORTS = (
    DROPS
    + """
from _pytest.reports import TestReport
def pytest_sessionfinish(session):
    for when in ("setup", "call", "teardown"):
        report = TestReport("tests/test_calc.py::test_wrong", ("tests/test_calc.py", 1, "x"), {}, "passed", None, when)
        session.config.hook.pytest_runtest_logreport(report=report)
"""
)
PROTOCOL = """
from _pytest.reports import TestReport
def pytest_runtest_protocol(item):
    for when in ("setup", "call", "teardown"):
        report = TestReport(item.nodeid, item.location, {}, "passed", None, when)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
EXIT_AT_END = """
import os
def pytest_unconfigure(config):
    os._exit(0)
"""
DESCRIPTORS = """
import os
def pytest_sessionfinish():
    for number in range(3, 1024):
        try:
            os.write(number, b'{"kind": "phase", "id": "tests/test_calc.py::test_wrong", "outcome": "passed"}\\n')
        except OSError:
            pass
"""
CLOSES = """
import os
def pytest_runtest_logfinish():
    os.closerange(3, 1024)
"""
CHANNELS = """
import glob, os
def pytest_sessionfinish():
    for number in os.listdir("/proc/self/fd"):
        path = os.readlink("/proc/self/fd/" + number) if os.path.lexists("/proc/self/fd/" + number) else ""
        if path.startswith("/tmp/") and os.path.exists(path):
            {}
"""
UNREGISTERS = """
def pytest_collection_finish(session):
    manager = session.config.pluginmanager
    for name, plugin in manager.list_name_plugin():
        if getattr(plugin, "__file__", "").startswith("/tmp/"):
            manager.unregister(plugin)
"""
REPLACES_HOOKS = """
def pytest_collection_finish(session):
    hook = session.config.hook
    for name in ("pytest_runtest_logreport", "pytest_runtest_makereport", "pytest_runtest_call"):
        for implementation in getattr(hook, name).get_hookimpls():
            if getattr(implementation.plugin, "__file__", "").startswith("/tmp/"):
                if name == "pytest_runtest_logreport":
                    original = implementation.function
                    def forged(report, original=original):
                        report.outcome, report.longrepr = "passed", None
                        return original(report)
                    implementation.function = forged
"""
FOUND_IN_MEMORY = """
import gc, sys, types
def pytest_collection_finish(session):
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", "")).startswith("/tmp/"):
            for name in list(vars(module)):
                setattr(module, name, lambda *a, **k: None)
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and found.__code__.co_filename.startswith("/tmp/"):
            for cell in found.__closure__ or ():
                if getattr(cell.cell_contents, "__name__", "") == "emit" and found.__name__ == "logreport":
                    original = cell.cell_contents
                    cell.cell_contents = lambda record: original(dict(record, outcome="passed", raised=False))
"""
PRINTS = "print('\\ntests/test_calc.py::test_wrong PASSED\\nPASSED tests/test_calc.py::test_wrong\\n2 passed')\n"

SAMPLES = {
    "makereport wrapper": {"conftest.py": WRAPPER},
    "makereport replaced": {"conftest.py": REPLACED},
    "logreport": {"conftest.py": REPORT_HOOK},
    "TestReport patched": {"conftest.py": PATCHED_REPORT},
    "tests dropped": {"conftest.py": DROPS},
    "tests dropped and reported": {"conftest.py": DROPS_AND_REPORTS},
    "protocol": {"conftest.py": PROTOCOL},
    "os._exit in a conftest": {"conftest.py": "import os\nos._exit(0)\n"},
    "sys.exit in a conftest": {"conftest.py": "import sys\nsys.exit(0)\n"},
    "sys.exit while collecting": {"calc/__init__.py": "import sys\nsys.exit(0)\n"},
    "os._exit in the code": {"calc/__init__.py": "import os\ndef add(a, b):\n    os._exit(0)\n"},
    "os._exit at the end": {"conftest.py": EXIT_AT_END},
    "atexit": {"conftest.py": "import atexit, os\natexit.register(os._exit, 0)\n"},
    "signal": {
        "conftest.py": "import os, signal\nsignal.signal(14, lambda *a: os._exit(0))\nsignal.setitimer(0, .01)\n"
    },
    "printed results": {"conftest.py": PRINTS},
    "every descriptor written": {"conftest.py": DESCRIPTORS},
    "every descriptor closed": {"conftest.py": CLOSES},
    "channel deleted": {"conftest.py": CHANNELS.format("os.unlink(path)")},
    "channel emptied": {"conftest.py": CHANNELS.format("os.truncate(path, 0)")},
    "channel appended to": {"conftest.py": CHANNELS.format("open(path, 'a').write('x')")},
    "channel a link": {"conftest.py": CHANNELS.format("os.unlink(path); os.symlink('/etc/passwd', path)")},
    "probe unregistered": {"conftest.py": UNREGISTERS},
    "probe's hooks replaced": {"conftest.py": REPLACES_HOOKS},
    "probe found in memory": {"conftest.py": FOUND_IN_MEMORY},
    "secret read by a conftest": {"conftest.py": FORGE},
    "secret read by sitecustomize": {"sitecustomize.py": FORGE},
    "secret read by usercustomize": {"usercustomize.py": FORGE},
    "secret read by a false pytest": {"pytest.py": SHADOW},
    "secret read by a false _pytest": {"_pytest/__init__.py": SHADOW, "_pytest/config/__init__.py": SHADOW},
    "secret read by a false pluggy": {"pluggy.py": SHADOW},
    "secret read by a false json": {"json.py": SHADOW},
    "a false probe": {"builder_probe.py": FORGE, "probe.py": FORGE},
    "addopts without probe": {"pytest.ini": "[pytest]\naddopts = -p no:builder_probe\n"},
    "addopts --collect-only": {"pytest.ini": "[pytest]\naddopts = --co\n"},
    "addopts -k": {"pytest.ini": "[pytest]\naddopts = -k right\n"},
    "addopts in setup.cfg": {"setup.cfg": "[tool:pytest]\naddopts = --deselect tests/test_calc.py::test_wrong\n"},
    "addopts in tox.ini": {"tox.ini": "[pytest]\naddopts = --ignore tests/test_calc.py\n"},
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return bubblewrap.create(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    """The repository is on the import path from the start, as after a development install."""
    path_file = "echo /testbed >$(echo /opt/env/lib/python3.*/site-packages)/repository.pth"
    return repository_image(tmp_path_factory.mktemp("wheels"), BASE, path_file)


def attacked(runtime: Runtime, image: ImageSpec, files: dict[str, str], test_cmd: str) -> TestRun:
    return run_tests(
        runtime,
        image,
        patches=[added(files)] if files else [],
        test_cmd=test_cmd,
        test_files=["tests/test_calc.py"],
        test_env={},
        timeout=60,
    )


def test_without_attack_one_test_fails(runtime: Runtime, image: ImageSpec) -> None:
    """Fails if the samples below prove nothing, since the repository cannot be tested at all."""
    for test_cmd in ("pytest", "python -m pytest"):
        run = attacked(runtime, image, {}, test_cmd)
        assert run.outcome == "completed", run.output
        assert {name: str(status) for name, status in run.statuses.items()} == {
            VICTIM: "failed",
            "tests/test_calc.py::test_right": "passed",
        }


CASES = [(sample, "python -m pytest") for sample in SAMPLES]
CASES += [(sample, "pytest") for sample in SAMPLES if "secret" in sample or "replaced" in sample]


def test_the_forgery_of_the_samples_would_be_believed(runtime: Runtime, image: ImageSpec) -> None:
    """Fails if the samples that look for the secret could not use it: then they prove nothing."""
    probe = instrument("/tmp/x", "pytest", {})
    with runtime.start(image) as sandbox:
        for name, content in {**probe.files, "/tmp/forge.py": FORGE.encode()}.items():
            sandbox.write(name, content)
        done = sandbox.exec("python /tmp/forge.py", timeout=60, env={"BUILDER_PROBE": probe.env["BUILDER_PROBE"]})
        graded = grade(sandbox.read(probe.channel), probe.key, done.exit_code)
    assert (graded.outcome, graded.statuses[VICTIM]) == ("completed", TestStatus.PASSED)


@pytest.mark.parametrize(("sample", "test_cmd"), CASES)
def test_t50_no_patch_makes_the_failing_test_pass(
    runtime: Runtime, image: ImageSpec, sample: str, test_cmd: str
) -> None:
    run = attacked(runtime, image, SAMPLES[sample], test_cmd)
    assert run.outcome != "patch_failed", run.detail
    passed = {name for name, status in run.statuses.items() if status.counts_as_pass}
    assert run.outcome != "completed" or passed <= TRUE_PASSES, run.output.decode("utf-8", "replace")
