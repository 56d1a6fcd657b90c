"""What is written into a sandbox for one run, and what the probe is told."""

from __future__ import annotations

import json
import shlex
from pathlib import PurePosixPath
from typing import Any

import pytest

from builder.instrumentation import Instrument, instrument

DIRECTORY = "/tmp/directory"
ONE_PROCESS = {"numprocesses": 0, "dist": "no", "tx": []}


def settings(probe: Instrument) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(probe.files[probe.env["BUILDER_PROBE"]])
    return content


def test_two_runs_share_no_secret_and_no_name() -> None:
    """Fails if a run could forge the records of the next one, or find its files by name."""
    one, two = (instrument(DIRECTORY, "pytest", {}) for _ in range(2))
    assert len({one.key, two.key}) == len({one.plugin, two.plugin}) == len({one.channel, two.channel}) == 2
    assert not one.files.keys() & two.files.keys()
    assert len(one.key) == 32


def test_the_secret_is_in_one_file_only_and_not_in_the_environment() -> None:
    """Fails if the key stands where the tests can read it: the plugin's source, the environment, a command line."""
    probe = instrument(DIRECTORY, "pytest", {})
    holders = [name for name, content in probe.files.items() if probe.key.hex().encode() in content]
    assert holders == [probe.env["BUILDER_PROBE"]]
    assert probe.key.hex() not in " ".join([*probe.env.values(), *probe.files, probe.plugin, probe.channel])
    assert settings(probe)["key"] == probe.key.hex()
    assert settings(probe)["channel"] == probe.channel


def test_the_import_path_holds_the_plugin_and_nothing_else() -> None:
    """Fails if the tests could import the settings' neighbours, or Python does not start with the probe."""
    probe = instrument(DIRECTORY, "pytest", {})
    importable = probe.env["PYTHONPATH"]
    found = {PurePosixPath(name).name for name in probe.files if name.startswith(f"{importable}/")}
    assert found == {f"{probe.plugin}.py", "sitecustomize.py"}
    assert not probe.channel.startswith(importable)


def test_every_path_needs_no_quotes() -> None:
    """Fails if a shell would see more than one word: the paths stand in scripts."""
    probe = instrument(DIRECTORY, "pytest", {})
    for word in (*probe.files, probe.channel, probe.plugin, *probe.env.values()):
        assert shlex.quote(word) == word
    assert all(name.startswith(f"{DIRECTORY}/") for name in (*probe.files, probe.channel))


def test_a_pythonpath_of_the_repository_comes_second_and_is_given_back() -> None:
    """Fails if the repository's own import path is lost, or comes before ours."""
    probe = instrument(DIRECTORY, "pytest", {"PYTHONPATH": "src:lib"})
    first, *others = probe.env["PYTHONPATH"].split(":")
    assert first.startswith(DIRECTORY)
    assert others == ["src", "lib"]
    assert settings(probe)["pythonpath"] == "src:lib"
    assert settings(instrument(DIRECTORY, "pytest", {}))["pythonpath"] is None


@pytest.mark.parametrize(
    "command",
    ["pytest -n 2", "pytest -n2", "pytest -nauto", "pytest -n=4", "pytest --numprocesses=2", "pytest --dist=load"],
)
def test_workers_that_the_test_command_asks_for_are_kept(command: str) -> None:
    """Fails if a repository that needs xdist is run without it."""
    assert not ONE_PROCESS.keys() & settings(instrument(DIRECTORY, command, {}))["options"].keys()


@pytest.mark.parametrize("command", ["pytest", "pytest -k n2", "python -m pytest -q", "pytest -rN", "pytest -m not-n2"])
def test_workers_that_only_the_configuration_asks_for_are_turned_off(command: str) -> None:
    """Fails if `-nauto` in addopts takes the cores of other sandboxes and the order of the tests (T37)."""
    assert settings(instrument(DIRECTORY, command, {}))["options"].items() >= ONE_PROCESS.items()


@pytest.mark.parametrize("command", ["pytest", "pytest -n2"])
def test_a_run_never_stops_early(command: str) -> None:
    """Fails if `-x` in addopts leaves tests untried, which then look as if they did not exist."""
    options = settings(instrument(DIRECTORY, command, {}))["options"]
    assert options["maxfail"] == 0
    assert options["continue_on_collection_errors"] is True


@pytest.mark.parametrize("command", ["pytest", "pytest -n2"])
def test_t37_plugins_that_shuffle_get_a_seed(command: str) -> None:
    """Fails if the order of the tests differs from run to run."""
    options = settings(instrument(DIRECTORY, command, {}))["options"]
    assert options.items() >= {"randomly_seed": 0, "random_order_seed": "0"}.items()


@pytest.mark.parametrize("command", ["pytest", "pytest -n2"])
def test_workers_that_cannot_start_are_not_replaced_without_end(command: str) -> None:
    """Fails if old xdist may fill the memory with workers whose start fails."""
    assert 0 < settings(instrument(DIRECTORY, command, {}))["options"]["maxworkerrestart"] < 100
