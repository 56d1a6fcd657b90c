"""REST, as far as it is asked for: repositories, pull requests, issues, repository search."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from github_server import gitreads, rest_bodies, words
from github_server.numbering import is_pull
from github_server.rest_repositories import Body, repository, user
from github_server.searching import matching
from github_server.world import Repository, World

_REPO = r"/repos/(?P<name>[^/]+/[^/]+)"
_MOVED = re.compile(r"/repositories/(?P<id>\d+)(?P<rest>/.*)?")


@dataclass(frozen=True)
class Found:
    """An answer of a route; `body` is None for an error, which `message` names."""

    route: str
    status: int
    body: dict[str, Any] | list[Any] | bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class Asked:
    """A GET request. `base` is the address that it came to, without a path."""

    base: str
    path: str
    parameters: Mapping[str, str]
    accept: str
    private: bool


_NOT_FOUND = Found("not found", 404, None, message="Not Found")


class Rest:
    """Answers GET requests on one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: dict[str, tuple[re.Pattern[str], Callable[[Asked, Repository, int], Found]]] = {
            "repository": (re.compile(_REPO), self._repository),
            "pulls": (re.compile(rf"{_REPO}/pulls"), self._pulls),
            "pull": (re.compile(rf"{_REPO}/pulls/(?P<number>\d+)"), self._pull),
            "pull commits": (re.compile(rf"{_REPO}/pulls/(?P<number>\d+)/commits"), self._commits),
            "pull files": (re.compile(rf"{_REPO}/pulls/(?P<number>\d+)/files"), self._files),
            "diff": (re.compile(rf"{_REPO}/pulls/(?P<number>\d+)\.diff"), self._diff),
            "diff page": (re.compile(r"/(?P<name>[^/]+/[^/]+)/pull/(?P<number>\d+)\.diff"), self._diff),
            "issue": (re.compile(rf"{_REPO}/issues/(?P<number>\d+)"), self._issue),
            "issue comments": (re.compile(rf"{_REPO}/issues/(?P<number>\d+)/comments"), self._comments),
            "contributors": (re.compile(rf"{_REPO}/contributors"), self._contributors),
        }

    def respond(self, asked: Asked) -> Found:
        if asked.path == "/search/repositories":
            return self._search(asked)
        asked = self._at_its_place(asked)
        for route, (pattern, answer) in self._routes.items():
            match = pattern.fullmatch(asked.path)
            if match:
                return self._answer(route, answer, asked, match)
        return _NOT_FOUND

    def _at_its_place(self, asked: Asked) -> Asked:
        """What a redirect led to, by the repository's number."""
        match = _MOVED.fullmatch(asked.path)
        if not match or not 0 <= int(match["id"]) - 1000 < len(self._world.repositories):
            return asked
        name = self._world.repositories[int(match["id"]) - 1000].name
        return Asked(asked.base, f"/repos/{name}{match['rest'] or ''}", asked.parameters, asked.accept, asked.private)

    def _answer(
        self, route: str, answer: Callable[[Asked, Repository, int], Found], asked: Asked, match: re.Match[str]
    ) -> Found:
        repo = self._world.find(match["name"])
        if repo is None or (repo.traits.private and not asked.private):
            return _NOT_FOUND
        if repo.name.lower() != match["name"].lower():
            place = f"{asked.base}/repositories/{1000 + repo.index}{asked.path.removeprefix('/repos/' + match['name'])}"
            return Found("moved", 301, {"message": "Moved Permanently", "url": place}, {"location": place})
        number = int(match.groupdict().get("number") or 0)
        if number and not (repo.has(number) and (is_pull(number) or route.startswith("issue"))):
            return _NOT_FOUND
        found = answer(asked, repo, number)
        return Found(route, found.status, found.body, found.headers, found.message)

    # --- the routes

    def _repository(self, asked: Asked, repo: Repository, number: int) -> Found:
        more = {"network_count": repo.traits.stars // 10, "subscribers_count": 10}
        return Found("", 200, {**repository(asked.base, repo), **more})

    def _pulls(self, asked: Asked, repo: Repository, number: int) -> Found:
        states = {"open": "OPEN", "closed": "CLOSED|MERGED", "all": "CLOSED|MERGED|OPEN"}
        order = "updated" if asked.parameters.get("sort") == "updated" else "created"
        entries = repo.ordered("pulls", states[asked.parameters.get("state", "open")], order)
        newest_first = asked.parameters.get("direction", "desc" if order == "created" else "asc") == "desc"
        numbers = [entry & 0xFFFFFFFF for entry in (reversed(entries) if newest_first else entries)]
        return _paged(asked, numbers, lambda each: rest_bodies.pull(asked.base, repo, each))

    def _pull(self, asked: Asked, repo: Repository, number: int) -> Found:
        if ".diff" in asked.accept:
            return self._diff(asked, repo, number)
        return Found("", 200, rest_bodies.whole_pull(asked.base, repo, number))

    def _commits(self, asked: Asked, repo: Repository, number: int) -> Found:
        plan, oids = repo.plan(number), repo.git.oids
        positions = range(min(250, len(plan.commits)))  # the service shows no more
        raw = gitreads.raw_commits(repo, [oids.commit(number, position) for position in positions])

        def body(position: int) -> Body:
            oid = oids.commit(number, position)
            return rest_bodies.commit(asked.base, repo, plan, oid, plan.commits[position], raw[oid])

        return _paged(asked, positions, body)

    def _files(self, asked: Asked, repo: Repository, number: int) -> Found:
        head = repo.git.oids.commit(number, repo.fate(number).commits - 1)
        changes = gitreads.file_diffs(repo, number)
        return _paged(asked, changes, lambda change: rest_bodies.changed_file(asked.base, repo, head, change))

    def _diff(self, asked: Asked, repo: Repository, number: int) -> Found:
        return Found("", 200, gitreads.diff(repo, number), {"content-type": "text/plain; charset=utf-8"})

    def _issue(self, asked: Asked, repo: Repository, number: int) -> Found:
        body = (rest_bodies.pull_as_issue if is_pull(number) else rest_bodies.issue)(asked.base, repo, number)
        return Found("", 200, body)

    def _comments(self, asked: Asked, repo: Repository, number: int) -> Found:
        remarks = repo.plan(number).remarks if is_pull(number) else repo.story(number).remarks
        shown = [(position, each) for position, each in enumerate(remarks) if each.created <= repo.now]
        return _paged(asked, shown, lambda each: rest_bodies.comment(asked.base, repo, number, *each))

    def _contributors(self, asked: Asked, repo: Repository, number: int) -> Found:
        names = (words.LOGINS * (1 + repo.traits.contributors // len(words.LOGINS)))[: repo.traits.contributors]
        counted = [(f"{name}{position or ''}", 1 + len(names) - position) for position, name in enumerate(names)]
        return _paged(asked, counted, lambda each: {**user(asked.base, each[0]), "contributions": each[1]})

    def _search(self, asked: Asked) -> Found:
        found = [repo for repo in matching(self._world, asked.parameters.get("q", "")) if not repo.traits.private]
        paged = _paged(asked, found, lambda repo: {**repository(asked.base, repo), "score": 1.0})
        body = {"total_count": len(found), "incomplete_results": False, "items": paged.body}
        return Found("search", 200, body, paged.headers)


def _paged(asked: Asked, items: Sequence[Any], make: Callable[[Any], Body]) -> Found:
    """A page of a list, with the Link header (RFC 8288) that leads to the others."""
    size = max(1, min(100, int(asked.parameters.get("per_page", 30))))
    page, last = max(1, int(asked.parameters.get("page", 1))), max(1, -(-len(items) // size))
    places = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    shown = ("prev", "first") * (page > 1) + ("next", "last") * (page < last)
    links = (f'<{_address(asked, places[name])}>; rel="{name}"' for name in places if name in shown)
    link = ", ".join(links)
    body = [make(item) for item in items[(page - 1) * size : page * size]]
    return Found("", 200, body, {"link": link} if link else {})


def _address(asked: Asked, page: int) -> str:
    return f"{asked.base}{asked.path}?{urlencode({**asked.parameters, 'page': page})}"
