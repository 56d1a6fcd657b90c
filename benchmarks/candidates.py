"""How many of a published index's tasks the `git` source finds in a clone, why not the rest, and how many others.

    python benchmarks/candidates.py INDEX WORKSPACE OWNER/NAME=CLONE...

INDEX is JSON Lines with `instance_id`, `repo`, `merge_commit`. WORKSPACE is kept: a second run only counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any


def main() -> None:
    from builder.console import table

    index, workspace, *clones = sys.argv[1:]
    rows = [json.loads(line) for line in Path(index).read_text(encoding="utf-8").splitlines()]
    shown, reasons = [], []
    for clone in clones:
        repo, _, path = clone.partition("=")
        seconds = harvest(repo, Path(path), Path(workspace))
        counts = compared([row for row in rows if row["repo"] == repo], repo, Path(workspace))
        shown.append([repo, *(counts.pop(name) for name in COLUMNS), f"{seconds:.0f}"])
        reasons += [[repo, reason, number] for reason, number in sorted(counts.items())]
    print(table(["repository", *COLUMNS, "seconds"], shown))
    print()
    print(table(["repository", "not found, or no candidate", "number"], reasons))


COLUMNS = ("published", "merge found", "candidate", "further candidates")


def harvest(repo: str, clone: Path, workspace: Path) -> float:
    """As `builder harvest --git-dir` does it; seconds."""
    from builder import harvesting, session
    from builder.protocols import HarvestRequest
    from builder.settings import Settings

    began = time.perf_counter()
    request = HarvestRequest(repo, workspace / "work", workspace / "raw", git_dir=clone)
    with session.writing(Settings(workspace)) as opened:
        outcome = harvesting.harvest(opened, [repo], "git", request)
        for error in outcome.errors:
            print(f"{error.result.item}: {error.result.detail}", file=sys.stderr)
    return time.perf_counter() - began


def compared(rows: list[dict[str, Any]], repo: str, workspace: Path) -> Counter[str]:
    """The columns, and every reason why a published task is no candidate."""
    from builder.models import PullRequest
    from builder.store import CANDIDATE, DONE, PULL_REQUEST, Store

    counts = Counter(dict.fromkeys(COLUMNS, 0))
    with Store.reader(workspace) as store:
        known = {row["instance_id"] for row in rows}
        found = [one.item for one in store.results(CANDIDATE, repo=repo, outcome=DONE)]
        counts["further candidates"] = sum(item not in known for item in found)
        for row in rows:
            counts["published"] += 1
            stored = store.result(PULL_REQUEST, row["instance_id"])
            merge = PullRequest.from_json(stored.value).merge_commit if stored and stored.value else None
            reason = _not_found(row["merge_commit"], merge)
            counts["merge found"] += not reason
            candidate = store.result(CANDIDATE, row["instance_id"])
            counts["candidate"] += bool(candidate and candidate.outcome == DONE)
            if not reason and candidate and candidate.outcome != DONE:
                reason = f"found, but {candidate.reason}"
            counts.update([reason] if reason else [])
    return counts


def _not_found(published: str | None, found: str | None) -> str:
    if found is None:
        return "no merge in the clone"
    return "" if published in (None, found) else "another merge commit"


if __name__ == "__main__":
    main()
