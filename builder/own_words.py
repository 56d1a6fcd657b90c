"""What of a Markdown text are its author's own words. Pure.

Code and HTML comments are none (GitHub Flavored Markdown), nor is what a reader takes for somebody else's: quotations,
another project's release notes, what is struck out, the title of a change that is reverted, branches in git's own
subjects of merges.
"""

from __future__ import annotations

import re

HIDDEN = "\0"
"""Stands where something was left out, so that the words around it are not read as neighbours."""

_HIDDEN = re.compile(
    r"""
    (?P<fence> ^[ ]{0,3}(?:>[ \t]*)*(?P<ticks>`{3,}(?!`)(?=[^`\n]*\n)|~{3,}(?!~))[^\n]*\n
        .*? (?:^[ ]{0,3}(?:>[ \t]*)*(?P=ticks)[`~]*[ \t]*$|\Z) )
    | (?P<unseen> <!-- .*? (?:-->|\Z)
        | <(?P<gone>del|s|strike)(?:\s[^>]{0,200})?> (?:(?!<(?P=gone)\b).)*? </(?P=gone)\s*> )
    | (?<!`)(?P<run>`+)(?!`) (?:(?!\n[ \t]*\n).)+? (?<!`)(?P=run)(?!`)
    | <code(?:\s[^>]{0,200})?> (?:(?!<code\b).)*? </code\s*>
    | <(?P<tag>pre|blockquote)(?:\s[^>]{0,200})?> .*? (?:</(?P=tag)\s*>|\Z)
    | <details(?:\s[^>]{0,200})?>\s*<summary(?:\s[^>]{0,200})?>
        (?: (?:(?!</summary>).){0,200}? (?:release[ ]notes|change[ -]?log|commits|history|vulnerabilit)
          | \s*(?:<b>)?[\w.-]+/[\w.-]+(?:\s\(|\s*<) )
        .*? (?:</details\s*>|\Z)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_STRUCK = re.compile(r"~~(?=\S).+?~~", re.DOTALL)
_QUOTE = re.compile(r"(?:^[ ]{0,3}>[^\n]*(?:\n|\Z))+", re.MULTILINE)
_ALERT = re.compile(r"[ ]{0,3}>[ \t]*\[!\w+\]")
_QUOTE_MARK = re.compile(r"^[ ]{0,3}>[ \t]?", re.MULTILINE)
_REVERT = re.compile(
    r"""
    \brevert(?:s|ed)?\b:?\s+
    (?: ["“'].{1,300}["”'](?=[ \t]*(?:\(\#\d+\)[ \t]*)*$) | ["“'].{1,300}?["”'](?=\s|$|[(,.;:]) )
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_REVERT_WORD = re.compile(r"""\brevert(?:s|ed)?:?\s+["“']""", re.IGNORECASE)
_MERGE = re.compile(
    r"^Merge (?:(?:remote-tracking )?branch(?:es)?\b.*$|pull request #\d+ from \S+)", re.MULTILINE | re.IGNORECASE
)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:(?:[ ]{4}|\t)[^\n]*(?:\n|\Z))+")
_LIST_ITEM = re.compile(r"\s|[-*+]\s|\d+[.)]\s")


def own_words(text: str) -> str:
    """The text without what is not its author's claim; line ends become `\\n`."""
    text = text.replace("\r\n", "\n").replace("&nbsp;", " ")
    text = _HIDDEN.sub(_mark, _MERGE.sub(HIDDEN, text))
    text = _STRUCK.sub(" ", _QUOTE.sub(_without_quotation, text))
    return _REVERT.sub(_without_reverted, _INDENTED.sub(_without_code, text))


def _mark(match: re.Match[str]) -> str:
    """What a reader does not see at all is no mark between words."""
    if match["unseen"]:
        return " "
    return f"\n{HIDDEN}\n" if match["fence"] else f" {HIDDEN} "


def _without_quotation(match: re.Match[str]) -> str:
    """A block that begins with a kind, as `[!NOTE]`, is a box of the author's, and no quotation."""
    return _QUOTE_MARK.sub("", match.group()) if _ALERT.match(match.group()) else f"{HIDDEN}\n"


def _without_reverted(match: re.Match[str]) -> str:
    """What is reverted twice is there again."""
    return f" {HIDDEN} " if len(_REVERT_WORD.findall(match.group())) % 2 else match.group()


def _without_code(match: re.Match[str]) -> str:
    before = match.string[: match.start()].rstrip().rpartition("\n")[2]
    return match.group() if _LIST_ITEM.match(before) else f"{HIDDEN}\n"
