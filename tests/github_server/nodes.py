"""The objects that GraphQL answers are made of: plain dictionaries by the schema's names.

What takes arguments, or work, is a function; the executor calls it with the arguments of the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from github_server.basics import actor, moment, node_id
from github_server.fates import MAIN, Claim, Fate
from github_server.issue_nodes import issue_node
from github_server.numbering import is_pull
from github_server.paging import Arguments, Node, RefusedError, connection
from github_server.plans import FOREIGN_REPO, HOST
from github_server.pull_nodes import pull_node
from github_server.truth import is_listed
from github_server.world import Repository, World

_FIELDS = {"CREATED_AT": "created", "UPDATED_AT": "updated"}


class Nodes:
    """Makes nodes of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    # --- repositories

    def repository(self, repo: Repository) -> Node:
        owner, _, name = repo.name.partition("/")
        return {
            "__typename": "Repository",
            "id": node_id("R", repo.index),
            "databaseId": repo.index + 1000,
            "name": name,
            "nameWithOwner": repo.name,
            "owner": actor(owner),
            "url": f"{HOST}/{repo.name}",
            "description": "Areas of numbers",
            "createdAt": moment(repo.traits.created),
            "updatedAt": moment(repo.now),
            "pushedAt": moment(repo.now),
            "isArchived": repo.traits.archived,
            "isPrivate": repo.traits.private,
            "isFork": False,
            "stargazerCount": repo.traits.stars,
            "forkCount": repo.traits.stars // 10,
            "licenseInfo": {"key": repo.traits.license.lower(), "spdxId": repo.traits.license, "name": "A license"},
            "primaryLanguage": {"name": repo.traits.language},
            "languages": lambda info, **_: {"totalCount": 1, "edges": [{"size": repo.traits.code_bytes}]},
            "defaultBranchRef": {"name": MAIN},
            "pullRequests": partial(self._pulls, repo),
            "issues": partial(self._issues, repo),
            "pullRequest": lambda info, number: self._numbered(repo, number, "PullRequest", "a PullRequest"),
            "issue": lambda info, number: self._numbered(repo, number, "Issue", "an Issue"),
            "issueOrPullRequest": lambda info, number: self._numbered(repo, number, "", "an issue or pull request"),
        }

    def numbered(self, repo: Repository, number: int) -> Node | None:
        """An issue or a pull request, if there is one."""
        if not repo.has(number):
            return None
        return self.pull(repo, number) if is_pull(number) else self.issue(repo, number)

    def _numbered(self, repo: Repository, number: int, kind: str, words_: str) -> Node:
        found = self.numbered(repo, number)
        if found is None or kind not in ("", found["__typename"]):
            raise RefusedError("NOT_FOUND", f"Could not resolve to {words_} with the number of {number}.")
        return found

    def _pulls(self, repo: Repository, info: Any, **arguments: Any) -> Node:
        states = arguments.pop("states", None) or ["OPEN", "CLOSED", "MERGED"]
        return self._ordered(repo, "pulls", states, arguments)

    def _issues(self, repo: Repository, info: Any, **arguments: Any) -> Node:
        filters = arguments.pop("filterBy", None) or {}
        states = arguments.pop("states", None) or filters.pop("states", None) or ["OPEN", "CLOSED"]
        return self._ordered(repo, "issues", states, arguments, filters.pop("since", None))

    def _ordered(
        self, repo: Repository, kind: str, states: Iterable[str], arguments: Arguments, since: str | None = None
    ) -> Node:
        order = arguments.pop("orderBy", None) or {"field": "CREATED_AT", "direction": "ASC"}
        entries: Sequence[int] = repo.ordered(kind, "|".join(sorted(states)), _FIELDS[order["field"]])
        if since is not None:
            floor = datetime.fromisoformat(since).timestamp()
            entries = [entry for entry in entries if repo.updated(entry & 0xFFFFFFFF) >= floor]
        make = self.pull if kind == "pulls" else self.issue
        return connection(
            entries, arguments, lambda entry: make(repo, entry & 0xFFFFFFFF), descending=order["direction"] == "DESC"
        )

    def pull(self, repo: Repository, number: int) -> Node:
        return pull_node(self, repo, number)

    def issue(self, repo: Repository, number: int) -> Node:
        return issue_node(self, repo, number)

    def closing(self, repo: Repository, fate: Fate) -> list[tuple[Repository, int]]:
        """The issues that the service says a pull request closes."""
        foreign = self._world.find(FOREIGN_REPO)
        if fate.claim is Claim.FOREIGN and fate.base == MAIN and foreign is not None:
            return [(foreign, 1)]
        return [(repo, issue) for issue in fate.targets] if is_listed(fate) else []
