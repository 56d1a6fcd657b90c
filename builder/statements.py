"""The words of a task: the problem statement and the hints, without the solution in them.

An issue's text is taken as it is. A change's own words (pull request, commit message) are written by somebody who has
the solution before their eyes: what is form (templates, check lists, trailers) or points at the solution (diffs, commit
ids, links to the change) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from builder.models import Comment, Issue

_PULL_SUFFIX = re.compile(r"(?:\s*\((?:#|gh-|GH-)\d+\))+\s*$")
_HTML_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_PATCH_BLOCK = re.compile(
    r"^[ ]{0,3}(`{3,}|~{3,})[ \t]*(?:diff|patch|suggestion)\b.*?(?:^[ ]{0,3}\1[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_PATCH_LINES = re.compile(r"^(?:diff --git |index [0-9a-f]{7,}\.\.|--- a/|\+\+\+ b/|@@ -\d).*$", re.MULTILINE)
_TRAILER = re.compile(
    r"^[ \t]*(?:[A-Z][\w-]*-(?:by|to|with|for|id|from):|cc:|\(cherry picked from commit|[-_]{3,}$|\* \* \*$).*$",
    re.MULTILINE | re.IGNORECASE,
)
_CHECK_BOX = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+\[[ xX]?\].*(?:\n(?:[ \t]{2,}\S).*)*", re.MULTILINE)
_CLAIM = re.compile(
    r"""
    ^(?=.*\d) [ \t]* [-*+>]*[ \t]* \** (?:this[ \t]+ (?:pr[ \t]+|pull[ \t]+request[ \t]+|also[ \t]+)?)?
    (?:close[sd]?|fix(?:e[sd])?|resolve[sd]?|part[ ]of|related(?:[ ]to)?|see(?:[ ]also)?|refs?|xref
      |follow[- ]?up[ ](?:to|of|on))
    \**[ \t]*:?[ \t]*
    (?:\[?(?:[\w.-]+/[\w.-]+)?\#\d+\]?|\[?GH-\d+\]?|\(?https?://github\.com/[^\s)]+\)?|issues?\b|and\b
      |close[sd]?\b|fix(?:e[sd])?\b|resolve[sd]?\b|[ \t,;:&.*])+ $
    """,
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_NOISE = re.compile(
    r"""
    ^[ \t]* [-*+][ \t]+
    (?: (?:fix(?:ed|ing|es)?[ ])?
        (?:up|lint(?:er|ing)?|format(?:ting)?|black|flake8|isort|mypy|typos?|comments?|(?:\w+[ ])?tests?)
      | (?:minor|small)(?:[ ](?:changes?|fix(?:es)?|refactor))? | fix(?:ed|es)? | refactor(?:ed|ing)? | clean[ -]?up
      | (?:fixup|squash|wip|merge[ ](?:branch|remote|pull)|apply[ ]suggestions|\[pre-commit\.ci\])\b.*
      | address(?:ed|ing)?[ ](?:[\w']+[ ]){0,3}(?:reviews?|comments?|feedback) | (?:code[ ])?review(?:[ ]comments?)?
      | update[ ](?:changelog|[\w./-]+\.\w{1,4}) | add(?:ed)?[ ]tests? | rebase
    ) \.?[ \t]*$
    """,
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_SOLUTION_URL = re.compile(
    r"<?https?://github\.com/[\w.-]+/[\w.-]+/(?:pull|commit|commits|compare)/[^\s)>\]]*[^\s)>\].,;:]>?"
)
_HEADING = re.compile(r"#{1,6}[ \t]+\S|\*\*[^*\n]+\*\*:?$")
_TAIL_CLAIM = re.compile(
    r"[ \t]*[,;:(\[-]?[ \t]*\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?[ \t]+"
    r"(?:\#\d+(?:[ \t]*(?:,|&|and)[ \t]*)?)+[)\].]?$",
    re.MULTILINE | re.IGNORECASE,
)
_ITEM = re.compile(r"[*-][ \t]+(.+)$")
_HEX = re.compile(r"\b[0-9a-f]{7,40}\b", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKED_LINE = re.compile(r"^\s*[+>-]?\s*(.*?)\s*$", re.MULTILINE)
_BOTS = frozenset(
    (
        *("azure-pipelines", "claassistant", "codecov", "codecov-commenter", "codecov-io", "coveralls", "dependabot"),
        *(
            "github-actions",
            "googlebot",
            "lgtm-com",
            "lumberbot-app",
            "meeseeksmachine",
            "mergify",
            "msftbot",
            "netlify",
        ),
        *("pep8speaks", "pre-commit-ci", "sonarcloud", "stale"),
    )
)
"""Accounts of services whose names do not say so; some older ones are plain accounts."""
_TELLING = 30
"""A line of code of at least this many characters does not appear in two texts by chance."""


@dataclass(frozen=True)
class Solution:
    """What must not be told: the change's number in its repository, its commits, and the lines that it adds."""

    number: int
    commits: tuple[str, ...]
    added_lines: frozenset[str]
    repo: str = ""

    @classmethod
    def of(cls, number: int, commits: Iterable[str], lines: Iterable[str], *, repo: str = "") -> Solution:
        telling = (line.strip() for line in lines)
        return cls(number, tuple(commits), frozenset(line for line in telling if len(line) >= _TELLING), repo)

    def quoted_in(self, text: str) -> bool:
        """Whether a line that the change adds stands in the text by itself (also marked as added, or as quoted)."""
        return any(line in self.added_lines for line in _MARKED_LINE.findall(text))

    def named_in(self, text: str) -> bool:
        """Whether the text points to the change or to one of its commits."""
        number = rf"(?:(?<![\w&])#|(?<![\w./-]){re.escape(self.repo)}#|\bGH-|/pull/){self.number}\b"
        if re.search(number, text, re.IGNORECASE):
            return True
        return any(self.has_commit(found.lower()) for found in _HEX.findall(text))

    def has_commit(self, abbreviated: str) -> bool:
        return any(commit.startswith(abbreviated) for commit in self.commits)


@dataclass(frozen=True)
class Hints:
    """The text, and how many comments would be in it if they did not give the change away."""

    text: str
    left_out: int


def issue_statement(issues: Sequence[Issue]) -> str:
    """Title and body of each issue, in order, as SWE-bench joins them."""
    return clean_text("\n".join(f"{issue.title}\n{issue.body}".strip() for issue in issues))


def own_statement(title: str, body: str, solution: Solution) -> str:
    """The statement in the change's own words: its title, then what its body says beyond form and solution."""
    headline, body = _headline(title, body.replace("\r\n", "\n"))
    text = _without_repeats(headline, _SOLUTION_URL.sub("", _without_form(body)))
    text = re.sub(rf"\(?(?<![\w&])(?:#|GH-){solution.number}\b\)?", "", text)
    text = _HEX.sub(lambda match: "" if solution.has_commit(match.group().lower()) else match.group(), text)
    return clean_text(f"{headline}\n{_without_empty_sections(text)}".strip())


def hints(comments: Iterable[Comment], before: datetime | None, solution: Solution) -> Hints:
    """Comments created before the change's first commit (T03), oldest first, one empty line between them.

    Comments of bots are left out, and those that quote the change, name one of its commits, or link to it; the latter
    are counted. Without a known moment there are no hints. A comment's text is that of when it was read: what its
    author wrote into it after the fix is noticed only by what gives a change away.
    """
    if before is None:
        return Hints("", 0)
    early = sorted((comment for comment in comments if comment.created_at < before), key=lambda each: each.created_at)
    told = [comment.body.strip() for comment in early if comment.body.strip() and not _is_bot(comment)]
    kept = [body for body in told if not _leaks(body, solution)]
    return Hints(clean_text("\n\n".join(kept)), len(told) - len(kept))


def clean_text(text: str) -> str:
    """Text that any encoder takes: lone surrogates become U+FFFD, NUL goes, line ends are `\\n`."""
    return _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\0", ""))


def _leaks(text: str, solution: Solution) -> bool:
    return solution.named_in(text) or solution.quoted_in(text) or bool(_PATCH_BLOCK.search(text))


def _is_bot(comment: Comment) -> bool:
    author = (comment.author or "").lower()
    return author.endswith(("[bot]", "-bot")) or author in _BOTS


def _without_form(body: str) -> str:
    for pattern in (_HTML_COMMENT, _PATCH_BLOCK, _PATCH_LINES, _TRAILER, _CHECK_BOX, _CLAIM, _TAIL_CLAIM, _NOISE):
        body = pattern.sub("", body)
    return body


def _headline(title: str, body: str) -> tuple[str, str]:
    """The title, or the body's first line where the title is git's own (`Merge pull request …`); and the rest."""
    if title.startswith("Merge "):
        first, _, rest = body.strip().partition("\n")
        title, body = first or title, rest
    return _TAIL_CLAIM.sub("", _PULL_SUFFIX.sub("", title.strip())) or title.strip(), body


def _without_repeats(headline: str, text: str) -> str:
    """Drop list items (a squash's commit subjects) that say what the headline or an earlier one says."""
    said = {_essence(headline)}
    kept: list[str] = []
    for line in text.split("\n"):
        item = _ITEM.match(line)
        if item and _essence(item.group(1)) in said:
            continue
        if item:
            said.add(_essence(item.group(1)))
        kept.append(line)
    return "\n".join(kept)


def _essence(line: str) -> str:
    return re.sub(r"[^\w]+", " ", line).strip().casefold()


def _without_empty_sections(text: str) -> str:
    """Drop headings that nothing follows before the next one, and repeated empty lines."""
    kept: list[str] = []
    for line in reversed([line.rstrip() for line in text.split("\n")]):
        below = next((other for other in reversed(kept) if other), "")
        if _HEADING.match(line) and (not below or _HEADING.match(below)):
            continue
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(reversed(kept)).strip("\n")
