"""Which paths of a repository are tests: a general rule by path components, and what `repo.yaml` declares.

A substring never decides: `latest.py`, `attestation/`, `src/_pytest/` and `pandas/_testing/` are source. Everything
below a test folder belongs to the tests: fixtures, snapshots, data, helpers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from builder.repo_config import TestRules

_ATTACHMENT = (
    "apps?|assets?|cases?|common|configs?|data|files?|fixtures?|helpers?|inputs?|libs?|outputs?|plugins?|projects?"
    "|resources?|samples?|scripts?|suites?|support|tools|utils?"
)
_TEST_FOLDER = re.compile(
    rf"@?_*(?:.+[-_.])?(?:tests?|unittests|e2e)(?:[-_.]?(?:{_ATTACHMENT}))?_*|tests[-_.].+|__snapshots__", re.IGNORECASE
)
_ROOT_TEST_FOLDER = re.compile(r"testing|tests?[-_.].+", re.IGNORECASE)
_TEST_FILE = re.compile(r"(?:test_.+|.+_tests?|tests|conftest)\.py|.+_test\.go|.+[._-](?:test|spec)\.[cm]?[jt]sx?")
_TEST_MODULE = re.compile(r"(?:test.*|.+_tests?|tests)\.py", re.IGNORECASE)


def is_test_path(path: str, rules: TestRules | None = None) -> bool:
    """Whether `path` (from the root, `/` between components) belongs to the tests.

    `not_paths` of the rules wins over `paths`, and both over the general rule: a folder named `test` or `tests`, alone
    or joined with `-` or `_` to other words (`integration_tests`, `test-data`, but not `test_state`); at the root also
    `testing` and any `test_…` folder; elsewhere a file that pytest collects by name, `conftest.py`, `tests.py`.
    """
    if rules is not None and (rules.not_paths or rules.paths):
        if any(matches(path, pattern) for pattern in rules.not_paths):
            return False
        if any(matches(path, pattern) for pattern in rules.paths):
            return True
    *folders, name = path.split("/")
    if folders and _ROOT_TEST_FOLDER.fullmatch(folders[0]):
        return True
    return any(_TEST_FOLDER.fullmatch(folder) for folder in folders) or _TEST_FILE.fullmatch(name) is not None


def path_rule(rules: TestRules) -> Callable[[str], bool]:
    """`is_test_path` with these rules."""
    return lambda path: is_test_path(path, rules)


def is_test_module(path: str) -> bool:
    """Whether pytest finds tests in the file when it is named: a Python file named like a test, by any of the habits.

    `conftest.py`, `__init__.py` (which would collect its whole folder) and helpers are none.
    """
    return _TEST_MODULE.fullmatch(path.rpartition("/")[2]) is not None


def matches(path: str, pattern: str) -> bool:
    """Whether a git-style glob, anchored at the root, matches `path` or a folder above it.

    `*` and `?` stay within a component, `**` crosses them; a trailing `/` asks for a folder.
    """
    return re.fullmatch(_translated(pattern), path) is not None


def _translated(pattern: str) -> str:
    body = pattern.strip("/")
    tokens = re.findall(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?[^\]]+\]|.", body, re.DOTALL)
    inner = "".join(_TOKENS.get(token) or _literal(token) for token in tokens)
    return f"{inner}/.+" if pattern.endswith("/") else f"{inner}(?:/.+)?"


_TOKENS = {"**/": "(?:.+/)?", "/**": "/.+", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _literal(token: str) -> str:
    if len(token) > 1:
        return "[" + token[1:-1].replace("!", "^", 1) + "]" if token[1] == "!" else token
    return re.escape(token)
