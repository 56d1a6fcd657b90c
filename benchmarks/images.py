"""What the images of a workspace weigh and how long they took, and what that comes to for a larger set.

    python benchmarks/images.py WORKSPACE [INSTANCES]

Seconds are those of the whole step, as a user waits for them: the first instance of an environment builds it, and is
mostly at its commit; the n-th stands on it and advances. An environment is without the repository's own layer. A set of
INSTANCES (2,438) is extrapolated with as many instances per environment as here.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from builder.console import size, table
from builder.jobs import ImageRecord
from builder.store import DONE, IMAGE, Store


@dataclass(frozen=True)
class Built:
    """An instance layer; `seconds` of its step, and whether that built the environment, too."""

    repo: str
    record: ImageRecord
    seconds: float
    first: bool


def main() -> None:
    with Store.reader(Path(sys.argv[1]).absolute()) as store:
        found = [
            built for one in store.results(IMAGE, outcome=DONE) if (built := read(store, one.item, one.repo, one.value))
        ]
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 2438
    rows = [row(repo, [one for one in found if one.repo == repo]) for repo in sorted({one.repo for one in found})]
    headers = [
        *("repository", "instances", "environments", "environment", "instance", "n-th instance", "maximum"),
        *("first s", "n-th s"),
    ]
    print(table(headers, [*rows, row("all", found)]))
    own = sum(one.record.layer_bytes for one in found)
    shared = sum({one.record.env_id: one.record.environment_bytes for one in found}.values())
    scale = wanted / len(found)
    print(f"\n{len(found)} images: {size(own + shared)} beyond the bases, of which instance layers are {size(own)}")
    hours = sum(one.seconds for one in found) * scale / 3600
    print(f"{wanted} images of this kind: {size((own + shared) * scale)}, {hours:.1f} h of one worker")


def read(store: Store, item: str, repo: str, value: str | None) -> Built | None:
    tries = [one for one in store.attempts(item) if one.result.step == IMAGE and one.result.outcome == DONE]
    if not value or not tries:
        return None
    record = ImageRecord.from_json(value)
    return Built(repo, record, tries[-1].seconds, record.environment_wall_seconds > 0)


def row(name: str, found: list[Built]) -> list[object]:
    environments = {one.record.env_id: one.record.environment_bytes for one in found}
    layers = [one.record.layer_bytes for one in found]
    others = [one.record.layer_bytes for one in found if not one.first]
    first = [one.seconds for one in found if one.first]
    later = [one.seconds for one in found if not one.first]
    return [
        *(name, len(found), len(environments), size(statistics.median(environments.values()))),
        *(size(statistics.median(layers)), size(statistics.median(others)) if others else "", size(max(layers))),
        *(f"{statistics.median(seconds):.1f}" if seconds else "" for seconds in (first, later)),
    ]


if __name__ == "__main__":
    main()
