"""Catches an interpreter that the commit does not support, or that its dependencies did not support at the time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from builder import python_versions
from builder.source_tree import SourceTree

CLASSIFIERS = "".join(f"'Programming Language :: Python :: 3.{minor}',\n" for minor in (8, 9, 10, 11))


def of(files: dict[str, str]) -> SourceTree:
    return SourceTree(frozenset(files), files.get)


def chosen(files: dict[str, str], date: str) -> str:
    return python_versions.choose(of(files), datetime.fromisoformat(date).replace(tzinfo=UTC)).minor


@pytest.mark.parametrize(("date", "minor"), [("2022-11-01", "3.10"), ("2023-04-23", "3.10"), ("2023-05-01", "3.11")])
def test_t28_an_interpreter_younger_than_half_a_year_is_not_taken(date: str, minor: str) -> None:
    """Its dependencies have no wheels for it: the install ends well and no test runs."""
    assert chosen({"setup.py": CLASSIFIERS}, date) == minor


def test_an_upper_bound_beats_a_classifier() -> None:
    assert chosen({"pyproject.toml": f"requires-python = '>=3.8,<3.10'\n{CLASSIFIERS}"}, "2024-01-01") == "3.9"


def test_without_classifiers_the_bound_decides() -> None:
    assert chosen({"setup.cfg": "python_requires = >=3.6, <3.9"}, "2022-01-01") == "3.8"


def test_poetry_bounds_are_understood() -> None:
    """A caret is no PEP 440 operator; taken for unreadable it would admit everything."""
    assert chosen({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.7"\n'}, "2022-01-01") == "3.9"
    assert chosen({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.7"\n'}, "2022-01-01") == "3.7"


def test_t25_a_version_in_a_workflow_is_not_a_float() -> None:
    """YAML reads 3.10 as 3.1."""
    workflow = "jobs:\n  test:\n    strategy:\n      matrix:\n        python-version: [3.9, 3.10]\n"
    assert chosen({".github/workflows/ci.yml": workflow}, "2022-12-01") == "3.10"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".travis.yml", "matrix:\n  include:\n  - env:\n    - PYTHON_VER=3.7.2\n"),
        (".travis.yml", 'python:\n  - "3.6"\n  - "3.7"\n'),
        ("tox.ini", "[tox]\nenvlist = py36,py37\n"),
        ("tox.ini", "[tox]\nenvlist = py{36,37}-x\n"),
        ("noxfile.py", 'DEFAULT_PYTHON_VERSIONS = ["3.6", "3.7"]\n'),
    ],
)
def test_automation_declares_versions_too(path: str, text: str) -> None:
    """A project whose classifiers end at `Python :: 3` is tested with something after all."""
    assert chosen({path: text, "setup.py": "'Programming Language :: Python :: 3',"}, "2019-02-16") == "3.7"


def test_other_numbers_of_a_workflow_are_no_interpreters() -> None:
    workflow = "jobs:\n  a:\n    steps:\n    - uses: pre-commit/action@v3.9\n      with: {node-version: 3.12}\n"
    assert chosen({".github/workflows/ci.yml": workflow, "setup.py": "':: Python :: 3'"}, "2021-06-01") == "3.9"
    assert not list(python_versions.declarations(of({".github/workflows/ci.yml": workflow})))


def test_what_only_declares_a_too_new_or_old_python_gets_the_nearest() -> None:
    assert chosen({"setup.py": "Programming Language :: Python :: 3.5"}, "2020-01-01") == "3.6"
    assert chosen({"setup.py": "Programming Language :: Python :: 3.12"}, "2023-11-01") == "3.12"


def test_the_evidence_names_the_file() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert python_versions.choose(of({"setup.py": CLASSIFIERS}), moment).evidence.source == "setup.py: classifiers"


def test_a_broken_workflow_declares_nothing() -> None:
    assert chosen({".github/workflows/ci.yml": "a: [3.9\n\t- b"}, "2021-06-01") == "3.9"


def test_a_machine_without_the_version_gets_the_nearest_declared_one() -> None:
    """Fails if a machine with one interpreter could build nothing, or if the farthest one were taken."""
    classifiers = "".join(f"    'Programming Language :: Python :: {minor}',\n" for minor in ("3.8", "3.9", "3.11"))
    tree = of({"setup.py": f"setup(python_requires='>=3.8',\nclassifiers=[\n{classifiers}])"})
    assert python_versions.substitutes(tree, "3.11")[:3] == ["3.9", "3.8", "3.10"]
    assert "3.7" not in python_versions.substitutes(tree, "3.11")
