"""Which issues a pull request says that it resolves.

The grammar is GitHub's closing keywords ("Linking a pull request to an issue", docs.github.com) with what people write
around them: lists, colons, emphasis, Markdown links, "the issue". What a reader does not take for a claim does not
count: code, HTML comments, quotations, struck-out text, negations, reverts, and other repositories.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from builder.models import IssueLink
from builder.repo_config import LinkConvention

_HIDDEN = re.compile(
    r"""
    (?P<fence> ^[ ]{0,3}(?:>[ \t]*)*(?P<ticks>`{3,}|~{3,})[^\n]*\n
        .*? (?:^[ ]{0,3}(?:>[ \t]*)*(?P=ticks)[`~]*[ \t]*$|\Z) )
    | <!-- .*? (?:-->|\Z)
    | (?<!`)(?P<run>`+)(?!`) (?:(?!\n[ \t]*\n).)+? (?<!`)(?P=run)(?!`)
    | <(?P<tag>pre|code|blockquote|del|s|strike)\b[^>]{0,200}> .*? (?:</(?P=tag)\s*>|\Z)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_STRUCK = re.compile(r"~~(?=\S).+?~~", re.DOTALL)
_QUOTE = re.compile(r"^[ ]{0,3}>.*$", re.MULTILINE)
_REVERT = re.compile(r"\b(?:revert|reverts|reverted|reapply)\b:?\s+[\"“'].*?[\"”'](?=\s|$|\()", re.IGNORECASE)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:(?:[ ]{4}|\t)[^\n]*(?:\n|\Z))+")
_LIST_ITEM = re.compile(r"\s|[-*+]\s|\d+[.)]\s")

_NUMBER = r"[1-9]\d{0,8}(?!_*[^\W_])(?!\.\d)"
_SLUG = r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+"
_URL = rf"https?://(?:www\.)?github\.com/{_SLUG}/(?:issues|pull|discussions)/{_NUMBER}(?:[/?#][^\s)>\],;]*)?"
_SHORT = rf"(?:{_SLUG})?\#{_NUMBER}|GH-{_NUMBER}"
_LINK = (
    r"\[(?P<label>[^\]\n]{0,200})\]"
    r"(?:\((?P<target>[^)\s]{0,300})[^)\n]{0,200}\)|\[[^\]\n]{0,200}\])?"
)
_REFERENCE = re.compile(rf"(?:{_LINK}|<?(?P<url>{_URL})>?|(?P<short>{_SHORT}))", re.IGNORECASE)
_KEYWORD = re.compile(
    r"(?<![^\W_])(?<!\w_)(?<![-./@#\\&])"
    r"(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)"
    r"(?:[*_]{1,3}(?=[:\s]))?(?P<colon>[ \t]*:)?[*_]{0,3}(?P<gap>\s*)"
    r"(?P<noun>(?:the[ \t]+)?(?:github[ \t]+|gh[ \t]+)?(?:issues?|bugs?|tickets?)[ \t]*:?[ \t]*)?(?:[*_]{1,3}(?=\S))?",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"(?:\bnot|n['’]t|\bnever|\bcannot|\bwithout)\s+(?:\w+ly\s+|yet\s+|actually\s+)?$", re.IGNORECASE)
_BULLET = re.compile(r"[ \t]*(?:[-*+•]|\d+[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_BETWEEN = re.compile(
    r"\s*(?:,\s*(?:and|&|or)?|;|\+|&|\band\b|\bas well as\b|/)[ \t]*\n?[ \t]*|[ \t]+(?=\#|\[\#|https?:)", re.IGNORECASE
)
_NEXT_ITEM = re.compile(rf",?[ \t]*\n{_BULLET.pattern}")
_EMPHASIS = re.compile(r"[*_]{1,3}")

_SLUG_NUMBER = re.compile(rf"(?P<slug>{_SLUG})?\#(?P<number>{_NUMBER})|GH-(?P<gh>{_NUMBER})", re.IGNORECASE)
_URL_PARTS = re.compile(
    rf"https?://(?:www\.)?github\.com/(?P<slug>{_SLUG})/(?P<kind>\w+)/(?P<number>{_NUMBER})", re.IGNORECASE
)


def closing_references(text: str, repo: str, *, aliases: Collection[str] = ()) -> tuple[int, ...]:
    """Numbers of the issues of `repo` (or its former names `aliases`) that `text` claims to close, in order, once each.

    Whether a number is an issue or a pull request cannot be told from the text.
    """
    ours = {name.lower() for name in (repo, *aliases)}
    visible = _visible(text)
    found = (
        number
        for keyword in _KEYWORD.finditer(visible)
        if not _NEGATED.search(visible, max(0, keyword.start() - 40), keyword.start())
        for number in _listed(visible, keyword, ours)
    )
    return tuple(dict.fromkeys(found))


def closing_links(
    repo: str,
    *,
    title: str = "",
    body: str = "",
    messages: Iterable[str] = (),
    pulls: Collection[int] = (),
    aliases: Collection[str] = (),
) -> tuple[IssueLink, ...]:
    """The links in a pull request's own words, each number with the first place that names it.

    `messages` are its commits' messages. `pulls` are numbers known to be pull requests, its own among them.
    """
    places = [("title", title), ("body", body), *(("commit", message) for message in messages)]
    found: dict[int, str] = {}
    for source, text in places:
        for number in closing_references(text, repo, aliases=aliases):
            found.setdefault(number, source)
    return _links(repo, found, pulls)


def convention_links(
    repo: str,
    conventions: Sequence[LinkConvention],
    *,
    title: str = "",
    paths: Iterable[str] = (),
    added_lines: Mapping[str, Sequence[str]] | None = None,
    pulls: Collection[int] = (),
) -> tuple[IssueLink, ...]:
    """The links that a repository's own conventions find, each number with the first convention that names it.

    `paths` are those that the change adds or edits; `added_lines` the lines it adds, by path.
    """
    changed = tuple(paths)
    found: dict[int, str] = {}
    for convention in conventions:
        for number in _by_convention(convention, title, changed, added_lines or {}):
            found.setdefault(number, f"convention:{convention.name}")
    return _links(repo, found, pulls)


def _links(repo: str, found: Mapping[int, str], pulls: Collection[int]) -> tuple[IssueLink, ...]:
    kept = ((number, source) for number, source in found.items() if number not in pulls)
    return tuple(IssueLink(repo=repo, number=number, source=source) for number, source in kept)


def _by_convention(
    convention: LinkConvention, title: str, paths: Sequence[str], added_lines: Mapping[str, Sequence[str]]
) -> Iterator[int]:
    if convention.title:
        yield from _numbers(convention.title, [title])
    if convention.path:
        yield from _numbers(convention.path, paths)
    if convention.added_line:
        for path, lines in added_lines.items():
            if convention.file is None or re.search(convention.file, path):
                yield from _numbers(convention.added_line, lines)


def _numbers(pattern: str, texts: Iterable[str]) -> Iterator[int]:
    for text in texts:
        for match in re.finditer(pattern, text):
            group = match.group(1) if match.re.groups else match.group(0)
            if group and group.isdecimal():
                yield int(group)


def _visible(text: str) -> str:
    """The text without what does not count as the author's claim; each piece leaves a mark that joins no words."""
    text = text.replace("\r\n", "\n")
    text = _HIDDEN.sub(lambda match: "\n\0\n" if match["fence"] else " \0 ", text)
    text = _STRUCK.sub(" \0 ", _QUOTE.sub("\0", text))
    return _REVERT.sub(" \0 ", _without_indented_code(text))


def _without_indented_code(text: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        before = text[: match.start()].rstrip().rpartition("\n")[2]
        return match.group() if _LIST_ITEM.match(before) else "\0\n"

    return _INDENTED.sub(replaced, text)


def _listed(text: str, keyword: re.Match[str], ours: Collection[str]) -> Iterator[int]:
    """The numbers of the reference after the keyword and of those enumerated behind it."""
    start, bulleted = _list_start(text, keyword)
    reference = _REFERENCE.match(text, start) if start is not None else None
    while reference and (read := _read(reference)):
        repo, number = read
        if number and (not repo or repo.lower() in ours):
            yield number
        reference = _following(text, reference.end(), bulleted=bulleted)


def _list_start(text: str, keyword: re.Match[str]) -> tuple[int | None, bool]:
    """Where the first reference must begin, and whether it is a list item; None if there is no room for one."""
    gap = keyword["gap"]
    if gap.count("\n") > (2 if keyword["colon"] else 1) or not (gap or keyword["colon"]):
        return None, False
    bullet = _BULLET.match(text, keyword.end()) if "\n" in gap and (keyword["colon"] or keyword["noun"]) else None
    if bullet:
        return bullet.end(), True
    noun_list = re.compile(rf"\n{_BULLET.pattern}").match(text, keyword.end()) if keyword["noun"] else None
    return (noun_list.end(), True) if noun_list else (keyword.end(), False)


def _following(text: str, end: int, *, bulleted: bool) -> re.Match[str] | None:
    emphasis = _EMPHASIS.match(text, end)
    end = emphasis.end() if emphasis else end
    between = (_NEXT_ITEM.match(text, end) if bulleted else None) or _BETWEEN.match(text, end)
    if between is None:
        return None
    emphasis = _EMPHASIS.match(text, between.end())
    return _REFERENCE.match(text, emphasis.end() if emphasis else between.end())


def _read(reference: re.Match[str]) -> tuple[str, int] | None:
    """Repository (empty: this one) and number; number 0 for something that is no issue; None for no reference."""
    label, target = reference["label"], reference["target"] or ""
    for candidate in (target, reference["url"] or "", label or ""):
        if parts := _URL_PARTS.match(candidate):
            return parts["slug"], int(parts["number"]) if parts["kind"].lower() == "issues" else 0
    short = _SLUG_NUMBER.fullmatch((reference["short"] if label is None else label).strip(" *_"))
    if short is None:
        return None
    return short["slug"] or "", int(short["number"] or short["gh"])
