"""The small objects that GraphQL answers are made of, and how their ids and dates are written."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from github_server import words
from github_server.content import Edit
from github_server.fates import Fate
from github_server.paging import Arguments, Node, listed
from github_server.plans import HOST, Plan, PlannedCommit, Remark
from github_server.world import Repository


class Maker(Protocol):
    """Makes the nodes that name one another."""

    def repository(self, repo: Repository) -> Node: ...

    def pull(self, repo: Repository, number: int) -> Node: ...

    def issue(self, repo: Repository, number: int) -> Node: ...

    def closing(self, repo: Repository, fate: Fate) -> list[tuple[Repository, int]]: ...


def moment(seconds: int) -> str:
    """A DateTime of the API."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, *parts: object) -> str:
    return f"{kind}_{base64.urlsafe_b64encode(':'.join(map(str, parts)).encode()).decode()}"


def identified(text: str) -> tuple[str, list[int]] | None:
    """Kind and numbers of a node id; None for what is none."""
    kind, _, rest = text.partition("_")
    try:
        return kind, [int(part) for part in base64.urlsafe_b64decode(rest).decode().split(":")]
    except ValueError:
        return None


def actor(login: str | None) -> Node | None:
    """A Bot's login has no `[bot]` here, unlike in REST."""
    if login is None:
        return None
    kind = "Bot" if login in words.BOTS else "User"
    url = f"{HOST}/apps/{login}" if kind == "Bot" else f"{HOST}/{login}"
    return {"__typename": kind, "id": node_id(kind[0], login), "login": login, "url": url, "resourcePath": f"/{login}"}


def comments(repo: Repository, number: int, remarks: Sequence[Remark], arguments: Arguments) -> Node:
    """Those that were written by now."""
    shown = [remark for remark in remarks if remark.created <= repo.now]
    return listed(range(len(shown)), plain(arguments), lambda at: comment(repo, number, at, shown[at]))


def comment(repo: Repository, number: int, position: int, remark: Remark) -> Node:
    edited = remark.edited if remark.edited and remark.edited <= repo.now else 0
    path = f"/{repo.name}/issues/{number}#issuecomment-{number * 1000 + position}"
    return {
        "__typename": "IssueComment",
        "id": node_id("IC", repo.index, number, position),
        "databaseId": number * 1000 + position,
        "author": actor(remark.author),
        "body": remark.first_body if remark.edited and not edited else remark.body,
        "createdAt": moment(remark.created),
        "updatedAt": moment(edited or remark.created),
        "lastEditedAt": moment(edited) if edited else None,
        "url": f"{HOST}{path}",
        "resourcePath": path,
    }


def commit(oid: str, planned: PlannedCommit) -> Node:
    name, _, email = planned.author.rstrip(">").partition(" <")
    return {
        "__typename": "Commit",
        "id": node_id("C", oid),
        "oid": oid,
        "abbreviatedOid": oid[:7],
        "message": planned.message.rstrip("\n"),
        "messageHeadline": planned.message.split("\n", 1)[0],
        "authoredDate": moment(planned.authored),
        "committedDate": moment(planned.committed),
        "author": {"name": name, "email": email, "date": moment(planned.authored)},
    }


def changed_files(plan: Plan) -> list[Node]:
    """What the whole pull request does to each file; every edit of a slot replaces its lines that hold numbers."""
    slots: dict[str, dict[int, Edit]] = {}
    for edit in (edit for each in plan.commits for edit in each.edits):
        slots.setdefault(edit.path, {})[edit.slot] = edit
    found = []
    for path, edits in sorted(slots.items()):
        lines = sum(2 if edit.slot and path.startswith("src/") else 1 for edit in edits.values())
        found.append({"path": path, "additions": lines, "deletions": lines, "changeType": "MODIFIED"})
    return found


def label(repo: Repository, name: str) -> Node:
    return {"id": node_id("LA", repo.index, name), "name": name, "color": "ededed"}


def plain(arguments: Arguments) -> Arguments:
    """The arguments without the order: these lists have one only."""
    return {name: value for name, value in arguments.items() if name not in ("orderBy", "userLinkedOnly")}
