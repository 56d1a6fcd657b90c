"""Time `builder --help` and `builder status` on a workspace of 100 000 instances, as whole processes.

    python benchmarks/startup.py [INSTANCES]

Prints seconds: minimum, median, maximum of seven runs after one that is not counted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from builder.store import DONE, REJECTED, Attempt, Result, Store

RUNS = 7


def fill(workspace: Path, instances: int) -> None:
    """Every instance harvested, nine of ten a candidate, with values as large as real ones (8 kB packed)."""
    with Store.writer(workspace) as store:
        for start in range(0, instances, 1000):
            store.record(*(one for number in range(start, start + 1000) for one in attempts(number)))


def attempts(number: int) -> list[Attempt]:
    import random

    repo = f"owner/project{number % 300}"
    item = f"owner__project{number % 300}-{number}"
    text = random.Random(number).randbytes(8000).hex()
    value = f'{{"text": "{text}"}}'
    candidate = (DONE, value, "") if number % 10 else (REJECTED, None, "no_linked_issue")
    results = [
        Result("pull_request", item, repo, "d", DONE, value),
        Result("candidate", item, repo, "d", candidate[0], candidate[1], candidate[2]),
    ]
    return [Attempt(result, "2026-01-01T00:00:00+00:00", 0.1) for result in results]


def timed(*arguments: str) -> str:
    seconds = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "builder", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        seconds.append(time.perf_counter() - began)
    counted = seconds[1:]
    return f"{min(counted):.3f}  {statistics.median(counted):.3f}  {max(counted):.3f}"


def main() -> None:
    instances = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        workspace = Path(directory)
        fill(workspace, instances)
        size = (workspace / "builder.db").stat().st_size
        print(f"{instances} instances, builder.db {size / 1e9:.2f} GB; seconds: min, median, max of {RUNS}")
        print("python -c pass          ", bare())
        print("builder --help          ", timed("--help"))
        print("builder status          ", timed("status", "--workspace", directory))
        print("builder status --json   ", timed("status", "--json", "--workspace", directory))


def bare() -> str:
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        seconds.append(time.perf_counter() - began)
    return f"{min(seconds):.3f}  {statistics.median(seconds):.3f}  {max(seconds):.3f}"


if __name__ == "__main__":
    main()
