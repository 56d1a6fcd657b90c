"""A Docker engine of a test's own, on a disk of its own, that the test may stop, kill, and let run full."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import docker
import pytest
import requests
from docker.errors import DockerException

_SECONDS = 60


@dataclass
class Engine:
    """`host` is its address as in DOCKER_HOST, `disk` the file system with all that it keeps."""

    root: Path
    host: str
    disk: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for stale in (self.root / "pid", self.socket):
            stale.unlink(missing_ok=True)
        words = ["dockerd", "--data-root", str(self.disk), "--exec-root", str(self.root / "run")]
        words += ["--pidfile", str(self.root / "pid"), "--host", self.host]
        words += ["--fixed-cidr", "172.17.200.0/24"]  # Both engines give addresses of one bridge.
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.root / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the engine does not answer"
            time.sleep(0.2)

    @property
    def socket(self) -> Path:
        return Path(self.host.removeprefix("unix://"))

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as raw:  # Where nobody listens, the SDK leaks its own.
            if raw.connect_ex(str(self.socket)):
                return False
        with contextlib.suppress(DockerException, requests.RequestException), self.client() as client:
            return bool(client.ping())
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_SECONDS)
            self.process = None

    @contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        with contextlib.closing(docker.DockerClient(base_url=self.host)) as client:
            yield client

    def kept(self) -> dict[str, set[str]]:
        """The names of all that is not an image: containers, volumes, and networks beyond an engine's own."""
        with self.client() as client:
            return {
                "containers": {str(one.name) for one in client.containers.list(all=True)},
                "volumes": {str(one.name) for one in client.volumes.list()},
                "networks": {str(one.name) for one in client.networks.list()} - {"bridge", "host", "none"},
            }

    def nameless(self) -> list[str]:
        """Images without a name, which nobody would find again."""
        with self.client() as client:
            return [str(one.id) for one in client.images.list(filters={"dangling": True})]


@contextmanager
def running(root: Path, size: str) -> Iterator[Engine]:
    """An engine on `size` of memory, with the system image of the usual one. Skips where that cannot be had."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a private engine needs root and dockerd")
    disk = root / "disk"
    disk.mkdir(parents=True)
    engine = Engine(root, f"unix://{root}/docker.sock", disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        engine.start()
        _copy_system_image(engine)
        yield engine
    finally:
        engine.stop()
        subprocess.run(["pkill", "-KILL", "-f", str(root)], check=False)  # Shims, of an engine that was killed.
        for path in (disk, *sorted((root / "run").rglob("netns/*"))):
            subprocess.run(["umount", "--recursive", str(path)], check=False, stderr=subprocess.DEVNULL)


def _copy_system_image(engine: Engine) -> None:
    with contextlib.closing(docker.from_env()) as usual, engine.client() as client:
        client.images.load(cast("bytes", usual.images.get("builder-base").save(named=True)))  # It takes pieces, too.
