"""The bwrap options of a sandbox: namespaces, mounts and environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder import network_settings
from builder.interpreters import Interpreter
from builder.protocols import (
    CACHE_DIR,
    CACHE_ENV,
    CONTEXT_DIR,
    ENV_DIR,
    HOME_DIR,
    SHELL_ENV,
    TESTBED,
    TOOLS_DIR,
    UV,
    ContextFile,
)
from builder.runtimes import _kernel_view, _machine
from builder.runtimes._bwrap_base import Base

SCRIPT = "/run/builder/script"
_POINTS = {"testbed": TESTBED, "env": ENV_DIR}

_ISOLATION = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--die-with-parent",
    "--new-session",
    "--hostname",
    _machine.HOST_NAME,
    "--uid",
    "1000",
    "--gid",
    "1000",
    "--cap-drop",
    "ALL",
    "--clearenv",
)


@dataclass(frozen=True)
class View:
    """What a sandbox sees. `root` holds its own writable directories, `lowers` the layers, lowest first.

    With a `base` that is the system and has the interpreter; else both are this machine's.
    """

    root: Path
    python: Interpreter
    uv: Path
    lowers: Sequence[Path]
    hidden: Sequence[Path]
    network: bool = False
    cache: Path | None = None
    context: Sequence[ContextFile] = ()
    base: Base | None = None

    def with_context(self, files: Sequence[ContextFile]) -> View:
        return replace(self, context=tuple(files))


def prepare(view: View) -> None:
    """Make the directories that `arguments` refers to."""
    for name in _POINTS:
        (view.root / name).mkdir()
        (view.root / f"{name}-work").mkdir()
        (view.root / "empty" / name).mkdir(parents=True)
    for name in ("tmp", "home"):
        (view.root / name).mkdir()
    (view.root / "tmp").chmod(0o1777)
    _kernel_view.prepare(view.root)
    _machine.write_identity(view.root / "etc")
    if view.base is None:
        _machine.write_tools(view.root / "bin", view.python)


def arguments(view: View, *, workdir: str, script: Path | None, env: Mapping[str, str], memory_bytes: int) -> list[str]:
    """All options of one command; /dev/shm gets a part of `memory_bytes`.

    The sandbox's own directories come first, since an interpreter may lie below /tmp or a home; the root is made
    read-only last, when every mount point exists.
    """
    options = [*_ISOLATION, *(view.base.system_arguments() if view.base else _machine.parent_arguments())]
    options += _kernel_view.arguments(view.root, memory_bytes=memory_bytes)
    options += ["--bind", str(view.root / "tmp"), "/tmp", "--bind", str(view.root / "home"), HOME_DIR]  # noqa: S108
    options += view.base.interpreter_arguments() if view.base else _machine_arguments(view)
    options += _machine.identity_arguments(view.root / "etc")
    options += _layers(view)
    options += _inputs(view, script)
    if view.network:
        options += _network(view)
    options += ["--remount-ro", "/", "--chdir", workdir]
    for name, value in (_environment(view) | dict(env)).items():
        options += ["--setenv", name, value]
    return options


def _machine_arguments(view: View) -> list[str]:
    options = _machine.system_arguments(view.python.prefix, view.hidden)
    return [*options, "--ro-bind", str(view.root / "bin"), TOOLS_DIR, "--ro-bind", str(view.uv), UV]


def _network(view: View) -> list[str]:
    options = ["--share-net", *_machine.name_service_arguments()]
    if view.base is None:
        return options + _machine.certificate_arguments(os.environ)
    bundle = network_settings.certificates(os.environ)
    return options + (["--ro-bind", str(bundle), network_settings.CA_FILE] if bundle else [])


def _layers(view: View) -> list[str]:
    options = []
    for name, point in _POINTS.items():
        for layer in (view.root / "empty", *view.lowers):
            options += ["--overlay-src", str(layer / name)]
        options += ["--overlay", str(view.root / name), str(view.root / f"{name}-work"), point]
    return options


def _inputs(view: View, script: Path | None) -> list[str]:
    options = ["--ro-bind", str(script), SCRIPT] if script else []
    if view.cache:
        options += ["--bind", str(view.cache), CACHE_DIR]
    for file in view.context:
        options += ["--ro-bind", str(file.path.resolve()), f"{CONTEXT_DIR}/{file.name}"]
    return options


def _environment(view: View) -> dict[str, str]:
    own = {"HOME": HOME_DIR, **SHELL_ENV}
    if view.cache:
        own |= CACHE_ENV
    if not view.network:
        return own
    return own | (network_settings.for_other_systems if view.base else network_settings.for_downloads)(os.environ)
