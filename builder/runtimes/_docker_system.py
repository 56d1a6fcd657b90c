"""The system image at the bottom: a root file system imported whole, or another image adapted by a script."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from builder.errors import SandboxError
from builder.runtimes import _docker_images
from builder.runtimes._docker_engine import Engine, engine_errors, exists, remove_container

_SETUP_SECONDS = 300


@dataclass(frozen=True)
class SystemImage:
    """An image of the engine by its id, and the bytes of its files."""

    id: str
    bytes: int


def import_root(engine: Engine, root: Path, name: str) -> SystemImage:
    """Make an image of a directory, owners and modes kept. Raises SandboxError, DiskFullError."""
    command = ["tar", "--directory", str(root), "--numeric-owner", "--sort=name", "--create", "."]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as packing,
        engine_errors(f"importing {name}"),
    ):
        stream = cast("IO[bytes]", packing.stdout)
        said = engine.api.import_image_from_stream(stream, repository=name, tag="latest")
    if packing.returncode:
        raise SandboxError(f"importing {name}: {root} cannot be read as a whole: {said}")
    return _made(engine, name)


def adapt(engine: Engine, reference: str, setup: str, name: str) -> SystemImage:
    """Run a script as root, without network, in an image, and keep the result. Raises SandboxError, DiskFullError."""
    with engine_errors(f"adapting {reference}"):
        if not exists(engine, reference):
            engine.client.images.pull(reference)
        made: str = engine.api.create_container(
            reference, ["/bin/bash", "-c", setup], entrypoint=[], user="0:0",
            host_config=engine.api.create_host_config(network_mode="none"),
        )["Id"]  # fmt: skip
    try:
        with engine_errors(f"adapting {reference}"):
            engine.api.start(made)
            code = engine.api.wait(made, timeout=_SETUP_SECONDS)["StatusCode"]
            said = engine.api.logs(made, tail=1).decode("utf-8", "replace").strip()
        if code:
            raise SandboxError(f"adapting {reference} ended with {code}: {said}")
        _docker_images.commit(engine, made, {}, f"{name}:latest", {})
    finally:
        remove_container(engine, made)
    return _made(engine, name)


def _made(engine: Engine, name: str) -> SystemImage:
    with engine_errors(f"looking at {name}"):
        found = engine.api.inspect_image(name)  # type: ignore[no-untyped-call]
    return SystemImage(found["Id"], int(found["Size"]))
