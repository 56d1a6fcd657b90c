"""What a release says about itself: the text that its change log gained."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import PurePosixPath

from builder.fastimport import TreeFile

_CHANGELOG = re.compile(
    r"(?:change[-_]?logs?|changes|history|news|release[-_]?notes?|releases|whats[-_]?new)(?:\.(?:md|rst|txt|markdown))?",
    re.IGNORECASE,
)
_FOLDERS = re.compile(r"(?:docs?|doc/source|docs/source|docs/src)", re.IGNORECASE)
_NAMED = re.compile(r"(?:#+\s*)?(?:\w[\w-]*\s+)?[\[(]?v?(\d+(?:\.\d+)+)\b")
_UNDERLINE = re.compile(r"([=\-~^*+`#\"'.:_])\1{2,}\s*")


@dataclass(frozen=True)
class Entry:
    """The change log's words on one release, and where they stand."""

    path: str
    text: str


def added_entry(old: Mapping[str, TreeFile], new: Mapping[str, TreeFile], version: str) -> Entry | None:
    """The section of `version` among the lines that a change log gained between two releases, or all those lines.

    Of a change log that the older release does not have, the section of `version`. The first file that gained
    anything counts, files at the top before those under `docs`. None if there is none.
    """
    for path in sorted(filter(_is_changelog, new), key=lambda name: (name.count("/"), name.lower())):
        after = _lines(new[path])
        gained = _gained(_lines(old[path]), after) if path in old else []
        text = _tidy(_section(gained, version) or gained or (_section(after, version) if path not in old else []))
        if text:
            return Entry(path, text)
    return None


def _is_changelog(path: str) -> bool:
    pure = PurePosixPath(path)
    folder = str(pure.parent)
    return bool(_CHANGELOG.fullmatch(pure.name)) and (folder == "." or bool(_FOLDERS.fullmatch(folder)))


def _lines(entry: TreeFile) -> list[str]:
    return entry.data.decode("utf-8", "replace").splitlines()


def _gained(before: list[str], after: list[str]) -> list[str]:
    """The added lines; what both have in common at the ends is set aside first, or long files take minutes."""
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    parts = [new[j1:j2] for tag, _, _, j1, j2 in matcher.get_opcodes() if tag in ("insert", "replace")]
    return [line for part in parts for line in part]


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines from the start on are the same in both."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _section(lines: list[str], version: str) -> list[str]:
    """From the heading that names `version` to the next one that names another; nothing if there is none."""
    inside = False
    section: list[str] = []
    for line, following in pairwise([*lines, ""]):
        named = _heading_version(line, following)
        if named:
            inside = named == version
        if inside:
            section.append(line)
    return section


def _heading_version(line: str, following: str) -> str | None:
    """The version that a Markdown or reStructuredText heading names: `## [1.2.0]`, or `v1.2.0` underlined."""
    named = _NAMED.match(line)
    if named and (line.startswith("#") or _UNDERLINE.fullmatch(following)):
        return named.group(1)
    return None


def _tidy(lines: list[str]) -> str:
    text = "\n".join(line.rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
