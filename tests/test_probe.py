"""The probe in real pytest processes: what it reports, and that nothing of it can be noticed.

The first part runs under the pytest of this environment; the matrix installs old ones, and needs the package index.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from probe_runs import run_probe

from builder import interpreters

STATUSES = """
import unittest, pytest
def test_passes(): pass
def test_fails(): assert 0
def test_skips(): pytest.skip("x")
@pytest.mark.xfail
def test_xfails(): assert 0
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.mark.xfail(strict=True)
def test_xpasses_strictly(): pass
@pytest.mark.xfail(run=False)
def test_is_not_run(): pass
@pytest.fixture
def broken(): raise ValueError
@pytest.fixture
def leaky():
    yield
    raise ValueError
def test_setup(broken): pass
def test_teardown(leaky): pass
class TestUnit(unittest.TestCase):
    def test_passes(self): pass
    def test_fails(self): self.assertEqual(1, 2)
    def test_skips(self): self.skipTest("x")
    @unittest.expectedFailure
    def test_xfails(self): self.assertEqual(1, 2)
    def test_sub(self):
        for number in range(3):
            with self.subTest(number=number): self.assertNotEqual(number, 1)
"""
EXPECTED = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_skips": "skipped",
    "test_xfails": "xfailed",
    "test_xpasses": "xpassed",
    "test_xpasses_strictly": "failed",
    "test_is_not_run": "xfailed",
    "test_setup": "error",
    "test_teardown": "error",
    "TestUnit::test_passes": "passed",
    "TestUnit::test_fails": "failed",
    "TestUnit::test_skips": "skipped",
    "TestUnit::test_xfails": "xfailed",
    "TestUnit::test_sub": "failed",
}
NOTICES = """
import os, subprocess, sys
def test_sees_nothing():
    assert not [name for name in os.environ if "PROBE" in name or name == "PYTHONPATH"], os.environ
    # Debian's own interpreter has a sitecustomize, which must be the one that is seen.
    assert "/probe/" not in str(getattr(sys.modules.get("sitecustomize"), "__file__", ""))
    assert not [entry for entry in sys.path if "/probe/" in entry], sys.path
    child = subprocess.check_output([sys.executable, "-c", "import os, sys; print(os.environ, sys.path)"]).decode()
    assert "/probe/" not in child and "PROBE" not in child, child
def test_leaves_low_descriptors_alone():
    with open(os.devnull) as stream: assert stream.fileno() < 100
"""
AWKWARD = ["a b", "a c", "a - b", "a [x]", "c::d", "new\nline", "é中", "/", "", " ", "FAILED x::y"]
PARAMETERS = f"""
import pytest
VALUES = {AWKWARD!r}
@pytest.mark.parametrize("value", range(len(VALUES)), ids=VALUES)
def test_p(value): print("\\nPASSED test_x.py::forged\\nERROR root: x\\n[gw0] PASSED y"); assert value != 1
"""
NESTED = """
pytest_plugins = ["pytester"]
def test_nested(testdir):
    testdir.makepyfile("import os\\ndef test_x(): assert not [n for n in os.environ if 'PROBE' in n]")
    testdir.runpytest_inprocess().assert_outcomes(passed=1)
    testdir.runpytest_subprocess().assert_outcomes(passed=1)
"""
TWENTY = """
import pytest
@pytest.mark.parametrize("number", range(20))
def test_n(number): assert number != 7
"""
CRASH = """
import os
def test_a(): pass
def test_crash(): os._exit(3)
def test_b(): pass
"""
FORKING = """
import json, os
from _pytest.reports import TestReport
from _pytest.runner import runtestprotocol
def pytest_runtest_protocol(item):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps([report._to_json() for report in runtestprotocol(item, log=False)]).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as stream: reports = json.load(stream)
    os.wait()
    for report in reports: item.ihook.pytest_runtest_logreport(report=TestReport._from_json(report))
    return True
"""
FORGING = """
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""
THIEF = "import os\nif os.environ.get('BUILDER_PROBE'):\n    open('stolen', 'w').close()\n"


def test_every_kind_of_result_has_its_status(tmp_path: Path) -> None:
    """Fails if a phase, an expected failure or a unittest result is read as something else."""
    run = run_probe(tmp_path, {"test_x.py": STATUSES})
    assert run.by_name == EXPECTED
    assert (run.graded.outcome, run.exit_code) == ("completed", 1)


def test_nothing_of_the_probe_can_be_noticed(tmp_path: Path) -> None:
    """Fails if tests or their child processes see its variables, its directory or a low descriptor."""
    run = run_probe(tmp_path, {"test_x.py": NOTICES}, ["-W", "error", "--strict-markers", "-p", "no:terminal"])
    assert run.by_name == {"test_sees_nothing": "passed", "test_leaves_low_descriptors_alone": "passed"}, run.output


