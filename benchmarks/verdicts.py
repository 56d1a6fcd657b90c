"""Compare the verdicts of two workspaces, test by test: the same instances in two runtimes.

python benchmarks/verdicts.py WORKSPACE OTHER_WORKSPACE
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from builder import jobs
from builder.models import ValidationReport
from builder.store import VALIDATION, Store


def main() -> None:
    one, other = (reports(Path(argument).absolute()) for argument in sys.argv[1:3])
    common = sorted(set(one) & set(other))
    counts: Counter[str] = Counter()
    for instance_id in common:
        left, right = one[instance_id], other[instance_id]
        counts["fail→pass tests"] += len(left.fail_to_pass)
        counts["pass→pass tests"] += len(left.pass_to_pass)
        differences = differing(left, right)
        counts["instances that differ"] += bool(differences)
        for line in differences:
            print(f"{instance_id}: {line}")
    print(f"{len(common)} instances in both workspaces; " + ", ".join(f"{counts[name]} {name}" for name in counts))


def reports(workspace: Path) -> dict[str, ValidationReport]:
    with Store.reader(workspace) as store:
        found = [one for one in store.results(VALIDATION) if one.value]
    return {one.item: jobs.ValidationRecord.from_json(one.value or "").report for one in found}


def differing(left: ValidationReport, right: ValidationReport) -> list[str]:
    lines = []
    if left.reason != right.reason:
        lines.append(f"{left.runtime} {left.reason or 'validated'}, {right.runtime} {right.reason or 'validated'}")
    for name in ("fail_to_pass", "pass_to_pass"):
        mine, yours = set(getattr(left, name)), set(getattr(right, name))
        for runtime, only in ((left.runtime, mine - yours), (right.runtime, yours - mine)):
            lines += [f"{name} only with {runtime}: {test}" for test in sorted(only)]
    return lines


if __name__ == "__main__":
    main()
