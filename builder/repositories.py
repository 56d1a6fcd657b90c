"""Which repositories promise tasks: SWE-Gym's criteria, an order, and the list that a harvest takes.

The criteria are those of the paper's section 2.1 (as its raw set was chosen with the SEART search): Python, created
before July 2022, more than 500 stars, at least 300 lines of code, more than 500 pull requests, more than 100
contributors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from builder import files
from builder.errors import SettingsError
from builder.models import Record

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+|pypi/[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Criteria:
    """What a repository must be. `licenses` are SPDX identifiers, without regard to case; empty allows all."""

    language: str = "Python"
    created_before: datetime = datetime(2022, 7, 1, tzinfo=UTC)
    stars_over: int = 500
    lines_at_least: int = 300
    pulls_over: int = 500
    contributors_over: int = 100
    licenses: tuple[str, ...] = ()


class Candidate(Record):
    """A repository as a search tells of it. `contributors` is None where it was not asked, or is not told.

    `lines` are lines of code, counted or, where only bytes are known, estimated. `license` is an SPDX identifier, empty
    where there is none. `closed_issues` are all issues where the source does not tell those that were closed.
    """

    repo: str
    language: str
    created_at: datetime
    stars: int
    lines: int
    pulls: int
    closed_issues: int
    contributors: int | None
    license: str
    archived: bool
    fork: bool


@dataclass
class Chosen:
    """What passed, and how many did not, by the first criterion that they fail; `problems` names rows not read."""

    candidates: list[Candidate] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def failing(candidate: Candidate, criteria: Criteria) -> str | None:
    """The first criterion that a repository does not meet; contributors that are not known are not held against it."""
    allowed = {license_.lower() for license_ in criteria.licenses}
    contributors = candidate.contributors
    checks = {
        "fork": not candidate.fork,
        "language": candidate.language.lower() == criteria.language.lower(),
        "created": candidate.created_at < criteria.created_before,
        "stars": candidate.stars > criteria.stars_over,
        "lines": candidate.lines >= criteria.lines_at_least,
        "pull requests": candidate.pulls > criteria.pulls_over,
        "licence": not allowed or candidate.license.lower() in allowed,
        "contributors": contributors is None or contributors > criteria.contributors_over,
    }
    return next((name for name, holds in checks.items() if not holds), None)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """By what bounds the number of tasks, the smaller of pull requests and closed issues; then stars, then the name."""
    return sorted(candidates, key=lambda each: (-min(each.pulls, each.closed_issues), -each.stars, each.repo.lower()))


def write_list(path: Path, candidates: Iterable[Candidate]) -> None:
    """One repository a line, with what is known of it behind a `#`. Raises DiskFullError, WorkspaceError."""
    files.write_file(path, "".join(f"{_line(each)}\n" for each in candidates).encode("utf-8"))


def read_list(path: Path) -> tuple[str, ...]:
    """The repositories of a list, each once; what stands behind a `#` is left out.

    Raises SettingsError for a file that cannot be read, or a line that is no OWNER/NAME.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the list {path} cannot be read: {error}") from error
    return tuple(dict.fromkeys(_names(path, lines)))


def _names(path: Path, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip()
        if name and not _NAME.fullmatch(name):
            raise SettingsError(f"{path}:{number}: {name!r} is no repository", hint="Write OWNER/NAME, one a line.")
        if name:
            yield name


def _line(candidate: Candidate) -> str:
    contributors = "?" if candidate.contributors is None else candidate.contributors
    facts = (
        f"{candidate.pulls} pull requests",
        f"{candidate.closed_issues} issues",
        f"{candidate.stars} stars",
        f"{contributors} contributors",
        f"created {candidate.created_at:%Y-%m-%d}",
        candidate.license or "no licence",
    )
    return f"{candidate.repo}\t# {', '.join(facts)}"
