"""Harvest the whole history of a clone, and print changes per second, CPU seconds and peak memory.

    python benchmarks/harvest.py OWNER/NAME CLONE

Beside it: what `git log` alone takes to print the same history.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    repo, clone = sys.argv[1:]
    began = time.perf_counter()
    subprocess.run(["git", "-C", clone, "log", "--format=%H %B"], check=True, stdout=subprocess.DEVNULL)
    bare = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as workspace:
        began = time.perf_counter()
        changes = harvested(repo, clone, Path(workspace))
        wall = time.perf_counter() - began
    own = resource.getrusage(resource.RUSAGE_SELF)
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime
    print(f"{repo}: {changes} merged changes in {wall:.1f} s, {changes / wall:.0f} a second, {cpu:.1f} CPU s")
    print(f"peak memory: itself {own.ru_maxrss / 1e3:.0f} MB, the largest git below it {below.ru_maxrss / 1e3:.0f} MB")
    print(f"git log alone: {bare:.1f} s")


def harvested(repo: str, clone: str, workspace: Path) -> int:
    """Source and store as `builder harvest` uses them, without making candidates."""
    from builder import jobs
    from builder.harvest import harvest
    from builder.pipeline import record_found
    from builder.protocols import HarvestRequest
    from builder.sources import git
    from builder.store import PULL_REQUEST, Store

    request = HarvestRequest(repo, workspace / "work", git_dir=Path(clone))
    with Store.writer(workspace) as store:
        pulls = harvest(request, git.create())
        return record_found(store, PULL_REQUEST, ((jobs.pull_request_id(p), p.repo, p) for p in pulls))


if __name__ == "__main__":
    main()
