"""Catches lists of requirements that are missed, mistaken for needed, or given the wrong tier."""

from __future__ import annotations

from builder import install_commands, requirements
from builder.repo_config import EnvironmentRules
from builder.requirements import ProjectMetadata
from builder.source_tree import SourceTree

TOOLS = "build and test tools"


def of(files: dict[str, str]) -> SourceTree:
    return SourceTree(frozenset(files), files.get)


def collect(
    files: dict[str, str], metadata: ProjectMetadata | None = None, rules: EnvironmentRules | None = None
) -> dict[str, int]:
    """Requirement line → tier, without what every environment holds."""
    found = requirements.collect(of(files), metadata or ProjectMetadata("own"), rules or EnvironmentRules())
    return {one.text: one.tier for one in found.requirements if one.source != TOOLS}


def chosen(*paths: str, **automation: str) -> list[str]:
    tree = of(dict.fromkeys(paths, "") | {name.replace("_", "."): text for name, text in automation.items()})
    files = requirements.requirement_files(tree, EnvironmentRules(), install_commands.read(tree))
    return [path for path, _tier in files]


def test_files_are_found_by_their_names() -> None:
    names = ["test-requirements.txt", "tests/requirements.txt", "requirements_dev.txt", "requirements/testing.txt"]
    assert sorted(chosen(*names, "docs/requirements.txt", "requirements-docs.txt", "src/requires.py")) == sorted(names)


def test_the_plain_file_at_the_root_repeats_the_metadata_and_counts_only_where_it_is_used() -> None:
    """It often pins another version than setup.py allows."""
    assert chosen("requirements.txt") == []
    assert chosen("requirements.txt", tox_ini="[testenv]\ndeps = -rrequirements.txt\n") == ["requirements.txt"]


def test_neighbours_of_a_test_file_count_but_not_those_for_documentation() -> None:
    """conans/requirements_server.txt: tests import what only the server needs."""
    files = [
        "pkg/requirements_dev.txt",
        "pkg/requirements.txt",
        "pkg/requirements_server.txt",
        "pkg/requirements_docs.txt",
    ]
    assert chosen(*files) == files[:3]


def test_a_compiled_file_stands_for_its_source() -> None:
    assert chosen("requirements/testing.in", "requirements/testing.txt") == ["requirements/testing.txt"]


def test_extras_are_taken_by_name_and_by_use() -> None:
    metadata = ProjectMetadata(
        "own",
        requires=("base>=1", 'a; extra == "tests"', 'b; extra == "email"', 'c; extra == "gpu"', 'd; extra == "docs"'),
        extras=("tests", "email", "gpu", "docs"),
    )
    automation = {"Makefile": "install:\n\tpdm install -G email -G docs\n"}
    assert collect(automation, metadata) == {"base>=1": 0, "a": 1, "b": 3}


def test_an_extra_that_names_others_keeps_their_tiers() -> None:
    """`dev = own[lint,s3]`: a linter's exact pin must give way before an optional remote does."""
    metadata = ProjectMetadata(
        "Own.Project",
        requires=(
            'own-project[lint,s3]; extra == "dev"',
            'own_project[dev]; extra == "lint"',
            'mypy==1.1; extra == "lint"',
            'x; python_version >= "3" and extra == "s3"',
        ),
        extras=("dev", "lint", "s3"),
    )
    assert collect({}, metadata) == {"mypy==1.1": 4, 'x; python_version >= "3"': 3}


def test_conditions_on_the_platform_survive_without_the_extra() -> None:
    texts = {
        '(python_version < "3.8") and extra == "tests"': 'z; python_version < "3.8"',
        'extra == "tests" and (os_name == "nt" or python_version < "3")': 'z; os_name == "nt" or python_version < "3"',
    }
    for marker, expected in texts.items():
        metadata = ProjectMetadata("own", requires=(f"z; {marker}",), extras=("tests",))
        assert list(collect({}, metadata)) == [expected]


def test_a_conda_file_counts_only_where_nothing_else_names_pytest() -> None:
    conda = {"environment.yml": "dependencies: [numpy, pytest]\n"}
    assert "numpy" in collect(conda)
    assert "numpy" not in collect({**conda, "requirements-dev.txt": "pytest\n"})


def test_the_project_itself_and_excluded_names_are_left_out() -> None:
    """Plugins of a project require it; an installed copy of it could be newer than the commit (T23)."""
    files = {"requirements-dev.txt": "Own_Project>=2\nbad-one\ngood\n"}
    rules = EnvironmentRules(exclude=("bad.one",))
    assert collect(files, ProjectMetadata("own-project"), rules) == {"good": 2}


def test_given_extras_and_files_replace_the_found_ones() -> None:
    metadata = ProjectMetadata("own", requires=('a; extra == "tests"', 'b; extra == "x"'), extras=("tests", "x"))
    rules = EnvironmentRules(extras=("x",), requirement_files=("only.txt",), requirements=("added",))
    files = {"only.txt": "listed\n", "requirements-dev.txt": "unused\n"}
    assert collect(files, metadata, rules) == {"listed": 1, "added": 1, "b": 3}


def test_every_environment_can_run_tests_and_rebuild_without_network() -> None:
    found = requirements.collect(of({}), ProjectMetadata("own", build_requires=("cython<3",)), EnvironmentRules())
    assert [one.text for one in found.requirements] == ["cython<3", "pytest", "setuptools", "wheel", "pip"]


def test_bounds_of_constraint_files_are_no_requirements() -> None:
    files = {"requirements-dev.txt": "-c bounds.txt\na\n", "bounds.txt": "a<2\nb<3\n"}
    found = requirements.collect(of(files), ProjectMetadata("own"), EnvironmentRules())
    assert found.constraints == ["a<2", "b<3"]


def test_declared_metadata_is_read_without_building_unless_the_backend_has_a_say() -> None:
    """Fails if an extra's own marker were lost, or a dynamic project taken for one without requirements."""
    text = (
        "[project]\nname = 'own'\nversion = '1'\ndependencies = ['attrs']\n"
        "[project.optional-dependencies]\ntest = ['pytest', \"mock; python_version < '3' or os_name == 'nt'\"]\n"
    )
    found = requirements.declared_metadata(of({"pyproject.toml": text}))
    assert found is not None
    assert found.requires == (
        "attrs",
        "pytest; extra == 'test'",
        "mock; (python_version < '3' or os_name == 'nt') and extra == 'test'",
    )
    dynamic = text.replace("version = '1'", "version = '1'\ndynamic = ['dependencies']").replace(
        "dependencies = ['attrs']\n", ""
    )
    assert requirements.declared_metadata(of({"pyproject.toml": dynamic})) is None
    assert requirements.declared_metadata(of({"pyproject.toml": "[project"})) is None
    assert requirements.declared_metadata(of({"setup.py": ""})) is None
