"""Pull requests as GraphQL answers them: by the schema's names; what takes arguments, or work, is a function."""

from __future__ import annotations

from functools import partial
from typing import Any

from github_server.basics import Maker, actor, changed_files, comments, commit, label, moment, node_id, plain
from github_server.landings import landing_commits
from github_server.paging import Node, listed
from github_server.plans import HOST, Plan
from github_server.world import Repository


def pull_node(maker: Maker, repo: Repository, number: int) -> Node:
    """The pull request as of now."""
    plan, fate = repo.plan(number), repo.fate(number)
    path = f"/{repo.name}/pull/{number}"
    return {
        "__typename": "PullRequest",
        "id": node_id("PR", repo.index, number),
        "number": number,
        "title": plan.title,
        "body": plan.body,
        "state": repo.state(number),
        "merged": bool(fate.merged),
        "closed": bool(fate.closed),
        "isDraft": False,
        "isCrossRepository": True,
        "createdAt": moment(fate.created),
        "updatedAt": moment(repo.updated(number)),
        "closedAt": moment(fate.closed) if fate.closed else None,
        "mergedAt": moment(fate.merged) if fate.merged else None,
        "lastEditedAt": None,
        "author": actor(plan.author),
        "mergedBy": actor(plan.merged_by) if fate.merged else None,
        "url": f"{HOST}{path}",
        "resourcePath": path,
        "repository": lambda info: maker.repository(repo),
        "baseRefName": fate.base,
        "baseRefOid": repo.git.oids.of_mark(repo.git.opened_on[number]),
        "headRefName": plan.branch,
        "headRefOid": repo.git.oids.commit(number, fate.commits - 1),
        "headRepository": None if plan.fork_deleted else partial(_fork, maker, repo, plan),
        "mergeCommit": partial(_merge_commit, repo, plan) if fate.merged and not plan.merge_hidden else None,
        "changedFiles": len(plan.paths),
        "additions": lambda info: sum(change["additions"] for change in changed_files(plan)),
        "deletions": lambda info: sum(change["deletions"] for change in changed_files(plan)),
        "labels": lambda info, **args: listed(plan.labels, plain(args), partial(label, repo)),
        "files": lambda info, **args: listed(changed_files(plan), args, lambda change: change),
        "commits": lambda info, **args: listed(
            range(len(plan.commits)), args, lambda position: _pull_commit(repo, plan, position)
        ),
        "comments": lambda info, **args: comments(repo, number, plan.remarks, args),
        "closingIssuesReferences": lambda info, **args: listed(
            maker.closing(repo, fate), plain(args), lambda found: maker.issue(*found)
        ),
    }


def _fork(maker: Maker, repo: Repository, plan: Plan, info: Any) -> Node:
    owner = plan.author or "ghost"
    name = repo.name.partition("/")[2]
    return {**maker.repository(repo), "id": node_id("R", owner), "nameWithOwner": f"{owner}/{name}", "isFork": True}


def _pull_commit(repo: Repository, plan: Plan, position: int) -> Node:
    oid = repo.git.oids.commit(plan.number, position)
    return {
        "id": node_id("PRC", repo.index, plan.number, position),
        "commit": commit(oid, plan.commits[position]),
        "url": f"{HOST}/{repo.name}/pull/{plan.number}/commits/{oid}",
    }


def _merge_commit(repo: Repository, plan: Plan, info: Any) -> Node:
    return commit(repo.git.oids.landed(plan.fate), landing_commits(plan)[-1])
