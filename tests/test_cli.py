"""The command line: help, options, environment variables, exit codes, and what a wrong word answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from builder import __version__, cli
from builder.store import DONE, Attempt, Result, Store

ROOT = Path(__file__).parent.parent
COMMANDS = sorted(cli.cli.commands)


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    script = "from builder.cli import main; main()"
    words = [sys.executable, "-W", "error", "-c", script, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=env)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    with Store.writer(tmp_path / "w") as store:
        store.record(*(_attempt(f"o__n-{number}") for number in range(3)))
    return tmp_path / "w"


def _attempt(item: str) -> Attempt:
    value = '{"title":"t","source":"git","how_merged":"squash","merged_at":"2020-01-01"}'
    return Attempt(Result("pull_request", item, "o/n", "d", DONE, value), "2026-01-01T00:00:00+00:00", 0.0)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help_and_stands_in_the_readme(name: str) -> None:
    """Fails if a command or an option is added without a word to its user."""
    command = cli.cli.commands[name]
    assert command.help
    assert f"builder {name}" in (ROOT / "README.md").read_text()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
            assert parameter.opts[0] in (ROOT / "README.md").read_text(), f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_can_come_from_the_environment(name: str) -> None:
    for parameter in cli.cli.commands[name].params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            expected = f"BUILDER_{parameter.opts[0][2:].replace('-', '_').upper()}"
            assert parameter.envvar == expected


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    named = set(re.findall(r"^(?:\$ )?builder ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named <= {*COMMANDS, "--help"}


def test_version_and_help() -> None:
    assert __version__ in run("--version").stdout
    assert set(COMMANDS) <= set(run("--help").stdout.split())


def test_a_workspace_from_the_environment(workspace: Path) -> None:
    result = CliRunner().invoke(cli.cli, ["status", "--json"], env={"BUILDER_WORKSPACE": str(workspace)})
    assert json.loads(result.stdout)["counts"][0]["number"] == 3


def test_status_shows_the_counts(workspace: Path) -> None:
    shown = run("status", "--workspace", str(workspace))
    assert shown.returncode == 0
    assert re.search(r"o/n +3 +0", shown.stdout)


def test_status_without_a_workspace_says_what_to_do(tmp_path: Path) -> None:
    shown = run("status", "--workspace", str(tmp_path / "none"))
    assert shown.returncode == 1
    assert "is not a workspace" in shown.stderr
    assert "builder harvest" in shown.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "o__n-21"], "Perhaps you meant 'o__n-2'"),
        (["validate", "--instance", "o__n-9"], "unknown instance"),
        (["validate", "--repo", "o/m"], "Perhaps you meant 'o/n'"),
        (["validate", "--repo", "o/n", "--runtime", "bublewrap"], ""),
        (["harvest", "o/n", "--source", "gti"], "Perhaps you meant 'git'"),
        (["harvest", "o/n", "--source", "git"], "--git-dir"),
        (["harvest", "o/n", "o/m", "--git-dir", "."], "one repository"),
        (["harvest", "o/n", "--git-dir", "/nonexistent"], "/nonexistent"),
        (["harvest", "o/n", "--git-dir", ".", "--since", "yesterday"], "--since"),
        (["harvest", "--lmit", "3"], "--limit"),
        (["validat"], "validat"),
        (["push", "s3:bucket"], "dir:PATH"),
        (["export", "fact", "x"], "Perhaps you meant 'facts'"),
        (["validate", "--runs", "0"], "--runs"),
        (["validate", "--engine", "loca"], "Perhaps you meant 'local'"),
    ],
)
def test_a_wrong_word_is_a_usage_error_that_says_which(workspace: Path, arguments: list[str], said: str) -> None:
    shown = run(*arguments, *(["--workspace", str(workspace)] if len(arguments) > 1 else []))
    if said:
        assert shown.returncode == 2, shown.stderr
        assert said in shown.stderr
    assert "Traceback" not in shown.stderr
    with Store.reader(workspace) as store:
        assert len(store.items("pull_request")) == 3


def test_a_second_run_on_a_workspace_is_told_who_uses_it(workspace: Path) -> None:
    with Store.writer(workspace):
        shown = run("validate", "--workspace", str(workspace))
    assert shown.returncode == 1
    assert "is in use by process" in shown.stderr


def test_a_broken_repo_yaml_is_named(tmp_path: Path, workspace: Path) -> None:
    for name in ("templates", "instances/o__n"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "instances/o__n/repo.yaml").write_text("licence: MIT")
    options = ["--workspace", str(workspace), "--data-dir", str(tmp_path)]
    shown = run("harvest", "o/n", "--git-dir", str(ROOT), *options)
    assert shown.returncode == 2
    assert "repo.yaml" in shown.stderr
    assert "'license'" in shown.stderr


def test_a_reader_that_goes_away_is_no_error(workspace: Path) -> None:
    script = f"{sys.executable} -c 'from builder.cli import main; main()' status --workspace {workspace} | true"
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in shown.stderr
