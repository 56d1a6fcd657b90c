"""The connection to a Docker engine, or to podman's socket with the same protocol, and its errors by our names."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from builder import platforms
from builder.errors import DiskFullError, RuntimeMissingError, SandboxError

_OLDEST_API = (1, 41)
_SECONDS = 600
_CONNECTIONS = 64
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_REMEDY = "Start the engine (`systemctl start docker`), set DOCKER_HOST, or use --runtime bubblewrap."

LABEL = "builder."
"""What every label of ours begins with."""
WORKSPACE = f"{LABEL}workspace"
OWNER = f"{LABEL}owner"
"""Of volumes only: what a container carries, an image of it would inherit."""
DIGEST = f"{LABEL}digest"
KIND = f"{LABEL}kind"


@dataclass(frozen=True)
class Engine:
    """A reachable engine. `root` is where it keeps its data, where that is a directory of this machine."""

    client: docker.DockerClient
    root: Path | None

    @property
    def api(self) -> docker.APIClient:
        return self.client.api

    @functools.cached_property
    def is_podman(self) -> bool:
        components = self.client.version().get("Components") or []
        return any("Podman" in str(component.get("Name")) for component in components)


def connect() -> Engine:
    """The engine that DOCKER_HOST names, or this machine's. Raises RuntimeMissingError."""
    _require_socket(os.environ.get("DOCKER_HOST") or _DEFAULT_HOST)
    try:
        client = docker.from_env(timeout=_SECONDS, max_pool_size=_CONNECTIONS)
        information = client.info()
    except (DockerException, requests.RequestException) as error:
        raise RuntimeMissingError(f"no Docker engine answers: {error}", hint=_REMEDY) from error
    spoken = client.api.api_version
    if tuple(int(part) for part in spoken.split(".")) < _OLDEST_API:
        raise RuntimeMissingError(
            f"the engine speaks API {spoken}", hint="Docker 20.10 or podman 4 is needed, or a newer one."
        )
    _require_platform(str(information.get("Architecture") or ""))
    root = Path(information.get("DockerRootDir") or "/nonexistent")
    local = client.api.base_url.startswith("http+docker://")
    return Engine(client, root if local and root.is_dir() else None)


def _require_platform(machine: str) -> None:
    """Images get interpreters of this machine, so the engine must be able to run them."""
    if platforms.of(machine) != platforms.here():
        raise RuntimeMissingError(
            f"the engine is for {platforms.of(machine)}, this machine for {platforms.here()}",
            hint="Build on a machine of the engine's platform, or set DOCKER_HOST to another engine.",
        )


def _require_socket(host: str) -> None:
    """The SDK leaks a descriptor for each attempt to reach a socket that is not there."""
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        raise RuntimeMissingError(f"no Docker engine answers: {host} does not exist", hint=_REMEDY)


@contextlib.contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Name what the engine could not do: DiskFullError, or SandboxError."""
    try:
        yield
    except (DockerException, requests.RequestException, OSError) as error:
        raise explained(doing, str(getattr(error, "explanation", "") or error)) from error


def explained(doing: str, said: str) -> SandboxError | DiskFullError:
    """The error for what an engine said when it could not do something."""
    if "no space left on device" in said.lower():
        return DiskFullError(f"{doing}: no space left on the engine's disk", hint="`docker system prune` frees some.")
    return SandboxError(f"{doing}: {said}")


def exists(engine: Engine, reference: str) -> bool:
    """Whether the engine has an image. Raises SandboxError."""
    with engine_errors(f"looking for the image {reference}"):
        try:
            engine.api.inspect_image(reference)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return False
    return True


def container_name(workspace: str, owner: str) -> str:
    """What the container of an owner (`_owned`) is called."""
    return f"builder-{workspace}-{owner}"


def container_owner(workspace: str, name: str) -> str:
    """The owner of the container `name` (with the engine's leading slash), or nothing."""
    return name.removeprefix("/").removeprefix(container_name(workspace, ""))


def remove_container(engine: Engine, container: str) -> None:
    """Kill and remove a container with its volumes; none is fine. Raises SandboxError."""
    with engine_errors(f"removing the container {container[:12]}"):
        try:
            engine.api.remove_container(container, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != requests.codes.conflict:  # Somebody else is removing it.
                raise


def labels(values: Mapping[str, str]) -> list[str]:
    """A filter for what carries these labels."""
    return [f"{name}={value}" for name, value in values.items()]
