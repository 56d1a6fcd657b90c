"""Catches layers that are built again although nothing changed, or not again although something did."""

from __future__ import annotations

from pathlib import Path

import pytest
from history_factory import Story

from builder.git import Repository
from builder.protocols import ImageSpec
from builder.recipes import Workshop, history, repository_image
from builder.templating import Templates

TEMPLATES = Templates(Path(__file__).parents[1] / "templates")
BASE = ImageSpec(kind="base", name="base", python="3.9.18")


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, str]:
    story = Story()
    story.add("one", "first")
    story.add("two", "second", "one", refs=("refs/heads/main",))
    return story.write(tmp_path / "clone")


def workshop(tmp_path: Path, name: str = "work") -> Workshop:
    return Workshop("o/n", Repository(tmp_path / "clone"), TEMPLATES, tmp_path / name)


def test_t29_the_place_of_a_bundle_does_not_matter(tmp_path: Path, commits: dict[str, str]) -> None:
    images = [repository_image(workshop(tmp_path, name), BASE, commits["two"]) for name in ("a", "b")]
    assert images[0].digest == images[1].digest
    assert images[0].context[0].path != images[1].context[0].path


def test_another_commit_is_another_layer(tmp_path: Path, commits: dict[str, str]) -> None:
    images = {repository_image(workshop(tmp_path), BASE, commits[name]).digest for name in ("one", "two")}
    assert len(images) == 2


def test_a_bundle_is_written_once_and_whole(tmp_path: Path, commits: dict[str, str]) -> None:
    first = history(workshop(tmp_path), commits["two"], commits["one"])
    before = first.path.stat().st_mtime_ns
    assert history(workshop(tmp_path), commits["two"], commits["one"]).path.stat().st_mtime_ns == before
    assert [path.suffix for path in first.path.parent.iterdir()] == [".bundle"]


def test_what_is_excluded_decides(tmp_path: Path, commits: dict[str, str]) -> None:
    whole, part = (history(workshop(tmp_path), commits["two"], other) for other in ("", commits["one"]))
    assert whole.sha256 != part.sha256
