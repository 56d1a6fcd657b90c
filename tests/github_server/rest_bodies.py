"""The objects of REST answers, with every field that the service's OpenAPI description requires.

`base` is the address of the server that answers; what a browser would open is at the public host.
"""

from __future__ import annotations

from github_server import words
from github_server.basics import moment, node_id
from github_server.fates import created_at
from github_server.gitreads import FileDiff, RawCommit
from github_server.plans import HOST, Plan, PlannedCommit, Remark
from github_server.rest_repositories import Body, repository, user
from github_server.world import Repository


def pull(base: str, repo: Repository, number: int) -> Body:
    """As lists have it."""
    plan, fate, oids = repo.plan(number), repo.fate(number), repo.git.oids
    url, issue_url = f"{base}/repos/{repo.name}/pulls/{number}", f"{base}/repos/{repo.name}/issues/{number}"
    head = oids.commit(number, fate.commits - 1)
    links = {
        "self": url,
        "html": f"{HOST}/{repo.name}/pull/{number}",
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{base}/repos/{repo.name}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{base}/repos/{repo.name}/statuses/{head}",
    }
    fork = None if plan.fork_deleted else repository(base, repo, owner=plan.author or "ghost")
    return {
        **_numbered(base, repo, number, "PR", plan.title, plan.body, plan.author, plan.labels),
        "url": url,
        "html_url": links["html"],
        "diff_url": f"{base}/{repo.name}/pull/{number}.diff",
        "patch_url": f"{base}/{repo.name}/pull/{number}.patch",
        "issue_url": issue_url,
        **{
            f"{name}_url": links[name]
            for name in ("commits", "review_comments", "review_comment", "comments", "statuses")
        },
        "closed_at": moment(fate.closed) if fate.closed else None,
        "merged_at": moment(fate.merged) if fate.merged else None,
        "merge_commit_sha": oids.landed(fate) if fate.merged and not plan.merge_hidden else None,
        "requested_reviewers": [],
        "requested_teams": [],
        "draft": False,
        "auto_merge": None,
        "head": _end(base, plan.author, plan.branch, head, fork),
        "base": _end(
            base,
            repo.name.partition("/")[0],
            fate.base,
            oids.of_mark(repo.git.opened_on[number]),
            repository(base, repo),
        ),
        "_links": {name: {"href": link} for name, link in links.items()},
    }


def whole_pull(base: str, repo: Repository, number: int) -> Body:
    """As it is by itself."""
    plan, fate = repo.plan(number), repo.fate(number)
    changes = sum(2 if path.startswith("src/") else 1 for path in plan.paths)
    return {
        **pull(base, repo, number),
        "merged": bool(fate.merged),
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": user(base, plan.merged_by) if fate.merged else None,
        "comments": sum(remark.created <= repo.now for remark in plan.remarks),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": fate.commits,
        "additions": changes,
        "deletions": changes,
        "changed_files": len(plan.paths),
    }


def issue(base: str, repo: Repository, number: int) -> Body:
    """As of now."""
    story = repo.story(number)
    title = [revision.text for revision in story.titles if revision.at <= repo.now][-1]
    body = [revision.text for revision in story.bodies if revision.at <= repo.now][-1]
    closed = [closing.at for closing in story.closings if closing.at <= repo.now]
    shown = _numbered(base, repo, number, "I", title, body, story.author, story.labels)
    return {
        **shown,
        **_issue_addresses(base, repo, number, "issues"),
        "state_reason": "completed" if shown["state"] == "closed" else "reopened" if closed else None,
        "comments": sum(remark.created <= repo.now for remark in story.remarks),
        "closed_at": moment(closed[-1]) if shown["state"] == "closed" else None,
    }


def pull_as_issue(base: str, repo: Repository, number: int) -> Body:
    """A pull request, asked for as an issue."""
    whole = whole_pull(base, repo, number)
    named = ("url", "html_url", "diff_url", "patch_url", "merged_at")
    fields = ("id", "node_id", "number", "title", "body", "user", "labels", "state", "locked", "comments", "milestone")
    others = ("assignee", "assignees", "author_association", "created_at", "updated_at", "closed_at", "draft")
    return {
        **{field: whole[field] for field in (*fields, *others)},
        **_issue_addresses(base, repo, number, "pull"),
        "state_reason": None,
        "pull_request": {name: whole[name] for name in named},
    }


