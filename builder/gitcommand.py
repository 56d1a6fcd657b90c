"""Run the machine's git on one git directory so that nothing but its objects decides what comes out.

No user, system or environment configuration, no hooks, no network, no pager, no prompt, no replace refs. Commands are
run through GitPython, which is imported when the first one is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from builder.errors import DiskFullError, RepositoryError, ServiceMissingError

_ISOLATION = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_DIFF_OPTS": "",
    "GIT_EXTERNAL_DIFF": "",
    "GIT_GLOB_PATHSPECS": "0",
    "GIT_ICASE_PATHSPECS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NAMESPACE": "",
    "GIT_NOGLOB_PATHSPECS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_TRACE": "0",
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "TZ": "UTC",
}
_OPTIONS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never", "log.showSignature=false")
_LACKS_OBJECTS = re.compile(
    r"missing (blob|tree|object|commit)|unable to read|could not read|bad (object|tree)|unable to find|failed to read"
    r"|could not access|failed to traverse|not a valid object|unable to get (object|size)|: bad file$"
    r"|cannot read the current contents|cannot be read",
    re.IGNORECASE | re.MULTILINE,
)


class GitFailed(Exception):  # noqa: N818  mapped to RepositoryError at the edge
    """A git command ended with `status`; `stderr` says why."""

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(stderr)
        self.status = status
        self.stderr = stderr

    @property
    def lacks_objects(self) -> bool:
        """Whether git missed an object that the history names."""
        return _LACKS_OBJECTS.search(self.stderr) is not None


class GitCommand:
    """`git --git-dir DIR …` in isolation. `objects` is where new objects are written (default: the directory's own)."""

    def __init__(self, git_dir: Path, *, objects: Path | None = None) -> None:
        self.git_dir = git_dir
        executor = _executor()(str(git_dir))
        own = {}
        if objects is not None:
            own = {"GIT_INDEX_FILE": str(git_dir / "index"), "GIT_OBJECT_DIRECTORY": str(objects)}
        self._environment = {**_ISOLATION, **own}
        self._execute: Callable[..., Any] = executor.execute

    def run(self, *arguments: str, stdin: IO[bytes] | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """The standard output. Raises GitFailed."""
        status, output, stderr = self._execute(
            self._line(arguments),
            istream=stdin,
            env={**self._environment, **(env or {})},
            with_extended_output=True,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            with_exceptions=False,
        )
        if status:
            raise GitFailed(status, _text(stderr))
        return bytes(output)

    def stream(self, *arguments: str, stdin: IO[bytes] | None = None) -> Iterator[bytes]:
        """The standard output in pieces, as git writes it. Raises GitFailed at its end."""
        process = self._execute(self._line(arguments), istream=stdin, env=self._environment, as_process=True)
        popen = process.proc
        try:
            while piece := popen.stdout.read1(1 << 16):
                yield piece
            stderr = popen.stderr.read()
            if status := popen.wait():
                raise GitFailed(status, _text(stderr))
        finally:
            process._terminate()  # closes the pipes, and ends git where the reader stopped early

    def _line(self, arguments: Sequence[str]) -> list[str]:
        options = [part for option in _OPTIONS for part in ("-c", option)]
        others = [name for name in os.environ if name.startswith("GIT_") and name not in self._environment]
        without = ["env", *(f"--unset={name}" for name in others)] if others else []  # GitPython can only set
        return [*without, "git", "--no-pager", f"--git-dir={self.git_dir}", *options, *arguments]


def explained(failure: GitFailed, what: str, where: Path) -> RepositoryError | DiskFullError:
    """The error that a person gets to see: `what` was being done with the repository at `where`."""
    reason = next((line for line in failure.stderr.splitlines() if line.strip()), f"status {failure.status}")
    if "No space left on device" in failure.stderr:
        return DiskFullError(f"cannot {what}: {reason}", hint="Free some space, then start again.")
    hint = ""
    if failure.lacks_objects:
        hint = "The clone lacks objects (a partial clone?). Use a full one: git clone --mirror URL."
    return RepositoryError(f"cannot {what} in {where}: {reason}", hint=hint)


def _executor() -> Callable[[str], Any]:
    try:
        from git import Git
    except ImportError as error:  # GitPython runs `git version` when imported
        raise ServiceMissingError(f"git cannot be run: {error}", hint="Install git 2.38 or newer.") from error
    return Git


def _text(stderr: str | bytes) -> str:
    return stderr.decode("utf-8", "replace") if isinstance(stderr, bytes) else stderr
