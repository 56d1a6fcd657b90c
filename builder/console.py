"""What a person sees: plain tables for stdout, live progress for stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_INTERVAL = 15.0
"""Seconds between two progress lines where stderr is no terminal."""


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns padded to their widest cell; numbers to the right, text to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(headers), *cells]) for column in range(len(headers))]
    numeric = [bool(cells) and all(_is_number(line[column]) for line in cells) for column in range(len(headers))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(headers), line(["─" * width for width in widths]), *map(line, cells)])


def seconds(duration: float) -> str:
    """`4.2 s`, `3 min 20 s`, `2 h 05 min`."""
    if duration < 60:
        return f"{duration:.1f} s"
    if duration < 3600:
        return f"{int(duration // 60)} min {int(duration % 60):02d} s"
    return f"{int(duration // 3600)} h {int(duration % 3600 // 60):02d} min"


def size(number: float) -> str:
    """Bytes in decimal units, one digit: `4.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).replace("-", "", 1).isdigit()


class Silent:
    """No progress (`--quiet`)."""

    def start(self, step: str, total: int) -> None:
        """Say nothing."""

    def advance(self, outcome: str) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


class Lines:
    """Progress as a line now and then, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def start(self, step: str, total: int) -> None:
        self._step, self._total, self._seen = step, total, Counter[str]()
        self._began = self._said = time.monotonic()

    def advance(self, outcome: str) -> None:
        self._seen[outcome] += 1
        if time.monotonic() - self._said >= PLAIN_INTERVAL:
            self._say()

    def finish(self) -> None:
        if self._total:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(self._seen.items()))
        done = sum(self._seen.values())
        self._stream.write(
            f"{self._step}: {done}/{self._total}{f' ({counts})' if counts else ''}"
            f" in {seconds(self._said - self._began)}\n"
        )
        self._stream.flush()


class Live:
    """Progress as a bar with counts, rate and time left, for a terminal."""

    def __init__(self) -> None:
        self._bars: RichProgress | None = None
        self._bar: TaskID | None = None

    def start(self, step: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._seen = Counter[str]()
        self._began = time.monotonic()
        if not total:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            Remaining(),
        )
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._bars.start()
        self._bar = self._bars.add_task(step, total=total, counts="", rate="")

    def advance(self, outcome: str) -> None:
        self._seen[outcome] += 1
        if self._bars is not None and self._bar is not None:
            counts = "  ".join(f"{number} {outcome}" for outcome, number in sorted(self._seen.items()))
            minutes = (time.monotonic() - self._began) / 60
            rate = f"{self._seen.total() / minutes:.1f} a minute" if minutes else ""
            self._bars.update(self._bar, advance=1, counts=counts, rate=rate)

    def finish(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def show_messages(*, quiet: bool) -> None:
    """Show what modules say while they work, a line each on stderr; if `quiet`, warnings only."""
    logger = logging.getLogger("builder")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)


def progress(*, quiet: bool) -> Silent | Lines | Live:
    """The progress that fits: none, a line now and then, or live on a terminal."""
    if quiet:
        return Silent()
    return Live() if sys.stderr.isatty() else Lines(sys.stderr)
