"""Everything that can stop `builder` from getting a result.

* BuilderError
  + UsageError                 exit 2: the caller asked for something that does not exist or does not fit
    - UnknownNameError         a misspelt id, repository, step or option value, with the nearest match
    - SettingsError            a broken `repo.yaml`, option or environment variable
    - RepositoryError          a path that is not a usable git repository
  + ServiceMissingError        exit 3: something must be installed or started first
    - RuntimeMissingError      no runtime works on this machine
    - InterpreterMissingError  no CPython of the wanted version
    - NetworkMissingError      the package index, or the hosting service, cannot be reached
    - TokenMissingError        no token for the hosting service, or none that it accepts
  + IncompleteHarvestError     exit 1: some of what a source lists cannot be used; the rest was yielded before
  + WorkspaceError             exit 1: the workspace cannot be used as it is
    - WorkspaceBusyError       another process writes to it
  + InfrastructureError        exit 1: retried, shown, never counted against an instance
    - SandboxError             the sandbox broke (not: a command in it failed)
    - DiskFullError            no space left for what must be written

A *rejected* candidate is not an error but an outcome (`models.Reason`); it is raised as `Rejected` inside a
step and recorded by the pipeline as that step's result.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Protocol


class Jsonable(Protocol):
    """A record: `models.Record`, seen from below."""

    def to_json(self) -> str: ...


class BuilderError(Exception):
    """What happened, with which input (`message`), and what to do about it (`hint`)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(BuilderError):
    """The request itself does not fit."""

    exit_code = 2


class UnknownNameError(UsageError):
    """`name` is none of `known`; the message offers the nearest of them."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        choices = sorted(known)
        close = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
        if close:
            advice = "Perhaps you meant " + " or ".join(repr(match) for match in close) + "."
        elif choices:
            listed = ", ".join(choices[:8]) + (" …" if len(choices) > 8 else "")
            advice = f"Known: {listed}."
        else:
            advice = "" if hint else f"There is no {kind} yet."
        super().__init__(f"unknown {kind} {name!r}", hint=f"{advice} {hint}".strip())
        self.name = name


class SettingsError(UsageError):
    """A setting cannot be used: `repo.yaml`, an option, an environment variable."""


class RepositoryError(UsageError):
    """A path is not a git repository that can be harvested or built from."""


class ServiceMissingError(BuilderError):
    """Something that is not ours must be installed, started or reachable."""

    exit_code = 3


class RuntimeMissingError(ServiceMissingError):
    """No sandbox can be started on this machine."""


class InterpreterMissingError(ServiceMissingError):
    """No CPython of the wanted version is installed, and none could be fetched."""


class NetworkMissingError(ServiceMissingError):
    """The package index, or the hosting service, does not answer."""


class TokenMissingError(ServiceMissingError):
    """There is no token for the hosting service, or it accepts none of them. Tokens are named by their origin only."""


class IncompleteHarvestError(BuilderError):
    """Raised by a source after everything usable was yielded; `problems` names each thing that was not."""

    def __init__(self, problems: Iterable[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        shown = "\n".join(f"  {problem}" for problem in self.problems[:20])
        more = f"\n  … and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
        super().__init__(f"{len(self.problems)} could not be harvested:\n{shown}{more}", hint=hint)


class WorkspaceError(BuilderError):
    """The workspace cannot be read or written as it is."""


class WorkspaceBusyError(WorkspaceError):
    """Another process holds the workspace's writer lock."""


class InfrastructureError(BuilderError):
    """Our own means failed; says nothing about the instance at hand."""


class SandboxError(InfrastructureError):
    """The sandbox could not be started, entered, read or written."""


class DiskFullError(InfrastructureError):
    """There is no space left on the device that must be written to."""


class Rejected(Exception):  # noqa: N818  an outcome, not an error
    """The item at hand is not a task, for one of the reasons in `models.Reason`; `record` is what shows it, if any."""

    def __init__(self, reason: str, detail: str = "", record: Jsonable | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.record = record
