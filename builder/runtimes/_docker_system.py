"""The system image at the bottom: a root file system imported whole, or another image adapted by a script."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from builder.errors import BuilderError, SandboxError
from builder.files import disk_errors, write_file
from builder.protocols import UNPACKED_MARK
from builder.runtimes import _docker_images, _owned
from builder.runtimes._docker_engine import Engine, engine_errors, exists

_SETUP_SECONDS = 300
_MOUNTED_FILES = tuple(f"etc/{name}" for name in ("hostname", "hosts", "ld.so.cache", "machine-id", "resolv.conf"))
"""What a sandbox over the unpacked files has of its own; a mount needs a file to lie on."""
_LEFT_OUT = (".dockerenv", "root/")  # Unpacked, it would not only be root's.


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


def adapt(engine: Engine, reference: str, setup: str, name: str, helper: str) -> SystemImage:
    """Run a script as root, without network, in an image, and keep the result.

    The caller removes the container `helper`. Raises SandboxError, DiskFullError.
    """
    with engine_errors(f"adapting {reference}"):
        if not exists(engine, reference):
            engine.client.images.pull(reference)
        made: str = engine.api.create_container(
            reference, ["/bin/bash", "-c", setup], entrypoint=[], user="0:0", name=helper,
            host_config=engine.api.create_host_config(network_mode="none"),
        )["Id"]  # fmt: skip
        engine.api.start(made)
        code = engine.api.wait(made, timeout=_SETUP_SECONDS)["StatusCode"]
        said = engine.api.logs(made, tail=1).decode("utf-8", "replace").strip()
    if code:
        raise SandboxError(f"adapting {reference} ended with {code}: {said}")
    _docker_images.commit(engine, made, {}, f"{name}:latest", {})
    return _made(engine, name)


def unpack(engine: Engine, name: str, directory: Path, helper: str) -> SystemImage:
    """Write the files of an image into a new directory, as the user who runs this; device nodes are left out.

    The file that makes a base of the directory comes last. The caller removes the container `helper`. Raises
    SandboxError, DiskFullError.
    """
    found = _made(engine, name)
    try:
        with tempfile.TemporaryFile() as packed, engine_errors(f"unpacking {name}"), disk_errors(directory):
            made: str = engine.api.create_container(found.id, ["true"], entrypoint=[], name=helper)["Id"]
            packed.writelines(engine.api.export(made))
            packed.seek(0)
            _extract(packed, directory)
            for place in _MOUNTED_FILES:
                (directory / place).touch()
            write_file(directory / UNPACKED_MARK, f"{found.id}\n".encode("ascii"))
    except BuilderError:
        _owned.remove_tree(directory)
        raise
    return found


def _extract(packed: IO[bytes], root: Path) -> None:
    """tarfile's own filter keeps links and names inside; a directory that is not to be written is, until the end."""
    root.mkdir(parents=True)
    with tarfile.open(fileobj=packed) as archive:
        members = [one for one in archive if not one.isdev() and not one.name.startswith(_LEFT_OUT)]
        archive.extractall(root, members, filter="tar")


def _made(engine: Engine, name: str) -> SystemImage:
    with engine_errors(f"looking at {name}"):
        found = engine.api.inspect_image(name)  # type: ignore[no-untyped-call]
    return SystemImage(found["Id"], int(found["Size"]))
