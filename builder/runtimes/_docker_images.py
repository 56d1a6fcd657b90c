"""Images of an engine: found by label, made by committing a container, and the bases that they stand on.

An image of ours carries the digest of its recipe, which covers its parents' down to the base, and the workspace that
built it. A base belongs to the engine: its digest covers the system below it and the interpreter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import tenacity
from docker.errors import ImageNotFound

from builder import __version__, dockerfiles, image_names, interpreter_archive, registry
from builder.errors import BuilderError, RuntimeMissingError, SandboxError, TokenMissingError
from builder.interpreters import Interpreter
from builder.models import digest_of
from builder.protocols import SHELL_ENV, TESTBED, ImageSpec, StoredImage, StoredLayer
from builder.runtimes._docker_engine import (
    DIGEST,
    KIND,
    WORKSPACE,
    Engine,
    engine_errors,
    explained,
    labels,
)
from builder.templating import double_quote

BASE = "builder.base"
"""The label with the engine's id of the base that an image stands on."""
_PARENT = "builder.parent"
_SYSTEM = "builder.system"
_UNAUTHORIZED = ("unauthorized", "authentication required", "denied", "no basic auth credentials")
_LDCONFIG = ["/sbin/ldconfig"]
_BASE_SECONDS = 300
_UPLOAD_TRIES = 6
_UPLOAD_PAUSES = tenacity.wait_exponential_jitter(initial=1, max=30)


@dataclass(frozen=True)
class Found:
    """An image of the engine. `layer_bytes` is what its last layer holds."""

    id: str
    layer_bytes: int


def settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """How an image starts: as the ordinary user, in the repository, with these variables beyond its parent's."""
    return {
        "User": "agent",
        "WorkingDir": TESTBED,
        "Cmd": ["/bin/bash"],
        "Env": [f"{name}={value}" for name, value in environment.items()],
    }


def find(engine: Engine, digest: str, **more: str) -> Found | None:
    """The image with this digest and these labels. Raises SandboxError."""
    with engine_errors("looking for an image"):
        images = engine.api.images(filters={"label": labels({DIGEST: digest})})
        ids = [image["Id"] for image in images if more.items() <= (image["Labels"] or {}).items()]  # podman takes one.
        return Found(ids[0], layer_bytes(engine, ids[0])) if ids else None


def layer_bytes(engine: Engine, image: str) -> int:
    """What the last layer of an image holds, in bytes of file content."""
    return int(engine.api.history(image)[0]["Size"])  # type: ignore[no-untyped-call]


def stored(engine: Engine, workspace: str) -> list[StoredImage]:
    """The images that a workspace has built. Raises SandboxError."""
    with engine_errors("listing images"):
        images = engine.api.images(filters={"label": labels({WORKSPACE: workspace})})
        return [
            StoredImage(
                image["Labels"][DIGEST],
                image["Labels"].get(_PARENT, ""),
                layer_bytes(engine, image["Id"]),
                datetime.fromtimestamp(image["Created"], UTC).isoformat(timespec="seconds"),
            )
            for image in images
        ]


def remove(engine: Engine, workspace: str, digest: str) -> None:
    """Remove the image of a workspace with this digest, under all its names. Raises SandboxError."""
    found = find(engine, digest, **{WORKSPACE: workspace})
    if found:
        with engine_errors("removing an image"):
            engine.api.remove_image(found.id, force=True, noprune=True)


def commit(engine: Engine, container: str, marks: Mapping[str, str], name: str, env: Mapping[str, str]) -> Found:
    """Make the image `name` of what the container has written. Raises SandboxError, DiskFullError."""
    repository, _, tag = name.rpartition(":")
    with engine_errors(f"keeping the image {name}"):
        conf = {**settings(env), "Labels": dict(marks)}
        changes = _changes(env, marks) if engine.is_podman else None  # podman reads no `conf`.
        made: str = engine.api.commit(container, repository=repository, tag=tag, conf=conf, changes=changes)["Id"]
        return Found(made, layer_bytes(engine, made))


def _changes(env: Mapping[str, str], marks: Mapping[str, str]) -> list[str]:
    """`settings` and labels as a Dockerfile's instructions."""
    pairs = [("ENV", env), ("LABEL", marks)]
    said = [f"{word} {name}={double_quote(value)}" for word, values in pairs for name, value in values.items()]
    return ["USER agent", f"WORKDIR {TESTBED}", 'CMD ["/bin/bash"]', *said]


def name(image: ImageSpec, workspace: str) -> str:
    """What people call an image with; a later one of the same name takes it over."""
    return f"builder-{workspace}/{image.kind}:{image_names.tag(image.name)}"


