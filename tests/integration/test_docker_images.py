"""The whole job on the sample repository through a Docker engine, and what its images hold, layer by layer."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.sample import create_sample
from builder.store import ENVIRONMENT, IMAGE, Store
from integration.docker_place import Place

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

INSTANCE = "sample__pantry-20"
"""Made from a merge into a history that had moved on."""


def test_every_planted_case_gets_the_verdict_it_was_planted_for(place: Place, tmp_path: Path) -> None:
    planted = {f"sample__pantry-{case.pull_number}": case.expected for case in create_sample(tmp_path / "again.git")}
    got = {one["instance_id"]: one["verdict"] for one in place.run("validate")}
    assert got
    assert {name: planted[name] for name in got} == got


def test_t23_no_layer_holds_anything_newer_than_the_base_commit(place: Place) -> None:
    """A later layer does not shrink or hide what an earlier one holds, so each is looked at by itself."""
    reachable = set(place.git("rev-list", "--objects", "--no-object-names", place.base_commit(INSTANCE)).split())
    everything = place.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objectsize)").split("\n")
    newer = {line.split()[0] for line in everything if line and line.split()[0] not in reachable}
    newer -= {hashlib.sha1(b"blob 0\0").hexdigest()}
    assert newer, "the sample must have a later history"
    seen: set[str] = set()
    for layer in layers(place.image(INSTANCE)):
        seen |= objects(layer)
        held = {blob_id(data) for _, data in files(layer)}
        assert not held & newer, "a file of a later commit lies in a layer"
    assert seen <= reachable, "a layer has objects that the base commit does not reach"
    assert place.base_commit(INSTANCE) in seen


def layers(image: Any) -> Iterator[tarfile.TarFile]:
    """The layers of an image, lowest first, as `docker save` has them."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.save()))) as saved:
        manifest = json.load(saved.extractfile("manifest.json") or io.BytesIO())
        for name in manifest[0]["Layers"]:
            with tarfile.open(fileobj=saved.extractfile(name)) as layer:
                yield layer


