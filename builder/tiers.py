"""How much the tests can be expected to need a requirement: by the name of its list, and by its own name.

Tiers as in `models.Requirement`: 1 test, 2 development, 3 optional, 4 linters and documentation tools. When the
resolver fails, requirements are relaxed and dropped from the highest tier down.
"""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

TEST, DEVELOPMENT, OPTIONAL, TOOLS = 1, 2, 3, 4

_WORDS = re.compile(r"[^a-z0-9]+")
_TEST_WORDS = {"test", "tests", "testing", "unittest", "pytest", "tester", "check"}
_DEVELOPMENT_WORDS = {
    "dev",
    "develop",
    "devel",
    "development",
    "developer",
    "all",
    "full",
    "complete",
    "everything",
    "ci",
}
_TOOL_WORDS = {
    "lint",
    "linting",
    "linters",
    "linter",
    "style",
    "format",
    "formatting",
    "typing",
    "mypy",
    "types",
    "quality",
}
_IGNORED_WORDS = {
    "doc", "docs", "documentation", "sphinx", "mkdocs", "rtd", "readthedocs", "website", "site", "release", "publish",
    "deploy", "benchmark", "benchmarks", "bench", "profiling", "min", "minimal", "minimum", "constraints", "nightly",
    "upstream", "examples", "example", "notebooks", "notebook", "tutorials", "packaging", "binary",
}  # fmt: skip

_TOOL_NAMES = re.compile(
    r"""(?x)
    black | blue | bandit | brunette | check-manifest | cruft | codecov | codespell | collective-checkdocs | coveralls
    | commitizen
    | darglint | docformatter | doc8 | flake8(-.*)? | pep8-naming | pep8 | pycodestyle | pydocstyle | pyflakes
    | pylint(-.*)? | pyupgrade | pyright | autoflake | autopep8 | isort | ruff | yapf | yamllint | interrogate | vulture
    | mypy | types-.* | pre-commit | twine | towncrier | bump2version | bumpversion | bump-my-version | releaser
    | sphinx(-.*)? | .*-sphinx-theme | sphinxcontrib-.* | mkdocs(-.*)? | mkdocstrings(-.*)? | mike | furo | nbsphinx
    | numpydoc
    | recommonmark | myst-parser | jupyter-book | readthedocs-.* | pdoc3? | tox(-.*)? | nox | build | pipdeptree
    | pyinstaller | safety | hooky | semantic-release | python-semantic-release | radon | xenon | pytype | pyre-check
    """
)


def of_list(name: str) -> int | None:
    """The tier of what a group, extra or file of this name lists; None where the tests can do without it.

    A name of several words is judged by the most needed of them: `test-docs` is a test list.
    """
    words = set(_WORDS.split(name.lower()))
    words |= {word.rstrip("0123456789") for word in words}
    if words & _TEST_WORDS:
        return TEST
    if words & _IGNORED_WORDS:
        return None
    if words & _DEVELOPMENT_WORDS:
        return DEVELOPMENT
    return TOOLS if words & _TOOL_WORDS else OPTIONAL


def of_requirement(name: str, tier: int) -> int:
    """The tier of one distribution listed in a list of `tier`: well-known tools are tools wherever they are listed."""
    return TOOLS if tier >= TEST and _TOOL_NAMES.fullmatch(canonicalize_name(name)) else tier
