"""Our own clones: what they fetch, what they lack, and that no kill, name or other host gets in between."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from github_server import Server, Shape, Traits, World, serve

from builder import gitremote
from builder.errors import NetworkMissingError, RepositoryError
from builder.git import Repository
from builder.gitcommand import GitFailed
from builder.gitremote import Remote, network_environment, shown
from builder.mirrors import Mirror, clone_url_for, remote_for
from builder.protocols import Access
from builder.tokens import Token


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    others = {"octo/sums-2": Traits(private=True)}
    return World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=60), repositories=2, others=others)


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Server]:
    with serve(world) as running:
        yield running


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)


@pytest.fixture
def mirror(server: Server, tmp_path: Path) -> Mirror:
    return Mirror.open(tmp_path / "m.git", remote(server))


def remote(server: Server, repo: str = "octo/sums", token: str = "") -> Remote:
    secret = Token(token, "test") if token else None
    return Remote(f"{server.url}/{repo}.git", server.url, secret)


def git(path: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "GIT_ALLOW_PROTOCOL": "none", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", f"--git-dir={path}", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def blobs(path: Path) -> int:
    kinds = git(path, "cat-file", "--batch-check=%(objecttype)", "--batch-all-objects")
    return kinds.splitlines().count("blob")


def test_history_comes_without_contents(mirror: Mirror, world: World) -> None:
    """A full clone of a large repository is gigabytes, of which a harvest reads a part."""
    truths = list(world.repositories[0].truths())
    repository = Repository(mirror.path)
    assert blobs(mirror.path) == 0
    assert all(repository.contains(truth.merge_commit) for truth in truths if truth.on_branch)
    with pytest.raises(RepositoryError, match="lacks objects"):
        repository.diff(truths[0].base_commit, truths[0].merge_commit)


def test_contents_of_changes_are_fetched_together(mirror: Mirror, world: World, server: Server) -> None:
    truths = [truth for truth in world.repositories[0].truths() if truth.on_branch]
    pairs = [(truth.base_commit, truth.merge_commit) for truth in truths]
    before = server.counts.git
    assert mirror.fetch_changes(pairs, ["README.md"]) > 0
    assert server.counts.git - before <= 2
    assert mirror.fetch_changes(pairs, ["README.md"]) == 0
    ours, theirs = Repository(mirror.path), Repository(world.repositories[0].git.path)
    assert all(ours.diff(*pair) == theirs.diff(*pair) for pair in pairs)
    assert all(ours.read_file(base, "README.md") == theirs.read_file(base, "README.md") for base, _ in pairs)


def test_t04_commits_that_no_branch_reaches_are_fetched_by_id(mirror: Mirror, world: World) -> None:
    """One id that the service does not have must not lose the others."""
    gone = [truth.merge_commit for truth in world.repositories[0].truths() if not truth.on_branch]
    unknown = ["a" * 40, "b" * 40]
    assert gone
    assert mirror.fetch_commits([unknown[0], *gone, unknown[1]]) == set(gone)
    assert mirror.fetch_commits(gone) == set()
    git(mirror.path, "-c", "gc.pruneExpire=now", "gc", "--quiet")
    assert all(Repository(mirror.path).contains(sha) for sha in gone)


def test_heads_of_pull_requests(mirror: Mirror, world: World) -> None:
    truths = list(world.repositories[0].truths())[:7]
    assert mirror.fetch_pulls([*(truth.number for truth in truths), 99_999]) == {truth.number for truth in truths}
    repository = Repository(mirror.path)
    assert [repository.pull_head(truth.number) for truth in truths] == [truth.head for truth in truths]


def test_a_completed_mirror_is_a_full_clone(mirror: Mirror, world: World, server: Server) -> None:
    gone = [truth for truth in world.repositories[0].truths() if not truth.on_branch]
    mirror.fetch_commits(truth.merge_commit for truth in gone)
    mirror.complete()
    ours, theirs = Repository(mirror.path), Repository(world.repositories[0].git.path)
    for truth in world.repositories[0].truths():
        assert ours.diff(truth.base_commit, truth.merge_commit) == theirs.diff(truth.base_commit, truth.merge_commit)
    before = server.counts.git
    mirror.complete()
    assert server.counts.git == before


def test_what_a_killed_fetch_left_is_in_nobodys_way(server: Server, tmp_path: Path) -> None:
    """A lock file of a killed git would stop every later fetch."""
    path = tmp_path / "m.git"
    (path / "objects/pack").mkdir(parents=True)
    (path / "refs/heads").mkdir(parents=True)
    for leftover in ("HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "config.lock", "objects/pack/tmp_pack_x"):
        (path / leftover).write_bytes(b"half")
    mirror = Mirror.open(path, remote(server))
    assert Repository(mirror.path).resolve("HEAD")
    assert not list(path.rglob("*.lock"))
    assert not list(path.glob("objects/pack/tmp_*"))


def test_a_half_made_mirror_is_not_taken_for_one(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.git"
    Mirror(path, remote(server))._prepare()
    assert Mirror.at(path, {}) is None
    Mirror.open(path, remote(server))
    assert Mirror.at(path, {}) is not None


def test_later_commits_and_vanished_branches_follow(tmp_path: Path) -> None:
    world = World.generate(tmp_path / "world", Shape(pulls=40))
    repository = world.repositories[0]
    middle = repository.fate(repository.merged()[10]).merged
    with serve(world) as server:
        world.at(middle)
        Mirror.open(tmp_path / "m.git", remote(server))
        early = Repository(tmp_path / "m.git").resolve("HEAD")
        world.at(world.now + 10**9)
        Mirror.open(tmp_path / "m.git", remote(server))
        late = Repository(tmp_path / "m.git")
        assert late.resolve("HEAD") != early
        assert late.is_ancestor(early, late.resolve("HEAD"))


# --- who is asked, and with what


def test_a_private_repository_needs_the_token(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="refuses us"):
        Mirror.open(tmp_path / "without.git", remote(server, "octo/sums-2"))
    mirror = Mirror.open(tmp_path / "with.git", remote(server, "octo/sums-2", server.tokens[0]))
    assert Repository(mirror.path).resolve("HEAD")
    written = b"".join(path.read_bytes() for path in mirror.path.rglob("*") if path.is_file())
    assert server.tokens[0].encode() not in written


def test_the_token_is_in_no_argument_and_no_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError) as caught:
        Mirror.open(tmp_path / "m.git", remote(server, "octo/nothing", server.tokens[0]))
    assert (
        server.tokens[0] not in f"{caught.value!r} {caught.value} {caught.value.__cause__} {caught.value.__context__}"
    )
    assert "octo/nothing" in str(caught.value)


def test_a_token_follows_no_redirect(server: Server, tmp_path: Path) -> None:
    """A server that redirects elsewhere would be handed the token."""
    with pytest.raises(RepositoryError):
        Mirror.open(tmp_path / "with.git", remote(server, "octo/totals", server.tokens[0]))
    assert Mirror.open(tmp_path / "without.git", remote(server, "octo/totals")).path.exists()


def test_only_the_service_itself_gets_the_token(tmp_path: Path) -> None:
    environ = {"GITHUB_TOKEN": "ghp_secret", "GH_ENTERPRISE_TOKEN": "ghe_secret"}
    public, own = Access(), Access(api_url="https://git.example.org/api/v3")
    assert remote_for("https://github.com/o/n.git", public, environ).token is not None
    assert remote_for("https://github.com.example.org/o/n.git", public, environ).token is None
    assert remote_for("ssh://git@github.com/o/n.git", public, environ).token is None
    assert remote_for("https://github.com/o/n.git", own, environ).token is None
    token = remote_for("https://git.example.org/o/n.git", own, environ).token
    assert token is not None
    assert token.origin == "GH_ENTERPRISE_TOKEN"
    assert remote_for("https://github.com/o/n.git", public, {"PATH": str(tmp_path)}).token is None


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access(), "https://github.com/o/n.git"),
        (Access(api_url="https://git.example.org/api/v3/"), "https://git.example.org/o/n.git"),
        (Access(api_url="https://api.octo.ghe.com"), "https://octo.ghe.com/o/n.git"),
        (Access(clone_url="git@github.com:{repo}.git"), "git@github.com:o/n.git"),
        (Access(clone_url="ssh://git@host:2222/{repo}"), "ssh://git@host:2222/o/n"),
    ],
)
def test_where_a_repository_is_cloned_from(access: Access, expected: str) -> None:
    assert clone_url_for(access, "o/n") == expected


def test_what_the_environment_of_a_fetch_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F my_config")
    remote = Remote(
        "https://h:8443/o/n.git", "https://h:8443", Token("secret", "test"), tmp_path / "ca.pem", "http://p:1"
    )
    environment = network_environment(remote)
    count = int(environment["GIT_CONFIG_COUNT"])
    settings = {environment[f"GIT_CONFIG_KEY_{n}"]: environment[f"GIT_CONFIG_VALUE_{n}"] for n in range(count)}
    assert settings.pop("http.https://h:8443/.extraHeader").startswith("Authorization: Basic ")
    assert settings == {
        "http.followRedirects": "false",
        "core.sshCommand": "ssh -F my_config -o BatchMode=yes",
        "http.sslCAInfo": str(tmp_path / "ca.pem"),
        "http.proxy": "http://p:1",
    }


def test_a_remote_without_a_listener_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkMissingError, match=r"127\.0\.0\.1:9"):
        Mirror.open(tmp_path / "m.git", Remote("http://user:pass@127.0.0.1:9/o/n.git"))


def test_what_passes_is_tried_again() -> None:
    tries = []

    def attempt() -> bytes:
        tries.append(1)
        if len(tries) < 3:
            raise GitFailed(128, "fatal: early EOF")
        return b"done"

    assert gitremote.fetch_patiently(Remote("https://h/o/n"), attempt) == b"done"
    assert len(tries) == 3


def test_urls_are_shown_without_their_user() -> None:
    assert shown("https://user:pass@h/o/n") == "https://h/o/n"
    assert shown("git@h:o/n.git") == "git@h:o/n.git"