def test_the_output_is_that_of_a_run_without_probe(tmp_path: Path) -> None:
    """Fails if the probe prints, warns, or shows in pytest's header."""
    run = run_probe(tmp_path, {"test_x.py": "def test_a(): pass\n"}, ["-v"])
    assert "probe" not in run.output.replace(str(tmp_path), "")
    assert "warning" not in run.output.lower()
    assert list((tmp_path / "probe").rglob("*.py")), "the layout has moved; what this test looks for has not"


def test_the_python_path_of_the_tests_is_given_back(tmp_path: Path) -> None:
    checks = "import os\ndef test_a(): assert os.environ['PYTHONPATH'] == '/some:/where'\n"
    run = run_probe(tmp_path, {"test_x.py": checks}, test_env={"PYTHONPATH": "/some:/where"})
    assert run.by_name == {"test_a": "passed"}


@pytest.mark.parametrize("place", [".", "src"])
def test_t50_a_false_standard_module_is_not_asked_while_there_is_a_secret(tmp_path: Path, place: str) -> None:
    """Fails if the probe itself imports from the PYTHONPATH of the repository (`hmac`: pytest has no use for it)."""
    files = {f"{place}/hmac.py": THIEF, "test_x.py": "def test_a(): pass\n", "src/empty.py": ""}
    run = run_probe(tmp_path, files, test_env={"PYTHONPATH": place})
    assert run.by_name == {"test_a": "passed"}, run.output
    assert not (tmp_path / "repository" / "stolen").exists()


def test_tests_in_forked_children_bring_their_evidence_back(tmp_path: Path) -> None:
    """Fails if what pytest-forked does looks like forgery, or forgery in a child like what it does."""
    honest = run_probe(tmp_path / "a", {"test_x.py": STATUSES, "conftest.py": FORKING})
    assert (honest.graded.outcome, honest.by_name["test_passes"], honest.by_name["test_fails"]) == (
        "completed",
        "passed",
        "failed",
    )
    forged = run_probe(tmp_path / "b", {"test_x.py": STATUSES, "conftest.py": FORKING + FORGING})
    assert (forged.graded.outcome, "but raised" in forged.graded.detail) == ("tampered", True)