def _issue_addresses(base: str, repo: Repository, number: int, kind: str) -> Body:
    url = f"{base}/repos/{repo.name}/issues/{number}"
    return {
        "url": url,
        "repository_url": f"{base}/repos/{repo.name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{HOST}/{repo.name}/{kind}/{number}",
    }


def _numbered(
    base: str,
    repo: Repository,
    number: int,
    kind: str,
    title: str,
    body: str,
    author: str | None,
    labels: tuple[str, ...],
) -> Body:
    """What issues and pull requests have in common."""
    return {
        "id": 10_000_000 * (repo.index + 1) + number,
        "node_id": node_id(kind, repo.index, number),
        "number": number,
        "state": "open" if repo.state(number) == "OPEN" else "closed",
        "locked": False,
        "title": title,
        "body": body or None,
        "user": user(base, author),
        "labels": [_label(base, repo, name) for name in labels],
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "author_association": "CONTRIBUTOR",
        "active_lock_reason": None,
        "created_at": moment(created_at(repo.shape, number)),
        "updated_at": moment(repo.updated(number)),
    }


def _end(base: str, owner: str | None, ref: str, sha: str, repo: Body | None) -> Body:
    return {"label": f"{owner or 'ghost'}:{ref}", "ref": ref, "sha": sha, "user": user(base, owner), "repo": repo}


def _label(base: str, repo: Repository, name: str) -> Body:
    return {
        "id": 500 + words.LABELS.index(name),
        "node_id": node_id("LA", repo.index, name),
        "url": f"{base}/repos/{repo.name}/labels/{name.replace(' ', '%20')}",
        "name": name,
        "color": "ededed",
        "default": name == "bug",
        "description": "",
    }


def comment(base: str, repo: Repository, number: int, position: int, remark: Remark) -> Body:
    edited = remark.edited if remark.edited and remark.edited <= repo.now else 0
    identifier = number * 1000 + position
    return {
        "id": identifier,
        "node_id": node_id("IC", repo.index, number, position),
        "url": f"{base}/repos/{repo.name}/issues/comments/{identifier}",
        "html_url": f"{HOST}/{repo.name}/issues/{number}#issuecomment-{identifier}",
        "issue_url": f"{base}/repos/{repo.name}/issues/{number}",
        "user": user(base, remark.author),
        "author_association": "NONE",
        "created_at": moment(remark.created),
        "updated_at": moment(edited or remark.created),
        "body": remark.first_body if remark.edited and not edited else remark.body,
    }


def commit(base: str, repo: Repository, plan: Plan, oid: str, planned: PlannedCommit, raw: RawCommit) -> Body:
    url = f"{base}/repos/{repo.name}/commits/{oid}"
    name, _, email = planned.author.rstrip(">").partition(" <")
    trees = f"{base}/repos/{repo.name}/git/trees/{raw.tree}"
    return {
        "sha": oid,
        "node_id": node_id("C", oid),
        "url": url,
        "html_url": f"{HOST}/{repo.name}/commit/{oid}",
        "comments_url": f"{url}/comments",
        "author": user(base, plan.author),
        "committer": user(base, plan.author),
        "commit": {
            "url": f"{base}/repos/{repo.name}/git/commits/{oid}",
            "message": planned.message.rstrip("\n"),
            "author": {"name": name, "email": email, "date": moment(planned.authored)},
            "committer": {"name": name, "email": email, "date": moment(planned.committed)},
            "comment_count": 0,
            "tree": {"sha": raw.tree, "url": trees},
        },
        "parents": [
            {
                "sha": parent,
                "url": f"{base}/repos/{repo.name}/commits/{parent}",
                "html_url": f"{HOST}/{repo.name}/commit/{parent}",
            }
            for parent in raw.parents
        ],
    }


_STATUS = {"A": "added", "D": "removed", "M": "modified"}


def changed_file(base: str, repo: Repository, head: str, change: FileDiff) -> Body:
    return {
        "sha": change.blob,
        "filename": change.path,
        "status": _STATUS[change.status],
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{HOST}/{repo.name}/blob/{head}/{change.path}",
        "raw_url": f"{HOST}/{repo.name}/raw/{head}/{change.path}",
        "contents_url": f"{base}/repos/{repo.name}/contents/{change.path}?ref={head}",
        "patch": change.patch,
    }
