"""What REST tells of commits and diffs, read from the generated repository itself."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from github_server.gitworld import environment
from github_server.world import Repository

_SECTION = re.compile(r"^diff --git a/(?P<path>.+) b/(?P=path)$", re.MULTILINE)
_RAW = re.compile(r":\d+ \d+ [0-9a-f]+ (?P<blob>[0-9a-f]{40}) (?P<status>[A-Z])\t(?P<path>.+)")


@dataclass(frozen=True)
class RawCommit:
    tree: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class FileDiff:
    """`blob` is the file's id afterwards; `patch` are its hunks."""

    path: str
    blob: str
    status: str
    patch: str

    @property
    def additions(self) -> int:
        return sum(line.startswith("+") for line in self.patch.split("\n"))

    @property
    def deletions(self) -> int:
        return sum(line.startswith("-") for line in self.patch.split("\n"))


def raw_commits(repo: Repository, oids: list[str]) -> dict[str, RawCommit]:
    output = _git(repo, "log", "--no-walk=unsorted", "--format=%H %T %P", *oids)
    rows = (line.split(" ") for line in output.splitlines())
    return {oid: RawCommit(tree, tuple(filter(None, parents))) for oid, tree, *parents in rows}


def diff(repo: Repository, number: int) -> bytes:
    """The whole change of a pull request, as its `.diff` shows it."""
    return _git(repo, "diff", _range(repo, number)).encode()


def file_diffs(repo: Repository, number: int) -> list[FileDiff]:
    output = _git(repo, "diff", "--raw", "--patch", "--abbrev=40", "--no-renames", _range(repo, number))
    raw = {match["path"]: match for match in _RAW.finditer(output)}
    found = []
    starts = list(_SECTION.finditer(output))
    for start, end in zip(starts, [*(match.start() for match in starts[1:]), len(output)], strict=True):
        section = output[start.start() : end]
        facts = raw[start["path"]]
        patch = section[section.find("\n@@") + 1 :].rstrip("\n")
        found.append(FileDiff(start["path"], facts["blob"], facts["status"], patch))
    return found


def _range(repo: Repository, number: int) -> str:
    """From where the branch left its base to its head: what `git diff A...B` means."""
    fate, git = repo.fate(number), repo.git
    onto = git.oids.of_mark(git.merged_on[number] if fate.merged else git.opened_on[number])
    return f"{onto}...{git.oids.commit(number, fate.commits - 1)}"


def _git(repo: Repository, *arguments: str) -> str:
    command = ["git", f"--git-dir={repo.git.path}", *arguments]
    return subprocess.run(command, env=environment(), check=True, capture_output=True).stdout.decode()
