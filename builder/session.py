"""One command's hold on a workspace: the store, the pipeline, the runtime, and what happens on Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from builder import console, plugins
from builder.errors import UnknownNameError
from builder.files import disk_errors
from builder.settings import Settings
from builder.store import Store

if TYPE_CHECKING:
    from builder.facts import Fact
    from builder.git import Repository
    from builder.pipeline import Pipeline
    from builder.protocols import Runtime
    from builder.repo_config import RepoConfig

AUTO_RUNTIME = "bubblewrap"


@dataclass
class Session:
    """Everything that the steps of a command share. Repositories and configurations are opened once."""

    settings: Settings
    store: Store
    pipeline: Pipeline
    _runtime: Runtime | None = None
    _repositories: dict[str, Repository] = field(default_factory=dict)
    _configs: dict[str, RepoConfig] = field(default_factory=dict)
    _facts: dict[str, dict[str, Fact]] = field(default_factory=dict)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def work_dir(self) -> Path:
        """Where steps keep files that can be made again: downloads, bundles. Absolute, since records name it."""
        return self.store.workspace / "work"

    @property
    def raw_dir(self) -> Path:
        """Where harvests keep what services answered, as it came."""
        return self.store.workspace / "raw"

    @property
    def runtime(self) -> Runtime:
        """The runtime of the settings, checked. Raises RuntimeMissingError, UnknownNameError."""
        with self._opening:
            if self._runtime is None:
                self._runtime = open_runtime(self.settings)
                self._runtime.check()
            return self._runtime

    def repository(self, git_dir: str) -> Repository:
        """Raises RepositoryError."""
        from builder.git import Repository

        with self._opening:
            if git_dir not in self._repositories:
                self._repositories[git_dir] = Repository(Path(git_dir))
            return self._repositories[git_dir]

    def config(self, repo: str) -> RepoConfig:
        """Raises SettingsError, UnknownNameError."""
        from builder import repo_config

        with self._opening:
            if repo not in self._configs:
                self._configs[repo] = repo_config.load(self.settings.instances_dir, repo)
            return self._configs[repo]

    def configure(self, repo: str, config: RepoConfig) -> None:
        """Use this configuration for the repository instead of its `repo.yaml`."""
        self._configs[repo] = config

    def facts(self, repo: str) -> dict[str, Fact]:
        """What is known of the repository's validated instances, by `instance_id`. Raises SettingsError."""
        from builder.facts import read_facts

        with self._opening:
            if repo not in self._facts:
                self._facts[repo] = read_facts(self.settings.instances_dir, repo)
            return self._facts[repo]

    def close(self) -> None:
        if self._runtime is not None:
            self._runtime.close()


@contextmanager
def writing(settings: Settings) -> Iterator[Session]:
    """Open the workspace as its one writer. Ctrl-C and SIGTERM kill the running sandboxes and end the command.

    Raises WorkspaceBusyError, WorkspaceError, UnknownNameError.
    """
    from builder.pipeline import Pipeline

    stop = threading.Event()
    workspace = settings.workspace.absolute()
    with Store.writer(workspace) as store:
        engine = plugins.load("engines", settings.engine).create(workers=settings.workers)
        pipeline = Pipeline(store, engine, console.progress(quiet=settings.quiet), stop)
        session = Session(settings, store, pipeline)
        with _interruptible(session, stop), _scratch(workspace / "scratch"):
            try:
                yield session
            finally:
                session.close()


@contextmanager
def _scratch(directory: Path) -> Iterator[None]:
    """Where temporary files of this process go; what a killed writer left there is removed first."""
    shutil.rmtree(directory, ignore_errors=True)
    with disk_errors(directory):
        directory.mkdir(parents=True)
    before, tempfile.tempdir = tempfile.tempdir, str(directory)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def reading(settings: Settings) -> Iterator[Store]:
    """Open the workspace for reading, also while another command writes. Raises WorkspaceError."""
    with Store.reader(settings.workspace.absolute()) as store:
        yield store


def open_runtime(settings: Settings) -> Runtime:
    """The runtime that the settings name; `auto` is the embedded one. Raises UnknownNameError."""
    name = AUTO_RUNTIME if settings.runtime == "auto" else settings.runtime
    usable = [known for known in plugins.names("runtimes") if known != "scripted"]
    if name not in usable:
        raise UnknownNameError("runtime", name, ["auto", *usable])
    module = plugins.load("runtimes", name)
    runtime: Runtime = module.create(workspace=settings.workspace.absolute(), base=settings.base)
    return runtime


@contextmanager
def _interruptible(session: Session, stop: threading.Event) -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        session.close()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
