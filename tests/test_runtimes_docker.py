"""Catches an engine that cannot serve and is taken for one that can, and errors that lose what the engine said."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from docker.errors import APIError

from builder import platforms
from builder.errors import DiskFullError, RuntimeMissingError, SandboxError
from builder.protocols import ImageSpec
from builder.runtimes import _docker_engine, _docker_images, docker


def test_an_engine_that_is_not_there_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(RuntimeMissingError, match=r"none\.sock does not exist") as caught:
        docker.create(tmp_path).check()
    assert "DOCKER_HOST" in caught.value.hint


def test_an_engine_of_another_platform_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an image with interpreters that its machine cannot run."""
    monkeypatch.setattr(platforms, "here", lambda: "linux/amd64")
    _docker_engine._require_platform("x86_64")
    with pytest.raises(RuntimeMissingError, match="the engine is for linux/arm64, this machine for linux/amd64"):
        _docker_engine._require_platform("aarch64")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("write /var/lib/docker/x: no space left on device", DiskFullError),
        ("No such container: 12", SandboxError),
    ],
)
def test_what_the_engine_said_is_told(said: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="keeping an image"), _docker_engine.engine_errors("keeping an image"):
        raise APIError(said, response=requests.Response(), explanation=said)


def test_an_image_of_a_workspace_has_a_name_of_its_own() -> None:
    image = ImageSpec("instance", "Project-X__n-1", "3.11.7")
    assert _docker_images.name(image, "0123") == "builder-0123/instance:Project-X__n-1"


def test_a_container_leads_back_to_its_owner() -> None:
    name = _docker_engine.container_name("0123", "build-abc")
    assert _docker_engine.container_owner("0123", f"/{name}") == "build-abc"


def test_labels_say_what_an_image_is_and_whose() -> None:
    image = ImageSpec("instance", "o__n-1", "3.11.7", labels={"builder.instance": "o__n-1"})
    marks = _docker_images.marks(image, "0123")
    assert marks["builder.instance"] == marks["org.opencontainers.image.title"] == "o__n-1"
    assert (marks["builder.workspace"], marks["builder.digest"]) == ("0123", image.digest)
