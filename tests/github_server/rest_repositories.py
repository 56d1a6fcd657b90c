"""Repositories and people as REST answers them.

`base` is the address of the server that answers; what a browser would open is at the public host.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from github_server import words
from github_server.basics import moment, node_id
from github_server.fates import MAIN
from github_server.plans import HOST
from github_server.world import Repository

Body = dict[str, Any]
_GHOST = 10137
_USER_PARTS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPO_PARTS = (
    *("forks", "teams", "hooks", "events", "tags", "languages", "stargazers", "contributors", "subscribers"),
    *("subscription", "merges", "downloads", "deployments"),
)
_REPO_TEMPLATES = {
    "keys": "keys{/key_id}",
    "collaborators": "collaborators{/collaborator}",
    "issue_events": "issues/events{/number}",
    "assignees": "assignees{/user}",
    "branches": "branches{/branch}",
    "blobs": "git/blobs{/sha}",
    "git_tags": "git/tags{/sha}",
    "git_refs": "git/refs{/sha}",
    "trees": "git/trees{/sha}",
    "statuses": "statuses/{sha}",
    "commits": "commits{/sha}",
    "git_commits": "git/commits{/sha}",
    "comments": "comments{/number}",
    "issue_comment": "issues/comments{/number}",
    "contents": "contents/{+path}",
    "compare": "compare/{base}...{head}",
    "archive": "{archive_format}{/ref}",
    "issues": "issues{/number}",
    "pulls": "pulls{/number}",
    "milestones": "milestones{/number}",
    "notifications": "notifications{?since,all,participating}",
    "labels": "labels{/name}",
    "releases": "releases{/id}",
}


def user(base: str, login: str | None) -> Body:
    """A deleted account is shown as `ghost`; a bot's login ends with `[bot]`."""
    bot = login in words.BOTS
    name = f"{login}[bot]" if bot else login or "ghost"
    number = (
        _GHOST if login is None else 20_000 + sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 10**6
    )
    url = f"{base}/users/{quote(name)}"
    return {
        "login": name,
        "id": number,
        "node_id": node_id("U", number),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{HOST}/apps/{login}" if bot else f"{HOST}/{name}",
        "type": "Bot" if bot else "User",
        "site_admin": False,
        **{field: f"{url}{part}" for field, part in _USER_PARTS.items()},
    }


def repository(base: str, repo: Repository, *, owner: str | None = None) -> Body:
    """Of the repository itself, or of the fork that `owner` has of it."""
    name = repo.name.partition("/")[2]
    full_name = f"{owner}/{name}" if owner else repo.name
    url = f"{base}/repos/{full_name}"
    parts = {**{part: part for part in _REPO_PARTS}, **_REPO_TEMPLATES}
    return {
        "id": 1000 + repo.index if owner is None else 900_000 + repo.index,
        "node_id": node_id("R", repo.index) if owner is None else node_id("R", owner),
        "name": name,
        "full_name": full_name,
        "owner": user(base, full_name.partition("/")[0]),
        "private": repo.traits.private,
        "html_url": f"{HOST}/{full_name}",
        "description": "Areas of numbers",
        "fork": owner is not None,
        "url": url,
        **{f"{field}_url": f"{url}/{part}" for field, part in parts.items()},
        **_addresses(base, full_name),
        **_state(repo),
    }


def _addresses(base: str, full_name: str) -> Body:
    return {
        "clone_url": f"{HOST}/{full_name}.git",
        "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "svn_url": f"{HOST}/{full_name}",
        "mirror_url": None,
        "homepage": None,
    }


def _state(repo: Repository) -> Body:
    stars, license_ = repo.traits.stars, repo.traits.license
    open_ = len(repo.ordered("issues", "OPEN", "created")) + len(repo.ordered("pulls", "OPEN", "created"))
    return {
        "default_branch": MAIN,
        "language": repo.traits.language,
        "archived": repo.traits.archived,
        "disabled": False,
        "visibility": "private" if repo.traits.private else "public",
        "topics": [],
        "forks": stars // 10,
        "forks_count": stars // 10,
        "stargazers_count": stars,
        "watchers": stars,
        "watchers_count": stars,
        "open_issues": open_,
        "open_issues_count": open_,
        "size": 1000,
        **{
            f"has_{what}": what == "issues"
            for what in ("issues", "projects", "wiki", "pages", "downloads", "discussions")
        },
        "created_at": moment(repo.traits.created),
        "updated_at": moment(repo.now),
        "pushed_at": moment(repo.now),
        "license": {
            "key": license_.lower(),
            "name": license_,
            "spdx_id": license_,
            "url": f"https://api.github.com/licenses/{license_.lower()}",
            "node_id": node_id("L", license_),
        },
    }
