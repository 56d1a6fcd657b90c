"""The seams: what a source, a runtime and an engine must be able to do.

Implementations are modules of the folder of the same name, found by file name (`plugins.load`). None inherits from
anything here; `tests/conformance` holds each of them to the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from builder.models import PullRequest, digest_of
from builder.repo_config import LinkConvention

Item = TypeVar("Item")
Value = TypeVar("Value")

TESTBED = "/testbed"
"""Where the repository is, in every sandbox and image."""
ENV_DIR = "/opt/env"
"""Where the virtual environment is; its `bin` comes first on PATH in every command."""
CONTEXT_DIR = "/context"
"""Where a build finds its context files, read-only."""
HOME_DIR = "/home/agent"
"""The home of the ordinary user, `agent`, 1000, whom everything runs as."""
TOOLS_DIR = "/opt/builder/bin"
"""Where `python`, `python3`, `python3.X` of the image's interpreter are, and `uv`."""
UV = f"{TOOLS_DIR}/uv"
PYTHON_DIR = "/opt/python"
"""Where an image keeps its interpreter."""
UNPACKED_MARK = "etc/builder-base"
"""The file of an unpacked system with the id of the image that it was."""
CACHE_DIR = "/cache"
"""Where a build finds its download cache, private to one repository."""

PATH = f"{ENV_DIR}/bin:{TOOLS_DIR}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""In this order: the virtual environment, uv and the image's Python, the system."""
SHELL_ENV = {"PATH": PATH, "VIRTUAL_ENV": ENV_DIR, "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
"""The variables of every shell in an image, and of every command in a sandbox."""
CACHE_ENV = {"UV_CACHE_DIR": f"{CACHE_DIR}/uv", "PIP_CACHE_DIR": f"{CACHE_DIR}/pip"}
"""Of a build with a download cache."""


@dataclass(frozen=True)
class Limits:
    """What a sandbox may use. Bytes and counts; the time limit belongs to each `exec`."""

    memory_bytes: int = 6 * 1024**3
    processes: int = 2048
    disk_bytes: int = 10 * 1024**3
    output_bytes: int = 16 * 1024**2


@dataclass(frozen=True)
class ExecResult:
    """What a command did. A time-out or a broken limit is a result, with the output so far.

    `exit_code` is the shell's (128+n for signal n), or None if the command was killed by us. `output` is stdout
    and stderr interleaved, cut to `Limits.output_bytes` by dropping the middle (`truncated`). `killed_by` names
    the limit: `memory`, `processes`, `disk`.
    """

    exit_code: int | None
    output: bytes
    timed_out: bool = False
    truncated: bool = False
    killed_by: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class Sandbox(Protocol):
    """One running, isolated copy of an image; what it writes is thrown away with it."""

    def exec(
        self,
        script: str,
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        workdir: str = TESTBED,
    ) -> ExecResult:
        """Run `script` with bash (`bash SCRIPTFILE`, so any length) as the sandbox's ordinary user.

        The environment holds only HOME, PATH (with the virtual environment first), LANG, TZ=UTC, PYTHONHASHSEED=0
        and `env`. Background processes are killed when the script ends.
        Raises SandboxError if the sandbox itself broke.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write a file, absolute path, parents made. Raises SandboxError."""

    def read(self, path: str, *, max_bytes: int = 512 * 1024**2) -> bytes:
        """Read a regular file. Raises SandboxError if it is none, or larger than `max_bytes`."""


@dataclass(frozen=True)
class ContextFile:
    """A file that a build sees as `/context/<name>`; its content decides, not its path or times (T29)."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class ImageSpec:
    """A recipe for one layer: a script that runs once over the parent, and what it needs.

    `python` is the exact version (`3.9.18`) that the base layer carries. `cache` names the download cache. The
    digest covers everything that can change the result, what the image says of itself included, and nothing else.
    """

    kind: Literal["base", "environment", "instance"]
    name: str
    python: str
    parent: ImageSpec | None = None
    script: str = ""
    context: tuple[ContextFile, ...] = ()
    network: bool = False
    cache: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    system_packages: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        files = sorted((file.name, file.sha256) for file in self.context)
        parent = self.parent.digest if self.parent else ""
        tables = [dict(table) for table in (self.env, self.system_packages, self.labels)]
        return digest_of([self.kind, self.python, parent, self.script, files, *tables])


@dataclass(frozen=True)
class BuiltImage:
    """A built layer. `layer_bytes` is what it adds to its parent; `cached` means that nothing was built."""

    digest: str
    layer_bytes: int
    cached: bool
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class StoredLayer:
    """A layer as a runtime or a registry keeps it, `bytes` being its own; a shared layer has one digest."""

    digest: str
    bytes: int


@dataclass(frozen=True)
class Leftovers:
    """What killed runs left behind and `clean` removed."""

    sandboxes: int = 0
    layers: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class StoredImage:
    """An image that a runtime keeps: its digest and its parent's, which may be a base, the bytes of its own layer, and
    when it was built (ISO 8601, UTC)."""

    digest: str
    parent: str
    bytes: int
    created: str


class Runtime(Protocol):
    """Where untrusted code runs."""

    name: str

    def check(self) -> None:
        """Raise RuntimeMissingError, with what to do, unless sandboxes can be started here."""

    def build(self, image: ImageSpec, *, log: Path | None = None, timeout: float = 3600) -> BuiltImage:
        """Build the image and its parents, each once; safe to call from several threads and after a kill.

        `log` receives the output of the script. Raises Rejected(env_failed) if the script fails or a system
        package is missing (named), SandboxError or DiskFullError if the runtime itself does.
        """

    def start(
        self,
        image: ImageSpec,
        *,
        network: bool = False,
        limits: Limits | None = None,
        cache: str = "",
    ) -> AbstractContextManager[Sandbox]:
        """A fresh sandbox over the built image (built first where needed)."""

    def layers(self, image: ImageSpec) -> tuple[StoredLayer, ...]:
        """The layers of a built image, lowest first; none if it is not there."""

    def clean(self) -> Leftovers:
        """Remove what earlier, killed runs left behind."""

    def stored(self) -> list[StoredImage]:
        """Every image that was built in this workspace and is there, without bases."""

    def remove(self, digests: Sequence[str]) -> None:
        """Remove images, children before their parents. Nothing may be running over them; they can be made again."""

    def purge(self) -> int:
        """Remove every built layer and every cache that no one uses; returns the bytes freed. All can be made again."""

    def close(self) -> None:
        """Kill every running sandbox of this object; their `exec` raises SandboxError, and so does a new `start`."""


@runtime_checkable
class Publisher(Protocol):
    """What a runtime is, too, whose images registries take."""

    def push(self, image: ImageSpec, reference: str) -> str:
        """Upload a built image as `HOST/REPOSITORY:TAG`; returns its digest (`sha256:…`), if the engine tells it.

        Layers that the registry has are not sent. Raises TokenMissingError, InfrastructureError.
        """


@dataclass(frozen=True)
class Access:
    """How a hosting service is reached. Tokens are named by where they are, never held here.

    `api_url` is the REST root (`https://api.github.com`, `https://host/api/v3`). `clone_url` is a template with
    `{repo}`; empty means the service's own HTTPS address. `token_file` holds one token a line. `ca_bundle` is a PEM
    file, `proxy` a URL. `max_points` bounds the GraphQL points of one command.
    """

    api_url: str = "https://api.github.com"
    clone_url: str = ""
    token_file: Path | None = None
    ca_bundle: Path | None = None
    proxy: str = ""
    max_points: int | None = None


@dataclass(frozen=True)
class HarvestRequest:
    """Which part of which repository.

    `git_dir` is a local clone; a source without one may make a repository below `work_dir`. `index` is a file of
    facts. Dates are ISO 8601, inclusive, UTC, and compared with the merge. `pulls`, `releases` (of a
    project on the package index) and `limit` narrow further.

    What a service answered is kept below `raw_dir`; with `replay` nothing else is read. `archive_dir` holds hourly
    event archives. `together` are all repositories of the same command, for a source that reads them in one pass.
    `conventions` are the repository's own ways of naming issues, for a source that must know whose words to ask for.
    """

    repo: str
    work_dir: Path
    raw_dir: Path = Path("raw")
    archive_dir: Path | None = None
    together: tuple[str, ...] = ()
    conventions: tuple[LinkConvention, ...] = ()
    access: Access = Access()
    replay: bool = False
    git_dir: Path | None = None
    index: Path | None = None
    since: str | None = None
    until: str | None = None
    pulls: tuple[int, ...] = ()
    releases: tuple[str, ...] = ()
    limit: int | None = None


class Source(Protocol):
    """Where tasks come from: yields the pull requests of one repository, newest first, in constant memory."""

    name: str

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]: ...


class Engine(Protocol):
    """Where our own work is scheduled. Never more than `workers` items are handed out at a time."""

    name: str

    def run(self, work: Callable[[Item], Value], chains: Iterable[Sequence[Item]]) -> Iterator[tuple[Item, Value]]:
        """Work through chains of items, each chain in its order and never twice at once; yield as they finish."""
