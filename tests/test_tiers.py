"""Catches a test requirement that is given up before a linter, and lists that only documentation needs."""

from __future__ import annotations

import pytest

from builder import tiers


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("tests", 1), ("testing-extra", 1), ("test_py3", 1), ("dev", 2), ("all", 2), ("requirements-dev", 2), ("s3", 3),
        ("all_remotes", 2), ("lint", 4), ("typing", 4), ("docs", None), ("test-docs", 1), ("benchmark", None),
        ("latest", 3), ("contest", 3),
    ],
)  # fmt: skip
def test_lists_are_judged_by_whole_words(name: str, tier: int | None) -> None:
    """`latest` is no list of tests (T10's mistake)."""
    assert tiers.of_list(name) == tier


@pytest.mark.parametrize(
    ("name", "listed", "tier"),
    [("black", 1, 4), ("Flake8-Docstrings", 2, 4), ("pytest", 1, 1), ("mypy-extensions", 1, 1), ("black", 0, 0)],
)
def test_tools_are_tools_wherever_they_are_listed(name: str, listed: int, tier: int) -> None:
    """Except for the project's own dependencies (tier 0)."""
    assert tiers.of_requirement(name, listed) == tier
