"""Make the system image that all images of the docker runtime stand on, from packages or from an image."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder import debian
from builder.errors import RuntimeMissingError, UsageError
from builder.runtimes import docker
from builder.runtimes._docker_system import SystemImage
from builder.settings import Settings
from builder.templating import Templates


@dataclass(frozen=True)
class Origin:
    """A distribution's `suite` at a `mirror` with further `packages`, or the image `reference`, which has them."""

    suite: str = debian.SUITE
    mirror: str = debian.MIRROR
    packages: Sequence[str] = ()
    reference: str = ""


def make(settings: Settings, name: str, origin: Origin) -> SystemImage:
    """Make the image `name` of the engine. Raises ServiceMissingError, InfrastructureError, UsageError."""
    setup = Templates(settings.templates_dir).render("setup_base.sh.j2")
    engine = docker.create(settings.workspace.absolute())
    if origin.reference:
        if "@sha256:" not in origin.reference:
            raise UsageError(
                f"{origin.reference!r} can mean another image tomorrow", hint="Name it by digest: NAME@sha256:…"
            )
        return engine.adapt_system(origin.reference, setup, name)
    engine.connect()
    with tempfile.TemporaryDirectory(prefix="builder-base-") as directory:
        root = Path(directory) / "root"
        debian.make_root(root, suite=origin.suite, mirror=origin.mirror, packages=origin.packages, setup=setup)
        return engine.import_system(root, name)


def unpack(settings: Settings, name: str, origin: Origin, directory: Path) -> SystemImage:
    """Write the files of the image `name` into a new directory, for the bubblewrap runtime; made where it is missing.

    Raises what `make` does, and UsageError where the directory exists.
    """
    if directory.exists():
        raise UsageError(f"{directory} exists already", hint="Remove it, or name another.")
    engine = docker.create(settings.workspace.absolute(), base=name)
    try:
        engine.check()
    except RuntimeMissingError:
        make(settings, name, origin)
    return engine.unpack_system(name, directory)
