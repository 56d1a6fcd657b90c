"""Run pytest with the probe on files of our own, in a plain process: for harmless tests only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.grading import Graded, ProbeRecord, grade, read_channel
from builder.instrumentation import instrument


@dataclass(frozen=True)
class ProbeRun:
    graded: Graded
    records: tuple[ProbeRecord, ...]
    exit_code: int
    output: str

    @property
    def by_name(self) -> dict[str, str]:
        """Statuses by what follows the file's name."""
        return {name.split("::", 1)[1]: str(status) for name, status in self.graded.statuses.items()}


def run_probe(
    directory: Path,
    files: Mapping[str, str],
    arguments: Sequence[str] = (),
    *,
    python: Path | None = None,
    test_env: Mapping[str, str] | None = None,
) -> ProbeRun:
    """Lay out `files`, run `python -m pytest` over them, and grade what the probe wrote."""
    repository = directory / "repository"
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    command = [str(python or sys.executable), "-m", "pytest"]
    probe = instrument(str(directory / "probe"), " ".join([*command, *arguments]), test_env or {})
    for name, content in probe.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    environment = {"PATH": os.defpath, "HOME": str(directory), "LANG": "C.UTF-8", **(test_env or {}), **probe.env}
    done = subprocess.run(
        [*command, "-p", probe.plugin, *arguments],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )
    channel = Path(probe.channel).read_bytes() if Path(probe.channel).exists() else b""
    graded = grade(channel, probe.key, done.returncode)
    records = read_channel(channel, probe.key).records
    return ProbeRun(graded, records, done.returncode, done.stdout.decode("utf-8", "replace"))