def marks(image: ImageSpec, workspace: str) -> dict[str, str]:
    """The labels of an image."""
    own = {DIGEST: image.digest, KIND: image.kind, WORKSPACE: workspace}
    return {**dockerfiles.labels(image), **own, _PARENT: image.parent.digest if image.parent else ""}


def push(engine: Engine, image: str, reference: str) -> str:
    """Upload an image under a name, which it has only meanwhile. See `protocols.Publisher.push` for errors."""
    name, _, tag = reference.rpartition(":")
    # The engine itself repeats what a registry answers with 5xx, but gives up at once on 429 and on a cut connection.
    # What had arrived by then is not sent again.
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(SandboxError),
        stop=tenacity.stop_after_attempt(_UPLOAD_TRIES),
        wait=_UPLOAD_PAUSES,
        reraise=True,
    )
    with engine_errors(f"uploading {reference}"):
        engine.api.tag(image, name, tag, force=True)
        try:
            return again(_push, engine, name, tag)
        finally:
            if len(engine.api.inspect_image(image)["RepoTags"]) > 1:  # type: ignore[no-untyped-call]
                engine.api.remove_image(reference, noprune=True)


def _push(engine: Engine, name: str, tag: str) -> str:
    reference = f"{name}:{tag}"
    with engine_errors(f"uploading {reference}"):
        # A failure is told in the stream, not raised.
        credentials = registry.credentials(name.partition("/")[0])
        lines = engine.api.push(name, tag, stream=True, decode=True, auth_config=credentials)
        said = list(cast("Iterable[dict[str, Any]]", lines))
    failures = [str(line["error"]) for line in said if "error" in line]
    if failures:
        raise _refused(reference, failures[0])
    digests = [line["aux"]["Digest"] for line in said if "Digest" in line.get("aux", {})]
    return str(digests[-1]) if digests else ""


def _refused(reference: str, said: str) -> BuilderError:
    host = reference.partition("/")[0]
    if any(word in said.lower() for word in _UNAUTHORIZED):
        return TokenMissingError(f"{host} refuses {reference}: {said}", hint=f"Run `docker login {host}`.")
    return explained(f"uploading {reference}", said)


def last_layer(engine: Engine, image: str) -> StoredLayer:
    """The uppermost layer of an image. Raises SandboxError."""
    with engine_errors(f"looking at {image}"):
        digests = engine.api.inspect_image(image)["RootFS"]["Layers"]  # type: ignore[no-untyped-call]
        return StoredLayer(digests[-1], layer_bytes(engine, image))


def system(engine: Engine, reference: str) -> StoredLayer:
    """All layers of the system image as one. Raises RuntimeMissingError if there is none."""
    found = system_id(engine, reference)
    with engine_errors(f"looking at {reference}"):
        return StoredLayer(found, int(engine.api.inspect_image(found)["Size"]))  # type: ignore[no-untyped-call]


def system_id(engine: Engine, reference: str) -> str:
    """The id of the system image. Raises RuntimeMissingError if there is none."""
    with engine_errors(f"looking for the image {reference}"):
        try:
            return str(engine.api.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]
        except ImageNotFound:
            raise RuntimeMissingError(
                f"the engine has no base image {reference}",
                hint="Run `builder base-image`, or name another with --base.",
            ) from None


def base(engine: Engine, system: str, python: Interpreter, uv: Path, helper: str) -> str:
    """The image with the system and an interpreter; made once per engine.

    The caller removes the container `helper`. Raises SandboxError, DiskFullError.
    """
    digest = digest_of(
        ["base", interpreter_archive.RULES_VERSION, system, python.version, uv.stat().st_size, settings(SHELL_ENV)]
    )
    known = find(engine, digest)
    if known:
        return known.id
    with engine_errors("making a base image"):
        container: str = engine.api.create_container(system, _LDCONFIG, entrypoint=[], user="0:0", name=helper)["Id"]
    with tempfile.TemporaryFile() as packed, engine_errors("making a base image"):
        interpreter_archive.pack(python, uv, packed)
        packed.seek(0)
        engine.api.put_archive(container, "/", packed)
        engine.api.start(container)
        code = engine.api.wait(container, timeout=_BASE_SECONDS)["StatusCode"]
    if code:
        raise SandboxError(f"making a base image: ldconfig ended with {code}")
    marked = {DIGEST: digest, KIND: "base", _SYSTEM: system, dockerfiles.VERSION_LABEL: __version__}
    return commit(
        engine, container, marked, f"{dockerfiles.SYSTEM_IMAGE}:py{python.version}-{digest[:12]}", SHELL_ENV
    ).id
