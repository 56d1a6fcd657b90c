"""Git diffs as bytes: taken apart by file, put together again, counted. Nothing is ever decoded and encoded back.

The format is that of `git diff` ("Generating patch text with -p", git-diff(1)); paths are decoded with
`surrogateescape`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from builder.errors import Rejected
from builder.models import PatchStats, Reason
from builder.testpaths import is_test_module

_START = b"diff --git "
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_HEADER = re.compile(
    rb"(?P<key>--- |\+\+\+ |rename from |rename to |copy from |copy to |new file mode |deleted file mode |new mode "
    rb"|old mode |index [0-9a-f]+\.\.[0-9a-f]+ )(?P<value>.*)"
)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_NAMED_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_REGULAR_FILE = b"100"


@dataclass(frozen=True)
class FileSection:
    """What a diff does to one file. `old_path` is None for an added file, `new_path` for a removed one.

    `raw` is the section's own bytes. `mode` is the file's mode afterwards where the diff tells it (`100644`). Counts
    of a binary section are 0.
    """

    raw: bytes
    old_path: str | None
    new_path: str | None
    mode: bytes = b""
    hunks: int = 0
    added: tuple[bytes, ...] = ()
    lines_removed: int = 0

    @property
    def path(self) -> str:
        """Where the file is afterwards, or was before it was removed."""
        return self.new_path or self.old_path or ""


@dataclass(frozen=True)
class SplitPatch:
    """The sections of one diff in two parts, each in the diff's order."""

    patch: bytes
    test_patch: bytes


def sections(diff: bytes) -> list[FileSection]:
    """The diff's file sections, in order; their `raw` bytes together are the diff.

    Raises Rejected(patch_failed) for something that is no git diff.
    """
    chunks = list(_chunks(diff))
    if chunks and not chunks[0].startswith(_START):
        preamble = chunks.pop(0)
        if not chunks:
            raise Rejected(Reason.PATCH_FAILED, "not a git diff: it has no line 'diff --git'")
        first = _section(chunks[0])
        return [_with_raw(first, preamble + first.raw), *(_section(chunk) for chunk in chunks[1:])]
    return [_section(chunk) for chunk in chunks]


def split(diff: bytes, is_test: Callable[[str], bool]) -> SplitPatch:
    """Divide a diff into source and tests. Both parts apply in either order, and are the whole together.

    A file that moves belongs where it moves to; `git.Repository.diff` reports no moves but a removed and an added file,
    which each go their own way.
    """
    found = [(section, is_test(section.path)) for section in sections(diff)]
    return SplitPatch(
        patch=b"".join(section.raw for section, test in found if not test),
        test_patch=b"".join(section.raw for section, test in found if test),
    )


def independent(parts: SplitPatch) -> bool:
    """Whether no path of one part is a path of the other, or a folder of one.

    Then git applies each section by its own path alone, so the order of the parts does not matter.
    """
    source, tests = (
        {path for each in sections(part) for path in _both(each)} for part in (parts.patch, parts.test_patch)
    )
    return source.isdisjoint(tests | _folders(tests)) and tests.isdisjoint(_folders(source))


def statistics(patch: bytes) -> PatchStats:
    """Counts as in SWE-Gym's Table 2. A file that changes its type is an edited one, though git removes and adds it."""
    found = sections(patch)
    gone = {section.old_path for section in found if section.new_path is None}
    new = {section.new_path for section in found if section.old_path is None}
    return PatchStats(
        files=len({section.path for section in found}),
        files_added=len(new - gone),
        files_removed=len(gone - new),
        hunks=sum(section.hunks for section in found),
        lines_added=sum(len(section.added) for section in found),
        lines_removed=sum(section.lines_removed for section in found),
    )


def test_files(test_patch: bytes) -> tuple[str, ...]:
    """Files of the test patch that exist when it is applied and that pytest can collect (T12), sorted.

    Removed files, links, data, helpers and names that are not UTF-8 are none.
    """
    found = {
        section.new_path
        for section in sections(test_patch)
        if section.new_path is not None and is_test_module(section.new_path) and _is_text_file(section)
    }
    return tuple(sorted(filter(_is_unicode, found)))


def added_lines(diff: bytes) -> dict[str, list[str]]:
    """The lines that the diff adds, by path; every path that it adds or edits is there. Bad bytes become U+FFFD."""
    return {
        section.new_path: [line.decode("utf-8", "replace") for line in section.added]
        for section in sections(diff)
        if section.new_path is not None
    }


