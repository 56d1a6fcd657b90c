"""From what GitHub's GraphQL API answers to records. Pure: JSON in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builder.models import Comment, Commit, Sha
from builder.revisions import Rename, Revision

Node = Mapping[str, Any]


@dataclass(frozen=True)
class PullWords:
    """A merged pull request as the service tells it. `closing` are the issues of its repository that it lists.

    `paths` are the first hundred files of the change.
    """

    number: int
    title: str
    body: str
    created_at: datetime
    merged_at: datetime
    base_sha: Sha
    head_sha: Sha
    merge_sha: Sha | None
    labels: tuple[str, ...]
    commits: tuple[Commit, ...]
    closing: tuple[int, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Events:
    """An issue's past: which pull requests (of its repository) and commits closed it, and what its titles were.

    `whole`: whether these are all events of that kind.
    """

    pulls: tuple[int, ...]
    commits: tuple[Sha, ...]
    renames: tuple[Rename, ...]
    whole: bool


def moment(text: str) -> datetime:
    """A DateTime of the API, ISO 8601 with a zone."""
    return datetime.fromisoformat(text)


def rest_after(node: Node, connection: str) -> str | None:
    """The cursor behind which a list of a node goes on; None if it does not."""
    info = (node[connection] or {}).get("pageInfo") or {"hasNextPage": False}
    return info["endCursor"] if info["hasNextPage"] else None


def nodes(connection: Node | None) -> list[Node]:
    """The nodes that are there: a list, or one of its members, is null where the token may not see it."""
    return [node for node in (connection or {}).get("nodes") or () if node]


def pull_words(node: Node, names: Iterable[str], more: Mapping[str, Sequence[Node]]) -> PullWords:
    """Read a `PullRequest`; `more` holds the rest of its long lists. `names` are its repository's, also former ones."""
    commits = [*nodes(node["commits"]), *more.get("commits", ())]
    closing = [*nodes(node["closingIssuesReferences"]), *more.get("closingIssuesReferences", ())]
    ours = {name.lower() for name in names}
    return PullWords(
        number=node["number"],
        title=node["title"],
        body=node["body"],
        created_at=moment(node["createdAt"]),
        merged_at=moment(node["mergedAt"]),
        base_sha=node["baseRefOid"],
        head_sha=node["headRefOid"],
        merge_sha=(node["mergeCommit"] or {}).get("oid"),
        labels=tuple(label["name"] for label in nodes(node["labels"])),
        commits=tuple(_commit(entry["commit"]) for entry in commits),
        closing=tuple(issue["number"] for issue in closing if issue["repository"]["nameWithOwner"].lower() in ours),
        paths=tuple(changed["path"] for changed in nodes(node["files"])),
    )


def events(node: Node, names: Iterable[str]) -> Events:
    """Read an issue's `timelineItems` of being closed and renamed."""
    ours = {name.lower() for name in names}
    pulls: dict[int, None] = {}
    commits: dict[Sha, None] = {}
    renames = []
    found = nodes(node["timelineItems"])
    for item in found:
        if item["__typename"] == "RenamedTitleEvent":
            renames.append(Rename(moment(item["createdAt"]), item["previousTitle"], item["currentTitle"]))
            continue
        closer = item["closer"] or {"__typename": ""}
        if closer["__typename"] == "PullRequest" and closer["repository"]["nameWithOwner"].lower() in ours:
            pulls[closer["number"]] = None
        elif closer["__typename"] == "Commit":
            commits[closer["oid"]] = None
    whole = len(found) == (node["timelineItems"] or {"totalCount": None})["totalCount"]
    return Events(tuple(pulls), tuple(commits), tuple(renames), whole)


def revisions(node: Node) -> tuple[Revision, ...]:
    """Read `userContentEdits`."""
    found = nodes(node["userContentEdits"])
    return tuple(Revision(moment(edit["editedAt"]), None if edit["deletedAt"] else edit["diff"]) for edit in found)


def comments(node: Node, more: Sequence[Node]) -> tuple[Comment, ...]:
    """Read an issue's comments."""
    return tuple(
        Comment(author=_login(entry["author"]), created_at=moment(entry["createdAt"]), body=entry["body"])
        for entry in [*nodes(node["comments"]), *more]
    )


def _login(author: Node | None) -> str | None:
    """As REST spells it: with `[bot]` for a bot, which GraphQL leaves out. A deleted account has none."""
    if author is None:
        return None
    login = str(author["login"])
    return f"{login}[bot]" if author["__typename"] == "Bot" and not login.endswith("[bot]") else login


def _commit(node: Node) -> Commit:
    return Commit(sha=node["oid"], message=node["message"], author_date=moment(node["authoredDate"]))
