"""Locks as files, and whether a lock holds what a commit asks for.

A lock file is a requirements file with hashes below a header of comments:

    # python: 3.9
    # as_of: 2022-04-07T00:00:00Z
    # relaxed: moto==1.3.14.dev464      (any number)
    # dropped: codecov>=2.0.15          (any number)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.errors import SettingsError
from builder.files import write_file
from builder.models import Lock, Requirement
from builder.requirements import marker_environment

_HEADER = re.compile(r"# (python|as_of|relaxed|dropped): (.*)")
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?==([^\s;\\]+)", re.MULTILINE)


_LATE_UPLOADS = {"atomicwrites": datetime(2022, 7, 9, tzinfo=UTC)}
"""Distributions whose files were deleted and uploaded again, and when. As of an earlier date the index has none of
them, and what needs them (pytest 3.6 to 7.1) would silently be resolved to older releases."""


@dataclass(frozen=True)
class Locked:
    """One line of a lock."""

    version: Version
    extras: frozenset[str]


def late_uploads(as_of: datetime) -> dict[str, str]:
    """Name → the moment as of which it is taken instead of `as_of`."""
    return {name: _text_of(moment) for name, moment in _LATE_UPLOADS.items() if moment > as_of}


def _text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock file, whole or not at all. The same lock gives the same bytes."""
    write_file(path, lock_text(lock).encode("utf-8"))


def lock_text(lock: Lock) -> str:
    """The text of a lock file."""
    header = [f"# python: {lock.python}", f"# as_of: {_text_of(lock.as_of)}"]
    header += [f"# relaxed: {line}" for line in lock.relaxed] + [f"# dropped: {line}" for line in lock.dropped]
    return "\n".join([*header, lock.text.strip(), ""])


def read_lock(path: Path) -> Lock:
    """Read a lock file. Raises SettingsError if there is none, or it lacks its interpreter, date or hashes."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the lock {path} cannot be read: {error.strerror}") from error
    facts: dict[str, list[str]] = {}
    body = []
    for line in text.splitlines():
        header = _HEADER.fullmatch(line)
        if header:
            facts.setdefault(header.group(1), []).append(header.group(2))
        else:
            body.append(line)
    return _lock(path, facts, "\n".join(body).strip() + "\n")


def _lock(path: Path, facts: dict[str, list[str]], body: str) -> Lock:
    try:
        python, moment = facts["python"][0], datetime.fromisoformat(facts["as_of"][0])
    except (KeyError, ValueError) as error:
        raise SettingsError(f"{path} is not a lock: it names no python and as_of", hint="Make it anew.") from error
    if "--hash=" not in body:
        raise SettingsError(f"{path} has no hashes; what it installs could change", hint="Make it anew.")
    relaxed, dropped = tuple(facts.get("relaxed", ())), tuple(facts.get("dropped", ()))
    return Lock(python=python, as_of=moment, text=body, relaxed=relaxed, dropped=dropped)


def locked(lock: Lock) -> dict[str, Locked]:
    """Canonical name → what is locked."""
    return {
        canonicalize_name(name): Locked(
            Version(version), frozenset(canonicalize_name(e) for e in extras.split(",") if e)
        )
        for name, extras, version in _LOCKED.findall(lock.text)
    }


def unmet(requirements: Iterable[Requirement], lock: Lock) -> list[str]:
    """The requirement lines that the lock does not hold: a name it lacks, or a version that the line excludes.

    What had to give way for the lock counts as met, since resolving again would give way again.
    """
    held = locked(lock)
    environment = marker_environment(lock.python)
    settled = {*lock.relaxed, *lock.dropped}
    return [one.text for one in requirements if one.text not in settled and not _holds(one.text, held, environment)]


def _holds(text: str, held: dict[str, Locked], environment: dict[str, str]) -> bool:
    requirement = Parsed(text)
    if requirement.marker and not requirement.marker.evaluate(environment):
        return True
    found = held.get(canonicalize_name(requirement.name))
    if found is None or not requirement.specifier.contains(found.version, prereleases=True):
        return False
    return {canonicalize_name(extra) for extra in requirement.extras} <= found.extras


def version_of(lock: Lock, name: str) -> Version | None:
    """The locked version of a distribution, or None."""
    found = locked(lock).get(canonicalize_name(name))
    return found.version if found else None
