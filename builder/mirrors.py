"""Clones of our own below a workspace: all commits and trees of a remote repository, file contents only as needed.

A mirror is bare and blobless (git's partial clone with `blob:none`). Nothing is fetched behind anyone's back: whoever
reads it without asking for contents first finds that objects are missing. One process writes at a time: whoever holds
the workspace's lock. A fetch that was killed leaves nothing that counts; the next one begins it again.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from builder import files
from builder.errors import RepositoryError, TokenMissingError
from builder.gitclone import borrow
from builder.gitcommand import GitCommand, GitFailed, explained
from builder.gitremote import Remote, fetch_patiently, network_environment
from builder.models import Sha
from builder.protocols import Access
from builder.tokens import find_tokens

Item = TypeVar("Item")

_REMOTE = "builder-remote.json"
_COMPLETE = "builder-complete"
_CURRENT = b"current\n"
_CONFIG = """\
[core]
\trepositoryformatversion = 1
\tbare = true
[extensions]
\tpartialClone = origin
[gc]
\tauto = 0
[remote "origin"]
\turl = {url}
\tpromisor = true
\tpartialclonefilter = blob:none
"""
_BRANCHES = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_COMMITS_AT_ONCE = 200
_PULLS_AT_ONCE = 500
_BLOBS_AT_ONCE = 5000
_BY_ID = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none")


class Mirror:
    """The mirror at `path`. Methods that fetch raise RepositoryError, NetworkMissingError, DiskFullError."""

    def __init__(self, path: Path, remote: Remote) -> None:
        self.path = path
        self._remote = remote
        self._git = GitCommand(path)

    @classmethod
    def open(cls, path: Path, remote: Remote) -> Mirror:
        """Make the mirror, or fetch what is newer: all branches and tags, and which branch is the main one."""
        mirror = cls(path, remote)
        mirror._prepare()
        if (path / _COMPLETE).exists():
            files.write_file(path / _COMPLETE, b"")  # was complete: only what comes now is missing
        mirror._fetch("--prune", "--no-write-fetch-head", "--filter=blob:none", "origin", *_BRANCHES)
        mirror._set_head()
        files.write_file(path / _REMOTE, remote.to_json().encode("utf-8"))
        return mirror

    @classmethod
    def at(cls, path: Path, environ: Mapping[str, str]) -> Mirror | None:
        """The mirror that was made at `path`, without asking anybody; None where there is none, or another's clone."""
        try:
            told = json.loads((path / _REMOTE).read_bytes())
        except (OSError, ValueError):
            return None
        access = Access(told["api_url"], ca_bundle=Path(told["ca_bundle"]) if told["ca_bundle"] else None)
        return cls(path, remote_for(told["url"], access, environ, proxy=told["proxy"]))

    def fetch_pulls(self, numbers: Iterable[int]) -> set[int]:
        """The heads of pull requests, as `refs/pull/N/head`; returns the numbers that the remote has."""
        wanted = {f"refs/pull/{number}/head": number for number in numbers}
        listed = self._ask("ls-remote", "origin", "refs/pull/*/head").decode("utf-8", "replace").splitlines()
        known = [name for name in (line.partition("\t")[2] for line in listed) if name in wanted]
        for batch in _batches(known, _PULLS_AT_ONCE):
            self._fetch(*_BY_ID, "--stdin", "origin", stdin=[f"+{name}:{name}" for name in batch])
        return {wanted[name] for name in known}

    def fetch_commits(self, shas: Iterable[Sha]) -> set[Sha]:
        """Commits by id, which stay as `refs/builder/ID`; returns those that are here then."""
        absent = self._absent(shas)
        wanted = sorted(absent)
        for batch in _batches(wanted, _COMMITS_AT_ONCE):
            self._fetch_commits(batch)
        return set(wanted) - self._absent(wanted)

    def fetch_changes(self, changes: Iterable[tuple[Sha, Sha]], paths: Sequence[str] = ()) -> int:
        """The contents that make the differences of base and merge, and of some paths (files, folders) at the base.

        Fetches none twice; returns how many there were.
        """
        pairs = tuple(dict.fromkeys(changes))
        with tempfile.TemporaryDirectory(prefix="builder-mirror-") as private:
            reader = borrow(self.path, Path(private))
            blobs = dict.fromkeys(_blobs(reader, (f"{merge} {base}" for base, merge in pairs)))
            if paths:
                trees = _trees(reader, dict.fromkeys(base for base, _ in pairs))
                blobs |= dict.fromkeys(_blobs(reader, (f"{_EMPTY_TREE} {tree}" for tree in trees), paths))
            missing = self._missing(reader, blobs)
        for batch in _batches(missing, _BLOBS_AT_ONCE):
            self._fetch_blobs(batch)
        return len(missing)

    def complete(self) -> None:
        """All contents of everything that is here: a full clone, until the next `open` brings more."""
        done = self.path / _COMPLETE
        if done.exists() and done.read_bytes() == _CURRENT:
            return
        if not done.exists():
            self._fetch("--refetch", "--no-filter", "--no-write-fetch-head", "origin", *_BRANCHES)
        with tempfile.TemporaryDirectory(prefix="builder-mirror-") as private:
            reader = borrow(self.path, Path(private))
            try:
                listed = reader.run("rev-list", "--objects", "--all", "--missing=print").decode("ascii", "replace")
            except GitFailed as error:
                raise explained(error, "list what is missing", self.path) from error
        missing = [line[1:] for line in listed.splitlines() if line.startswith("?")]
        for batch in _batches(missing, _BLOBS_AT_ONCE):
            self._fetch_blobs(batch)
        files.write_file(done, _CURRENT)

    # --- below

    def _prepare(self) -> None:
        """An empty repository, or the one that is there without what a killed git left behind."""
        with files.disk_errors(self.path):
            for leftover in (*self.path.rglob("*.lock"), *self.path.glob("objects/pack/tmp_*")):
                leftover.unlink()
            for folder in ("objects/info", "objects/pack", "refs/heads"):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            if not (self.path / "HEAD").exists():
                (self.path / "HEAD").write_text("ref: refs/heads/main\n")
        quoted = json.dumps(
            self._remote.url, ensure_ascii=False
        )  # git's strings escape as JSON's do, for what a URL may hold
        files.write_file(self.path / "config", _CONFIG.format(url=quoted).encode("utf-8"))

    def _set_head(self) -> None:
        answer = self._ask("ls-remote", "--symref", "origin", "HEAD").decode("utf-8", "replace")
        for line in answer.splitlines():
            if line.startswith("ref: "):
                self._git.run("symbolic-ref", "HEAD", line.removeprefix("ref: ").partition("\t")[0])

    def _fetch_commits(self, shas: Sequence[Sha]) -> None:
        """Halved where the remote lacks one of them, since it then sends none."""
        try:
            lines = [f"+{sha}:refs/builder/{sha}" for sha in shas]
            self._fetch(*_BY_ID, "--stdin", "origin", stdin=lines)
        except RepositoryError:
            if len(shas) == 1:
                return
            middle = len(shas) // 2
            self._fetch_commits(shas[:middle])
            self._fetch_commits(shas[middle:])

    def _fetch_blobs(self, blobs: Sequence[Sha]) -> None:
        """As git itself fetches what a partial clone lacks: by id, without negotiation."""
        self._fetch(*_BY_ID, "--stdin", "origin", stdin=blobs, options=("fetch.negotiationAlgorithm=noop",))

    def _absent(self, shas: Iterable[Sha]) -> set[Sha]:
        with tempfile.TemporaryDirectory(prefix="builder-mirror-") as private:
            return set(self._missing(borrow(self.path, Path(private)), dict.fromkeys(shas)))

    def _missing(self, reader: GitCommand, objects: Iterable[Sha]) -> list[Sha]:
        with _listed(objects) as lines:
            answers = reader.run("cat-file", "--batch-check=%(objecttype)", stdin=lines).decode("ascii")
        return [line.removesuffix(" missing") for line in answers.splitlines() if line.endswith(" missing")]

    def _fetch(self, *arguments: str, stdin: Iterable[str] = (), options: Sequence[str] = ()) -> None:
        settings = tuple(part for option in options for part in ("-c", option))
        lines = list(stdin)
        fetch_patiently(self._remote, lambda: self._network(*settings, "fetch", "--quiet", *arguments, lines=lines))

    def _ask(self, *arguments: str) -> bytes:
        return fetch_patiently(self._remote, lambda: self._network(*arguments))

    def _network(self, *arguments: str, lines: Sequence[str] = ()) -> bytes:
        with _listed(lines) as listed:
            return self._git.run(*arguments, stdin=listed, env=network_environment(self._remote))


