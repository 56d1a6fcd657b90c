"""Harvest generated repositories from a service on the loopback: cost, time, memory, size, and what is found.

    python benchmarks/github.py DIRECTORY [--pulls N] [--repositories N] [--records] [--peer PYTHON]

DIRECTORY keeps the generated repositories (3.5 MB for each thousand pull requests). Four harvests follow each other: of
all there is, of nothing new, of 2 % more pull requests, and a replay without the service. PYTHON is an interpreter with
`swebench`, whose own collector (`swebench.collect`, unchanged) is then run on the same repositories; where the API is,
it takes from GH_HOST. Every run is a process of its own, and so is the service: its time counts for none of them.
A loopback has no latency: what a request costs on the way is in none of the times.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _github_service import Asked, Service, Truths, generated

from builder.console import table

ROOT = Path(__file__).parent.parent
HOURLY = 5_000
"""GraphQL points, and REST requests, that a token has in an hour."""
IN_TEXTS = {"title", "body", "commit"}


@dataclass(frozen=True)
class Run:
    """`cpu` has all processes below it; `peak` is the largest of them, in bytes."""

    label: str
    wall: float
    cpu: float
    peak: int
    asked: Asked
    closed: int


@dataclass(frozen=True)
class Found:
    """Of merged pull requests, by repository and number: the issues they are said to resolve, and base commits."""

    links: dict[tuple[str, int], set[int]]
    bases: dict[tuple[str, int], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--pulls", type=int, default=20_000)
    parser.add_argument("--repositories", type=int, default=1)
    parser.add_argument("--peer", type=Path, help="An interpreter with swebench.")
    parser.add_argument("--records", action="store_true", help="Make no candidates.")
    given = parser.parse_args()
    place = given.directory.absolute()
    with generated(place / "world", given.pulls, given.repositories) as service:
        print(f"{service.closed()} closed pull requests in {len(service.repos)} repositories", flush=True)
        runs, judged = harvested(place, service, given)
    print("", costs(runs), "", resources(runs), "", table(JUDGED, judged), sep="\n")


def harvested(place: Path, service: Service, given: argparse.Namespace) -> tuple[list[Run], list[list[object]]]:
    """What each run took, and how right its result is."""
    ours = Collector(place / "workspace", service, records=given.records)
    runs = [ours.run("builder, all")]
    judged = [judgement("builder", ours.found(), service.truths())]
    print(runs[0], sizes(place / "workspace"), sep="\n", flush=True)
    runs.append(ours.run("builder, nothing new"))
    if given.peer:
        other = Peer(place / "peer", service, given.peer)
        runs.append(other.run())
        judged.append(judgement("swebench", other.found(), service.truths()))
    service.forward()
    runs += [ours.run("builder, 2 % more"), ours.run("builder, replay", "--replay")]
    judged.append(judgement("builder, 2 % more", ours.found(), service.truths()))
    return runs, judged


class Collector:
    """`builder harvest`, with candidates made of what is found, or the records alone."""

    def __init__(self, workspace: Path, service: Service, *, records: bool) -> None:
        self._workspace = workspace
        self._service = service
        self._records = records
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True)
        self._list = workspace.parent / "repositories.txt"
        self._list.write_text("\n".join(service.repos), encoding="utf-8")

    def run(self, label: str, *more: str) -> Run:
        url, listed, workspace = self._service.url, str(self._list), str(self._workspace)
        reach = ("--api-url", url, "--clone-url", f"{url}/{{repo}}.git", "--workspace", workspace)
        command = ["-m", "builder", "harvest", "--repos", listed, *reach, *more]
        if self._records:
            command = [str(Path(__file__).with_name("_github_records.py")), listed, url, workspace, *more]
        environment = {"BUILDER_GITHUB_TOKENS": self._service.token, "PYTHONPATH": str(ROOT)}
        log = self._workspace.with_suffix(".log")
        return measured(label, self._service, [sys.executable, *command], environment, log)

    def found(self) -> Found:
        from builder.models import PullRequest
        from builder.store import PULL_REQUEST, Store

        found = Found({}, {})
        with Store.reader(self._workspace) as store:
            for result in store.results(PULL_REQUEST):
                record = PullRequest.from_json(result.value or "")
                found.links[record.repo, record.number] = {link.number for link in record.links}
                found.bases[record.repo, record.number] = record.base_commit
        return found


class Peer:
    """SWE-bench's collector: all closed pull requests, and task instances of those that name an issue."""

    def __init__(self, directory: Path, service: Service, python: Path) -> None:
        self._directory = directory
        self._service = service
        self._python = python
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)

    def run(self) -> Run:
        places = ("--path_prs", str(self._directory), "--path_tasks", str(self._directory))
        module = ("-m", "swebench.collect.get_tasks_pipeline")
        command = [str(self._python), *module, "--repos", *self._service.repos, *places]
        environment = {"GH_HOST": self._service.url, "GITHUB_TOKENS": self._service.token}
        return measured("swebench, all", self._service, command, environment, self._directory.with_suffix(".log"))

    def found(self) -> Found:
        found = Found({}, {})
        for pull in self._pulls():
            key = (pull["base"]["repo"]["full_name"], pull["number"])
            if pull["merged_at"]:
                found.links[key] = {int(number) for number in pull["resolved_issues"]}
                found.bases[key] = pull["base"]["sha"]
        return found

    def _pulls(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._directory.glob("*-prs.jsonl")):
            with path.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)


