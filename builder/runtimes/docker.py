"""Containers of a Docker engine, or of podman through its Docker-compatible socket.

A layer is made by running its script in a container of its parent and committing that: context, downloads and
temporary places are volumes or lie in memory, and all else belongs to root, so that a layer holds only what changed in
/testbed and /opt/env. What the engine keeps is labelled with the workspace; below the workspace itself there is only
who owns what (`sandboxes/`), and the locks of builds (`docker/`).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from docker.errors import DockerException, ImageNotFound, NotFound

from builder import dockerfiles, interpreters
from builder.errors import SandboxError
from builder.files import append, disk_errors, write_file
from builder.protocols import TESTBED, BuiltImage, ExecResult, ImageSpec, Leftovers, Limits, StoredImage, StoredLayer
from builder.runtimes import (
    _build_failure,
    _docker_containers,
    _docker_engine,
    _docker_images,
    _docker_process,
    _docker_system,
    _owned,
    _podman,
    _sandbox_files,
    _system_packages,
)
from builder.runtimes._docker_containers import Wanted
from builder.runtimes._docker_engine import (
    OWNER,
    WORKSPACE,
    Engine,
    container_name,
    container_owner,
    engine_errors,
    labels,
)
from builder.runtimes._docker_process import CLOSED, Box
from builder.runtimes._docker_system import SystemImage

_SANDBOX = "sandbox-"
_BUILD = "build-"
_BUILD_LIMITS = Limits(memory_bytes=16 * 1024**3, processes=8192, disk_bytes=40 * 1024**3)


def create(workspace: Path, *, base: str = "", **_services: object) -> DockerRuntime:
    """The runtime whose images stand on the image `base`, or on what `builder base-image` made."""
    return DockerRuntime(workspace, base or dockerfiles.SYSTEM_IMAGE)


class DockerRuntime:
    """A `protocols.Runtime`. Safe to share between threads, and a workspace between processes."""

    name = "docker"

    def __init__(self, workspace: Path, base_image: str) -> None:
        self._root = workspace.absolute()
        self._base_image = base_image
        self._opening = threading.Lock()
        self._opened: Engine | None = None
        self._bases: dict[str, str] = {}
        self._closed = threading.Event()

    def check(self) -> None:
        """Reach the engine and its base image. Raises RuntimeMissingError with the remedy."""
        _docker_images.system_id(self._engine, self._base_image)

    def connect(self) -> None:
        """Reach the engine. Raises RuntimeMissingError with the remedy."""
        _ = self._engine

    def import_system(self, root: Path, name: str) -> SystemImage:
        """Make the image `name` of a root file system. Raises SandboxError, DiskFullError."""
        return _docker_system.import_root(self._engine, root, name)

    def unpack_system(self, name: str, directory: Path) -> SystemImage:
        """Write the files of the image `name` into a new directory. See `_docker_system.unpack` for errors."""
        with self._helper() as helper:
            return _docker_system.unpack(self._engine, name, directory, helper)

    def adapt_system(self, reference: str, setup: str, name: str) -> SystemImage:
        """Make the image `name` by running a script as root in another image, which is pulled where it is missing."""
        with self._helper() as helper:
            return _docker_system.adapt(self._engine, reference, setup, name, helper)

    def build(self, image: ImageSpec, *, log: Path | None = None, timeout: float = 3600) -> BuiltImage:
        """Build the image and its parents, each once. See `protocols.Runtime.build`."""
        if self._closed.is_set():
            raise SandboxError(CLOSED)
        if image.kind == "base":
            self._base(image)
            return BuiltImage(image.digest, 0, cached=True)
        known = self._find(image)
        if known:
            return BuiltImage(image.digest, known.layer_bytes, cached=True)
        if image.parent:
            self.build(image.parent, log=log, timeout=timeout)
        with _owned.locked(self._lock_path(image.digest)):
            known = self._find(image)
            return (
                BuiltImage(image.digest, known.layer_bytes, cached=True) if known else self._built(image, log, timeout)
            )

    @contextmanager
    def start(
        self, image: ImageSpec, *, network: bool = False, limits: Limits | None = None, cache: str = ""
    ) -> Iterator[DockerSandbox]:
        """A fresh sandbox over the built image. Its container is removed at the end."""
        self.build(image)
        with _owned.owned_directory(self._sandboxes, _SANDBOX) as owner:
            wanted = Wanted(
                self._reference(image), self._workspace, owner.name, limits or Limits(), network=network, cache=cache
            )
            with self._container(wanted) as sandbox:
                yield sandbox

    def layers(self, image: ImageSpec) -> tuple[StoredLayer, ...]:
        """See `protocols.Runtime.layers`. What is below the base counts as one layer."""
        if image.kind == "base":
            system = _docker_images.system(self._engine, self._base_image)
            return (system, _docker_images.last_layer(self._engine, self._base(image)))
        found = self._find(image)
        if found is None:
            return ()
        below = self.layers(image.parent) if image.parent else ()
        return (*below, _docker_images.last_layer(self._engine, found.id))

    def push(self, image: ImageSpec, reference: str) -> str:
        """See `protocols.Publisher.push`. The engine sends layers side by side, and takes them from its neighbours."""
        self.build(image)
        return _docker_images.push(self._engine, self._reference(image), reference)

    def clean(self) -> Leftovers:
        """Remove the containers, volumes and half-built layers of processes that are gone."""
        sandboxes, layers = (_owned.abandoned(self._sandboxes, prefix) for prefix in (_SANDBOX, _BUILD))
        _owned.remove_tree(*sandboxes, *layers)
        return Leftovers(len(sandboxes), len(layers), self._remove_strays())

    def stored(self) -> list[StoredImage]:
        """See `protocols.Runtime.stored`."""
        return _docker_images.stored(self._engine, self._workspace)

    def remove(self, digests: Sequence[str]) -> None:
        """See `protocols.Runtime.remove`."""
        for digest in digests:
            _docker_images.remove(self._engine, self._workspace, digest)

    def purge(self) -> int:
        """Remove every image and every download of this workspace. Nothing may be running in it."""
        mine = {"label": labels({WORKSPACE: self._workspace})}
        api = self._engine.api
        with engine_errors("removing images"):
            images = api.images(filters=mine)
            freed = sum(_docker_images.layer_bytes(self._engine, image["Id"]) for image in images)
            waiting = [image["Id"] for image in images]
            while waiting:  # Children before their parents.
                left = [image for image in waiting if not self._removed(image)]
                if len(left) == len(waiting):
                    raise SandboxError("images of this workspace are in use", hint="Stop the containers over them.")
                waiting = left
            volumes = {volume["Name"] for volume in api.volumes(filters=mine)["Volumes"] or []}
            used = api.df()["Volumes"] or [] if volumes else []
            freed += sum(max(0, int(one["UsageData"]["Size"])) for one in used if one["Name"] in volumes)
            for name in volumes:
                api.remove_volume(name)
        return freed

    def close(self) -> None:
        """Kill every running sandbox; their commands raise SandboxError, and so does whatever is started afterwards."""
        self._closed.set()

    @property
    def _engine(self) -> Engine:
        with self._opening:
            if self._opened is None:
                self._opened = _docker_engine.connect()
            return self._opened

    @property
    def _sandboxes(self) -> Path:
        return self._root / "sandboxes"

    @property
    def _workspace(self) -> str:
        """The name of this workspace to the engine, drawn once."""
        path = self._root / "docker" / "workspace"
        if not path.exists():
            with disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            with _owned.locked(path.with_name(".lock")):
                if not path.exists():
                    write_file(path, secrets.token_hex(8).encode("ascii"))
        return path.read_text(encoding="ascii")

    def _lock_path(self, digest: str) -> Path:
        locks = self._root / "docker" / "locks"
        with disk_errors(locks):
            locks.mkdir(parents=True, exist_ok=True)
        return locks / digest

    def _find(self, image: ImageSpec) -> _docker_images.Found | None:
        base = self._base(_lowest(image))
        return _docker_images.find(
            self._engine, image.digest, **{WORKSPACE: self._workspace, _docker_images.BASE: base}
        )

    def _reference(self, image: ImageSpec) -> str:
        if image.kind == "base":
            return self._base(image)
        found = self._find(image)
        if found is None:
            raise SandboxError(f"the image of {image.name} is not there any more", hint="Run it again.")
        return found.id

    def _base(self, image: ImageSpec) -> str:
        """The engine's id of a base image, made where it is missing."""
        with self._opening:
            known = self._bases.get(image.python)
        if known:
            return known
        python = interpreters.find(image.python)
        with _owned.locked(self._lock_path("base")):
            system = _docker_images.system_id(self._engine, self._base_image)
            with self._helper() as helper:
                made = _docker_images.base(self._engine, system, python, interpreters.uv_program(), helper)
        with self._opening:
            self._bases[image.python] = made
        return made

    @contextmanager
    def _helper(self) -> Iterator[str]:
        """The name of a container that makes no layer of this workspace, and goes with this process all the same."""
        with _owned.owned_directory(self._sandboxes, _BUILD) as owner:
            try:
                yield container_name(self._workspace, owner.name)
            finally:
                self._remove_owned(owner.name)

    @contextmanager
    def _container(self, wanted: Wanted) -> Iterator[DockerSandbox]:
        if self._closed.is_set():
            raise SandboxError(CLOSED)
        engine = self._engine
        try:
            container = _docker_containers.create(engine, wanted)
            box = Box(engine, container, wanted.limits, self._closed)
            yield DockerSandbox(box, _docker_containers.environment(wanted))
        finally:
            self._remove_owned(wanted.owner)

    def _built(self, image: ImageSpec, log: Path | None, timeout: float) -> BuiltImage:
        self._require_packages(image)
        parent = self._reference(image.parent) if image.parent else self._base_image
        with _owned.owned_directory(self._sandboxes, _BUILD) as owner:
            wanted = Wanted(
                parent,
                self._workspace,
                owner.name,
                _BUILD_LIMITS,
                network=image.network,
                cache=image.cache,
                throw_away=True,
                context=image.context,
            )
            with self._container(wanted) as sandbox:
                result = sandbox.exec(image.script, timeout=timeout, env=image.env)
                append(log, result.output)
                if not result.ok:
                    raise _build_failure.failure(image, result, timeout)
                made = sandbox.keep(image, self._workspace, self._base(_lowest(image)))
        return BuiltImage(
            image.digest,
            made.layer_bytes,
            cached=False,
            wall_seconds=result.wall_seconds,
            cpu_seconds=result.cpu_seconds,
        )

    def _require_packages(self, image: ImageSpec) -> None:
        """Raises Rejected naming the system packages whose test fails in the base image."""
        if not image.system_packages:
            return
        with self.start(_lowest(image)) as sandbox:
            result = sandbox.exec(_system_packages.script(image), timeout=_system_packages.SECONDS, workdir="/")
        _system_packages.require(image, result)

    def _remove_owned(self, owner: str) -> None:
        _docker_engine.remove_container(self._engine, container_name(self._workspace, owner))

    def _remove_strays(self) -> int:
        """Remove containers and volumes whose owner is gone; returns the bytes that the containers had written."""
        mine = {"label": labels({WORKSPACE: self._workspace})}
        freed = 0
        with engine_errors("removing what was left behind"):
            named = {"name": container_name(self._workspace, "")}
            for container in self._engine.api.containers(all=True, filters=named, size=True):
                owner = container_owner(self._workspace, container["Names"][0])
                if not (self._sandboxes / owner).exists():
                    freed += container.get("SizeRw") or 0
                    _docker_engine.remove_container(self._engine, container["Id"])
            for volume in self._engine.api.volumes(filters={**mine, "dangling": True})["Volumes"] or []:
                volume_owner = (volume["Labels"] or {}).get(OWNER)
                if volume_owner and not (self._sandboxes / volume_owner).exists():
                    self._engine.api.remove_volume(volume["Name"])
        return freed

    def _removed(self, image: str) -> bool:
        try:
            self._engine.api.remove_image(image, force=True, noprune=True)  # Whatever names it got in registries.
        except (ImageNotFound, NotFound):
            return True
        except (DockerException, requests.RequestException):
            return False
        return True


