"""What `git log` says, read commit by commit in constant memory, and git's bytes as text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from builder.models import Sha

LOG_FORMAT = "--format=tformat:%H%x00%P%x00%at%x00%ct%x00%an%x00%s%x00%b"


@dataclass(frozen=True)
class LogEntry:
    """One commit. Dates are UTC; `subject` and `body` as git divides them; bytes that are not UTF-8 become U+FFFD."""

    sha: Sha
    parents: tuple[Sha, ...]
    author: str
    author_date: datetime
    committer_date: datetime
    subject: str
    body: str

    @property
    def message(self) -> str:
        return f"{self.subject}\n\n{self.body}" if self.body else self.subject


def entries(pieces: Iterator[bytes]) -> Iterator[LogEntry]:
    """Parse the NUL-separated fields of `LOG_FORMAT`, seven to a commit."""
    rest = b""
    fields: list[bytes] = []
    for piece in pieces:
        *complete, rest = (rest + piece).split(b"\0")
        fields += complete
        while len(fields) >= 7:
            yield _entry(fields[:7])
            del fields[:7]


def _entry(fields: list[bytes]) -> LogEntry:
    sha, parents, author_time, commit_time, author, subject, body = (
        field.decode("utf-8", "replace") for field in fields
    )
    return LogEntry(
        sha=sha,
        parents=tuple(parents.split()),
        author=author,
        author_date=_moment(author_time),
        committer_date=_moment(commit_time),
        subject=subject,
        body=body.rstrip("\n"),
    )


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds or 0), UTC)


def decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def as_argument(path: str) -> str:
    """A path as `subprocess` must get it for git to see the same bytes, whatever the locale."""
    return os.fsdecode(encoded(path))
