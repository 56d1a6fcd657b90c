"""Wall time of validating instances over the time of their bare test commands.

    python benchmarks/overhead.py WORKSPACE INSTANCE_ID… [--runs N]

For each instance of a workspace whose images are built: `validate` with N runs a side, against the same number of
times the same test command on the same files in a sandbox of the same image with the same patches, without probe,
grading or records, of which only the command's own time counts. The two take turns, A B A B.
"""

from __future__ import annotations

import shlex
import statistics
import sys
import time
from pathlib import Path

from builder import commands, jobs, session
from builder.jobs import Prepared
from builder.protocols import ImageSpec
from builder.settings import Settings
from builder.validate import validate

TURNS = 3


def main() -> None:
    workspace, *rest = sys.argv[1:]
    runs = int(rest[rest.index("--runs") + 1]) if "--runs" in rest else 1
    ids = rest[: rest.index("--runs")] if "--runs" in rest else rest
    ratios = []
    with session.writing(Settings(Path(workspace), quiet=True)) as opened:
        for instance in commands.select(opened, [], ids):
            (one,) = commands.prepared(opened.store, [instance])
            image = jobs.recipes(opened, one).instance
            pairs = [
                (timed_validate(opened, one, image, runs), timed_bare(opened, one, image, runs)) for _ in range(TURNS)
            ]
            ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratios.append(ours / bare)
            print(f"{instance.instance_id:32} validate {ours:7.2f} s   bare {bare:7.2f} s   ratio {ours / bare:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}, maximum {max(ratios):.2f}; {runs} runs a side, {TURNS} turns")


def timed_validate(opened: session.Session, one: Prepared, image: ImageSpec, runs: int) -> float:
    began = time.perf_counter()
    validate(one.instance, one.environment, image, opened.runtime, n_runs=runs, timeout=1800)
    return time.perf_counter() - began


def timed_bare(opened: session.Session, one: Prepared, image: ImageSpec, runs: int) -> float:
    """The test commands' own seconds: starting sandboxes and applying patches does not count."""
    seconds = 0.0
    for _ in range(runs):
        for patches in ((one.instance.test_patch,), (one.instance.test_patch, one.instance.patch)):
            with opened.runtime.start(image) as sandbox:
                for number, patch in enumerate(patches):
                    sandbox.write(f"/tmp/{number}.patch", patch)
                    sandbox.exec(f"git apply --whitespace=nowarn /tmp/{number}.patch", timeout=300)
                spec = one.environment.spec
                words = f"{spec.test_cmd} {shlex.join(one.instance.test_files)}"
                seconds += sandbox.exec(words, timeout=1800, env=spec.test_env).wall_seconds
    return seconds


if __name__ == "__main__":
    main()
