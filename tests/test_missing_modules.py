"""Catches modules that tests import and nothing declares, and own modules taken for foreign ones."""

from __future__ import annotations

import pytest
from environment_factory import TEMPLATES

from builder import missing_modules
from builder.protocols import ExecResult
from builder.runtimes.scripted import ScriptedSandbox
from builder.source_tree import SourceTree


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("E   ModuleNotFoundError: No module named 'requests_mock'", ["requests-mock"]),
        ("ImportError: No module named PIL", ["pillow"]),
        ("No module named 'a.b'; ModuleNotFoundError: No module named 'yaml.x'", ["pyyaml"]),
        ("E   ModuleNotFoundError: No module named 'own._ext'", []),
        ("E   ModuleNotFoundError: No module named 'conftest_helpers'", []),
        ("", []),
    ],
)
def test_names_become_distributions(output: str, names: list[str]) -> None:
    tree = SourceTree(frozenset({"src/own/__init__.py", "tests/conftest_helpers.py"}), lambda _path: None)
    sandbox = ScriptedSandbox([("", ExecResult(2, output.encode()))], {})
    assert missing_modules.distributions(sandbox, TEMPLATES, tree, "pytest -n0") == names
    assert "pytest -n0 --collect-only" in sandbox.calls[0].script
