"""Hourly event archives as GH Archive publishes them: single events for tests, whole days with noise for benchmarks.

Shapes follow the payload examples that Octokit publishes and GitHub's description of its event types; every word,
name and number is made up. Everything is decided by the seed.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, product
from pathlib import Path
from typing import Any

from history_factory import START, Story

from builder.models import Sha

Json = dict[str, Any]
API = "https://api.github.com"
_WORDS = ["".join(parts) for parts in product(("ba", "lo", "ri", "ten", "mu", "sha"), repeat=3)]
_LINKS = (
    *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents"),
    *("contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks"),
    *("issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones"),
    *("notifications", "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams"),
)
_PERSONAL = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "received_events")


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- the service's objects ----------------------------------------------------------------------------------


def user(login: str) -> Json:
    links = {f"{name}_url": f"{API}/users/{login}/{name}" for name in _PERSONAL}
    return {"login": login, "id": len(login) + 1000, "node_id": "U_" + login, **links, "type": "User"}


def repository(name: str, repo_id: int) -> Json:
    links = {f"{link}_url": f"{API}/repos/{name}/{link}{{/sha}}" for link in _LINKS}
    facts = {f"has_{link}": True for link in _LINKS[::2]} | {f"{link}_count": repo_id % 97 for link in _LINKS[::3]}
    short = name.partition("/")[2]
    owner = user(name.partition("/")[0])
    return {
        "id": repo_id,
        "node_id": f"R_{repo_id}",
        "name": short,
        "full_name": name,
        "owner": owner,
        **links,
        **facts,
    }


def pull_request(number: int, title: str, body: str | None, **more: Any) -> Json:
    """A whole one, open unless `more` says otherwise."""
    links = {f"{link}_url": f"{API}/repos/o/n/pulls/{number}/{link}" for link in ("html", "diff", "patch", "issue")}
    facts = {"number": number, "state": "open", "title": title, "body": body, "user": user("ann"), "labels": []}
    return {**links, **facts, "merged": False, "merged_at": None, "merge_commit_sha": None, "commits": 1, **more}


def trimmed_pull_request(number: int, base: Sha, head: Sha) -> Json:
    """What events carry since October 2025."""
    ends = {name: {"ref": name, "sha": sha} for name, sha in (("base", base), ("head", head))}
    return {"url": f"{API}/repos/o/n/pulls/{number}", "id": number + 5000, "number": number, **ends}


def issue(number: int, title: str, body: str | None, created_at: datetime = START, **more: Any) -> Json:
    facts = {"number": number, "title": title, "body": body, "created_at": stamp(created_at), "user": user("ben")}
    return {"url": f"{API}/repos/o/n/issues/{number}", **facts, "labels": [], "comments": 0, **more}


def comment(comment_id: int, body: str, created_at: datetime, author: str | None = "cleo") -> Json:
    writer = None if author is None else user(author)
    return {"id": comment_id, "body": body, "created_at": stamp(created_at), "user": writer}


# --- events -------------------------------------------------------------------------------------------------

_ids = count(20_000_000_000)


def event(kind: str, at: datetime, payload: Json, *, repo: str = "o/n", repo_id: int = 7, event_id: int = 0) -> Json:
    """`kind` is the type without `Event`; without `event_id` it has one of its own."""
    return {
        "id": str(event_id or next(_ids)),
        "type": f"{kind}Event",
        "actor": {"id": 5, "login": "ann", "display_login": "ann", "gravatar_id": "", "url": f"{API}/users/ann"},
        "repo": {"id": repo_id, "name": repo, "url": f"{API}/repos/{repo}"},
        "payload": payload,
        "public": True,
        "created_at": stamp(at),
    }


def pull_event(action: str, at: datetime, pull: Json, **where: Any) -> Json:
    return event("PullRequest", at, {"action": action, "number": pull["number"], "pull_request": pull}, **where)


def issue_event(action: str, at: datetime, of_issue: Json, changes: Json | None = None, **where: Any) -> Json:
    payload = {"action": action, "issue": of_issue, **({"changes": changes} if changes else {})}
    return event("Issues", at, payload, **where)


def comment_event(at: datetime, of_issue: Json, said: Json, action: str = "created", **where: Any) -> Json:
    return event("IssueComment", at, {"action": action, "issue": of_issue, "comment": said}, **where)


def line(one: Json) -> bytes:
    return json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode("utf-8") + b"\n"


def write_hour(directory: Path, hour: datetime, events: Iterable[Json]) -> Path:
    """`2024-01-31-7.json.gz` below the directory."""
    return write_lines(directory, hour, map(line, events))


def write_lines(directory: Path, hour: datetime, lines: Iterable[bytes]) -> Path:
    path = directory / f"{hour:%Y-%m-%d}-{hour.hour}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", compresslevel=6) as stream:
        stream.writelines(lines)
    return path


# --- whole days ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """`events` in all, of which each of `repos` (name → id) has as many as its pull requests and issues bring."""

    repos: dict[str, int]
    hours: int = 24
    events: int = 24_000
    pulls_each: int = 4
    seed: int = 1


@dataclass
class Written:
    """What was written; `bytes` are those of all lines, `clones` the histories of the wanted repositories."""

    events: int = 0
    wanted: int = 0
    bytes: int = 0
    clones: dict[str, Path] = field(default_factory=dict)


def write_archive(directory: Path, histories: Path, plan: Plan) -> Written:
    """Hours of noise with the lives of the wanted repositories in them, and those repositories' clones."""
    chance, written = random.Random(plan.seed), Written()
    by_hour: list[list[Json]] = [[] for _ in range(plan.hours)]
    for name, repo_id in plan.repos.items():
        written.clones[name] = histories / f"{name.replace('/', '__')}.git"
        for one in life(name, repo_id, written.clones[name], plan, chance):
            at = datetime.fromisoformat(one["created_at"])
            by_hour[int((at - START).total_seconds() // 3600)].append(one)
    written.wanted = sum(map(len, by_hour))
    for position, events in enumerate(by_hour):
        hour = START + timedelta(hours=position)
        fill = max(0, plan.events // plan.hours - len(events))
        mixed = [*map(line, events), *map(line, noise(hour, fill, chance))]
        chance.shuffle(mixed)
        write_lines(directory, hour, mixed)
        written.events += len(mixed)
        written.bytes += sum(map(len, mixed))
    return written


def life(name: str, repo_id: int, clone: Path, plan: Plan, chance: random.Random) -> Iterator[Json]:
    """Of each pair of numbers the first is an issue, and the second the squashed pull request that resolves it."""
    shas = _history(clone, plan.pulls_each)
    base = {"sha": shas["root"], "repo": repository(name, repo_id)}
    where: Json = {"repo": name, "repo_id": repo_id}
    for each in range(1, plan.pulls_each + 1):
        moments = sorted(START + timedelta(seconds=chance.randrange(plan.hours * 3600 - 1)) for _ in range(5))
        reported = issue(2 * each - 1, prose(chance, 6), prose(chance, 150), moments[0])
        yield issue_event("opened", moments[0], reported, **where)
        said = comment(chance.randrange(10**9), prose(chance, 40), moments[1])
        yield comment_event(moments[1], reported, said, **where)
        body = f"{prose(chance, 60)}\n\nFixes #{2 * each - 1}"
        pull = pull_request(2 * each, prose(chance, 6), body, created_at=stamp(moments[2]), base=base, head=base)
        yield pull_event("opened", moments[2], pull, **where)
        end = {"state": "closed", "merged": True, "merged_at": stamp(moments[3])}
        yield pull_event("closed", moments[3], {**pull, **end, "merge_commit_sha": shas[f"merge{each}"]}, **where)
        yield issue_event("closed", moments[4], {**reported, "state": "closed"}, **where)


def _history(path: Path, pulls: int) -> dict[str, Sha]:
    story = Story()
    story.add("root", "Start\n")
    for each in range(1, pulls + 1):
        parent = f"merge{each - 1}" if each > 1 else "root"
        story.add(f"merge{each}", f"Change {each} (#{2 * each})\n", parent, refs=("refs/heads/main",))
    return story.write(path)


def prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words))


_KINDS = {
    "Push": 60.0,
    "Create": 9.0,
    "PullRequest": 7.0,
    "IssueComment": 6.0,
    "Watch": 5.0,
    "PullRequestReview": 3.0,
    "PullRequestReviewComment": 2.0,
    "Delete": 3.0,
    "Issues": 2.0,
    "Fork": 2.0,
    "Release": 1.0,
}
"""Types and their shares in percent, rounded from what hours of 2024 hold."""


def noise(hour: datetime, number: int, chance: random.Random) -> Iterator[Json]:
    """Events of other people's repositories, of every type."""
    kinds = chance.choices(list(_KINDS), weights=list(_KINDS.values()), k=number)
    for kind in kinds:
        repo_id = chance.randrange(10**6, 10**9)
        name = f"user{repo_id % 99_991}/{chance.choice(_WORDS)}{repo_id}"
        at = hour + timedelta(seconds=chance.randrange(3600))
        yield event(kind, at, _payload(kind, name, repo_id, at, chance), repo=name, repo_id=repo_id)


def _payload(kind: str, name: str, repo_id: int, at: datetime, chance: random.Random) -> Json:
    number = chance.randrange(1, 9999)
    if kind == "Push":
        return _push(chance)
    if kind in ("PullRequest", "PullRequestReview", "PullRequestReviewComment"):
        ends = {end: {"sha": _sha(chance), "repo": repository(name, repo_id)} for end in ("base", "head")}
        people = {role: user(prose(chance, 1)) for role in ("assignee", "merged_by", "reviewer", "closed_by")}
        pull = pull_request(number, prose(chance, 6), prose(chance, 120), created_at=stamp(at), **ends, **people)
        return {"action": chance.choice(["opened", "closed"]), "number": number, "pull_request": pull}
    if kind in ("Issues", "IssueComment"):
        said = {"comment": comment(number, prose(chance, 60), at)} if kind == "IssueComment" else {}
        return {"action": "created", "issue": issue(number, prose(chance, 6), prose(chance, 150), at), **said}
    if kind == "Fork":
        return {"forkee": repository(name, repo_id)}
    return {"ref": prose(chance, 1), "ref_type": "branch", "description": prose(chance, 8)}


def _push(chance: random.Random) -> Json:
    commits: Sequence[Json] = [
        {
            "sha": _sha(chance),
            "author": {"name": "Ann", "email": "a@b.c"},
            "message": prose(chance, 12),
            "distinct": True,
        }
        for _ in range(chance.choice((1, 1, 1, 2, 5)))
    ]
    return {"push_id": chance.randrange(10**10), "head": _sha(chance), "before": _sha(chance), "commits": commits}


def _sha(chance: random.Random) -> Sha:
    return f"{chance.getrandbits(160):040x}"
