"""What a merge makes of a pull request's commits."""

from __future__ import annotations

from github_server.plans import Plan, PlannedCommit

SERVICE = "Service <noreply@sums.example>"
"""Who commits what the service merges."""


def landing_commits(plan: Plan) -> list[PlannedCommit]:
    """What a merged pull request adds to its base branch, oldest first."""
    fate = plan.fate
    edits = tuple(edit for commit in plan.commits for edit in commit.edits)
    if fate.how == "rebase":
        return [
            PlannedCommit(commit.message, commit.authored, fate.merged, commit.author, commit.edits)
            for commit in plan.commits
            if not commit.merges_main
        ]
    if fate.how == "merge":
        message = f"Merge pull request #{fate.number} from {plan.author or 'ghost'}/{plan.branch}\n\n{plan.title}\n"
        return [PlannedCommit(message, fate.merged, fate.merged, SERVICE, edits)]
    steps = "\n".join(f"* {commit.message}" for commit in plan.commits)
    message = f"{plan.title} (#{fate.number})\n\n{steps}"
    return [PlannedCommit(message, fate.merged, fate.merged, plan.commits[0].author, edits)]
