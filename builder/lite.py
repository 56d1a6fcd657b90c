"""Which tasks belong to the `lite` split: small, self-contained, and not graded by the wording of a message.

The criteria are those of SWE-bench Lite, which SWE-Gym's Lite split follows (arXiv 2412.21139, section 2), made
offline and deterministic: SWE-bench asks GitHub over HTTP whether `#N` exists; here any `#N` counts as a reference,
except the issues that the task itself is about. Like there, prose is judged as a whole, code blocks included.

Files are counted as SWE-Gym counts them: only source code. Of the 189 rows of its Lite split whose merges could be
looked at, all edit exactly one source file in 1 to 3 hunks, while 19 also change documentation, add a change note or
touch configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from builder import patches
from builder.models import TaskInstance
from builder.patches import FileSection

MINIMUM_WORDS = 40
MAXIMUM_HUNKS = 3
SOURCE_SUFFIXES = (
    *(".py", ".pyi", ".pyx", ".pxd", ".pxi"),
    *(".c", ".cc", ".cpp", ".cu", ".h", ".hpp", ".rs", ".go", ".java", ".js", ".ts", ".g4"),
)
"""Endings of what counts as source code; documentation, change notes, configuration and data do not."""

_LINK = re.compile(r"https?://|ftp://|\bwww\.\w|\]\((?:\.{0,2}/|#)", re.IGNORECASE)
_MEDIA = "png|jpe?g|gif|bmp|tiff|svg|webp|ico|heif|bpg|avif|mp4|avi|mkv|mov|wmv|flv|webm|mpeg"
_IMAGE = re.compile(
    rf"!\[[^\]]*\]|<img\b|(?<=\w)\.(?:{_MEDIA})\b|^\.\. (?:image|figure)::", re.IGNORECASE | re.MULTILINE
)
_COMMIT = re.compile(
    r"(?<![0-9a-zA-Z])[0-9a-f]{40}(?![0-9a-zA-Z])"
    r"|\b(?:commit|sha|revision|rev|changeset)s?\b[\s:`(]{1,3}(?=[0-9a-f]*\d)[0-9a-f]{7,39}\b"
    r"|[\w.-]+/[\w.-]+@[0-9a-f]{7,39}\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"(?P<other>[\w.-]+/[\w.-]+#\d+)|(?<![\w&/])#(?P<number>\d+)\b|\bGH-(?P<gh>\d+)\b"
    r"|\b(?:issue|pull request|PR|ticket)s?\s+#?(?P<named>\d+)\b",
    re.IGNORECASE,
)

_EXPECTS_EXCEPTION = re.compile(r"\b(?:raises|warns|deprecated_call|RaisesGroup|assertRaises|assertWarns)\b")
_MESSAGE_KEYWORD = re.compile(r"[(,]\s*match\s*=(?!=)|^\s*match=(?!=)", re.MULTILINE)
_MESSAGE_METHOD = re.compile(r"\bassert(?:Raises|Warns|Logs)(?:Regexp?|Message)\b")
_MESSAGE_TEXT = re.compile(
    r"\b(?:str|repr)\(\s*\w+\.(?:value|exception|message)\b|\.(?:value|exception)\.(?:args|message|msg)\b"
    r"|\b\w*(?:exc|err|info|ctx|cm)\w*\.(?:match|exconly)\("
)


@dataclass(frozen=True)
class Criterion:
    """A condition for `lite`. `finding` says what in the task breaks it, or "" where nothing does."""

    name: str
    requires: str
    finding: Callable[[TaskInstance], str]


@dataclass(frozen=True)
class LiteFailure:
    """A criterion that a task does not meet, and what was found."""

    criterion: str
    finding: str


def lite_failures(instance: TaskInstance) -> tuple[LiteFailure, ...]:
    """Every criterion that the task does not meet, in the order of `CRITERIA`; none means that it is lite."""
    findings = ((criterion.name, criterion.finding(instance)) for criterion in CRITERIA)
    return tuple(LiteFailure(name, finding) for name, finding in findings if finding)


def _few_words(instance: TaskInstance) -> str:
    words = len(instance.problem_statement.split())
    return "" if words > MINIMUM_WORDS else f"{words} words"


def _link(instance: TaskInstance) -> str:
    return _first(_LINK, instance.problem_statement)


def _image(instance: TaskInstance) -> str:
    return _first(_IMAGE, instance.problem_statement)


def _commit_hash(instance: TaskInstance) -> str:
    return _first(_COMMIT, instance.problem_statement)


def _reference(instance: TaskInstance) -> str:
    own = set(instance.issue_numbers)
    for match in _REFERENCE.finditer(instance.problem_statement):
        number = match["number"] or match["gh"] or match["named"]
        if number is None or int(number) not in own:
            return match[0]
    return ""


def _file_count(instance: TaskInstance) -> str:
    files = {section.path for section in _source_sections(instance)}
    return "" if len(files) == 1 else f"{len(files)} source files"


def _moved_files(instance: TaskInstance) -> str:
    """A rename is an added and a removed file."""
    moved = [section.path for section in _source_sections(instance) if section.old_path != section.new_path]
    return ", ".join(moved)


def _hunk_count(instance: TaskInstance) -> str:
    hunks = sum(section.hunks for section in _source_sections(instance))
    return "" if 1 <= hunks <= MAXIMUM_HUNKS else f"{hunks} hunks"


def _message_test(instance: TaskInstance) -> str:
    for added, around in _added_blocks(instance.test_patch):
        found = _first(_MESSAGE_METHOD, added)
        if not found and _EXPECTS_EXCEPTION.search(around):
            found = _first(_MESSAGE_KEYWORD, added) or _first(_MESSAGE_TEXT, added)
        if found:
            return found
    return ""


CRITERIA: tuple[Criterion, ...] = (
    Criterion("statement_length", f"the statement has more than {MINIMUM_WORDS} words", _few_words),
    Criterion("no_links", "the statement has no links", _link),
    Criterion("no_images", "the statement has no images or videos", _image),
    Criterion("no_commit_hashes", "the statement names no commits", _commit_hash),
    Criterion("no_references", "the statement refers to no other issue or pull request", _reference),
    Criterion("one_file", "the patch edits exactly one source file", _file_count),
    Criterion("no_added_or_removed_files", "the patch adds, removes and renames no source file", _moved_files),
    Criterion("few_hunks", f"the patch has 1 to {MAXIMUM_HUNKS} hunks in source files", _hunk_count),
    Criterion("no_message_tests", "the test patch adds no check of an error message's text", _message_test),
)


def _source_sections(instance: TaskInstance) -> list[FileSection]:
    found = patches.sections(instance.patch)
    return [section for section in found if section.path.endswith(SOURCE_SUFFIXES)]


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[0].strip() if match else ""


def _added_blocks(patch: bytes) -> Iterator[tuple[str, str]]:
    """The added lines of each hunk, and the hunk's whole new side (which shows the call that they belong to)."""
    for hunk in _hunks(patch.decode("utf-8", "surrogateescape")):
        added = "\n".join(line[1:] for line in hunk if line.startswith("+"))
        if added:
            yield added, "\n".join(line[1:] for line in hunk if not line.startswith("-"))


def _hunks(patch: str) -> Iterator[list[str]]:
    """The body lines of each hunk, by the counts of its header: an added line may itself look like a header."""
    hunk: list[str] = []
    old = new = 0
    for line in patch.split("\n"):
        header = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line) if old <= 0 and new <= 0 else None
        if header:
            if hunk:
                yield hunk
            hunk, old, new = [], int(header[1] or 1), int(header[2] or 1)
        elif old > 0 or new > 0:
            hunk.append(line)
            old -= not line.startswith(("+", "\\"))
            new -= not line.startswith(("-", "\\"))
    if hunk:
        yield hunk
