"""Every runtime that the machine has, held to the same contract. A runtime is added by a line of `REAL`.

`runtime` is one that runs programs; `storing_runtime` is any that builds images and keeps files, also the fake.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder import interpreters, plugins
from builder.protocols import ImageSpec, Runtime, Sandbox

REAL = [pytest.param("bubblewrap", marks=pytest.mark.sandbox)]

Image = Callable[..., ImageSpec]

FOREVER = f"{10**7 + os.getpid()}.{secrets.randbelow(10**6):06}"
"""Seconds that no test waits for, and no other run of these tests on the same machine."""
KNOWN = {"FOREVER": FOREVER}
"""The environment of scripts with `sleep $FOREVER`, which `processes_named(FOREVER)` finds."""


@pytest.fixture(scope="session", params=REAL)
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """One runtime and one workspace for all tests: what one test leaves behind, another may trip over."""
    return new_runtime(request.param, tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session", params=[*REAL, "scripted"])
def storing_runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return new_runtime(request.param, tmp_path_factory.mktemp("workspace"))


def new_runtime(name: str, workspace: Path) -> Runtime:
    created: Runtime = plugins.load("runtimes", name).create(workspace)
    return created


@pytest.fixture(scope="session")
def image() -> Image:
    """Makes image specifications over the machine's newest interpreter."""
    version = interpreters.installed()[0].version
    base = ImageSpec("base", "base", version)

    def make(script: str = "true", *, parent: ImageSpec | None = None, **more: object) -> ImageSpec:
        kind = "instance" if parent else "environment"
        return ImageSpec(kind, "conformance", version, parent or base, script, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def sandbox(runtime: Runtime, image: Image) -> Iterator[Sandbox]:
    with runtime.start(image()) as started:
        yield started


@pytest.fixture
def storing_sandbox(storing_runtime: Runtime, image: Image) -> Iterator[Sandbox]:
    with storing_runtime.start(image()) as started:
        yield started


def processes_named(word: str) -> list[int]:
    """Processes of this machine, in whatever namespace, whose command line holds `word`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found
