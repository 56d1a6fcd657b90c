"""A runtime without machine: sandboxes answer from given rules and hold files in memory. Shipped for tests.

    runtime = create(answers=[(r"pytest", ExecResult(0, b"1 passed"))], files={"/testbed/a": b"text"})

An answer is an `ExecResult`, or a function of the sandbox and the call, which may read and write the sandbox's files.
A script that no rule matches is a SandboxError, so that a test cannot pass by accident.
"""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import SandboxError
from builder.protocols import TESTBED, BuiltImage, ExecResult, ImageSpec, Leftovers, Limits, StoredImage, StoredLayer

_SUCCESS = ExecResult(0, b"")
_LIMITS = Limits()


@dataclass(frozen=True)
class Call:
    """One `exec`, as it was asked for. `digest` is that of the image; empty for a sandbox made without one."""

    script: str
    timeout: float
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = TESTBED
    digest: str = ""


@dataclass(frozen=True)
class Start:
    """One `start`, as it was asked for."""

    image: ImageSpec
    network: bool = False
    limits: Limits = _LIMITS
    cache: str = ""


Answer = ExecResult | Callable[["ScriptedSandbox", Call], ExecResult]
Rule = tuple[str, Answer]
"""A regular expression, searched in the script, and the answer to the scripts that it matches."""


def create(
    workspace: Path | None = None,  # noqa: ARG001  every runtime is given one
    *,
    answers: Sequence[Rule] | Answer = _SUCCESS,
    files: Mapping[str, bytes] | None = None,
    build_error: Callable[[ImageSpec], Exception | None] | None = None,
    **_services: object,
) -> ScriptedRuntime:
    """A fake runtime. `workspace` is ignored; `build_error` may name an exception for an image's build."""
    rules = [(r"", answers)] if isinstance(answers, ExecResult) or callable(answers) else list(answers)
    return ScriptedRuntime(rules, dict(files or {}), build_error)


class ScriptedRuntime:
    """A `protocols.Runtime` that records: `calls` (all sandboxes), `builds` (images really built), `started`,
    `pushed` (images with their references)."""

    name = "scripted"

    def __init__(
        self,
        rules: Sequence[Rule],
        files: Mapping[str, bytes],
        build_error: Callable[[ImageSpec], Exception | None] | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.builds: list[ImageSpec] = []
        self.started: list[Start] = []
        self.pushed: list[tuple[ImageSpec, str]] = []
        self.live = 0
        self._rules = rules
        self._files = files
        self._build_error = build_error
        self._lock = threading.RLock()

    def check(self) -> None:
        """Always works."""

    def build(self, image: ImageSpec, *, log: Path | None = None, timeout: float = 3600) -> BuiltImage:
        """Record the build of the image and its parents, each once; raises what `build_error` returns."""
        with self._lock:
            if image.parent:
                self.build(image.parent, log=log, timeout=timeout)
            if any(built.digest == image.digest for built in self.builds):
                return BuiltImage(image.digest, 0, cached=True)
            error = self._build_error(image) if self._build_error else None
            if error is not None:
                raise error
            self.builds.append(image)
        return BuiltImage(image.digest, len(image.script), cached=False)

    @contextmanager
    def start(
        self, image: ImageSpec, *, network: bool = False, limits: Limits | None = None, cache: str = ""
    ) -> Iterator[ScriptedSandbox]:
        """A sandbox with a fresh copy of the given files."""
        self.build(image)
        with self._lock:
            self.started.append(Start(image, network, limits or _LIMITS, cache))
            self.live += 1
        try:
            yield ScriptedSandbox(self._rules, self._files, self.calls, image.digest)
        finally:
            with self._lock:
                self.live -= 1

    def layers(self, image: ImageSpec) -> tuple[StoredLayer, ...]:
        """A layer weighs as many bytes as its script has characters."""
        with self._lock:
            if not any(built.digest == image.digest for built in self.builds):
                return ()
        below = self.layers(image.parent) if image.parent else ()
        return (*below, StoredLayer(image.digest, len(image.script)))

    def push(self, image: ImageSpec, reference: str) -> str:
        """Record the upload; the digest is the recipe's."""
        with self._lock:
            self.pushed.append((image, reference))
        return f"sha256:{image.digest}"

    def stored(self) -> list[StoredImage]:
        """What was built, all at the same time."""
        return [
            StoredImage(image.digest, image.parent.digest if image.parent else "", len(image.script), "")
            for image in self.builds
            if image.kind != "base"
        ]

    def remove(self, digests: Sequence[str]) -> None:
        """Forget that these were built."""
        self.builds[:] = [image for image in self.builds if image.digest not in digests]

    def clean(self) -> Leftovers:
        return Leftovers()

    def purge(self) -> int:
        """Forget what was built."""
        self.builds.clear()
        return 0

    def close(self) -> None:
        """Nothing runs by itself."""


class ScriptedSandbox:
    """A `protocols.Sandbox` over a dictionary of files, `files`, by absolute path."""

    def __init__(
        self, rules: Sequence[Rule], files: Mapping[str, bytes], calls: list[Call] | None = None, digest: str = ""
    ) -> None:
        self.files = dict(files)
        self.calls = calls if calls is not None else []
        self._rules = rules
        self._digest = digest

    def exec(
        self, script: str, *, timeout: float, env: Mapping[str, str] | None = None, workdir: str = TESTBED
    ) -> ExecResult:
        """The answer of the first rule that matches. Raises SandboxError if none does."""
        call = Call(script, timeout, dict(env or {}), workdir, self._digest)
        self.calls.append(call)
        for pattern, answer in self._rules:
            if re.search(pattern, script):
                return answer if isinstance(answer, ExecResult) else answer(self, call)
        raise SandboxError(f"no rule answers this script: {script[:200]!r}")

    def write(self, path: str, data: bytes) -> None:
        """Keep a file. Raises SandboxError for a path that is relative, a directory, or below a file."""
        name = _absolute(path)
        if name in self._directories():
            raise SandboxError(f"cannot write {path}: it is a directory")
        if any(parent in self.files for parent in _parents(name)):
            raise SandboxError(f"cannot write {path}: not below a directory")
        self.files[name] = bytes(data)

    def read(self, path: str, *, max_bytes: int = 512 * 1024**2) -> bytes:
        """The content of a file. Raises SandboxError if there is none, or it is larger than `max_bytes`."""
        name = _absolute(path)
        if name not in self.files:
            kind = "not a regular file" if name in self._directories() else "no such file"
            raise SandboxError(f"cannot read {path}: {kind}")
        if len(self.files[name]) > max_bytes:
            raise SandboxError(f"cannot read {path}: larger than {max_bytes} bytes")
        return self.files[name]

    def _directories(self) -> set[str]:
        return {"/", TESTBED}.union(*(_parents(name) for name in self.files))


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise SandboxError(f"not an absolute path: {path!r}")
    return posixpath.normpath(path)


def _parents(path: str) -> set[str]:
    found = set()
    while path != "/":
        path = posixpath.dirname(path)
        found.add(path)
    return found
