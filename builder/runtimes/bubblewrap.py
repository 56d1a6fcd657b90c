"""The embedded runtime: bubblewrap namespaces over overlay layers. No daemon, no root, nothing to install.

Needs Linux 5.11 or newer with user namespaces (or root), and a workspace on a file system that can carry an overlay's
upper directory. Layout below the workspace: `layers/<digest>/`, `sandboxes/<id>/`, `cache/<name>/`. Layers are plain
directories of the current user; they hold what an overlay's upper directory holds (whiteouts are 0/0 devices).

Inside, PATH has `/opt/env/bin`, then uv and the image's interpreter (`python3.X`, `python3`, `python`), then the
system. `ImageSpec.env` holds while its script runs, not in later sandboxes.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from builder import interpreters
from builder.errors import SandboxError
from builder.files import append, disk_errors
from builder.protocols import TESTBED, BuiltImage, ExecResult, ImageSpec, Leftovers, Limits, StoredImage, StoredLayer
from builder.runtimes import (
    _build_failure,
    _bwrap_check,
    _bwrap_command,
    _bwrap_process,
    _cgroups,
    _handles,
    _machine,
    _owned,
    _sandbox_files,
    _system_packages,
)
from builder.runtimes._bwrap_base import Bases
from builder.runtimes._bwrap_command import View
from builder.runtimes._bwrap_process import Command
from builder.runtimes._layers import MOUNTED, LayerRecord, Layers
from builder.runtimes._watchdog import used_bytes

_SANDBOX = "sandbox-"
_UNLIMITED = 2**60
_BUILD_LIMITS = Limits(memory_bytes=16 * 1024**3, processes=8192, disk_bytes=40 * 1024**3)


def create(workspace: Path, *, base: str = "", **_services: object) -> BubblewrapRuntime:
    """The runtime that keeps its layers below `workspace`, over this machine's system or the one unpacked at `base`.

    Raises UsageError if `base` is no unpacked system.
    """
    return BubblewrapRuntime(workspace, Path(base).absolute() if base else None)


class BubblewrapRuntime:
    """A `protocols.Runtime`. Safe to share between threads, and a workspace between processes."""

    name = "bubblewrap"

    def __init__(self, workspace: Path, base: Path | None = None) -> None:
        self._workspace = workspace.absolute()
        self._unpacked = Bases(base, self._workspace) if base else None
        self._layers = Layers(self._workspace / "layers", self._unpacked.id if self._unpacked else "")
        self._checking = threading.Lock()
        self._checked = False
        self._bases: set[str] = set()
        self._closed = threading.Event()

    def check(self) -> None:
        """Start a sandbox over two layers, once per runtime. Raises RuntimeMissingError with the remedy."""
        with self._checking:
            if not self._checked:
                with self._directory() as root:
                    _bwrap_check.probe(root, interpreters.uv_program())
                self._checked = True

    def build(self, image: ImageSpec, *, log: Path | None = None, timeout: float = 3600) -> BuiltImage:
        """Build the image and its parents, each once. See `protocols.Runtime.build`."""
        if self._closed.is_set():
            raise SandboxError(_bwrap_process.CLOSED)
        self.check()
        if image.parent:
            self.build(image.parent, log=log, timeout=timeout)
        if image.kind == "base":
            self._require_base(image)
            return BuiltImage(image.digest, 0, cached=True)
        known = self._layers.find(image.digest)
        if known:
            return _cached(known)
        with _owned.locked(self._layers.lock_path(image.digest)):
            known = self._layers.find(image.digest)
            return _cached(known) if known else self._built(image, log, timeout)

    @contextmanager
    def start(
        self, image: ImageSpec, *, network: bool = False, limits: Limits | None = None, cache: str = ""
    ) -> Iterator[BubblewrapSandbox]:
        """A fresh sandbox over the built image. Its directories are removed at the end."""
        self.build(image)
        with self._directory() as root:
            view = self._view(image, root, network=network, cache=cache, below=self._layers.directories(image))
            _bwrap_command.prepare(view)
            yield BubblewrapSandbox(view, limits or Limits(), self._closed)

    def layers(self, image: ImageSpec) -> tuple[StoredLayer, ...]:
        """See `protocols.Runtime.layers`. The base, the machine's or another, is in no layer and weighs nothing."""
        if image.kind == "base":
            return (StoredLayer(image.digest, 0),)
        record = self._layers.find(image.digest)
        if record is None:
            return ()
        return (*(self.layers(image.parent) if image.parent else ()), StoredLayer(image.digest, record.bytes))

    def clean(self) -> Leftovers:
        """Remove the sandboxes and half-built layers of processes that are gone."""
        sandboxes = _owned.abandoned(self._sandboxes, _SANDBOX)
        layers = self._layers.abandoned()
        size = sum(used_bytes(path) for path in (*sandboxes, *layers))
        for path in (*sandboxes, *layers):
            _handles.kill_in_directory(path)
            _owned.remove_tree(path)
        _cgroups.remove_abandoned()
        return Leftovers(len(sandboxes), len(layers), size)

    def stored(self) -> list[StoredImage]:
        """See `protocols.Runtime.stored`."""
        return [StoredImage(one.digest, one.parent, one.bytes, one.created) for one in self._layers.records()]

    def remove(self, digests: Sequence[str]) -> None:
        """See `protocols.Runtime.remove`."""
        for digest in digests:
            self._layers.remove(digest)

    def purge(self) -> int:
        """Remove every layer, every cache and all copies of interpreters. Nothing may be running in the workspace."""
        kept = [self._workspace / name for name in ("layers", "cache", "interpreters")]
        freed = sum(used_bytes(path) for path in kept)
        for path in kept:
            _owned.remove_tree(path)
        return freed

    def close(self) -> None:
        """Kill every running command; they raise SandboxError, and so does whatever is started afterwards."""
        self._closed.set()

    @property
    def _sandboxes(self) -> Path:
        return self._workspace / "sandboxes"

    def _directory(self) -> AbstractContextManager[Path]:
        return _owned.owned_directory(self._sandboxes, _SANDBOX)

    def _view(self, image: ImageSpec, root: Path, *, network: bool, cache: str, below: list[Path]) -> View:
        python = interpreters.find(image.python)
        return View(
            root=root,
            python=python,
            uv=interpreters.uv_program(),
            lowers=below,
            hidden=_machine.hidden_paths(self._workspace),
            network=network,
            cache=self._cache(cache) if cache else None,
            base=self._unpacked.with_interpreter(python) if self._unpacked else None,
        )

    def _cache(self, name: str) -> Path:
        path = self._workspace / "cache" / name.replace("/", "__")
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def _built(self, image: ImageSpec, log: Path | None, timeout: float) -> BuiltImage:
        self._require_packages(image)
        with self._layers.building() as root:
            below = self._layers.directories(image)[:-1]
            view = self._view(image, root, network=image.network, cache=image.cache, below=below)
            view = view.with_context(image.context)
            _bwrap_command.prepare(view)
            env = dict(image.env)
            result = BubblewrapSandbox(view, _BUILD_LIMITS, self._closed).exec(image.script, timeout=timeout, env=env)
            append(log, result.output)
            if not result.ok:
                raise _build_failure.failure(image, result, timeout)
            size = sum(used_bytes(root / name) for name in MOUNTED)
            wall, cpu = result.wall_seconds, result.cpu_seconds
            self._layers.keep(root, image, size=size, wall=wall, cpu=cpu)
        return BuiltImage(image.digest, size, cached=False, wall_seconds=wall, cpu_seconds=cpu)

    def _require_base(self, image: ImageSpec) -> None:
        """There is nothing to build, but the system must have what the image asks for."""
        if image.digest not in self._bases:
            interpreters.find(image.python)
            self._require_packages(image)
            self._bases.add(image.digest)

    def _require_packages(self, image: ImageSpec) -> None:
        """Raises Rejected naming the system packages whose test fails in the system as a sandbox sees it."""
        if not image.system_packages:
            return
        with self._directory() as root:
            view = self._view(image, root, network=False, cache="", below=[])
            _bwrap_command.prepare(view)
            result = BubblewrapSandbox(view, Limits(), self._closed).exec(
                _system_packages.script(image), timeout=_system_packages.SECONDS
            )
        _system_packages.require(image, result)


