"""What `builder harvest` does before it makes candidates: `github.py --records` runs it as a process of its own.

python benchmarks/_github_records.py LIST URL WORKSPACE [--replay]
"""

from __future__ import annotations

import sys
from pathlib import Path

from builder import jobs
from builder.harvest import harvest
from builder.pipeline import record_found
from builder.protocols import Access, HarvestRequest
from builder.repositories import read_list
from builder.sources import github
from builder.store import PULL_REQUEST, Store


def main() -> None:
    listed, url, given, *more = sys.argv[1:]
    workspace, source, repos = Path(given), github.create(), read_list(Path(listed))
    access = Access(api_url=url, clone_url=f"{url}/{{repo}}.git")
    with Store.writer(workspace) as store:
        for repo in repos:
            request = HarvestRequest(
                repo, workspace / "work", workspace / "raw", together=repos, access=access, replay="--replay" in more
            )
            pulls = harvest(request, source)
            record_found(store, PULL_REQUEST, ((jobs.pull_request_id(pull), pull.repo, pull) for pull in pulls))


if __name__ == "__main__":
    main()
