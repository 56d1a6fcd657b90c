"""Catches test tools that only the automation installs, and coverage uploaders taken for test requirements."""

from __future__ import annotations

from builder import install_commands
from builder.source_tree import SourceTree


def read(**files: str) -> install_commands.Installed:
    named = {{"tox": "tox.ini", "nox": "noxfile.py", "ci": ".github/workflows/ci.yml", "make": "Makefile"}.get(k, k): v
             for k, v in files.items()}  # fmt: skip
    tree = SourceTree(frozenset({*named, "requirements/dev.txt", "req_dev.txt"}), named.get)
    return install_commands.read(tree)


def lines(found: install_commands.Installed) -> list[str]:
    return [line.text for line in found.lines]


def test_files_and_extras_of_shell_commands() -> None:
    found = read(
        ci="run: |\n  pip install -U pip && pip install -e '.[all,tests]' pytest-cov codecov\n"
        "  pip install -rreq_dev.txt\n"
    )
    assert list(found.extras) == ["all", "tests"]
    assert list(found.files) == ["req_dev.txt"]
    assert lines(found) == ["pytest-cov"]


def test_sessions_of_nox() -> None:
    found = read(nox='session.install("-r", "requirements/dev.txt", "pytest-xdist")\nsession.install(".[x]")\n')
    assert list(found.files) == ["requirements/dev.txt"]
    assert lines(found) == ["pytest-xdist"]
    assert list(found.extras) == ["x"]


def test_tox_takes_every_name_of_test_environments_and_none_of_others() -> None:
    text = (
        "[testenv]\ndeps =\n  freezegun>=1\n  py36: dataclasses\n  -r requirements/dev.txt\n  {[base]deps}\n"
        "extras = a,b\n[testenv:docs]\ndeps = furo\n"
    )
    found = read(tox=text)
    assert lines(found) == ["freezegun>=1", "dataclasses"]
    assert list(found.files) == ["requirements/dev.txt"]
    assert list(found.extras) == ["a", "b"]


def test_groups_of_other_installers() -> None:
    found = read(make="install:\n\tpdm install -G testing -G email\n\tpoetry install --extras 'c d'\n")
    assert list(found.extras) == ["testing", "email", "c", "d"]


def test_variables_and_options_are_no_requirements() -> None:
    assert lines(read(ci="pip install pytest==${V} --timeout 30 $PKG ./dist/pytest.whl pytest-mock")) == ["pytest-mock"]
