"""Which issues a pull request says that it resolves: in its words, or by a convention of its repository."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from builder.closing_words import closing_references
from builder.models import IssueLink
from builder.repo_config import LinkConvention


def closing_links(
    repo: str,
    *,
    title: str = "",
    body: str = "",
    messages: Iterable[str] = (),
    pulls: Collection[int] = (),
    aliases: Collection[str] = (),
    host: str = "github.com",
) -> tuple[IssueLink, ...]:
    """The links in a pull request's own words, each number with the first place that names it.

    `messages` are its commits' messages. `pulls` are numbers known to be pull requests, its own among them. `aliases`
    are the repository's former names, `host` is where its pages are.
    """
    # A title or a subject is no Markdown: space before it makes no code of it.
    places = [("title", title.strip()), ("body", body), *(("commit", message.strip()) for message in messages)]
    found: dict[int, str] = {}
    for source, text in places:
        for number in closing_references(text, repo, aliases=aliases, host=host):
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
