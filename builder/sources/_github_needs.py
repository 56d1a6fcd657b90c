"""What the wanted pull requests need beyond the lists that were walked: long lists, issues, earlier texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from builder.sources._github_pages import Closers, GithubPages
from builder.sources._github_reader import Reader
from builder.sources._github_records import Node, rest_after
from builder.sources._github_told import LONG_LISTS, Teller


@dataclass
class Window:
    """When the pull requests that resolve an issue were created: the first and the last of them."""

    first: str
    last: str


def read_long_lists(reader: Reader, wanted: Iterable[Node]) -> None:
    """The rest of lists that are longer than a page shows."""
    for node in wanted:
        for name in LONG_LISTS:
            if rest_after(node, name) is not None:
                reader.rest(node, name, lambda _nodes: False)


def windows(teller: Teller, wanted: Iterable[Node]) -> dict[int, Window]:
    """The numbers that the pull requests link to, in the order of the pull requests."""
    found: dict[int, Window] = {}
    for node in wanted:
        created = str(node["createdAt"])
        for number in teller.told(node).numbers:
            window = found.setdefault(number, Window(created, created))
            window.first, window.last = min(window.first, created), max(window.last, created)
    return found


def read_issues(reader: Reader, pages: GithubPages, needed: dict[int, Window]) -> None:
    """The issues that were not read, or only before a pull request that resolves them was created."""
    reader.issues([number for number, window in needed.items() if (pages.issue_read(number) or "") < window.last])


def read_past(reader: Reader, pages: GithubPages, closers: Closers, needed: dict[int, Window]) -> None:
    """The earlier texts and titles of issues that may have had others, and comments beyond the first page."""
    reader.edits([number for number, window in needed.items() if needs_edits(pages, closers, number, window)])
    for number, window in needed.items():
        node = pages.issue(number)
        if node is not None and rest_after(node, "comments") is not None:
            reader.rest(node, "comments", after(window.last))


def needs_edits(pages: GithubPages, closers: Closers, number: int, window: Window) -> bool:
    """Whether the issue's words when a pull request was created cannot be told from what was read of it."""
    node = pages.issue(number)
    if node is None or (pages.edits_read(number) or "") >= (pages.issue_read(number) or ""):
        return False
    edited = str(node["lastEditedAt"] or "") > window.first
    return edited or closers.renames(number, node["updatedAt"]) is None


def after(moment: str) -> Callable[[Iterable[Node]], bool]:
    """Whether one of some comments was written after the moment; they come oldest first."""
    return lambda comments: any(comment["createdAt"] > moment for comment in comments)