class BubblewrapSandbox:
    """A `protocols.Sandbox`: every command is a bwrap process tree of its own over the same directories."""

    def __init__(self, view: View, limits: Limits, closed: threading.Event) -> None:
        self._view = view
        self._limits = limits
        self._closed = closed
        self._busy = threading.Lock()

    def exec(
        self, script: str, *, timeout: float, env: Mapping[str, str] | None = None, workdir: str = TESTBED
    ) -> ExecResult:
        """Run `script`. See `protocols.Sandbox.exec`; commands of one sandbox run one after the other."""
        path = self._view.root / "script"
        with self._busy:
            with disk_errors(path):
                path.write_bytes(script.encode("utf-8", "surrogateescape"))
            words = ["/bin/bash", _bwrap_command.SCRIPT]
            options = self._options(workdir, path, env or {})
            return self._run(options, words, timeout, self._limits)

    def write(self, path: str, data: bytes) -> None:
        """Write a file. Done from inside, so that no link of the sandbox leads out of it. Raises SandboxError."""
        with tempfile.TemporaryFile() as source:
            with disk_errors(self._view.root):
                source.write(data)
                source.seek(0)
            result = self._file_command(_sandbox_files.WRITE, path, self._limits, source)
        _sandbox_files.require_written(path, result)

    def read(self, path: str, *, max_bytes: int = 512 * 1024**2) -> bytes:
        """Read a regular file, also from a sandbox that is over its disk limit. Raises SandboxError."""
        limits = replace(self._limits, output_bytes=max(max_bytes, _sandbox_files.LEAST_OUTPUT), disk_bytes=_UNLIMITED)
        result = self._file_command(_sandbox_files.READ, path, limits, None)
        return _sandbox_files.content(path, result, max_bytes)

    def _file_command(self, script: str, path: str, limits: Limits, stdin: IO[bytes] | None) -> ExecResult:
        _sandbox_files.require_path(path)
        words = ["/bin/bash", "--noprofile", "--norc", "-c", script, "bash", path]
        with self._busy:
            options = self._options("/", None, {"PATH": "/usr/bin:/bin"})
            return self._run(options, words, _sandbox_files.SECONDS, limits, stdin)

    def _options(self, workdir: str, script: Path | None, env: Mapping[str, str]) -> list[str]:
        memory = self._limits.memory_bytes
        return _bwrap_command.arguments(self._view, workdir=workdir, script=script, env=env, memory_bytes=memory)

    def _run(
        self, options: list[str], words: list[str], timeout: float, limits: Limits, stdin: IO[bytes] | None = None
    ) -> ExecResult:
        return _bwrap_process.run(Command(options, words, timeout, limits, self._view.root, self._closed, stdin))


def _cached(record: LayerRecord) -> BuiltImage:
    return BuiltImage(record.digest, record.bytes, cached=True)
