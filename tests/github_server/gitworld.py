"""A generated repository as a real one: bare, with every pull request's head and the branches they were merged into.

One `git fast-import` writes everything; the ids of all commits are kept in memory, 20 bytes each.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from github_server.content import first_files
from github_server.fates import END, MAIN, RELEASE, START, Fate, Shape, created_at, fate_of
from github_server.lines import Line, over
from github_server.numbering import pulls_up_to
from github_server.plans import Plan, PlannedCommit, plan_of

_FIRST = 1  # the mark of the commit that everything starts from
_NULL = "0" * 40
_SERVICE = "Service <noreply@sums.example>"


class Oids:
    """The commit ids of one repository. Marks are counted by pull request: its own commits, then what it landed as."""

    def __init__(self, shape: Shape, content: bytes) -> None:
        self._shape = shape
        self._content = content
        self._offsets = _offsets(shape)

    @property
    def root(self) -> str:
        return self.of_mark(_FIRST)

    def commit(self, number: int, position: int) -> str:
        """The commit of a pull request at a position of its branch."""
        return self.of_mark(self._offsets[number] + position)

    def landed(self, fate: Fate, position: int = -1) -> str:
        """A commit that a merged pull request added to its base branch; the last one has position -1."""
        count = fate.landing_commits
        return self.of_mark(self._offsets[fate.number] + fate.commits + position % count)

    def of_mark(self, mark: int) -> str:
        return self._content[20 * (mark - 1) : 20 * mark].hex()


@dataclass(frozen=True)
class GitWorld:
    """The repository at `path`, whatever moment it is made to show.

    `opened_on` and `merged_on` are, by number, the mark of the base branch's tip when the pull request was opened, and
    of what it was merged onto (0: it was not). `branches` are the tips over time.
    """

    path: Path
    oids: Oids
    opened_on: array[int]
    merged_on: array[int]
    branches: dict[str, Line]

    def rewind(self, shape: Shape, now: int) -> None:
        """Let the refs be those of that moment (Unix seconds). A pull request's branch is whole once it is opened."""
        refs = {
            f"refs/heads/{name}": self.oids.of_mark(line.marks[line.position(now)])
            for name, line in self.branches.items()
        }
        for number in pulls_up_to(shape.last_number):
            if created_at(shape, number) <= now:
                refs[f"refs/pull/{number}/head"] = self.oids.commit(number, fate_of(shape, number).commits - 1)
        lines = [f"{oid} {ref}\n" for ref, oid in sorted(refs.items())]
        text = "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
        files = self.path / "packed-refs.new"
        files.write_text(text, encoding="ascii")
        files.replace(self.path / "packed-refs")


def write_repository(path: Path, repo: str, shape: Shape) -> GitWorld:
    """Make the repository at `path`, which is missing or empty. About 500 pull requests a second."""
    _git("init", "--quiet", "--bare", f"--initial-branch={MAIN}", str(path))
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.uploadpack"):
        _git("-C", str(path), "config", name, "true")
    writer = _Writer(repo, shape)
    with tempfile.TemporaryDirectory(prefix="github-server-") as scratch:
        marks = Path(scratch, "marks")
        _import(path, marks, writer.stream())
        content = _read_marks(marks)
    world = GitWorld(path, Oids(shape, content), writer.opened_on, writer.merged_on, writer.lines)
    world.rewind(shape, END)
    return world


def _offsets(shape: Shape) -> array[int]:
    offsets = array("q", bytes(8 * (shape.last_number + 1)))
    mark = _FIRST + 1
    for number in pulls_up_to(shape.last_number):
        fate = fate_of(shape, number)
        offsets[number] = mark
        mark += fate.commits + fate.landing_commits
    return offsets


