"""Three-way merges of trees, without a work tree and without a history that says what the base is."""

from __future__ import annotations

from builder.errors import ServiceMissingError
from builder.gitcommand import GitCommand, GitFailed
from builder.models import Sha

_USAGE = 129  # how git ends when it does not know an option
_CONFLICT = 1
_SIGNATURE = {
    **{f"GIT_{who}_{what}": "builder" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{who}_DATE": "@0 +0000" for who in ("AUTHOR", "COMMITTER")},
}


def merge_trees(git: GitCommand, base: Sha, ours: Sha, theirs: Sha) -> Sha | None:
    """The tree of `ours` with what `theirs` changed against `base` (commits all three), or None if they conflict.

    Made-up commits stand for the three, since git 2.38 finds the base of a merge in the history only. Raises
    GitFailed, and ServiceMissingError for an older git.
    """
    root = _made_up(git, base)
    sides = [_made_up(git, side, "-p", root) for side in (ours, theirs)]
    try:
        output = git.run("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", *sides)
    except GitFailed as error:
        if error.status == _USAGE:
            raise ServiceMissingError("git is too old to merge", hint="Install git 2.38 or newer.") from error
        if error.status == _CONFLICT:
            return None
        raise
    return output.split(b"\0")[0].decode("ascii")


def _made_up(git: GitCommand, commit: Sha, *parents: str) -> Sha:
    command = ("commit-tree", f"{commit}^{{tree}}", *parents, "-m", "merge side")
    return git.run(*command, env=_SIGNATURE).decode("ascii").strip()
