"""Repositories that meet the criteria, from a CSV file that SEART's GitHub search exports (seart-ghs.si.usi.ch)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from builder.errors import SettingsError
from builder.repositories import Candidate, Chosen, Criteria, failing

_COLUMNS = {
    "name": ("name",),
    "language": ("mainlanguage", "language"),
    "created": ("createdat",),
    "stars": ("stargazers", "stars"),
    "lines": ("codelines", "linesofcode"),
    "pulls": ("totalpullrequests", "pullrequests"),
    "issues": ("totalissues", "issues"),
    "contributors": ("contributors",),
    "license": ("license",),
    "archived": ("isarchived",),
    "fork": ("isfork", "isforkproject"),
}
_NEEDED = ("name", "language", "created", "stars", "pulls", "contributors")
_LICENSES = {
    "mit license": "MIT",
    "apache license 2.0": "Apache-2.0",
    'bsd 3-clause "new" or "revised" license': "BSD-3-Clause",
    'bsd 2-clause "simplified" license': "BSD-2-Clause",
    "isc license": "ISC",
    "mozilla public license 2.0": "MPL-2.0",
    "gnu general public license v2.0": "GPL-2.0",
    "gnu general public license v3.0": "GPL-3.0",
    "gnu lesser general public license v2.1": "LGPL-2.1",
    "gnu lesser general public license v3.0": "LGPL-3.0",
    "gnu affero general public license v3.0": "AGPL-3.0",
    "the unlicense": "Unlicense",
    "creative commons zero v1.0 universal": "CC0-1.0",
    "boost software license 1.0": "BSL-1.0",
    "eclipse public license 2.0": "EPL-2.0",
    "do what the f*ck you want to public license": "WTFPL",
}
"""Names that GitHub has for licences, and their SPDX identifiers as GitHub writes them."""


def from_seart(path: Path, criteria: Criteria) -> Chosen:
    """Those rows that meet the criteria; a row that cannot be read is named with its line, and left out.

    An export without lines of code passes that criterion. Raises SettingsError for a file that is no such export.
    """
    chosen = Chosen()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in _rows(path, csv.DictReader(file)):
                _sort_in(path, line, row, criteria, chosen)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return chosen


def _rows(path: Path, reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows by our own names of the columns."""
    headers = {re.sub(r"[^a-z]", "", header.lower()): header for header in reader.fieldnames or ()}
    known = {
        column: headers[spelling]
        for column, spellings in _COLUMNS.items()
        for spelling in spellings
        if spelling in headers
    }
    missing = [column for column in _NEEDED if column not in known]
    if missing:
        hint = "Export with all columns, as CSV."
        raise SettingsError(f"{path} is no export of SEART's: it has no column for {', '.join(missing)}", hint=hint)
    for row in reader:
        yield reader.line_num, {column: row.get(header) or "" for column, header in known.items()}


def _sort_in(path: Path, line: int, row: Mapping[str, str], criteria: Criteria, chosen: Chosen) -> None:
    try:
        candidate = _candidate(row, criteria)
    except ValueError as error:
        chosen.problems.append(f"{path}:{line}: {error}")
        return
    criterion = failing(candidate, criteria)
    if criterion:
        chosen.failed[criterion] += 1
    else:
        chosen.candidates.append(candidate)


def _candidate(row: Mapping[str, str], criteria: Criteria) -> Candidate:
    """Raises ValueError."""
    return Candidate(
        repo=row["name"],
        language=row["language"],
        created_at=_moment(row["created"]),
        stars=_number(row["stars"]),
        lines=_number(row["lines"]) if row.get("lines") else criteria.lines_at_least,
        pulls=_number(row["pulls"]),
        closed_issues=_number(row.get("issues") or "0"),
        contributors=_number(row["contributors"]) if row["contributors"] else None,
        license=_LICENSES.get(row.get("license", "").lower(), row.get("license", "")),
        archived=row.get("archived", "").lower() == "true",
        fork=row.get("fork", "").lower() == "true",
    )


def _number(text: str) -> int:
    return int(float(text.replace(",", "")))


def _moment(text: str) -> datetime:
    """ISO 8601, with or without a time; without a zone, UTC."""
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
