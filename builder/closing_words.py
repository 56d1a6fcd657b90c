"""The grammar of closing an issue. Pure.

The nine keywords are GitHub's ("Linking a pull request to an issue", docs.github.com); around them stands what people
write: lists, colons, emphasis, "the issue". Negations, and what another change has closed, are no claims.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from builder.issue_references import REFERENCE, Home
from builder.own_words import own_words

_WORD = r"(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)"
_OPENING = r"(?:[*_]{1,3}(?=\S)|<\w{1,10}>)"
_NOUN = (
    r"(?:(?:the|this|these|both|all(?:[ \t]+of)?|following)[ \t]+){0,3}(?:(?:github|gh)[ \t]+(?=[a-z#]))?"
    r"(?:(?:issues?|bugs?|tickets?)(?:[ \t]+(?:number|no\.?|nr\.?))?[ \t]*:?[ \t]*)?"
)
_TOLD = (
    r"(?:(?:the|an?)[ \t]+)?(?:[\w.-]{1,40}[ \t]+){0,2}?"
    r"(?:issues?|bugs?|problems?|crash(?:es)?|errors?|regressions?|cases?|failures?|tracebacks?|behaviou?rs?)[ \t]+"
    r"(?:described|reported|raised|mentioned|noted|shown|outlined|discussed)[ \t]+(?:in|by|at)[ \t]+(?:issues?[ \t]+)?"
)
_KEYWORD = re.compile(
    rf"""
    (?<![^\W_\u3040-\u9fff])(?<![^\W_]_)(?<![/@\#\\&])(?:(?<!-)|(?<=\bre-))(?:(?<!\.)|(?<=\.\.)|(?<=\.)(?-i:(?=[A-Z])))
    (?P<word>{_WORD})
    (?:\(e?s\))?(?:\([\w.,/ -]{{1,40}}\)(?=!?:)|\((?=\#\d+\):))?(?:!(?=:))?
    (?:[*_]{{1,3}}(?=[:：\s])|</\w{{1,10}}>|\]\([^)\s]{{0,300}}\))?
    (?P<colon>[ \t]*[:：](?:[*_]{{1,3}}(?=\s)|</\w{{1,10}}>)?)?
    (?P<dash>[ \t]+[-–—](?=[ \t])|-(?=\#\d+:))?(?P<cell>[ \t]*\|)?
    (?P<gap>\s*){_OPENING}?
    (?P<noun>{_TOLD}|{_NOUN}){_OPENING}?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_FIX_FOR = re.compile(
    rf"""
    (?: ^[ \t]*(?:[-*+•][ \t]+|\#{{1,6}}[ \t]+)?(?:\w{{1,20}}:[ \t]+|\[[^\]\n]{{0,30}}\][ \t]+)?
      | [;:,.!][ \t]+ | \( | [ \t][-–—][ \t]+ | \b(?:is|contains|provides)[ \t]+(?:an?[ \t]+)? )
    (?:(?:quick|simple|small|minor|partial|potential|possible|proposed|temporary|tentative|initial|hopeful|naive
        |better|bug)[ -]?){{0,3}}
    fix(?:es)?[ \t]+(?:for|to)[ \t]+ {_NOUN}
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_NO_CLAIM = re.compile(
    r"""
    (?: \b(?:not|never|cannot|without|no[ ]longer|neither|nor|(?:do|does|did)nt|wont|fail(?:s|ed|ing)?[ ]to|unable[ ]to
          |revert(?:s|ed)?:?(?:[ ]the)?) | n['’]t )
    [ \t]*(?:[ \t]|\n(?!\n))[ \t]*
    (?:(?:\w{1,20}ly|yet|even|auto|be|(?:going|meant|intended|supposed|trying|want|need|aim)[ ]to)\s){0,3} $
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BY_ANOTHER = re.compile(
    r"(?:\b(?:which|that|who)|\#\d+|/(?:pull|issues)/\d+|\bcommit\s+[0-9a-f]{7,40})"
    r"\s+(?:(?:already|also|has|had|was|only|\w{1,20}ly)\s+){0,3}$",
    re.IGNORECASE,
)
_CLAIMED_BEFORE = re.compile(rf"\b{_WORD}:?\s+\S+\s+$", re.IGNORECASE)
_LOOK_BACK = 80
_MOST_ITEMS = 100
"""So that a hostile text of nothing but beginnings of lists takes no quadratic time."""

_BULLET = re.compile(r"[ \t]*(?:[-*+•–]|\d+[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_NEXT_ITEM = re.compile(rf"[^\n]*(?:\n[ \t]*)?\n{_BULLET.pattern}")
_BEFORE_HEADING = re.compile(r"^[ \t]*(?:\#{1,6}[ \t]+(?:[*_]{1,3})?|[*_]{2,3}|<(?:h\d|b|strong)>)$", re.IGNORECASE)
_BETWEEN = re.compile(
    r"""
    (?:[*_]{1,3})?
    (?: \s*(?:,|;|\+|&|/|\(?\b(?:and|or|also|plus)\b|\bas[ ]well[ ]as\b)
        (?:[ \t]*(?:&|\b(?:and|or|also|probably|possibly|maybe|likely|hopefully|partially)\b))*[ \t]*\n?[ \t]*
      | [ \t]+(?=\#|\[\#|https?:|GH-) )
    (?:(?:issue|bug)s?[ \t]+)?(?:[*_]{1,3})?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"[ \t]+(?:is|was|are|were|will|has|had|can|should|remains|needs|still|must|broke|caused|introduced)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Start:
    """Where the first reference must begin, and whether it is the first item of a list in lines."""

    position: int
    itemized: bool = False


def closing_references(
    text: str, repo: str, *, aliases: Collection[str] = (), host: str = "github.com"
) -> tuple[int, ...]:
    """Numbers of the issues of `repo` (or its former names `aliases`) that `text` claims to close, in order, once each.

    `host` is where its pages are, with the port if there is one. Whether a number is an issue or a pull request cannot
    be told from the text.
    """
    words = own_words(text)
    home = Home.of((repo, *aliases), host, words)
    starts = sorted([*_after_keywords(words), *_after_fix_for(words)], key=lambda start: start.position)
    return tuple(dict.fromkeys(number for start in starts for number in _listed(words, start, home)))


def _after_keywords(text: str) -> Iterator[_Start]:
    for keyword in _KEYWORD.finditer(text):
        before = text[max(0, keyword.start() - _LOOK_BACK) : keyword.start()]
        start = _start(text, keyword, before)
        if start and not _NO_CLAIM.search(before) and not _is_another_s(keyword["word"], before):
            yield start


def _after_fix_for(text: str) -> Iterator[_Start]:
    for match in _FIX_FOR.finditer(text):
        reference = REFERENCE.match(text, match.end())
        if reference and not _GOES_ON.match(text, reference.end()):
            yield _Start(match.end())


def _is_another_s(word: str, before: str) -> bool:
    """Whether it is said of another change that it has closed something."""
    past = word.lower().endswith("d")
    return past and bool(_BY_ANOTHER.search(before)) and not _CLAIMED_BEFORE.search(before)


def _start(text: str, keyword: re.Match[str], before: str) -> _Start | None:
    """None if there is too much, or too little, between the keyword and what could be a reference."""
    line = before.rpartition("\n")[2]
    headed = bool(keyword["colon"]) or bool(_BEFORE_HEADING.match(line))
    lines = keyword["gap"].count("\n")
    if lines > (2 if headed else 1) or not _may_stand(keyword, line):
        return None
    if keyword["noun"]:
        item = re.compile(rf"\n?\n{_BULLET.pattern}").match(text, keyword.end())
    else:
        item = _BULLET.match(text, keyword.end()) if lines and (headed or not line.strip()) else None
    return _Start(item.end(), itemized=True) if item else _Start(keyword.end())


def _may_stand(keyword: re.Match[str], line: str) -> bool:
    """Whether the signs behind the keyword fit where it is in its line: a dash, or a table's cell, at its beginning."""
    if keyword["dash"]:
        return _BULLET.fullmatch(line) is not None or not line.strip()
    return not keyword["cell"] or line.strip(" \t*_") == "|"


def _listed(text: str, start: _Start, home: Home) -> Iterator[int]:
    if not start.itemized:
        yield from _enumerated(text, start.position, home)
        return
    position = start.position
    for _ in range(_MOST_ITEMS):
        yield from _enumerated(text, position, home)
        item = _NEXT_ITEM.match(text, position)
        if item is None:
            return
        position = item.end()


def _enumerated(text: str, position: int, home: Home) -> Iterator[int]:
    """The numbers of the reference at a position and of those enumerated behind it."""
    noun = re.compile(r"(?:issue|bug)s?[ \t]+", re.IGNORECASE).match(text, position)
    reference = REFERENCE.match(text, noun.end() if noun else position)
    while reference and (number := home.number(reference)) is not None:
        if number:
            yield number
        between = _BETWEEN.match(text, reference.end())
        reference = REFERENCE.match(text, between.end()) if between else None
        if reference and _GOES_ON.match(text, reference.end()):
            return