class _Writer:
    """Turns fates into the stream that `git fast-import` reads, in the order of time."""

    def __init__(self, repo: str, shape: Shape) -> None:
        self._repo = repo
        self._shape = shape
        self._offsets = _offsets(shape)
        self.lines = {MAIN: Line([_FIRST], [START]), RELEASE: Line([_FIRST], [START])}
        empty = bytes(8 * (shape.last_number + 1))
        self.opened_on, self.merged_on = array("q", empty), array("q", empty)

    def stream(self) -> Iterator[bytes]:
        yield b"feature done\n"
        yield from self._commit(_FIRST, None, PlannedCommit("Begin\n", START, START, _SERVICE, ()))
        yield from (_modify(path, text) for path, text in first_files().items())
        fates = [fate_of(self._shape, number) for number in pulls_up_to(self._shape.last_number)]
        for fate in sorted(fates, key=lambda fate: (fate.merged or fate.closed or fate.created + 86_400, fate.number)):
            plan = plan_of(self._shape, self._repo, fate)
            yield from self._branch(plan)
            if fate.merged:
                yield from self._landing(plan)
        yield f"reset {_SCRATCH}\nfrom {_NULL}\n\ndone\n".encode()

    def _branch(self, plan: Plan) -> Iterator[bytes]:
        fate = plan.fate
        line = self.lines.get(fate.base, self.lines[MAIN])
        base = line.position(plan.begun)
        self.opened_on[fate.number] = line.marks[line.position(fate.created)]
        parent = line.marks[base]
        done: list[PlannedCommit] = []
        for mark, commit in enumerate(plan.commits, start=self._offsets[fate.number]):
            done.append(commit)
            own = over(edit for each in done for edit in each.edits)
            paths = {edit.path for edit in commit.edits}
            taken = line.position(commit.authored) if commit.merges_main else base
            merged = line.marks[taken] if commit.merges_main and taken != base else None
            yield from self._commit(mark, parent, commit, merged)
            if commit.merges_main:
                paths = line.changed(base, taken)
                base = taken
            yield from (_modify(path, line.text(path, base, own.get(path, {}))) for path in sorted(paths))
            parent = mark

    def _landing(self, plan: Plan) -> Iterator[bytes]:
        fate = plan.fate
        line = self.lines.get(fate.base, self.lines[MAIN])
        mark = self._offsets[fate.number] + fate.commits
        parent = self.merged_on[fate.number] = line.marks[line.tip]
        for commit in landing_commits(
            plan
        ):  # a single one, if it is a merge; then its branch's last is the mark before
            merged = mark - 1 if fate.how == "merge" else None
            yield from self._commit(mark, parent, commit, merged)
            for path, slots in sorted(over(commit.edits).items()):
                yield _modify(path, line.text(path, line.tip, slots))
            if not fate.gone:
                line.land(mark, commit.committed, commit.edits)
            parent, mark = mark, mark + 1

    def _commit(
        self, mark: int, parent: int | None, commit: PlannedCommit, merged: int | None = None
    ) -> Iterator[bytes]:
        message = commit.message.encode()
        lines = [
            f"commit {_SCRATCH}\nmark :{mark}",
            f"author {commit.author} {commit.authored} +0000",
            f"committer {commit.author} {commit.committed} +0000",
            f"data {len(message)}\n",
        ]
        yield "\n".join(lines).encode() + message
        yield f"\nfrom :{parent}\n".encode() if parent else b"\n"
        if merged:
            yield f"merge :{merged}\n".encode()


_SCRATCH = "refs/import/scratch"


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
        return [PlannedCommit(message, fate.merged, fate.merged, _SERVICE, edits)]
    steps = "\n".join(f"* {commit.message}" for commit in plan.commits)
    message = f"{plan.title} (#{fate.number})\n\n{steps}"
    return [PlannedCommit(message, fate.merged, fate.merged, plan.commits[0].author, edits)]


def _modify(path: str, text: str) -> bytes:
    data = text.encode()
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _read_marks(path: Path) -> bytes:
    lines = path.read_text(encoding="ascii").splitlines()
    content = bytearray(20 * len(lines))
    for line in lines:
        mark, oid = line.removeprefix(":").split(" ")
        content[20 * (int(mark) - 1) : 20 * int(mark)] = bytes.fromhex(oid)
    return bytes(content)


def _import(path: Path, marks: Path, stream: Iterable[bytes]) -> None:
    options = ["--quiet", "--force", f"--export-marks={marks}"]
    command = ["git", "-c", "core.compression=1", f"--git-dir={path}", "fast-import", *options]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, bufsize=1 << 20) as process:
        sink: IO[bytes] | None = process.stdin
        assert sink is not None
        with sink:
            sink.writelines(stream)
        assert process.wait() == 0, "git fast-import failed; its words are above"


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], env=environment(), check=True)


def environment() -> dict[str, str]:
    """For git, without anyone's configuration."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TEMPLATE_DIR": "",
        "LC_ALL": "C",
    }
