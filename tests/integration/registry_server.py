"""Debian's `docker-registry` on a port of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def serving_registry(directory: Path, settings: Mapping[str, object] | None = None) -> Iterator[str]:
    """Start a registry that keeps its data in `directory`; `settings` are further sections of its configuration."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    storage = {"filesystem": {"rootdirectory": str(directory / "data")}, "delete": {"enabled": True}}
    configuration = {"version": 0.1, "storage": storage, "http": {"addr": address}, **(settings or {})}
    path = directory / "config.yml"
    path.write_text(json.dumps(configuration))
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen([program, "serve", path], stderr=log, stdout=log) as server,
    ):
        try:
            _wait_for(address)
            yield address
        finally:
            server.terminate()


def _wait_for(address: str) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/", timeout=5):
            return
        time.sleep(0.05)
    raise TimeoutError(f"no registry answers at {address}")
