"""What a container of ours is made with: no privilege, no network unless asked for, limits, labels to find it by."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from docker.types import LogConfig, Mount

from builder import network_settings
from builder.errors import SandboxError
from builder.protocols import CACHE_DIR, CACHE_ENV, CONTEXT_DIR, HOME_DIR, SHELL_ENV, ContextFile, Limits
from builder.runtimes import _kernel_view, _machine, _podman
from builder.runtimes._docker_engine import OWNER, WORKSPACE, Engine, container_name, engine_errors
from builder.runtimes._docker_process import USER

_WAIT = "while read -r _; do :; done"
_MEMORY_FILES = 64 * 1024**2
_SHARED_MEMORY_PART = 4
_KERNEL_VIEW = {
    "MaskedPaths": [
        *(f"/proc/{name}" for name in _kernel_view.COVERED),
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ],
    "ReadonlyPaths": [f"/proc/{name}" for name in _kernel_view.READ_ONLY],
}
"""What the engine covers anyway, and what else Linux tells everyone; see `_kernel_view`."""
_SCRATCH = ("/tmp", HOME_DIR, CONTEXT_DIR)  # noqa: S108


@dataclass(frozen=True)
class Wanted:
    """A container to be made. With `throw_away` no layer gets what lies in its temporary places."""

    image: str
    workspace: str
    owner: str
    limits: Limits
    network: bool = False
    cache: str = ""
    throw_away: bool = False
    context: Sequence[ContextFile] = ()

    @property
    def labels(self) -> dict[str, str]:
        return {WORKSPACE: self.workspace}


def create(engine: Engine, wanted: Wanted) -> str:
    """Make and start the container; its id. Raises SandboxError, DiskFullError."""
    with engine_errors("making a sandbox"):
        if wanted.cache:
            engine.api.create_volume(cache_volume(wanted.workspace, wanted.cache), labels=wanted.labels)
        made: str = engine.api.create_container(
            wanted.image,
            ["/bin/bash", "--noprofile", "--norc", "-c", _WAIT],
            entrypoint=[],
            user=USER,
            hostname=_machine.HOST_NAME,
            name=container_name(wanted.workspace, wanted.owner),
            labels=wanted.labels,
            stdin_open=True,
            working_dir="/",
            host_config={**engine.api.create_host_config(**_host(wanted, podman=engine.is_podman)), **_KERNEL_VIEW},
        )["Id"]
        put(engine, made, wanted)
        engine.api.start(made)
    if engine.is_podman and not wanted.network:
        _podman.invent_identity(engine, made)
    return made


def put(engine: Engine, container: str, wanted: Wanted) -> None:
    """Copy the context, and the certificates that a download needs, into the container's throw-away volume."""
    files = [(file.name, file.path) for file in wanted.context]
    bundle = network_settings.certificates(os.environ) if wanted.network else None
    if bundle is not None:
        files.append((Path(network_settings.CA_FILE).name, bundle))
    if not files:
        return
    with tempfile.TemporaryFile() as packed:
        _pack(files, packed)
        packed.seek(0)
        engine.api.put_archive(container, CONTEXT_DIR, packed)


def environment(wanted: Wanted) -> dict[str, str]:
    """The variables of every command."""
    own = {"HOME": HOME_DIR, **SHELL_ENV}
    if wanted.cache:
        own |= CACHE_ENV
    return own | (network_settings.for_other_systems(os.environ) if wanted.network else {})


def _host(wanted: Wanted, *, podman: bool) -> dict[str, Any]:
    limits = wanted.limits
    return {
        "network_mode": "bridge" if wanted.network else "none",
        "dns": None if wanted.network else ["127.0.0.1"],  # Else the machine's own name servers are named.
        "dns_search": None if wanted.network else ["."],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", *([_podman.MASKS] if podman else [])],
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes,
        "tmpfs": _memory_files(limits, podman=podman),
        "mounts": _mounts(wanted, podman=podman),
        "log_config": LogConfig(type=LogConfig.types.NONE),
    }


def _memory_files(limits: Limits, *, podman: bool) -> dict[str, str]:
    owner = _podman.MEMORY_FILES if podman else ",uid=1000,gid=1000"
    return {
        "/run": f"exec,mode=1777{owner},size={_MEMORY_FILES}",
        "/var/tmp": f"exec,mode=1777,size={_MEMORY_FILES}",  # noqa: S108
        "/dev/shm": f"exec,mode=1777,size={limits.memory_bytes // _SHARED_MEMORY_PART}",  # noqa: S108
    }


def _mounts(wanted: Wanted, *, podman: bool) -> list[Mount]:
    places = _SCRATCH if wanted.throw_away else (CONTEXT_DIR,) if wanted.network else ()
    if podman and wanted.throw_away:
        places = ()
    owned = {**wanted.labels, OWNER: wanted.owner}
    mounts = [Mount(place, None, labels=owned) for place in places]
    if wanted.cache:
        mounts.append(Mount(CACHE_DIR, cache_volume(wanted.workspace, wanted.cache)))
    return mounts


def cache_volume(workspace: str, cache: str) -> str:
    """The name of the volume that holds a repository's downloads."""
    return f"builder-{workspace}-cache-{cache.replace('/', '__')}"


def _pack(files: Sequence[tuple[str, Path]], packed: IO[bytes]) -> None:
    """A tar of files by the given names, readable for all and owned by root."""
    try:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, path in files:
                info = archive.gettarinfo(path.resolve(), name)
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mode, info.mtime = 0o444, 0
                with path.open("rb") as source:
                    archive.addfile(info, source)
    except OSError as error:
        raise SandboxError(f"the context cannot be read: {error}") from error
