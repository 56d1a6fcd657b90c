"""From a harvest to candidates with a mirror of our own: contents are there before they are read, or when missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from github_server import Server, Shape, World, serve
from harvest_factory import REPO, request_to

from builder import contents, harvesting, session
from builder.commands import Outcome
from builder.errors import UnknownNameError
from builder.gitclone import borrow
from builder.rawpages import manifest_path
from builder.settings import Settings
from builder.store import CANDIDATE, DONE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=60))) as running:
        yield running


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("BUILDER_GITHUB_TOKENS", server.tokens[0])


def harvest(server: Server, place: Path, *, replay: bool = False, repos: tuple[str, ...] = (REPO,)) -> Outcome:
    with session.writing(Settings(place, quiet=True)) as opened:
        request = replace(request_to(server, place), replay=replay)
        return harvesting.harvest(opened, repos, None, request)


def candidates(place: Path) -> dict[str, str]:
    with session.reading(Settings(place)) as store:
        return {one.item: one.value or "" for one in store.results(CANDIDATE, outcome=DONE)}


def test_candidates_are_made_from_what_was_fetched_before(server: Server, tmp_path: Path) -> None:
    """A request for every file of every change would take hours."""
    before = server.counts.git
    outcome = harvest(server, tmp_path)
    assert not outcome.failed
    assert len(candidates(tmp_path)) > 5
    assert server.counts.git - before < 25
    assert outcome.points[REPO] > 0
    again = harvest(server, tmp_path)
    assert again.summaries[0].skipped > 20
    assert harvest(server, tmp_path, replay=True).points == {REPO: 0}


def test_a_limited_harvest_says_what_it_cost(server: Server, tmp_path: Path) -> None:
    """Whoever takes the last wanted record does not ask for another: the manifest would lack its figures."""
    with session.writing(Settings(tmp_path, quiet=True)) as opened:
        outcome = harvesting.harvest(opened, [REPO], None, request_to(server, tmp_path, limit=3))
    manifest = json.loads(manifest_path(tmp_path / "raw", "github", REPO).read_text())
    assert outcome.points[REPO] == manifest["points"] == manifest["points_in_all"] > 0
    assert (manifest["name"], manifest["pull_requests"]) == (REPO, 3)


def test_what_was_overlooked_is_fetched_when_it_is_missed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harvest(server, tmp_path / "fetched")
    monkeypatch.setattr(contents, "fetch_changes", lambda *_: None)
    outcome = harvest(server, tmp_path / "overlooked")
    assert not outcome.failed
    assert candidates(tmp_path / "overlooked").keys() == candidates(tmp_path / "fetched").keys()


def test_a_mirror_is_whole_before_environments_are_planned(server: Server, tmp_path: Path) -> None:
    harvest(server, tmp_path)
    clone = tmp_path / "work/clones/octo__sums.git"
    assert contents.complete([str(clone), str(tmp_path / "elsewhere")])
    (tmp_path / "private").mkdir()
    missing = borrow(clone, tmp_path / "private").run("rev-list", "--objects", "--all", "--missing=print")
    assert b"?" not in missing
    assert not contents.complete([str(tmp_path / "elsewhere")])


def test_one_repository_that_is_gone_does_not_stop_the_others(server: Server, tmp_path: Path) -> None:
    outcome = harvest(server, tmp_path, repos=("octo/gone", "commons/archive", REPO))
    assert [error.problems[0].split(":")[0] for error in outcome.incomplete] == ["octo/gone"]
    assert outcome.points[REPO] > 0
    with pytest.raises(UnknownNameError, match="octo/gone"):
        harvest(server, tmp_path / "alone", repos=("octo/gone",))