def clone_url_for(access: Access, repo: str) -> str:
    """Where a repository is cloned from: the template of `access`, else the service's own HTTPS address."""
    if access.clone_url:
        return access.clone_url.replace("{repo}", repo)
    return f"{_web_root(access.api_url)}/{repo}.git"


def remote_for(url: str, access: Access, environ: Mapping[str, str], *, proxy: str = "") -> Remote:
    """The remote at `url`; with a token only where the service itself is asked, and there is one."""
    token = None
    if url.startswith(f"{_web_root(access.api_url)}/"):
        try:
            token = find_tokens(access, environ)[0]
        except TokenMissingError:
            token = None  # a public repository needs none
    return Remote(url, access.api_url, token, access.ca_bundle, proxy or access.proxy)


def _web_root(api_url: str) -> str:
    root = api_url.rstrip("/").removesuffix("/api/v3")
    return root.replace("//api.", "//", 1) if root.startswith("https://api.") else root


def _blobs(reader: GitCommand, compared: Iterable[str], paths: Sequence[str] = ()) -> Iterator[Sha]:
    """Of both sides of some differences (`MERGE BASE`, or two trees); what is no blob (a submodule) is left out."""
    with _listed(compared) as lines:
        raw = reader.run("diff-tree", "--stdin", "-r", "--no-renames", "--", *paths, stdin=lines)
    for line in raw.decode("utf-8", "replace").splitlines():
        if line.startswith(":"):
            old_mode, new_mode, old, new = line[1:].split(" ")[:4]
            yield from (sha for mode, sha in ((old_mode, old), (new_mode, new)) if mode.startswith(("100", "120")))


def _trees(reader: GitCommand, commits: Iterable[Sha]) -> list[Sha]:
    with _listed(f"{sha}^{{tree}}" for sha in commits) as lines:
        answers = reader.run("cat-file", "--batch-check=%(objectname)", stdin=lines).decode("ascii", "replace")
    return [line for line in answers.splitlines() if " " not in line]


@contextmanager
def _listed(lines: Iterable[str]) -> Iterator[IO[bytes]]:
    """The lines as a file to be read from its beginning."""
    with tempfile.TemporaryFile() as listed:
        listed.writelines(f"{line}\n".encode() for line in lines)
        listed.seek(0)
        yield listed


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
