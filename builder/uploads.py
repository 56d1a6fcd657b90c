"""The step that brings images to a registry, and what of them is there.

Apart from the other steps, since only `build-images` needs what talks to registries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from builder import image_names, registry
from builder.errors import InfrastructureError, UsageError
from builder.jobs import RULES_VERSION, Prepared, UploadRecord, recipes
from builder.models import digest_of
from builder.pipeline import Step, Summary
from builder.protocols import Publisher, StoredLayer
from builder.registry import Registry
from builder.session import Session
from builder.store import UPLOAD


def upload_images(session: Session, built: Sequence[tuple[Prepared, str]], target: str) -> Summary:
    """Upload the images (by their recipes' digests) below `target`: one chain per environment, whose first instance
    brings what the others share. What the registry has lost is uploaded again. Raises UsageError."""
    runtime = session.runtime
    if not isinstance(runtime, Publisher):
        raise UsageError(f"the {runtime.name} runtime has no images for a registry", hint="Use --runtime docker.")
    asked = Registry()
    step = Step[tuple[Prepared, str]](
        UPLOAD,
        key=lambda one: one[0].instance.instance_id,
        repo=lambda one: one[0].instance.repo,
        inputs=lambda one: digest_of([RULES_VERSION, one[1], target]),
        work=lambda one, _log: _upload(session, runtime, asked, one, target),
    )
    chains = defaultdict(list)
    for one in built:
        chains[one[0].environment.env_id].append(one)
    try:
        done = [step.key(one) for one in built if session.store.digest(UPLOAD, step.key(one)) == step.inputs(one)]
        session.store.forget(UPLOAD, _lost(session, asked, done))
        return session.pipeline.run(step, chains.values())
    finally:
        asked.close()


def _upload(
    session: Session, runtime: Publisher, asked: Registry, one: tuple[Prepared, str], target: str
) -> UploadRecord:
    prepared, image = one
    instance = prepared.instance
    tag = image_names.published(target, instance.repo, instance.instance_id)
    reference = registry.parse(tag)
    digest = runtime.push(recipes(session, prepared).instance, tag) or asked.digest(reference)
    if not digest:
        raise InfrastructureError(f"{tag} is not in the registry after its upload")
    found = asked.manifest(reference.at(digest))
    return UploadRecord(
        instance_id=instance.instance_id,
        image=image,
        reference=str(reference.at(digest)),
        tag=tag,
        bytes=sum(layer.bytes for layer in found.layers),
    )


def _lost(session: Session, asked: Registry, instance_ids: Sequence[str]) -> list[str]:
    """The instances whose uploaded image is not in its registry any more."""
    held = session.pipeline.engine.run(
        lambda record: asked.digest(registry.parse(record.reference)), _uploads(session, instance_ids)
    )
    return [record.instance_id for record, digest in held if digest is None]


def uploaded_layers(session: Session, instance_ids: Sequence[str]) -> dict[str, tuple[StoredLayer, ...]]:
    """The compressed layers of those that were uploaded, by instance. Raises UsageError for one that is gone."""
    asked = Registry()
    try:
        held = session.pipeline.engine.run(
            lambda record: asked.manifest(registry.parse(record.reference)), _uploads(session, instance_ids)
        )
        return {record.instance_id: manifest.layers for record, manifest in held}
    finally:
        asked.close()


def _uploads(session: Session, instance_ids: Sequence[str]) -> list[list[UploadRecord]]:
    stored = [session.store.result(UPLOAD, one) for one in instance_ids]
    return [[UploadRecord.from_json(found.value)] for found in stored if found and found.value]
