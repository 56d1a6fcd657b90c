"""The command itself, killed at any instant, by the kernel's own hand."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from github_server import Server, Shape, World, serve
from harvest_factory import REPO

from builder import session
from builder.settings import Settings
from builder.store import CANDIDATE, DONE, PULL_REQUEST

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

KILLS = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=100)), points=10**6) as running:
        yield running


def harvest(server: Server, workspace: Path, *more: str) -> subprocess.Popen[bytes]:
    arguments = ["harvest", REPO, "--workspace", str(workspace), "--api-url", server.url, "--quiet", *more]
    command = [sys.executable, "-m", "builder", *arguments, "--clone-url", f"{server.url}/{{repo}}.git"]
    environment = {**os.environ, "BUILDER_GITHUB_TOKENS": server.tokens[0]}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def stored(workspace: Path) -> dict[str, str]:
    """What the workspace says of each change, but where its clone is."""
    with session.reading(Settings(workspace)) as store:
        found = {
            f"{step} {one.item}": (one.value or one.reason).replace(str(workspace), "")
            for step in (PULL_REQUEST, CANDIDATE)
            for one in store.results(step)
        }
        assert not store.last_errors()
        assert any(one.outcome == DONE for one in store.results(CANDIDATE))
    return found


def test_fifty_kills_lose_nothing(server: Server, tmp_path: Path) -> None:
    """Each comes at a random moment; a workspace whose harvest came to its end all the same is compared, and left."""
    began = time.monotonic()
    finish(server, tmp_path / "whole")
    takes = time.monotonic() - began
    whole = stored(tmp_path / "whole")
    spent, draw = server.counts.points, random.Random(4)
    killed = place = 0
    while killed < KILLS:
        workspace = tmp_path / f"killed{place}"
        if survived(harvest(server, workspace), draw.uniform(0.3, takes * 0.7)):
            assert stored(workspace) == whole
            place += 1
        else:
            killed += 1
    finish(server, tmp_path / f"killed{place}")
    assert stored(tmp_path / f"killed{place}") == whole
    # What was paid for once is not paid for again: each start asks what the repository is, and looks for news.
    assert server.counts.points - spent < (place + 1) * spent + 9 * KILLS


def survived(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process came to its end before it was killed."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    assert process.returncode == 0, output.decode()
    return True


def finish(server: Server, workspace: Path) -> None:
    process = harvest(server, workspace)
    output, _ = process.communicate()
    assert process.returncode == 0, output.decode()