def files(layer: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Every file of the repository and the environment in a layer, and whatever else a build may have left."""
    for member in layer.getmembers():
        outside = not member.name.startswith(("usr/", "opt/python/", "opt/builder/", "var/lib/", "etc/"))
        stream = layer.extractfile(member) if member.isreg() and outside else None
        if stream is not None:
            yield member.name, stream.read()


def objects(layer: tarfile.TarFile) -> set[str]:
    """The ids of all git objects in a layer: packed, loose, or in a bundle."""
    found = set()
    for name, data in files(layer):
        if name.endswith(".idx"):
            listed = subprocess.run(["git", "show-index"], input=data, capture_output=True, check=True).stdout
            found |= {line.split()[1].decode() for line in listed.splitlines()}
        elif "/.git/objects/" in name and name[-41] == "/":
            found.add(name[-43:-41] + name[-40:])
        else:
            assert not data.startswith((b"# v2 git bundle", b"# v3 git bundle")), f"a bundle is left: {name}"
    return found


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def test_an_image_says_what_it_is(place: Place) -> None:
    image = place.image(INSTANCE)
    with Store.reader(place.workspace) as store:
        environment = json.loads(store.result(ENVIRONMENT, INSTANCE).value or "")  # type: ignore[union-attr]
    said = image.labels
    assert said["org.opencontainers.image.title"] == INSTANCE
    assert said["org.opencontainers.image.revision"] == place.base_commit(INSTANCE)
    assert said["builder.environment"] == place.run("show", INSTANCE)["env_id"]
    assert len(said["builder.lock"]) == 64
    assert environment["lock"]["python"] in image.attrs["Config"]["Labels"]["builder.environment"].replace("py3", "3.")
    assert said["builder.version"]
    assert any(tag.endswith(f"/instance:{INSTANCE}") for tag in image.tags)


SHELLS = [
    ["bash", "-c"],
    ["sh", "-c"],
    ["bash", "-lc"],
    ["sh", "-lc"],
    ["bash", "-ic"],
]
LOOK = "command -v python; pwd; git log -1 --format=%H; python -c 'import sys, pantry; print(sys.prefix)'"
ACTIVATE = [
    "",
    ". /opt/miniconda3/etc/profile.d/conda.sh && conda activate testbed && ",
    ". /opt/miniconda3/bin/activate && conda activate testbed && ",
]


@pytest.mark.parametrize("user", ["", "root"])
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_shell_finds_environment_and_repository(place: Place, shell: list[str], user: str) -> None:
    """SWE-agent, mini-swe-agent and OpenHands each start another kind of shell, and some activate conda first."""
    expected = ["/opt/env/bin/python", "/testbed", place.base_commit(INSTANCE), "/opt/env"]
    for activate in ACTIVATE:
        container = place.engine.containers.run(
            place.image(INSTANCE).id, [*shell, activate + LOOK], user=user, network_mode="none", detach=True
        )
        try:
            code = container.wait()["StatusCode"]
            said = container.logs(stdout=True, stderr=False).decode().split()
        finally:
            container.remove(force=True)
        assert (code, said) == (0, expected)


def test_a_shell_that_reads_settings_of_root_says_nothing_of_it(place: Place) -> None:
    """mini-swe-agent sets this, and reads its end mark from the first line of what comes."""
    said = place.engine.containers.run(
        place.image(INSTANCE).id,
        ["bash", "-c", "echo first"],
        environment={"BASH_ENV": "/root/.bashrc"},
        network_mode="none",
        remove=True,
        stderr=True,
    )
    assert said == b"first\n"


def test_a_shell_at_a_terminal_starts_in_the_repository(place: Place) -> None:
    container = place.engine.containers.create(place.image(INSTANCE).id, tty=True, stdin_open=True, network_mode="none")
    try:
        container.start()
        _, answered = container.exec_run(["bash", "-c", LOOK])
        attached: Any = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        attached._sock.sendall(b"pwd; exit\n")
        container.wait()
        assert "/testbed" in container.logs().decode()
        for opened in (attached._response, attached, attached._sock):
            opened.close()
    finally:
        container.remove(force=True)
    assert isinstance(answered, bytes)
    assert answered.split()[:2] == [b"/opt/env/bin/python", b"/testbed"]


TREE = (
    "cd / && find testbed opt/env -type f -not -name '*.pyc' -not -path 'testbed/.git/index' "
    "-not -path 'testbed/.git/objects/*' -print0 | sort -z | xargs -0 sha256sum; "
    "cd /testbed && git rev-list --objects --all | sort"
)
"""What does not depend on when something was built. Packs of the same objects may differ."""


@pytest.mark.parametrize("last", ["0", "1"], ids=["classic", "buildkit"])
def test_an_image_built_by_hand_holds_the_same(place: Place, tmp_path: Path, last: str) -> None:
    """The recipe is the Dockerfile's, whoever runs it; the classic builder's layers hold the context besides."""
    written = place.run("build-images", "--instance", INSTANCE, "--contexts", str(tmp_path))
    program = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
    own = Path(written[INSTANCE])
    scripts = [*tmp_path.glob("environment-*py*/build.sh"), own / "build.sh"]
    images = ["builder/instance", "builder/environment", "builder/base"]
    try:
        for script, buildkit in zip(scripts, ["1", last], strict=True):
            variables = f"DOCKER={program} DOCKER_BUILDKIT={buildkit}"
            subprocess.run(["sh", "-c", f"{variables} sh {script}"], check=True, capture_output=True)
        by_hand = place.engine.containers.run(f"{images[0]}:{INSTANCE}", ["bash", "-c", TREE], remove=True)
    finally:
        for name in images:
            for image in place.engine.images.list(name):
                for tag in image.tags:
                    place.engine.images.remove(tag)
    assert by_hand == place.engine.containers.run(place.image(INSTANCE).id, ["bash", "-c", TREE], remove=True)


def test_the_second_instance_of_an_environment_adds_little(place: Place) -> None:
    with Store.reader(place.workspace) as store:
        records = [json.loads(one.value or "{}") for one in store.results(IMAGE)]
    assert max(record["layer_bytes"] for record in records) < 200_000
