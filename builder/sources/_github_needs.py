"""What the wanted pull requests need beyond the lists that were walked: long lists, issues, earlier texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from builder.sources._github_pages import Closers, GithubPages
from builder.sources._github_reader import Place, Reader
from builder.sources._github_records import Node, nodes, rest_after
from builder.sources._github_told import LONG_LISTS, Teller


@dataclass
class Window:
    """When the pull requests that resolve an issue were created: the first and the last of them."""

    first: str
    last: str


def read_long_lists(reader: Reader, look: Callable[[], GithubPages], wanted: Iterable[Node]) -> None:
    """The rest of the pull requests' lists that are longer than a page shows."""
    beginnings: dict[str, list[Node]] = {name: [] for name in LONG_LISTS}
    for node in wanted:
        for name, found in beginnings.items():
            if rest_after(node, name) is not None:
                found.append({"id": node["id"], name: {"pageInfo": node[name]["pageInfo"]}})
    for name, found in beginnings.items():
        while places := _unread(look(), name, found):
            reader.more(name, places)


def _unread(pages: GithubPages, name: str, beginnings: Iterable[Node]) -> list[Place]:
    found = ((str(node["id"]), pages.rest_unread(node, name)) for node in beginnings)
    return [(node, after) for node, after in found if after is not None]


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
    """The earlier texts and titles of issues that may have had others."""
    reader.edits([number for number, window in needed.items() if needs_edits(pages, closers, number, window)])


def read_comments(reader: Reader, look: Callable[[], GithubPages], needed: dict[int, Window]) -> None:
    """Comments beyond the first page, until after the last pull request was created; they come oldest first."""
    asked: set[Place] = set()
    while places := [place for place in _unread_comments(look(), needed) if place not in asked]:
        asked.update(places)
        reader.more("comments", places)


def _unread_comments(pages: GithubPages, needed: dict[int, Window]) -> Iterator[Place]:
    for number, window in needed.items():
        node = pages.issue(number)
        after = pages.rest_unread(node, "comments") if node else None
        if node is None or after is None:
            continue
        read = [*nodes(node["comments"]), *pages.rest(node, "comments")]
        if not any(comment["createdAt"] > window.last for comment in read):
            yield str(node["id"]), after


def needs_edits(pages: GithubPages, closers: Closers, number: int, window: Window) -> bool:
    """Whether the issue's words when a pull request was created cannot be told from what was read of it."""
    node = pages.issue(number)
    if node is None or (pages.edits_read(number) or "") >= (pages.issue_read(number) or ""):
        return False
    edited = str(node["lastEditedAt"] or "") > window.first
    return edited or closers.renames(number, node["updatedAt"]) is None
