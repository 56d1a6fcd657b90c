"""Issues as GraphQL answers them: with their earlier texts, and what happened to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from github_server import words
from github_server.basics import Maker, actor, comments, commit, label, moment, node_id, plain
from github_server.fates import Claim
from github_server.landings import landing_commits
from github_server.paging import Node, listed
from github_server.plans import HOST
from github_server.stories import Closing, History, Revision, Story
from github_server.world import Repository


def issue_node(maker: Maker, repo: Repository, number: int) -> Node:
    """The issue as of now."""
    story = repo.story(number)
    bodies, titles = (_until(revisions, repo.now) for revisions in (story.bodies, story.titles))
    state = repo.state(number)
    closings = [closing for closing in story.closings if closing.at <= repo.now]
    path = f"/{repo.name}/issues/{number}"
    return {
        "__typename": "Issue",
        "id": node_id("I", repo.index, number),
        "databaseId": 10_000_000 * (repo.index + 1) + number,
        "number": number,
        "title": titles[-1].text,
        "body": bodies[-1].text,
        "state": state,
        "stateReason": "COMPLETED" if state == "CLOSED" else "REOPENED" if closings else None,
        "closed": state == "CLOSED",
        "createdAt": moment(story.created),
        "updatedAt": moment(repo.updated(number)),
        "closedAt": moment(closings[-1].at) if state == "CLOSED" else None,
        "lastEditedAt": moment(bodies[-1].at) if len(bodies) > 1 else None,
        "includesCreatedEdit": len(bodies) > 1 and story.history in (History.WHOLE, History.DELETED),
        "author": actor(story.author),
        "url": f"{HOST}{path}",
        "resourcePath": path,
        "repository": lambda info: maker.repository(repo),
        "labels": lambda info, **args: listed(story.labels, plain(args), partial(label, repo)),
        "comments": lambda info, **args: comments(repo, number, story.remarks, args),
        "userContentEdits": lambda info, **args: listed(_edits(repo, story, bodies), args, lambda edit: edit),
        "timelineItems": partial(_timeline, maker, repo, story),
    }


def _until(revisions: tuple[Revision, ...], now: int) -> list[Revision]:
    return [revision for revision in revisions if revision.at <= now]


def _edits(repo: Repository, story: Story, bodies: list[Revision]) -> list[Node]:
    """Newest first; `diff` is the whole text after the edit. The first edit also brings one for the original text."""
    if len(bodies) == 1 or story.history is History.LOST:
        return []
    shown = [_edit(repo, story, position, body, last=body is bodies[-1]) for position, body in enumerate(bodies)]
    return shown[: 0 if story.history is History.NO_ORIGIN else None : -1]


def _edit(repo: Repository, story: Story, position: int, body: Revision, *, last: bool) -> Node:
    deleted = story.history is History.DELETED and position == story.deleted and not last
    return {
        "id": node_id("UCE", repo.index, story.number, position),
        "createdAt": moment(body.at),
        "updatedAt": moment(body.at),
        "editedAt": moment(body.at),
        "deletedAt": moment(body.at + 3600) if deleted else None,
        "deletedBy": actor(words.MAINTAINERS[0]) if deleted else None,
        "diff": None if deleted else body.text,
        "editor": actor(story.author),
    }


# --- what happened


def _timeline(maker: Maker, repo: Repository, story: Story, info: Any, **arguments: Any) -> Node:
    kinds, since = arguments.pop("itemTypes", None), arguments.pop("since", None)
    floor = datetime.fromisoformat(since).timestamp() if since else 0
    past = sorted(_events(maker, repo, story), key=lambda event: event[0])
    events = [(at, node) for at, node in past if floor <= at <= repo.now and (kinds is None or node["enum"] in kinds)]
    skip = arguments.pop("skip", None) or 0
    found = listed([node for _, node in events][skip:], arguments, lambda node: node)
    return {
        **found,
        "filteredCount": len(events),
        "updatedAt": moment(events[-1][0] if events else story.created),
    }


def _events(maker: Maker, repo: Repository, story: Story) -> Iterator[tuple[int, Node]]:
    for position, closing in enumerate(story.closings):
        yield closing.at, _closed(maker, repo, story, position, closing)
    for position, at in enumerate(story.reopenings):
        yield at, _event("REOPENED_EVENT", repo, story, 100 + position, at)
    for position, (before, after) in enumerate(zip(story.titles, story.titles[1:], strict=False)):
        titles = {"previousTitle": before.text, "currentTitle": after.text}
        yield after.at, {**_event("RENAMED_TITLE_EVENT", repo, story, 200 + position, after.at), **titles}
    for position, fate in enumerate(story.mentions):
        event = _event("CROSS_REFERENCED_EVENT", repo, story, 300 + position, fate.created)
        yield fate.created, {**event, **_reference(maker, repo, story, fate.number, fate.created)}


_TYPES = {
    "CLOSED_EVENT": "ClosedEvent",
    "REOPENED_EVENT": "ReopenedEvent",
    "RENAMED_TITLE_EVENT": "RenamedTitleEvent",
    "CROSS_REFERENCED_EVENT": "CrossReferencedEvent",
}


def _event(kind: str, repo: Repository, story: Story, position: int, at: int) -> Node:
    return {
        "__typename": _TYPES[kind],
        "enum": kind,
        "id": node_id("E", repo.index, story.number, position),
        "createdAt": moment(at),
        "actor": actor(words.MAINTAINERS[0]),
    }


def _closed(maker: Maker, repo: Repository, story: Story, position: int, closing: Closing) -> Node:
    path = f"/{repo.name}/issues/{story.number}#event-{story.number * 10 + position}"
    return {
        **_event("CLOSED_EVENT", repo, story, position, closing.at),
        "closable": lambda info: maker.issue(repo, story.number),
        "closer": partial(_closer, maker, repo, story, closing),
        "stateReason": "COMPLETED",
        "url": f"{HOST}{path}",
        "resourcePath": path,
    }


def _closer(maker: Maker, repo: Repository, story: Story, closing: Closing, info: Any) -> Node | None:
    """Nothing where a person closed it; else the pull request, or the commit whose message said so."""
    if not closing.by:
        return None
    if closing.by == "pull":
        return maker.pull(repo, closing.pull)
    plan, oids = repo.plan(closing.pull), repo.git.oids
    if plan.fate.claim is Claim.COMMIT and plan.fate.how == "merge":
        return commit(oids.commit(closing.pull, 0), plan.commits[0])
    position = 0 if plan.fate.how == "rebase" else -1
    return commit(oids.landed(plan.fate, position), landing_commits(plan)[position])


def _reference(maker: Maker, repo: Repository, story: Story, number: int, at: int) -> Node:
    path = f"/{repo.name}/pull/{number}"
    return {
        "isCrossRepository": False,
        "referencedAt": moment(at),
        "source": lambda info: maker.pull(repo, number),
        "target": lambda info: maker.issue(repo, story.number),
        "willCloseTarget": (repo, story.number) in maker.closing(repo, repo.fate(number)),
        "url": f"{HOST}{path}",
        "resourcePath": path,
    }
