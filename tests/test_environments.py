"""Catches environments of the wrong date, interpreter or install mode, and environments shared by mistake."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from environment_factory import START, Made, environment, lock, make

from builder import interpreters
from builder.environments import Planner, env_id, infer
from builder.models import Environment
from builder.protocols import ExecResult
from builder.repo_config import RepoConfig, parse
from builder.runtimes import scripted

LOCK = b"pytest==7.1 --hash=sha256:aa\nsetuptools==62.0 --hash=sha256:bb\nwheel==0.37 --hash=sha256:cc\n"
LOCK += b"pip==22.0 --hash=sha256:dd\nnumpy==1.22 --hash=sha256:ee\n"


@pytest.fixture(autouse=True)
def _interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(version: str, **_options: object) -> interpreters.Interpreter:
        return interpreters.Interpreter(f"{version}.1", Path("/p"), Path("/p/bin/python"))

    monkeypatch.setattr(interpreters, "find", find)


def planner(made: Made, **metadata: object) -> tuple[Planner, scripted.ScriptedRuntime]:
    facts = {"name": "own", "version": "1", "requires": ["numpy"], "extras": [], "can_build_editable": True, **metadata}
    files = {"/tmp/metadata.json": json.dumps(facts).encode(), "/tmp/requires.txt": b"wheel\n", "/tmp/lock.txt": LOCK}
    runtime = scripted.create(answers=ExecResult(0, b""), files=files)
    return Planner(made.workshop, RepoConfig(), runtime), runtime


def assigned(made: Made, index: int, *known: Environment, **metadata: object) -> Environment:
    return planner(made, **metadata)[0].assign(made.shas[index], "1.0", known)


def test_the_facts_of_a_commit(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b"", "tox.ini": b"[pytest]\naddopts = -nauto\n"})
    spec = infer(made.workshop, made.shas[0], RepoConfig(), "1.0").spec
    assert (spec.python, spec.as_of, spec.test_cmd) == ("3.9", START + timedelta(days=1), "pytest -n0")


def test_repo_yaml_overrides_what_is_inferred(tmp_path: Path) -> None:
    text = """
    environment: {python: "3.8", test_cmd: tox, install: path, build_env: {A: "1"}}
    overrides: [{versions: "<1.10", environment: {test_env: {B: "2"}}}]
    """
    made = make(tmp_path, {"a": b""})
    for version, test_env in (("1.9", {"B": "2"}), ("1.10", {})):
        spec = infer(made.workshop, made.shas[0], parse(text, "x"), version).spec
        assert (spec.python, spec.test_cmd, spec.install, spec.build_env) == ("3.8", "tox", "path", {"A": "1"})
        assert spec.test_env == test_env


def test_a_version_read_from_tags_is_told_to_the_build(tmp_path: Path) -> None:
    """T23 scrubs the tags, and setuptools_scm then fails or says 0.0."""
    made = make(tmp_path, {"pyproject.toml": b"[build-system]\nrequires = ['setuptools_scm']\n"})
    spec = infer(made.workshop, made.shas[0], RepoConfig(), "3.2").spec
    assert spec.build_env["SETUPTOOLS_SCM_PRETEND_VERSION"] == "3.2"


@pytest.mark.parametrize(
    ("files", "metadata", "lock_text", "mode"),
    [
        ({}, {}, LOCK, "develop"),
        ({}, {}, LOCK.replace(b"62.0", b"64.0"), "editable"),
        ({"pyproject.toml": b"[build-system]\nrequires = []\nbuild-backend = 'hatchling.build'\n"},
         {}, LOCK, "editable"),
        ({"pyproject.toml": b"[build-system]\nrequires = []\nbuild-backend = 'poetry.masonry.api'\n"},
         {"can_build_editable": False}, LOCK, "develop"),
    ],
)  # fmt: skip
def test_the_install_mode(
    tmp_path: Path, files: dict[str, bytes], metadata: dict[str, object], lock_text: bytes, mode: str
) -> None:
    """setuptools before 64 has no PEP 660: an editable install would fail, or copy the package."""
    made = make(tmp_path, {"a": b"", **files})
    plan, runtime = planner(made, **metadata)
    runtime._files["/tmp/lock.txt"] = lock_text  # type: ignore[index]
    assert plan.assign(made.shas[0], "1.0", ()).spec.install == mode


def test_a_new_environment_is_resolved_in_the_repository_at_the_commit(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b""})
    plan, runtime = planner(made)
    new = plan.assign(made.shas[0], "1.0", ())
    assert (new.environment_setup_commit, new.lock.as_of) == (made.shas[0], START + timedelta(days=1))
    assert [start.network for start in runtime.started] == [True]
    assert [start.cache for start in runtime.started] == ["o__n"]
    assert made.shas[0] in runtime.started[0].image.script
    assert "numpy" in [one.text for one in new.spec.requirements if one.tier == 0]


def test_t26_a_commit_that_changes_no_build_input_shares_without_a_sandbox(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b""}, {"src/a.py": b"x"})
    plan, runtime = planner(made)
    first = plan.assign(made.shas[0], "1.0", ())
    runtime.started.clear()
    assert plan.assign(made.shas[1], "1.0", [first]) == first
    assert runtime.started == []


def test_t26_a_changed_input_that_the_lock_satisfies_shares(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b""}, {"requirements-dev.txt": b"numpy>=1.20\n"})
    first = assigned(made, 0)
    assert assigned(made, 1, first) == first


@pytest.mark.parametrize("line", [b"new-name\n", b"numpy>=1.23\n"])
def test_a_new_name_or_version_gets_its_own_environment(tmp_path: Path, line: bytes) -> None:
    made = make(tmp_path, {"a": b""}, {"requirements-dev.txt": line})
    first = assigned(made, 0)
    second = assigned(made, 1, first)
    assert second.environment_setup_commit == made.shas[1]
    assert second.env_id != first.env_id


def test_what_tests_import_without_declaring_it_is_added(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b"", "helpers/x.py": b""})
    plan, runtime = planner(made)
    output = b"E   ModuleNotFoundError: No module named 'yaml.nodes'\nE   ImportError: No module named 'helpers'\n"
    runtime._rules = [("--collect-only", ExecResult(1, output)), ("", ExecResult(0, b""))]
    new = plan.assign(made.shas[0], "1.0", ())
    assert [one.text for one in new.spec.requirements if one.source == "imported by tests"] == ["pyyaml"]
    assert len([call for call in runtime.calls if "uv pip compile" in call.script]) == 2


def test_neither_an_older_commit_nor_one_much_later_shares(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b""}, {"b": b""}, {"c": b""}, days=60)
    middle = assigned(made, 1)
    assert assigned(made, 0, middle) != middle
    assert assigned(made, 2, middle) == middle
    assert assigned(made, 2, assigned(made, 0)).environment_setup_commit == made.shas[2]


def test_t23_an_environment_that_is_no_ancestor_is_not_shared(tmp_path: Path) -> None:
    """Its commit would stay reachable in the instance, be it of an earlier date."""
    made = make(tmp_path, {"a": b""}, {"b": b""})
    draft = infer(made.workshop, made.shas[0], RepoConfig(), "1.0")
    assert not planner(made)[0]._may_share(environment(made.shas[1]), draft.spec)


def test_another_test_command_is_another_environment(tmp_path: Path) -> None:
    """The environment's specification says how its tests are run."""
    made = make(tmp_path, {"a": b""}, {"pytest.ini": b"[pytest]\naddopts = -n2\n"})
    first = assigned(made, 0)
    assert assigned(made, 1, first).spec.test_cmd == "pytest -n0"


def test_an_environment_is_recreated_from_its_lock_without_resolving(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b""})
    plan, runtime = planner(made)
    first = plan.assign(made.shas[0], "1.0", ())
    runtime.calls.clear()
    assert plan.recreate(made.shas[0], "1.0", first.lock) == first
    assert not [call for call in runtime.calls if "uv pip compile" in call.script]


def test_t24_the_id_is_safe_and_says_what_it_is(tmp_path: Path) -> None:
    made = make(tmp_path, {"a": b""})
    spec = environment(made.shas[0]).spec
    assert env_id(spec, lock()).startswith("o__n-py39-20220407-")
    assert env_id(spec, lock()) != env_id(spec, lock(text="other==1 --hash=sha256:aa\n"))
