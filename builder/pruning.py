"""Which built images to remove so that the rest fits a disk budget: never what is still needed, the oldest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from builder.protocols import StoredImage


@dataclass(frozen=True)
class Pruned:
    """What became of the images of a workspace; bytes. `over` is by how much the needed ones exceed the budget."""

    images: int
    freed: int
    kept: int
    over: int


def removable(stored: Sequence[StoredImage], needed: Collection[str], budget: int) -> list[str]:
    """The digests to remove, children before their parents, until at most `budget` bytes are left or nothing is."""
    by_digest = {image.digest: image for image in stored}
    kept = _with_parents(by_digest, needed)
    children = Counter(image.parent for image in stored)
    left = sum(image.bytes for image in stored)
    chosen: list[str] = []
    waiting = sorted((one for one in stored if one.digest not in kept), key=lambda one: (one.created, one.digest))
    while left > budget:
        free = next((one for one in waiting if not children[one.digest]), None)
        if free is None:
            break
        waiting.remove(free)
        children[free.parent] -= 1
        left -= free.bytes
        chosen.append(free.digest)
    return chosen


def _with_parents(by_digest: dict[str, StoredImage], digests: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for digest in digests:
        while digest in by_digest and digest not in found:
            found.add(digest)
            digest = by_digest[digest].parent
    return found
