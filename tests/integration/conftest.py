"""What the tests of a Docker engine share."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from builder.sample import SAMPLE_REPO, create_sample, sample_repo_yaml
from integration.docker_place import Place
from integration.registry_server import serving_registry

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("docker")
    shutil.copytree(ROOT / "templates", root / "data/templates")
    (root / "data/instances/sample__pantry").mkdir(parents=True)
    (root / "data/instances/sample__pantry/repo.yaml").write_text(sample_repo_yaml())
    create_sample(root / "pantry.git")
    with contextlib.closing(docker.from_env()) as engine:
        made = Place(root / "workspace", root / "data", root / "pantry.git", engine)
        made.run("harvest", SAMPLE_REPO, "--git-dir", str(made.clone))
        made.run("validate")
        yield made
        made.run("clean", "--layers")
        assert not engine.images.list(filters={"label": made.mine()})


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry of our own, without TLS and open to all."""
    with serving_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address