class DockerSandbox:
    """A `protocols.Sandbox`: one container, and its commands one after the other."""

    def __init__(self, box: Box, environment: Mapping[str, str]) -> None:
        self._box = box
        self._environment = environment
        self._busy = threading.Lock()

    def exec(
        self, script: str, *, timeout: float, env: Mapping[str, str] | None = None, workdir: str = TESTBED
    ) -> ExecResult:
        """Run `script`. See `protocols.Sandbox.exec`; commands of one sandbox run one after the other."""
        command = _docker_process.script_command(
            script,
            timeout=timeout,
            env={**self._environment, **(env or {})},
            workdir=workdir,
            limits=self._box.limits,
        )
        with self._busy:
            return _docker_process.run(self._box, command)

    def write(self, path: str, data: bytes) -> None:
        """Write a file. Done from inside, so that no link of the sandbox leads out of it. Raises SandboxError."""
        result = self._file_command(_sandbox_files.WRITE, path, data, _sandbox_files.LEAST_OUTPUT)
        _sandbox_files.require_written(path, result)

    def read(self, path: str, *, max_bytes: int = 512 * 1024**2) -> bytes:
        """Read a regular file, also from a sandbox that is over its disk limit. Raises SandboxError."""
        result = self._file_command(_sandbox_files.READ, path, b"", max(max_bytes, _sandbox_files.LEAST_OUTPUT))
        return _sandbox_files.content(path, result, max_bytes)

    def keep(self, image: ImageSpec, workspace: str, base: str) -> _docker_images.Found:
        """Make the image of what was written. Raises SandboxError, DiskFullError."""
        marks = {**_docker_images.marks(image, workspace), _docker_images.BASE: base}
        if self._box.engine.is_podman:
            _podman.empty_temporary_places(self._box.engine, self._box.container)
        name, env = _docker_images.name(image, workspace), dockerfiles.environment(image)
        return _docker_images.commit(self._box.engine, self._box.container, marks, name, env)

    def _file_command(self, script: str, path: str, data: bytes, capture: int) -> ExecResult:
        _sandbox_files.require_path(path)
        command = _docker_process.file_command(script, path, data, _sandbox_files.SECONDS)
        with self._busy:
            return _docker_process.run(self._box, command, capture=capture)


def _lowest(image: ImageSpec) -> ImageSpec:
    return _lowest(image.parent) if image.parent else image
