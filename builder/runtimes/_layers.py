"""The layers of a workspace: `layers/<digest>/{testbed,env}` and a record, without which a layer does not exist."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from builder.files import disk_errors
from builder.protocols import ImageSpec
from builder.runtimes import _owned

MOUNTED = ("testbed", "env")
_RECORD = "layer.json"
_BUILDING = "tmp-"


@dataclass(frozen=True)
class LayerRecord:
    """What is known of a built layer. `bytes` is what it adds to its parent on disk; times are seconds."""

    digest: str
    kind: str
    name: str
    bytes: int
    wall_seconds: float
    cpu_seconds: float
    labels: Mapping[str, str]
    created: str
    base: str = ""
    parent: str = ""


class Layers:
    """The `layers` directory of a workspace, over one base: layers over another do not exist, and are replaced."""

    def __init__(self, root: Path, base: str = "") -> None:
        self.root = root
        self._base = base

    def find(self, digest: str) -> LayerRecord | None:
        try:
            text = (self.root / digest / _RECORD).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        record = LayerRecord(**json.loads(text))
        return record if record.base == self._base else None

    def records(self) -> list[LayerRecord]:
        """Every layer, over whatever base."""
        paths = sorted(self.root.glob(f"*/{_RECORD}"))
        return [LayerRecord(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]

    def remove(self, digest: str) -> None:
        """Remove a layer, the record first."""
        with _owned.locked(self.lock_path(digest)):
            (self.root / digest / _RECORD).unlink(missing_ok=True)
            _owned.remove_tree(self.root / digest)

    def directories(self, image: ImageSpec) -> list[Path]:
        """The layers under a sandbox of this image, lowest first, without the base."""
        below = self.directories(image.parent) if image.parent else []
        return below if image.kind == "base" else [*below, self.root / image.digest]

    def keep(self, built: Path, image: ImageSpec, *, size: int, wall: float, cpu: float) -> LayerRecord:
        """Turn a directory that a build filled into the layer of `image`: moved first, recorded last."""
        record = _record(image, size, wall, cpu, self._base)
        home = self.root / image.digest
        with disk_errors(home):
            _owned.remove_tree(home)
            home.mkdir()
            for name in MOUNTED:
                (built / name).rename(home / name)
            _write_durably(home / _RECORD, json.dumps(asdict(record), indent=1, sort_keys=True))
        return record

    def lock_path(self, digest: str) -> Path:
        locks = self.root / ".locks"
        with disk_errors(locks):
            locks.mkdir(parents=True, exist_ok=True)
        return locks / digest

    def building(self) -> AbstractContextManager[Path]:
        return _owned.owned_directory(self.root, _BUILDING)

    def abandoned(self) -> list[Path]:
        return _owned.abandoned(self.root, _BUILDING)


def _record(image: ImageSpec, size: int, wall: float, cpu: float, base: str) -> LayerRecord:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return LayerRecord(
        digest=image.digest,
        kind=image.kind,
        name=image.name,
        bytes=size,
        wall_seconds=round(wall, 3),
        cpu_seconds=round(cpu, 3),
        labels=dict(image.labels),
        created=now,
        base=base,
        parent=image.parent.digest if image.parent else "",
    )


def _write_durably(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
