"""How much images weigh together, where what they share is stored once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.protocols import StoredLayer


@dataclass(frozen=True)
class ImageSize:
    """Bytes of an image: `total` with all that is below it, `unique` of layers that no other of the images has."""

    total: int
    unique: int


@dataclass(frozen=True)
class Sizes:
    """`stored` counts each layer once, `separate` for each image that has it; bytes."""

    images: Mapping[str, ImageSize]
    stored: int
    separate: int


def measure(images: Mapping[str, Sequence[StoredLayer]]) -> Sizes:
    """The sizes of images by name, from their layers."""
    weights = {layer.digest: layer.bytes for layers in images.values() for layer in layers}
    used = Counter(digest for layers in images.values() for digest in {layer.digest for layer in layers})
    sizes = {
        name: ImageSize(
            sum(layer.bytes for layer in layers), sum(layer.bytes for layer in layers if used[layer.digest] == 1)
        )
        for name, layers in images.items()
    }
    return Sizes(sizes, sum(weights.values()), sum(each.total for each in sizes.values()))