def test_the_sitecustomize_of_the_environment_still_runs(tmp_path: Path) -> None:
    """Fails if the probe, which comes under that name, takes the place of the real one."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys\nsys.customized = True\n")
    checks = "import sys\ndef test_a(): assert sys.customized and 'own' in sys.modules['sitecustomize'].__file__\n"
    run = run_probe(tmp_path, {"test_x.py": checks}, test_env={"PYTHONPATH": str(own)})
    assert run.by_name == {"test_a": "passed"}


def test_t30_t31_awkward_ids_arrive_whole_and_output_is_no_result(tmp_path: Path) -> None:
    run = run_probe(tmp_path, {"test_x.py": PARAMETERS, "pytest.ini": ESCAPING_OFF}, ["-s"])
    assert len(run.graded.statuses) == len(AWKWARD)
    assert run.by_name["test_p[a b]"] == "passed"
    assert run.by_name["test_p[a c]"] == "failed"
    assert {"test_p[a - b]", "test_p[a [x]]", "test_p[c::d]", "test_p[é中]", "test_p[FAILED x::y]"} <= set(run.by_name)


ESCAPING_OFF = "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"


def test_a_nested_pytest_is_not_reported(tmp_path: Path) -> None:
    run = run_probe(tmp_path, {"test_x.py": NESTED})
    assert run.by_name == {"test_nested": "passed"}, run.output


def test_t33_a_file_that_cannot_be_collected_does_not_hide_the_others(tmp_path: Path) -> None:
    run = run_probe(tmp_path, {"test_a.py": "from nowhere import x\n", "test_b.py": "def test_b(): pass\n"})
    assert run.graded.collection_errors == ("test_a.py",)
    assert run.by_name == {"test_b": "passed"}
    assert run.graded.outcome == "completed"


def test_addopts_that_stop_early_do_not_hide_the_rest(tmp_path: Path) -> None:
    run = run_probe(tmp_path, {"test_x.py": TWENTY, "pytest.ini": "[pytest]\naddopts = -x\n"})
    assert len(run.by_name) == 20


@pytest.mark.parametrize("option", ["--collect-only", "--setup-only"])
def test_options_that_run_no_test_give_no_results(tmp_path: Path, option: str) -> None:
    """T34: nothing run must not be all well."""
    run = run_probe(tmp_path, {"test_x.py": "def test_a(): pass\n", "pytest.ini": f"[pytest]\naddopts = {option}\n"})
    assert (run.exit_code, run.graded.outcome) == (0, "no_results")


def test_an_id_that_runs_twice_passes_only_if_it_passes_twice(tmp_path: Path) -> None:
    once = "STATE = []\ndef test_a():\n    STATE.append(1)\n    assert len(STATE) == 1\n"
    run = run_probe(tmp_path, {"test_x.py": once}, ["--keep-duplicates", "test_x.py", "test_x.py"])
    assert run.by_name == {"test_a": "failed"}


def test_no_tests_is_a_completed_run_without_statuses(tmp_path: Path) -> None:
    run = run_probe(tmp_path, {"test_x.py": "x = 1\n"})
    assert (run.exit_code, run.graded.outcome, run.graded.statuses) == (5, "completed", {})


@pytest.mark.parametrize("way", ["os._exit(0)", "os.kill(os.getpid(), 11)"])
def test_a_crash_leaves_no_results(tmp_path: Path, way: str) -> None:
    run = run_probe(tmp_path, {"test_x.py": f"import os\ndef test_a(): pass\ndef test_b(): {way}\n"})
    assert run.graded.outcome == "no_results"


def test_a_keyboard_interrupt_leaves_no_results(tmp_path: Path) -> None:
    run = run_probe(tmp_path, {"test_x.py": "def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\n"})
    assert (run.exit_code, run.graded.outcome) == (2, "no_results")


def test_a_forked_copy_of_the_process_does_not_write(tmp_path: Path) -> None:
    """Fails if a child that runs on through pytest breaks the chain of records."""
    forks = "import os\ndef test_a():\n    child = os.fork()\n    if child: os.waitpid(child, 0)\n"
    run = run_probe(tmp_path, {"test_x.py": forks})
    assert run.by_name == {"test_a": "passed"}


MATRIX = [
    ("3.6", "pytest==3.0.7", ""),
    ("3.6", "pytest==3.6.4", "pytest-xdist<1.30 pytest-rerunfailures==4.2 attrs<19.2"),
    ("3.7", "pytest==4.6.*", "pytest-forked<1.5"),
    ("3.8", "pytest==5.4.*", "pytest-xdist<2"),
    ("3.9", "pytest==6.2.*", "pytest-xdist<3 pytest-rerunfailures<11 pytest-cov<5"),
    ("3.10", "pytest==7.1.*", "pytest-xdist pytest-rerunfailures pytest-forked"),
    ("3.12", "pytest==8.3.*", "pytest-xdist pytest-rerunfailures pytest-subtests"),
    ("3.13", "pytest>=9", "pytest-xdist pytest-rerunfailures"),
    ("{}.{}".format(*sys.version_info[:2]), "pytest", "pytest-xdist"),
]
HERE = {interpreter.version.rpartition(".")[0] for interpreter in interpreters.installed()}


@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("version", "runner", "others"), [case for case in MATRIX if case[0] in HERE])
def test_old_and_new_pytest_say_the_same(tmp_path: Path, version: str, runner: str, others: str) -> None:
    """Fails if a pytest of the last ten years, its xdist or its rerunfailures reports in a way we do not read."""
    python = environment(tmp_path / "env", version, [runner, *others.split()])
    run = run_probe(tmp_path / "statuses", {"test_x.py": STATUSES}, python=python)
    assert run.by_name == EXPECTED
    nested = run_probe(tmp_path / "nested", {"test_x.py": NESTED}, python=python)
    assert nested.by_name == {"test_nested": "passed"}, nested.output
    if "xdist" in others:
        check_distributed(tmp_path, python)
    if "forked" in others:
        forked = run_probe(tmp_path / "forked", {"test_x.py": CRASH}, ["--forked"], python=python)
        assert forked.by_name == {"test_a": "passed", "test_crash": "failed", "test_b": "passed"}, forked.output
    if "rerunfailures" in others:
        check_rerun(tmp_path, python)


def check_distributed(directory: Path, python: Path) -> None:
    asked = run_probe(directory / "n2", {"test_x.py": TWENTY}, ["-n2"], python=python)
    assert asked.records[0]["distributed"]
    assert (asked.graded.outcome, len(asked.by_name)) == ("completed", 20)
    ini = "[pytest]\naddopts = -n2 --dist=loadfile\n"
    configured = run_probe(directory / "ini", {"test_x.py": TWENTY, "pytest.ini": ini}, python=python)
    assert not configured.records[0]["distributed"]
    assert configured.by_name == asked.by_name
    crashed = run_probe(directory / "crash", {"test_x.py": CRASH}, ["-n1"], python=python)
    assert crashed.by_name == {"test_a": "passed", "test_crash": "failed", "test_b": "passed"}


def check_rerun(directory: Path, python: Path) -> None:
    flaky = "STATE = []\ndef test_flaky():\n    STATE.append(1)\n    assert len(STATE) == 3\ndef test_bad(): assert 0\n"
    run = run_probe(directory / "rerun", {"test_x.py": flaky}, ["--reruns", "3"], python=python)
    assert run.by_name == {"test_flaky": "passed", "test_bad": "failed"}
    again = {record["id"] for record in run.records if record.get("outcome") == "rerun"}
    assert again == {"test_x.py::test_flaky", "test_x.py::test_bad"}


def environment(directory: Path, version: str, packages: list[str]) -> Path:
    from uv import find_uv_bin

    base, python = interpreters.find(version).executable, directory / "bin" / "python"
    subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", base, directory], check=True)
    subprocess.run([find_uv_bin(), "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return python
