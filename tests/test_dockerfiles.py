"""Catches Dockerfiles that change without cause, lose a value on the way, or ask for what an engine may not have."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest
from environment_factory import TEMPLATES

from builder import dockerfiles
from builder.errors import SettingsError
from builder.protocols import ContextFile, ImageSpec

GOLDEN = Path(__file__).parent / "golden" / "dockerfiles"
BASE = ImageSpec("base", "py3.9.18", "3.9.18")
ENVIRONMENT = ImageSpec(
    "environment",
    "o__n-py39-20220406-1a2b3c4d",
    "3.9.18",
    BASE,
    "make everything\n",
    network=True,
    cache="o__n",
    env={"B": "two words", "A": '$HOME "quoted" \\'},
    labels={"builder.environment": "o__n-py39-20220406-1a2b3c4d"},
)
INSTANCE = ImageSpec("instance", "Project-X__n-1", "3.9.18", ENVIRONMENT, "advance\n", env=ENVIRONMENT.env)


def golden() -> dict[str, str]:
    found = {}
    for image, below in ((BASE, ""), (ENVIRONMENT, "base-py3.9.18"), (INSTANCE, "environment-x")):
        for path, text in dockerfiles.texts(image, TEMPLATES, "builder-base", below).items():
            if not path.startswith("context/"):
                found[f"{image.kind}.{path}"] = text
    return found


def test_the_rendered_files_are_the_reviewed_ones() -> None:
    """Rendered anew by `BUILDER_GOLDEN=write`; the difference is the review."""
    for name, text in golden().items():
        path = GOLDEN / name
        if os.environ.get("BUILDER_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text
    assert {path.name for path in GOLDEN.iterdir()} == set(golden())


def test_no_file_has_a_front_end_downloaded() -> None:
    """An engine without a registry cannot follow a `# syntax=` line."""
    assert not [name for name, text in golden().items() if "syntax" in text]


def test_the_classic_builder_gets_nothing_of_buildkits() -> None:
    plain = {name: text for name, text in golden().items() if name.endswith(".Dockerfile")}
    assert len(plain) == 3
    assert not [name for name, text in plain.items() if "--mount" in text or "<<" in text]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_scripts_are_ones_that_a_shell_reads(shell: str) -> None:
    for name, text in golden().items():
        if name.endswith(".sh"):
            subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_a_value_of_two_lines_is_refused_by_name() -> None:
    """A Dockerfile cannot hold one, and would take the second line for an instruction."""
    image = dataclasses.replace(INSTANCE, env={"A": "one\nRUN evil"})
    with pytest.raises(SettingsError, match="RUN evil"):
        dockerfiles.texts(image, TEMPLATES, "builder-base", "x")


def test_the_written_directories_hold_the_whole_context(tmp_path: Path) -> None:
    source = tmp_path / "lock"
    source.write_bytes(b"\0lock\xff")
    orphan = dataclasses.replace(ENVIRONMENT, parent=None, context=(ContextFile("lock.txt", source, "0" * 64),))
    image = dataclasses.replace(INSTANCE, parent=orphan)
    for _ in range(2):
        (own,) = dockerfiles.write([image], tmp_path / "out", TEMPLATES, system="builder-base")
    assert own == tmp_path / "out" / "instance-Project-X__n-1"
    assert (own / "context/setup.sh").read_text() == "advance\n"
    below = tmp_path / "out" / f"environment-{ENVIRONMENT.name}"
    assert (below / "context/lock.txt").read_bytes() == b"\0lock\xff"
    assert f"sh ../{below.name}/build.sh" in (own / "build.sh").read_text()
