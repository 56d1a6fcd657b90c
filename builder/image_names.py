"""Names that registries and engines take, made of ids that may hold anything.

An id is never read back from a name: labels and the store carry it. Grammar: the distribution specification, "Pulling
manifests" (https://github.com/opencontainers/distribution-spec/blob/main/spec.md).
"""

from __future__ import annotations

import hashlib
import re

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMPONENT_LENGTH = 100
"""Of the 255 characters that a whole name may have, registry and namespace included."""
_TAG_LENGTH = 128
_MARK = 9


def tag(name: str) -> str:
    """`name` if it is a tag (letters keep their case), else what is left of it with a mark that tells it apart."""
    if _TAG.fullmatch(name):
        return name
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip(".-")
    return f"{kept[: _TAG_LENGTH - _MARK] or 'x'}-{_mark(name)}"


def component(name: str) -> str:
    """`name` in lower case as one component of a repository's path, marked where more than the case had to change."""
    lowered = name.lower()
    if _COMPONENT.fullmatch(lowered) and len(lowered) <= _COMPONENT_LENGTH:
        return lowered
    kept = re.sub(r"[^a-z0-9]+", "-", lowered).strip("-")[: _COMPONENT_LENGTH - _MARK].rstrip("-")
    return f"{kept or 'x'}-{_mark(lowered)}"


def published(target: str, repo: str, instance_id: str) -> str:
    """Where the image of an instance goes below `target` (REGISTRY/NAMESPACE): a repository each, a tag per instance.

    Hosting services tell neither owners nor names apart by case, so two repositories never meet in one.
    """
    return f"{target.rstrip('/')}/{component(repo.replace('/', '__'))}:{tag(instance_id)}"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[: _MARK - 1]
