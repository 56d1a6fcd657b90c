"""Figures of a validated workspace: environments, layers, cost; and its counts beside published ones.

    python benchmarks/workspace.py WORKSPACE [REFERENCE.jsonl]

REFERENCE has `instance_id`, `n_FAIL_TO_PASS`, `n_PASS_TO_PASS`, `offline_gold_verdict`. Ours are counted under
SWE-Gym's rule, as they are and with ids cut at the first space, as the published ones are for most repositories.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from builder import jobs
from builder.comparison import compare, distinct_when_cut
from builder.console import size, table
from builder.store import CANDIDATE, DONE, IMAGE, VALIDATION, Store, get_artifact


def main() -> None:
    workspace = Path(sys.argv[1]).absolute()
    with Store.reader(workspace) as store:
        print(repositories(store), "\n")
        print(layers(store), "\n")
        if len(sys.argv) > 2:
            print(beside(store, workspace, Path(sys.argv[2])))


def repositories(store: Store) -> str:
    """Per repository: instances, outcomes, environments, and the cost in CPU seconds."""
    rows = []
    for repo in sorted({count.repo for count in store.counts()}):
        images = [jobs.ImageRecord.from_json(one.value or "") for one in store.results(IMAGE, repo=repo, outcome=DONE)]
        if not images:
            continue
        environments = {image.env_id: image for image in images}
        built = [one.environment_cpu_seconds for one in images if one.environment_cpu_seconds]
        verdicts = [one for one in store.results(VALIDATION, repo=repo) if one.value]
        reports = [jobs.ValidationRecord.from_json(one.value or "").report for one in verdicts]
        versions = {version(store, report.instance_id) for report in reports if report.validated}
        tests = [
            report.cpu_seconds / max(1, len(report.seconds_before) + len(report.seconds_after)) for report in reports
        ]
        rows.append(
            [
                repo,
                len(verdicts),
                sum(report.validated for report in reports),
                len(versions),
                len(environments),
                size(statistics.median(image.environment_bytes for image in environments.values())),
                f"{statistics.median(built):.1f}" if built else "",
                f"{statistics.median(tests):.1f}" if tests else "",
            ]
        )
    return table(
        ["repository", "run", "validated", "versions", "environments", "median size", "build CPU s", "test CPU s"], rows
    )


def version(store: Store, instance_id: str) -> str:
    result = store.result(CANDIDATE, instance_id)
    return str(json.loads(result.value or "{}")["version"]) if result else ""


def layers(store: Store) -> str:
    """Instance layers: bytes beyond the environment, and seconds to build one where the environment is there."""
    images = [jobs.ImageRecord.from_json(one.value or "") for one in store.results(IMAGE, outcome=DONE)]
    weights = sorted(image.layer_bytes for image in images)
    seconds = [image.wall_seconds for image in images if image.wall_seconds]
    sharing: dict[str, int] = defaultdict(int)
    for image in images:
        sharing[image.env_id] += 1
    return (
        f"{len(images)} instance layers in {len(sharing)} environments:"
        f" median {size(statistics.median(weights))}, maximum {size(weights[-1])};"
        f" built in median {statistics.median(seconds):.2f} s, maximum {max(seconds):.2f} s"
    )


def beside(store: Store, workspace: Path, reference: Path) -> str:
    """Our counts under SWE-Gym's rule beside the published ones, for the instances that are in both."""
    rows = []
    equal = comparable = 0
    for line in reference.read_text().splitlines():
        published = json.loads(line)
        result = store.result(VALIDATION, published["instance_id"])
        if result is None or not result.value:
            continue
        record = jobs.ValidationRecord.from_json(result.value)
        runs = jobs.RunsRecord.from_json(get_artifact(workspace, record.runs))
        ours = compare(runs.before, runs.after, "swe-gym")
        cut = (distinct_when_cut(ours.fail_to_pass), distinct_when_cut(ours.pass_to_pass))
        theirs = (published["n_FAIL_TO_PASS"], published["n_PASS_TO_PASS"])
        same = theirs[0] in (len(ours.fail_to_pass), cut[0])
        if published["offline_gold_verdict"] == "RESOLVED_FULL":
            comparable += 1
            equal += same
        rows.append(
            [
                published["instance_id"],
                published["offline_gold_verdict"],
                record.report.reason.value if record.report.reason else "validated",
                theirs[0],
                len(ours.fail_to_pass),
                cut[0],
                theirs[1],
                len(ours.pass_to_pass),
                cut[1],
                "" if same else "differs",
            ]
        )
    headers = ["instance", "SWE-Gym", "verdict", "F2P", "ours", "ours cut", "P2P", "ours", "ours cut", ""]
    return f"{table(headers, rows)}\n\nFAIL_TO_PASS equal on {equal} of {comparable} that SWE-Gym resolves"


if __name__ == "__main__":
    main()
