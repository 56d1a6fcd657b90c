"""Writes a generated repository with one `git fast-import`, and remembers on the disk what is to know of it."""

from __future__ import annotations

import pickle
import subprocess
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from github_server.content import first_files
from github_server.fates import END, MAIN, RELEASE, START, Shape, fate_of
from github_server.gitworld import FIRST_MARK, GitWorld, Oids, Tips, environment, offsets_of
from github_server.landings import SERVICE, landing_commits
from github_server.lines import Line, over
from github_server.numbering import pulls_up_to
from github_server.plans import Plan, PlannedCommit, plan_of

_KNOWN = "generated.pickle"
_FORM = 1  # to be raised with every change of what is generated
_NULL = "0" * 40
_SCRATCH = "refs/import/scratch"


def open_repository(path: Path, repo: str, shape: Shape) -> GitWorld:
    """The repository at `path`, made where there is none yet of exactly this shape: 700 pull requests a second."""
    known = path / _KNOWN
    if known.is_file():
        found = pickle.loads(known.read_bytes())
        if found[:3] == (_FORM, repo, shape):
            world: GitWorld = found[3]
            world.rewind(shape, END)
            return world
    world = _write_repository(path, repo, shape)
    known.write_bytes(pickle.dumps((_FORM, repo, shape, world)))
    return world


def _write_repository(path: Path, repo: str, shape: Shape) -> GitWorld:
    _git("init", "--quiet", "--bare", f"--initial-branch={MAIN}", str(path))
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.uploadpack"):
        _git("-C", str(path), "config", name, "true")
    writer = _Writer(repo, shape)
    with tempfile.TemporaryDirectory(prefix="github-server-") as scratch:
        marks = Path(scratch, "marks")
        _import(path, marks, writer.stream())
        content = _read_marks(marks)
    branches = {name: Tips(array("q", line.marks), array("q", line.times)) for name, line in writer.lines.items()}
    world = GitWorld(path, Oids(shape, content), writer.opened_on, writer.merged_on, branches)
    world.rewind(shape, END)
    return world


class _Writer:
    """Turns fates into the stream that `git fast-import` reads, in the order of time."""

    def __init__(self, repo: str, shape: Shape) -> None:
        self._repo = repo
        self._shape = shape
        self._offsets = offsets_of(shape)
        self.lines = {MAIN: Line([FIRST_MARK], [START]), RELEASE: Line([FIRST_MARK], [START])}
        empty = bytes(8 * (shape.last_number + 1))
        self.opened_on, self.merged_on = array("q", empty), array("q", empty)

    def stream(self) -> Iterator[bytes]:
        yield b"feature done\n"
        yield from self._commit(FIRST_MARK, None, PlannedCommit("Begin\n", START, START, SERVICE, ()))
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
