"""Which paths are tests (T10)."""

from __future__ import annotations

import pytest

from builder.repo_config import TestRules
from builder.testpaths import is_test_module, is_test_path, matches, path_rule

TESTS = [
    "tests/test_a.py",
    "tests/data/big.bin",
    "tests/README.md",
    "test/x.py",
    "pkg/tests/__init__.py",
    "pkg/test/utils.py",
    "Tests/a.txt",
    "test-data/unit/check.test",
    "pkg/test_data/a.json",
    "pkg/testdata/a.json",
    "integration_tests/a.py",
    "unit-test/a.py",
    "tests_cdk/app.py",
    "tools/integration_test_tools/a.py",
    "hydra/test_utils/configs/a.yaml",
    "pkg/e2e/run.sh",
    "testing/test_x.py",
    "testing/helper.py",
    "test_suite/a.py",
    "pkg/__tests__/a.js",
    "pkg/__snapshots__/a.ambr",
    "conftest.py",
    "pkg/conftest.py",
    "pkg/test_a.py",
    "pkg/a_test.py",
    "pkg/a_tests.py",
    "pkg/tests.py",
    "web/a.test.ts",
    "web/a.spec.jsx",
    "go/a_test.go",
]
SOURCE = [
    "latest.py",
    "contest.py",
    "attestation/a.py",
    "src/_pytest/main.py",
    "mypy/testing/a.py",
    "pandas/_testing/__init__.py",
    "mypy/stubtest.py",
    "numpy/testing/utils.py",
    "moto/latest_amis/a.json",
    "parser/test_state/a.py",
    "stdlib/unittest/mock.pyi",
    "cli/commands/test.py",
    "pytest_plugin.py",
    "src/pytest.py",
    "testament.py",
    "greatest/a.py",
    "protest/a.py",
    "fastest_path/a.py",
    "docs/testing.md",
    "pytest.ini",
    "test-requirements.txt",
    ".github/workflows/tests.yml",
    "fixtures/a.json",
    "snapshots/a.snap",
    "pkg/doctest.py",
    "pkg/tested.py",
    "pkg/testing.py",
]


@pytest.mark.parametrize("path", TESTS)
def test_t10_tests(path: str) -> None:
    """A part of the tests is given to the agent, or counted as the solution."""
    assert is_test_path(path)


@pytest.mark.parametrize("path", SOURCE)
def test_t10_source(path: str) -> None:
    """A part of the solution is applied with the tests, before the agent begins."""
    assert not is_test_path(path)


def test_declared_paths_win_over_the_general_rule() -> None:
    """A repository cannot say what is different with it."""
    rule = path_rule(TestRules(paths=("pkg/testing/**", "specs"), not_paths=("pkg/testing/api.py", "**/test_utils/")))
    assert rule("pkg/testing/a.py")
    assert rule("specs/deep/a.txt")
    assert not rule("pkg/testing/api.py")
    assert not rule("lib/test_utils/a.py")
    assert rule("tests/a.py")
    assert not rule("pkg/a.py")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a/*.py", "a/b.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/*.py", "a/b.py", True),
        ("a/**/*.py", "a/b/c/d.py", True),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("**/x", "a/bx", False),
        ("a/**", "a/b/c", True),
        ("a/**", "ab", False),
        ("a", "a/b", True),
        ("a/", "a", False),
        ("/a", "a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].py", "a.py", True),
        ("[!ab].py", "a.py", False),
        ("a.py", "axpy", False),
        ("a+(b).py", "a+(b).py", True),
        ("*.test", "x/y.test", False),
    ],
)
def test_globs_are_those_of_git(pattern: str, path: str, expected: bool) -> None:
    """A glob crosses folders, or a dot in it matches any character."""
    assert matches(path, pattern) is expected


def test_t12_modules_that_pytest_finds_tests_in() -> None:
    """A package marker collects its whole folder; helpers and data collect nothing."""
    assert all(map(is_test_module, ["tests/test_a.py", "a_test.py", "mypy/test/testcheck.py", "x/tests.py"]))
    assert not any(map(is_test_module, ["tests/__init__.py", "tests/conftest.py", "tests/base.py", "tests/test_a.txt"]))
