"""A system of its own below a sandbox, instead of the machine's: what `builder base-image --unpack` wrote.

The same files as below the docker runtime's images, with interpreters at the same places, so that nothing of what is
installed on a machine is seen by tests. Interpreters and uv are those of the machine, copied once per workspace, with
a cache for the loader that knows them.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from builder import interpreter_archive, interpreters
from builder.errors import RuntimeMissingError, SandboxError, UsageError
from builder.files import disk_errors
from builder.interpreters import Interpreter
from builder.protocols import CONTEXT_DIR, PYTHON_DIR, TOOLS_DIR, UNPACKED_MARK
from builder.runtimes import _bwrap_process, _owned

_CACHE = "ld.so.cache"
_SECONDS = 120


@dataclass(frozen=True)
class Base:
    """The unpacked system at `root`, and at `additions` an interpreter for it."""

    root: Path
    additions: Path

    def system_arguments(self) -> list[str]:
        """bwrap options for the root, on which everything else is mounted: each place for it is there already."""
        return ["--ro-bind", str(self.root), "/", "--perms", "0755", "--tmpfs", CONTEXT_DIR]

    def interpreter_arguments(self) -> list[str]:
        """bwrap options for the interpreter, the commands that start it, and uv."""
        mounted = [(self.additions / name.lstrip("/"), name) for name in (PYTHON_DIR, TOOLS_DIR, f"/etc/{_CACHE}")]
        return [word for source, place in mounted for word in ("--ro-bind", str(source), place)]


class Bases:
    """The system in `directory`, and below `workspace` what is added to it. `id` tells systems apart."""

    def __init__(self, directory: Path, workspace: Path) -> None:
        self._directory = directory
        self._additions = workspace / "interpreters"
        try:
            self.id = (directory / UNPACKED_MARK).read_text(encoding="ascii").strip()
        except OSError:
            raise UsageError(
                f"{directory} is no system that `builder base-image` unpacked",
                hint=f"Run `builder base-image --unpack {directory}` where there is a Docker engine, and copy it.",
            ) from None

    def with_interpreter(self, python: Interpreter) -> Base:
        """The system with this interpreter, which is copied where it is missing. Raises SandboxError, DiskFullError."""
        home = self._additions / f"{self.id[-12:]}-{python.version}-{interpreter_archive.RULES_VERSION}"
        if not home.exists():
            with disk_errors(home):
                self._additions.mkdir(parents=True, exist_ok=True)
                with _owned.locked(self._additions / ".lock"):
                    if not home.exists():
                        self._add(python, home)
        return Base(self._directory, home)

    def _add(self, python: Interpreter, home: Path) -> None:
        fresh = home.with_suffix(".new")
        _owned.remove_tree(fresh)
        with tempfile.TemporaryFile() as packed:
            interpreter_archive.pack(python, interpreters.uv_program(), packed)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                archive.extractall(fresh, filter="tar")
        self._write_loader_cache(fresh)
        fresh.rename(home)

    def _write_loader_cache(self, additions: Path) -> None:
        settings = additions / interpreter_archive.LOADER_SETTING.lstrip("/")
        words = [str(_bwrap_process.bwrap_path()), "--unshare-all", "--die-with-parent"]
        words += ["--ro-bind", str(self._directory), "/"]
        words += ["--ro-bind", str(additions / PYTHON_DIR.lstrip("/")), PYTHON_DIR]
        words += ["--bind", str(additions / "etc"), "/tmp"]  # noqa: S108
        words += ["/sbin/ldconfig", "-X", "-C", f"/tmp/{_CACHE}", "-f", "/tmp/ld.so.conf"]  # noqa: S108
        own = settings.read_text(encoding="ascii")
        (additions / "etc/ld.so.conf").write_text(f"{own}include /etc/ld.so.conf.d/*.conf\n", encoding="ascii")
        try:
            subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=True, env={})
        except OSError as error:
            raise RuntimeMissingError(f"bwrap cannot be started: {error}") from error
        except subprocess.SubprocessError as error:
            said = getattr(error, "stderr", "") or str(error)
            raise SandboxError(f"ldconfig in {self._directory}: {said.strip()}") from error
