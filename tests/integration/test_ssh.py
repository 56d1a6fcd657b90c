"""Private repositories over ssh, with a real server: the user's own keys and known hosts, and never a question."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from github_server import Server, Shape, World, serve
from harvest_factory import harvest, request_to

from builder.errors import RepositoryError
from builder.mirrors import Mirror, clone_url_for, remote_for
from builder.protocols import Access

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [pytest.mark.integration, pytest.mark.skipif(SSHD is None, reason="there is no sshd: openssh-server")]


@dataclass(frozen=True)
class Host:
    """`command` is how ssh reaches the server; `root` the URL below which the world's repositories are."""

    command: str
    root: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=40))) as running:
        yield running


@pytest.fixture(scope="module")
def host(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server of our own, as whoever runs the tests, on the loopback only."""
    place = tmp_path_factory.mktemp("ssh")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key], check=True)
    (place / "authorized").write_bytes((place / "user.pub").read_bytes())
    port = free_port()
    public = " ".join((place / "host.pub").read_text().split()[:2])
    (place / "known").write_text(f"[127.0.0.1]:{port} {public}\n")
    options = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": place / "host",
        "AuthorizedKeysFile": place / "authorized",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
    }
    (place / "config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    root = server.world.repositories[0].git.path.parent.parent
    known = place / "known"
    command = f"ssh -F none -i {place / 'user'} -o IdentitiesOnly=yes -o UserKnownHostsFile={known}"
    with subprocess.Popen([str(SSHD), "-D", "-e", "-f", place / "config"], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield Host(command, f"ssh://{getpass.getuser()}@127.0.0.1:{port}{root}")
        finally:
            process.terminate()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(100):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd did not start")


def test_a_harvest_clones_over_ssh(server: Server, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDER_GITHUB_TOKENS", server.tokens[0])
    monkeypatch.setenv("GIT_SSH_COMMAND", host.command)
    before = server.counts.git
    found = harvest(request_to(server, tmp_path, clone_url=f"{host.root}/{{repo}}.git"))
    assert set(found) == set(server.world.repositories[0].merged())
    assert server.counts.git == before
    mirror = Mirror.at(tmp_path / "work/clones/octo__sums.git", {})
    assert mirror is not None
    pairs = [(each.base_commit, each.merge_commit) for each in found.values()]
    assert mirror.fetch_changes(pairs) > 0


@pytest.mark.parametrize(("replaced", "by"), [("/known", "/user.pub"), ("/user", "/host")])
def test_an_unknown_host_or_key_is_an_error_and_no_question(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: str, by: str
) -> None:
    """A command that waits for somebody to type `yes` would wait for ever."""
    url = clone_url_for(Access(clone_url=f"{host.root}/{{repo}}.git"), "octo/sums")
    monkeypatch.setenv("GIT_SSH_COMMAND", host.command.replace(replaced, by))
    with pytest.raises(RepositoryError, match="a key that ssh can use without asking"):
        Mirror.open(tmp_path / "m.git", remote_for(url, Access(), {}))
