"""What of this machine a sandbox sees: the system's programs and libraries read-only, and an invented identity.

Nothing else of the machine is visible. In particular no home, no workspace, no `/run`, `/var`, `/opt` or `/mnt`, and
no copy of `builder` itself, whose data hold expected results.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import builder
from builder import network_settings
from builder.interpreters import Interpreter
from builder.protocols import HOME_DIR, UV

HOST_NAME = "testbed"

_PARENTS = ("/etc", "/home", "/opt", "/opt/builder", "/var")
_ROOT_NAMES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC_NAMES = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "magic",
    "mime.types",
    "os-release",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "protocols",
    "rpc",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
_ETC_PATTERNS = ("java-*",)
_IDENTITY = {
    "passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:1000:1000::{HOME_DIR}:/bin/bash\n",
    "group": "root:x:0:\nagent:x:1000:\n",
    "hosts": f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost {HOST_NAME}\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "hostname": f"{HOST_NAME}\n",
    "machine-id": "0" * 32 + "\n",
}


def write_identity(directory: Path) -> None:
    """Write the invented `/etc` files of a sandbox into `directory`."""
    directory.mkdir()
    for name, text in _IDENTITY.items():
        (directory / name).write_text(text, encoding="ascii")


def write_tools(directory: Path, python: Interpreter) -> None:
    """Write the commands `python`, `python3` and `python3.X` of an interpreter, and a place for uv, into `directory`.

    They are scripts, since a link would become the `home` of virtual environments made with it; and the interpreter's
    own `bin` stays off PATH, since it holds whatever this machine's users have installed there.
    """
    directory.mkdir()
    for name in ("python", "python3", python.executable.name):
        path = directory / name
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python.executable))} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    (directory / Path(UV).name).touch()


def parent_arguments() -> list[str]:
    """bwrap options for the directories between the mounts."""
    return _flat(["--perms", "0755", "--dir", name] for name in _PARENTS)


def identity_arguments(directory: Path) -> list[str]:
    return _flat(["--ro-bind", str(directory / name), f"/etc/{name}"] for name in sorted(_IDENTITY))


def system_arguments(prefix: Path, hidden: Iterable[Path]) -> list[str]:
    """bwrap options for `/usr`, its root links, the chosen `/etc`, and a Python `prefix`, without `hidden` paths."""
    visible = [Path("/usr"), *_root_directories(), *_etc_paths()]
    if not _is_below(prefix, visible):
        visible.append(prefix)
    copies = [copy for root in {Path("/usr"), Path("/usr/local"), prefix} for copy in installed_copies(root)]
    masks = {path for path in (*hidden, *copies) if path.is_dir() and _is_below(path, visible)} - set(visible)
    arguments = _root_links()
    for path in sorted({*visible, *masks}, key=lambda one: len(one.parts)):
        arguments += ["--tmpfs", str(path)] if path in masks else ["--ro-bind", str(path), str(path)]
    return arguments + _flat(["--remount-ro", str(path)] for path in sorted(masks))


def hidden_paths(workspace: Path) -> list[Path]:
    """What must not be seen even where it lies below something visible."""
    package = Path(builder.__file__).resolve().parent
    home = package.parent if (package.parent / "pyproject.toml").is_file() else package
    return [workspace.resolve(), Path.home().resolve(), home]


def installed_copies(prefix: Path) -> list[Path]:
    """Where `builder` is installed below a Python prefix, be it this copy or another: each holds expected results."""
    places = [prefix.glob(f"lib*/python3*/{kind}-packages/{builder.__name__}") for kind in ("site", "dist")]
    return sorted(path.resolve() for place in places for path in place)


def name_service_arguments() -> list[str]:
    """bwrap options that make name resolution work in a sandbox with network."""
    paths = [path for path in (Path("/etc/resolv.conf"), Path("/etc/hosts")) if path.exists()]
    return _flat(["--ro-bind", str(path.resolve()), str(path)] for path in paths)


def certificate_arguments(environment: Mapping[str, str]) -> list[str]:
    """bwrap options for the certificates that this machine's environment names."""
    arguments: list[str] = []
    files = {path for name in network_settings.CA_NAMES for path in _existing(environment.get(name, ""))}
    for path in sorted(files):
        if not _is_below(path, [Path("/usr"), *_etc_paths()]):
            arguments += ["--ro-bind", str(path), str(path)]
    return arguments


def _existing(value: str) -> list[Path]:
    return [Path(part) for part in value.split(os.pathsep) if part.startswith("/") and Path(part).exists()]


def _root_links() -> list[str]:
    links = [Path("/", name) for name in _ROOT_NAMES if Path("/", name).is_symlink()]
    return _flat(["--symlink", str(path.readlink()), str(path)] for path in links)


def _root_directories() -> list[Path]:
    paths = [Path("/", name) for name in _ROOT_NAMES]
    return [path for path in paths if path.is_dir() and not path.is_symlink()]


def _etc_paths() -> list[Path]:
    root = Path("/etc")
    named = [root / name for name in _ETC_NAMES]
    return [
        path
        for path in (*named, *(p for pattern in _ETC_PATTERNS for p in sorted(root.glob(pattern))))
        if path.exists()
    ]


def _is_below(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _flat(groups: Iterable[Sequence[str]]) -> list[str]:
    return [argument for group in groups for argument in group]
