"""Harvest 50 repositories from a generated day of events, and print rates, memory and the size of what is kept.

    python benchmarks/gharchive.py [EVENTS] [DIRECTORY]

A real day of 2024 has about 4 million events in 3 GB of gzip; EVENTS is 500,000 unless said otherwise. Beside it: what
decompressing and parsing every line alone takes. Each part runs in a process of its own, so that memory can be told.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

REPOS = {f"wanted{number}/project": 1000 + number for number in range(50)}
EVENTS_FOR_A_PULL = 25_000
"""In a day of so many events each repository has one pull request more, with an issue and a comment."""

Work = Callable[[Path], dict[str, Any]]


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    place = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        for share in (4, 1):
            measure(Path(directory) / f"one-{share}th", events // share)


def measure(directory: Path, events: int) -> None:
    written = apart(partial(generate, events=events), directory)
    files = list((directory / "archive").glob("*.json.gz"))
    packed = sum(path.stat().st_size for path in files)
    print(
        f"{written['events']} events, {written['wanted']} of them of {len(REPOS)} wanted repositories,"
        f" in {len(files)} files of {packed / 1e6:.0f} MB, {written['bytes'] / 1e6:.0f} MB decompressed"
    )
    for label, work in (("pass", one_pass), ("records", records), ("nothing new", one_pass), ("parse all", parse_all)):
        done = apart(work, directory)
        count, unit = done["count"], done["unit"]
        through = 0 if work is records or not count else written["events"]
        rate = f", {through / done['wall']:.0f} events a second" if through else ""
        rate += f", {written['bytes'] / 1e6 / done['wall']:.0f} MB/s" if through else ""
        rate += f", {count / done['wall']:.0f} a second" if work is records else ""
        spent = f"{done['wall']:.2f} s, {done['cpu']:.2f} CPU s, peak {done['peak'] / 1e3:.0f} MB"
        print(f"  {label}: {count} {unit}{rate}; {spent}")
    spool = sum(path.stat().st_size for path in (directory / "raw" / "gharchive").glob("spool.db*"))
    print(f"  spool: {spool / 1e6:.1f} MB, {spool / written['wanted']:.0f} bytes for an event kept")


def apart(work: Work, directory: Path) -> dict[str, Any]:
    """Run in a fresh process; adds seconds, CPU seconds (with those of git) and peak kilobytes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, directory))


def _measured(work: Work, directory: Path) -> dict[str, Any]:
    began = time.perf_counter()
    done = work(directory)
    wall = time.perf_counter() - began
    own, below = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime
    return {**done, "wall": wall, "cpu": cpu, "peak": own.ru_maxrss}


def generate(directory: Path, events: int) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from archive_factory import Plan, write_archive

    plan = Plan(REPOS, events=events, pulls_each=max(1, events // EVENTS_FOR_A_PULL))
    written = write_archive(directory / "archive", directory / "clones", plan)
    return {"events": written.events, "wanted": written.wanted, "bytes": written.bytes}


def one_pass(directory: Path) -> dict[str, Any]:
    """The pass alone, for all repositories."""
    from builder.sources._archive_pass import ArchivePass
    from builder.sources._archive_spool import Spool
    from builder.sources.gharchive import spool_path

    with Spool(spool_path(directory / "raw")) as spool:
        archive = ArchivePass(directory / "archive", spool)
        archive.run(REPOS)
    return {"count": archive.events, "unit": "events kept"}


def records(directory: Path) -> dict[str, Any]:
    """Every repository in turn, as `builder harvest` does it; the archive was read before."""
    from builder.harvest import harvest
    from builder.protocols import HarvestRequest
    from builder.sources import gharchive

    source, count = gharchive.create(), 0
    for name in REPOS:
        request = HarvestRequest(
            name,
            directory / "work",
            raw_dir=directory / "raw",
            archive_dir=directory / "archive",
            git_dir=directory / "clones" / f"{name.replace('/', '__')}.git",
            together=tuple(REPOS),
        )
        count += sum(bool(pull.issues) for pull in harvest(request, source))
    return {"count": count, "unit": "pull requests with their issues"}


def parse_all(directory: Path) -> dict[str, Any]:
    """The bare cost: every line decompressed and parsed, none kept."""
    count = 0
    for path in sorted((directory / "archive").glob("*.json.gz")):
        with gzip.open(path) as stream:
            for line in stream:
                json.loads(line)
                count += 1
    return {"count": count, "unit": "events"}


if __name__ == "__main__":
    main()