def measured(label: str, service: Service, command: Sequence[str], more: Mapping[str, str], log: Path) -> Run:
    before = service.asked()
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # from a small process: a child starts as large as it
        wall, cpu, peak = pool.apply(_spent, (command, {**os.environ, **more}, log))
    return Run(label, wall, cpu, peak, service.asked().since(before), service.closed())


def _spent(command: Sequence[str], environment: Mapping[str, str], log: Path) -> tuple[float, float, int]:
    """Seconds, CPU seconds, peak bytes of a command and what is below it. Its output is appended to the log."""
    began = time.perf_counter()
    with (
        log.open("ab") as output,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process,
    ):
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: exit {process.returncode}, see {log}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


# --- what is printed


def costs(runs: Sequence[Run]) -> str:
    """Hours are those of one token: of points for GraphQL, of requests for REST."""
    return table(
        ["run", "closed PRs", "points", "GraphQL", "REST", "diff pages", "git", "points/PR", "REST/PR", "token hours"],
        [
            [
                run.label,
                run.closed,
                run.asked.points,
                run.asked.graphql,
                run.asked.rest,
                run.asked.free,
                run.asked.git,
                f"{math.ceil(10_000 * run.asked.points / run.closed) / 10_000:.4f}",
                f"{run.asked.rest / run.closed:.2f}",
                f"{max(run.asked.points, run.asked.rest) / HOURLY:.2f}",
            ]
            for run in runs
        ],
    )


def resources(runs: Sequence[Run]) -> str:
    return table(
        ["run", "wall s", "CPU s", "peak MB", "closed PRs/s", "API MB", "git MB"],
        [
            [
                run.label,
                f"{run.wall:.1f}",
                f"{run.cpu:.1f}",
                math.ceil(run.peak / 1e6),
                f"{run.closed / run.wall:.0f}",
                f"{run.asked.api_bytes / 1e6:.1f}",
                f"{run.asked.git_bytes / 1e6:.1f}",
            ]
            for run in runs
        ],
    )


def judgement(name: str, found: Found, truths: Truths) -> list[object]:
    """Pairs of a merged pull request and an issue it resolves, against what the world was generated from."""
    merged = {(repo, number): truth for repo, known in truths.items() for number, truth in known.items()}
    true = {(pull, issue) for pull, truth in merged.items() for issue in truth.links}
    told = {(pull, issue) for pull, issues in found.links.items() for issue in issues}
    in_texts = {(pull, issue) for pull, issue in true if merged[pull].links[issue] & IN_TEXTS}
    bases = sum(found.bases.get(pull) == truth.base_commit for pull, truth in merged.items())
    right = len(true & told)
    recalls = (right / len(true), len(in_texts & told) / len(in_texts))
    shares = (*recalls, right / max(1, len(told)), bases / len(merged))
    counts = [len(merged), len(found.bases), len(true), len(told), right]
    return [name, *counts, *(f"{math.floor(10_000 * each) / 100:.2f} %" for each in shares)]


JUDGED = ["collector", "merged", "found", "pairs", "told", "right", "recall", "of those in texts", "precision", "base"]


def sizes(workspace: Path) -> str:
    """Bytes on the disk of what a harvest keeps."""
    kept = {"raw pages": workspace / "raw", "clones": workspace / "work", "SQLite": workspace}
    patterns = {"SQLite": "builder.db*"}
    rows = []
    for name, place in kept.items():
        files = [path for path in place.rglob(patterns.get(name, "*")) if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        blocks = sum(path.stat().st_blocks * 512 for path in files)
        rows.append([name, len(files), f"{size / 1e6:.1f}", f"{blocks / 1e6:.1f}"])
    return table(["kept", "files", "MB", "MB on the disk"], rows)


if __name__ == "__main__":
    main()
