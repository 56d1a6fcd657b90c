"""Hourly archive files: which there are, and their lines, a few megabytes at a time.

GH Archive publishes one gzip file of JSON lines an hour, named `2024-01-31-7.json.gz` in UTC (gharchive.org).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from builder.errors import SettingsError

LONG_LINE = 1 << 20
"""Bytes. GitHub's own limit of an event is below; longer lines are several events that no newline separates."""
_LONGEST_LINE = 1 << 26
_COMPRESSED = 1 << 18  # bytes read at a time
_PLAIN = 1 << 21  # bytes decompressed at a time
_GZIP = 31  # zlib's wbits for a gzip member, whose checksum is then verified


class DamagedError(Exception):
    """A file ends before its end, or is no gzip; what came before was yielded."""


@dataclass(frozen=True)
class ArchiveFile:
    """`name` is its path below the archive's directory; with `size` (bytes) it tells whether it was read before.

    `begins_at` is the hour that it is of, in Unix seconds.
    """

    path: Path
    name: str
    size: int
    begins_at: int


def archive_files(directory: Path) -> list[ArchiveFile]:
    """All hours below the directory, newest first. Raises SettingsError if it is none or holds no hour."""
    if not directory.is_dir():
        raise SettingsError(f"{directory} is not a directory", hint="See --archive-dir.")
    hours = ((path, _hour(path.name)) for path in directory.rglob("*.json.gz"))
    found = [
        ArchiveFile(path, str(path.relative_to(directory)), path.stat().st_size, hour) for path, hour in hours if hour
    ]
    if not found:
        hint = "Files are named as GH Archive publishes them: 2024-01-31-7.json.gz."
        raise SettingsError(f"{directory} holds no hourly archive", hint=hint)
    return sorted(found, key=lambda file: (file.begins_at, file.name), reverse=True)


def _hour(name: str) -> int | None:
    try:
        return int(datetime.strptime(f"{name} +0000", "%Y-%m-%d-%H.json.gz %z").timestamp())
    except ValueError:
        return None


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, without their ends. Raises DamagedError after the last whole line that can be read."""
    rest = b""
    for piece in _decompressed(path):
        whole = (rest + piece).split(b"\n")
        rest = whole.pop()
        if len(rest) > _LONGEST_LINE:
            raise DamagedError(f"it has a line of more than {_LONGEST_LINE >> 20} MiB")
        yield from whole
    if rest:
        yield rest


def _decompressed(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            inflater = zlib.decompressobj(_GZIP)
            while chunk := stream.read(_COMPRESSED):
                while chunk:
                    if inflater.eof:
                        inflater = zlib.decompressobj(_GZIP)
                    yield inflater.decompress(chunk, _PLAIN)
                    chunk = inflater.unused_data.lstrip(b"\0") if inflater.eof else inflater.unconsumed_tail
            yield inflater.flush()
    except (OSError, zlib.error) as error:
        raise DamagedError(str(error)) from error
    if not inflater.eof:
        raise DamagedError("it ends too early")
