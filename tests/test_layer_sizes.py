"""Catches a shared layer that is counted as an image's own, or twice in the sum."""

from __future__ import annotations

from builder.layer_sizes import ImageSize, measure
from builder.protocols import StoredLayer

BASE, FIRST, SECOND = StoredLayer("base", 100), StoredLayer("first", 10), StoredLayer("second", 1)


def test_what_is_shared_is_stored_once() -> None:
    sizes = measure({"a": [BASE, FIRST], "b": [BASE, SECOND]})
    assert sizes.images == {"a": ImageSize(110, 10), "b": ImageSize(101, 1)}
    assert (sizes.stored, sizes.separate) == (111, 211)


def test_a_layer_twice_in_one_image_is_still_its_own() -> None:
    """Empty layers have all the same digest."""
    assert measure({"a": [BASE, FIRST, FIRST], "b": [BASE]}).images["a"] == ImageSize(120, 20)


def test_images_that_are_the_same_have_nothing_of_their_own() -> None:
    assert measure({"a": [BASE], "b": [BASE]}).images == {"a": ImageSize(100, 0), "b": ImageSize(100, 0)}


def test_no_image_weighs_nothing() -> None:
    assert (measure({}).stored, measure({}).separate) == (0, 0)
