"""Catches names that no registry takes, and two ids that end up under one name."""

from __future__ import annotations

import random
import re

import pytest

from builder import image_names

# As docker/distribution's reference/regexp.go has them.
COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|[-]*)[a-z0-9]+)*")
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
AWKWARD = [
    "Project-MONAI__MONAI-1234",
    "project-monai__monai-1234",
    "a" * 255,
    "a" * 254 + "b",
    "x" * 127 + "/",
    ".hidden",
    "-dash",
    "a___b",
    "a..b",
    "a--b",
    "",
    "ünïcödé",
    "a b",
    "a/b",
    "A",
    "\udcff",
    "_",
    "__",
    "a_",
    "a-",
    "a.",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_t24_a_name_is_one_that_registries_take(name: str) -> None:
    assert TAG.fullmatch(image_names.tag(name))
    assert COMPONENT.fullmatch(image_names.component(name))
    reference = image_names.published("registry.example/ns", f"{name}/{name}", name)
    assert len(reference.partition(":")[0]) < 255


def test_t24_ids_that_differ_have_tags_that_differ() -> None:
    draw = random.Random(7)
    names = {"".join(draw.choices("aA-_./ \u00e9", k=draw.randint(0, 200))) for _ in range(5000)} | set(AWKWARD)
    assert len({image_names.tag(name) for name in names}) == len(names)


def test_t24_repositories_that_differ_by_more_than_case_have_names_that_differ() -> None:
    draw = random.Random(7)
    names = {"".join(draw.choices("ab-_. \u00e9", k=draw.randint(0, 200))) for _ in range(5000)}
    assert len({image_names.component(name) for name in names}) == len(names)


def test_t24_usual_ids_are_their_own_names() -> None:
    reference = image_names.published("registry.example/ns/", "Project-MONAI/MONAI", "Project-MONAI__MONAI-1234")
    assert reference == "registry.example/ns/project-monai__monai:Project-MONAI__MONAI-1234"