def _both(section: FileSection) -> Iterator[str]:
    yield from filter(None, (section.old_path, section.new_path))


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that a path lies in."""
    return {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}


def _is_text_file(section: FileSection) -> bool:
    return b"\nGIT binary patch\n" not in section.raw and section.mode[:3] in (b"", _REGULAR_FILE)


def _is_unicode(path: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _with_raw(section: FileSection, raw: bytes) -> FileSection:
    return FileSection(
        raw, section.old_path, section.new_path, section.mode, section.hunks, section.added, section.lines_removed
    )


def _chunks(diff: bytes) -> Iterator[bytes]:
    """Cut before each section's first line. Inside a hunk no line starts a section: each has its own first byte."""
    start = 0
    while start < len(diff):
        following = diff.find(b"\n" + _START, start)
        end = len(diff) if following < 0 else following + 1
        yield diff[start:end]
        start = end


def _section(raw: bytes) -> FileSection:
    lines = raw.split(b"\n")
    first_hunk = next((index for index, line in enumerate(lines) if _HUNK.match(line)), len(lines))
    headers = _headers(lines[1:first_hunk])
    old_path, new_path = _paths(lines[0], headers)
    hunks, added, removed = _count(lines[first_hunk:])
    return FileSection(raw, old_path, new_path, _mode(headers), hunks, tuple(added), removed)


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in lines:
        if line.startswith(b"GIT binary patch"):
            break
        if match := _HEADER.fullmatch(line):
            key = b"index" if match["key"].startswith(b"index") else match["key"].strip()
            found.setdefault(key, match["value"])
    return found


def _mode(headers: dict[bytes, bytes]) -> bytes:
    for key in (b"new file mode", b"new mode", b"index"):
        if key in headers:
            return headers[key]
    return b""


def _paths(first_line: bytes, headers: dict[bytes, bytes]) -> tuple[str | None, str | None]:
    for moved in (b"rename", b"copy"):
        if moved + b" to" in headers:
            return _decoded(_unquoted(headers[moved + b" from"])), _decoded(_unquoted(headers[moved + b" to"]))
    old, new = headers.get(b"---"), headers.get(b"+++")
    if old is None or new is None:
        path = _common_path(first_line)
        return (None if b"new file mode" in headers else path), (None if b"deleted file mode" in headers else path)
    return _marked_path(old), _marked_path(new)


def _marked_path(value: bytes) -> str | None:
    """The path of a `---` or `+++` line; git ends a name with spaces in it with a tab."""
    name = _unquoted(value.removesuffix(b"\r").removesuffix(b"\t"))
    return None if name == b"/dev/null" else _decoded(name.partition(b"/")[2])


def _common_path(first_line: bytes) -> str:
    """The path of `diff --git a/X b/X`, where both are the same."""
    names = first_line.removeprefix(_START)
    if quoted := _QUOTED.match(names):
        return _decoded(_unquoted(quoted.group()).partition(b"/")[2])
    half = names[: (len(names) - 1) // 2]
    return _decoded(half.partition(b"/")[2])


def _unquoted(name: bytes) -> bytes:
    """Undo git's C-style quoting (core.quotePath, git-config(1))."""
    quoted = _QUOTED.fullmatch(name)
    return _ESCAPE.sub(_unescaped, quoted.group(1)) if quoted else name


def _unescaped(match: re.Match[bytes]) -> bytes:
    code: bytes = match.group(1)
    return bytes([int(code, 8) & 255]) if len(code) == 3 else _NAMED_ESCAPES.get(code, code)


def _decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _count(lines: list[bytes]) -> tuple[int, list[bytes], int]:
    """Number of hunks, added lines, number of removed lines; the counts in a hunk's head say where it ends."""
    hunks, added, removed = 0, [], 0
    old_left = new_left = 0
    for line in lines:
        if old_left <= 0 and new_left <= 0:
            if head := _HUNK.match(line):
                hunks += 1
                old_left, new_left = (int(count) if count else 1 for count in head.groups())
        elif line.startswith(b"+"):
            added.append(line[1:])
            new_left -= 1
        elif line.startswith(b"-"):
            removed += 1
            old_left -= 1
        elif not line.startswith(b"\\"):
            old_left, new_left = old_left - 1, new_left - 1
    return hunks, added, removed
