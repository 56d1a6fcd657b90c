"""Uploads to a real registry: what is sent, what is not, and what comes of a registry that fails."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builder import registry as registries
from integration.docker_place import Place
from integration.faulty_proxy import RESET, Fault, Proxy, proxying
from integration.registry_server import serving_registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

INSTANCES = ["sample__pantry-2", "sample__pantry-16", "sample__pantry-20"]
CHOSEN = [word for name in INSTANCES for word in ("--instance", name)]


def upload(place: Place, target: str) -> dict[str, Any]:
    return {one["instance_id"]: one for one in place.run("build-images", *CHOSEN, "--push", target)}


def digest(reference: str) -> str | None:
    asked = registries.Registry()
    try:
        return asked.digest(registries.parse(reference))
    finally:
        asked.close()


def test_t63_every_reference_is_there_by_its_digest(place: Place, registry: str) -> None:
    records = upload(place, f"{registry}/there")
    assert sorted(records) == sorted(INSTANCES)
    for name, record in records.items():
        assert record["reference"].startswith(f"{registry}/there/sample__pantry@sha256:")
        assert digest(record["reference"]) == record["reference"].partition("@")[2]
        assert digest(record["tag"]) == record["reference"].partition("@")[2]
        assert record["tag"].endswith(f":{name}")


def test_the_image_that_is_pulled_is_the_one_that_was_pushed(place: Place, registry: str) -> None:
    reference = upload(place, f"{registry}/pulled")[INSTANCES[0]]["reference"]
    pulled = place.engine.images.pull(reference)
    assert pulled.id == place.image(INSTANCES[0]).id


def test_another_client_reads_what_it_is(place: Place, registry: str) -> None:
    skopeo = shutil.which("skopeo")
    if skopeo is None:
        pytest.skip("skopeo is not installed")
    reference = upload(place, f"{registry}/read")[INSTANCES[0]]["reference"]
    command = [skopeo, "inspect", "--tls-verify=false", f"docker://{reference}"]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert said["Labels"]["builder.instance"] == INSTANCES[0]
    assert said["Labels"]["org.opencontainers.image.revision"] == place.base_commit(INSTANCES[0])
    assert f"{said['Os']}/{said['Architecture']}" == place.run("build-images", *CHOSEN)[0]["platform"]


def test_only_what_the_registry_lacks_is_sent(place: Place, proxy: Proxy) -> None:
    """The second instance brings its own layer; the same again brings nothing; another namespace takes it over."""
    own = place.run("build-images", *CHOSEN)
    environments = len({one["env_id"] for one in own})
    sent = [line for line in proxy.seen if line.startswith("PUT") and "/blobs/" in line]
    # The system, the interpreter, then for each environment two layers, its images' own layers and configurations.
    assert len(sent) <= 2 + 2 * environments + 2 * len(own)
    before = len(proxy.seen)
    upload(place, f"{proxy.address}/calm")
    assert {line.split()[0] for line in proxy.seen[before:]} <= {"HEAD", "GET"}
    before = len(proxy.seen)
    upload(place, f"{proxy.address}/another")
    assert any("mount=sha256" in line for line in proxy.seen[before:])
    assert len([line for line in proxy.seen[before:] if line.startswith("PATCH")]) <= len(own)


def test_t63_what_the_registry_has_lost_is_sent_again(place: Place, registry: str) -> None:
    before = upload(place, f"{registry}/lost")
    lost = registries.parse(before[INSTANCES[1]]["reference"])
    url = f"http://{lost.host}/v2/{lost.repository}/manifests/{lost.version}"
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30) as answer:
        assert answer.status == 202
    assert digest(str(lost)) is None
    assert upload(place, f"{registry}/lost") == before
    assert digest(str(lost)) == lost.version


@pytest.fixture(scope="module")
def proxy(place: Place, registry: str) -> Iterator[Proxy]:
    """In front of the registry, without faults so far; what all images share is there already."""
    with proxying(registry) as proxy:
        upload(place, f"{proxy.address}/calm")
        yield proxy


def some_once(failure: Fault) -> Callable[[int, str], Fault]:
    """Every second request that is new fails: a way of asking for an object, whatever its upload is called."""
    known: set[str] = set()

    def fault(_number: int, line: str) -> Fault:
        asked = re.sub(r"/uploads/[^?/ ]+.*", "/uploads/one", line)
        new = asked not in known and not asked.endswith("/v2/ HTTP/1.1")  # The engine asks that before anything else.
        known.add(asked)
        return failure if new and len(known) % 2 else None

    return fault


@pytest.mark.parametrize("failure", [500, 429, RESET], ids=["500", "429", "reset"])
def test_t61_failures_of_the_registry_change_nothing(place: Place, proxy: Proxy, failure: int) -> None:
    expected = upload(place, f"{proxy.address}/calm")
    before = proxy.failed
    proxy.fault = some_once(failure)
    try:
        for _ in range(3):  # What is given up on, the same command goes on from.
            done = run_anyway(place, f"{proxy.address}/failing-{failure}")
            if done.returncode == 0:
                break
            assert done.returncode == 1, done.stderr
    finally:
        proxy.fault = lambda *_: None
    assert done.returncode == 0, done.stderr
    assert proxy.failed >= before + len(INSTANCES)
    records = {one["instance_id"]: one for one in json.loads(done.stdout)}
    assert {name: one["reference"].partition("@")[2] for name, one in records.items()} == {
        name: one["reference"].partition("@")[2] for name, one in expected.items()
    }
    assert not [tag for name in INSTANCES for tag in place.image(name).tags if proxy.address in tag]


def run_anyway(place: Place, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = place.command("build-images", *CHOSEN, "--push", target)
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})


HASHED = "$2b$04$AtlXQv/bSXPN3JXDVkNHr.PVAqlw6j/A9P1qtiJ2mYE91ejiuXGT."
"""`secret`, with bcrypt."""


def test_a_registry_with_a_password_takes_that_of_docker_login(place: Place, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(f"kim:{HASHED}")
    settings = {"auth": {"htpasswd": {"realm": "ours", "path": str(tmp_path / "passwords")}}}
    with serving_registry(tmp_path, settings) as address:
        refused = run_anyway(place, f"{address}/closed", DOCKER_CONFIG=str(tmp_path))
        assert refused.returncode == 3
        assert f"docker login {address}" in refused.stderr
        word = base64.b64encode(b"kim:secret").decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {address: {"auth": word}}}))
        taken = run_anyway(place, f"{address}/closed", DOCKER_CONFIG=str(tmp_path))
        assert taken.returncode == 0, taken.stderr
        assert "secret" not in taken.stderr + refused.stderr


def test_what_images_weigh_is_told_from_manifests(place: Place, registry: str) -> None:
    records = upload(place, f"{registry}/weighed")
    told = place.run("build-images", *CHOSEN, "--list-size")
    assert {one["instance_id"]: one["uploaded"]["total"] for one in told["images"]} == {
        name: record["bytes"] for name, record in records.items()
    }
    assert told["built"]["stored"] < told["built"]["separate"]
    assert all(one["unique"] < 1_000_000 for one in told["images"])
