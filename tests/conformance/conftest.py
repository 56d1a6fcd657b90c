"""Every runtime that the machine has, held to the same contract. A runtime is added by a line of `REAL`.

`runtime` is one that runs programs; `storing_runtime` is any that builds images and keeps files, also the fake.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from builder import interpreters, plugins
from builder.errors import RuntimeMissingError
from builder.protocols import ImageSpec, Runtime, Sandbox

if TYPE_CHECKING:
    from builder.runtimes.docker import DockerRuntime

OVER_A_BASE = "bubblewrap over a base"
PODMAN = "docker on podman"
NEEDED = {OVER_A_BASE: "TEST_BASE_DIR", PODMAN: "TEST_PODMAN_HOST"}
"""The variables with a directory that `builder base-image` unpacked, and with podman's address, as in DOCKER_HOST."""
REAL = [
    pytest.param("bubblewrap", marks=pytest.mark.sandbox),
    pytest.param(OVER_A_BASE, marks=pytest.mark.integration),
    pytest.param("docker", marks=pytest.mark.integration),
    pytest.param(PODMAN, marks=pytest.mark.integration),
]

Image = Callable[..., ImageSpec]

FOREVER = f"{10**7 + os.getpid()}.{secrets.randbelow(10**6):06}"
"""Seconds that no test waits for, and no other run of these tests on the same machine."""
KNOWN = {"FOREVER": FOREVER}
"""The environment of scripts with `sleep $FOREVER`, which `processes_named(FOREVER)` finds."""


@pytest.fixture(scope="session", params=REAL)
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """One runtime and one workspace for all tests: what one test leaves behind, another may trip over."""
    with emptied(new_runtime(request.param, tmp_path_factory.mktemp("workspace"))) as created:
        yield created


@pytest.fixture(scope="session", params=[*REAL, "scripted"])
def storing_runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    with emptied(new_runtime(request.param, tmp_path_factory.mktemp("workspace"))) as created:
        yield created


@contextlib.contextmanager
def emptied(created: Runtime) -> Iterator[Runtime]:
    """What an engine keeps is not in the workspace, so it is removed at the end; that is T62 once more."""
    yield created
    created.clean()
    created.purge()


def create(name: str, workspace: Path) -> Runtime:
    """The runtime of an entry of `REAL`."""
    base = os.environ["TEST_BASE_DIR"] if name == OVER_A_BASE else ""
    created: Runtime = plugins.load("runtimes", name.split()[0]).create(workspace, base=base)
    if name == PODMAN:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", os.environ["TEST_PODMAN_HOST"])
            cast("DockerRuntime", created).connect()
    return created


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What podman does otherwise and cannot be told to do; see `_podman`."""
    reason = "podman's filter of system calls lets a process make a user namespace"
    for item in items:
        if item.name == f"test_privileged_acts_fail[{PODMAN}-unshare --user --map-root-user true]":
            item.add_marker(pytest.mark.xfail(strict=True, reason=reason))


def new_runtime(name: str, workspace: Path) -> Runtime:
    """Skips the test where the machine lacks what the runtime needs."""
    if name in NEEDED and not os.environ.get(NEEDED[name]):
        pytest.skip(f"{NEEDED[name]} is not set")
    created = create(name, workspace)
    try:
        created.check()
    except RuntimeMissingError as error:
        pytest.skip(str(error))
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
