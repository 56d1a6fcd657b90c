"""A workspace with the sample repository on a Docker engine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker


@dataclass(frozen=True)
class Place:
    """A workspace with the sample validated on the engine, its data directory and the clone."""

    workspace: Path
    data_dir: Path
    clone: Path
    engine: docker.DockerClient

    def command(self, *arguments: str) -> list[str]:
        options = ["--workspace", str(self.workspace), "--data-dir", str(self.data_dir), "--workers", "2", "--json"]
        return [sys.executable, "-m", "builder", *arguments, "--runtime", "docker", *options]

    def run(self, *arguments: str) -> Any:
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def image(self, instance_id: str) -> Any:
        found = self.engine.images.list(filters={"label": [f"builder.instance={instance_id}", *self.mine()]})
        assert len(found) == 1
        return found[0]

    def base_commit(self, instance_id: str) -> str:
        return str(self.run("show", instance_id)["base_commit"])

    def git(self, *arguments: str) -> str:
        command = ["git", "--git-dir", str(self.clone), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def mine(self) -> list[str]:
        return [f"builder.workspace={(self.workspace / 'docker/workspace').read_text()}"]
