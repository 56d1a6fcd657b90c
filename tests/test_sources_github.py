"""The GitHub source against a service that behaves like the real one, on a repository of which all is known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from github_server import Faults, Server, Shape, World, serve
from harvest_factory import REPO, Clock, alike, harvest, incomplete, moments_of, request_to, told_as, told_by

from builder.errors import TokenMissingError, UnknownNameError, UsageError, WorkspaceError
from builder.git import Repository
from builder.models import PullRequest
from builder.patches import added_lines
from builder.rawpages import RawPages, manifest_path, raw_directory
from builder.sources.github import GithubSource
from builder.statements import Solution, hints

Records = dict[int, PullRequest]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=240))


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Server]:
    with serve(world) as running:
        yield running


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("BUILDER_GITHUB_TOKENS", ",".join(server.tokens))


@pytest.fixture(scope="module")
def harvested(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, Path]:
    """A whole harvest, and where it was made; read only."""
    place = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILDER_GITHUB_TOKENS", server.tokens[0])
        return harvest(request_to(server, place)), place


# --- what is found


def test_t05_every_merged_pull_request_is_found_as_it_was(world: World, harvested: tuple[Records, Path]) -> None:
    """T01, T03, T04: a wrong base, a missed link, or words written later would all show here."""
    records, _ = harvested
    truths = {truth.number: truth for truth in world.repositories[0].truths()}
    assert set(records) == set(truths)
    wrong = {
        number: told_by(records[number]) for number in truths if told_by(records[number]) != told_as(truths[number])
    }
    assert wrong == {}


def test_t03_hints_are_those_from_before_the_first_commit(world: World, harvested: tuple[Records, Path]) -> None:
    records, _ = harvested
    repository, seen = Repository(world.repositories[0].git.path), 0
    for truth in world.repositories[0].truths():
        record = records[truth.number]
        begun = min(commit.author_date for commit in record.commits)
        for issue in record.issues:
            added = added_lines(repository.diff(record.base_commit, record.merge_commit)).values()
            commits = (record.merge_commit, *truth.commits)
            solution = Solution.of(record.number, commits, (line for lines in added for line in lines))
            told = hints(issue.comments, begun, solution)
            assert told.text == "\n\n".join(each.strip() for each in truth.hints[issue.number])
            assert told.left_out == len(truth.leaks[issue.number])
            seen += bool(told.text and told.left_out)
    assert seen > 5


def test_the_hard_cases_are_among_them(world: World, harvested: tuple[Records, Path]) -> None:
    """The two tests above would prove nothing on easy pull requests only."""
    records, _ = harvested
    sources = {link.source for record in records.values() for link in record.links}
    assert sources == {"closing_reference", "closed_event", "title", "body", "commit"}
    assert {record.how_merged for record in records.values()} == {"merge", "squash", "rebase"}
    assert any(len(record.commits) > 100 for record in records.values())
    assert any(len(record.issues) > 25 for record in records.values())
    assert any(issue.body_as_of is None for record in records.values() for issue in record.issues)
    assert any(not truth.on_branch for truth in world.repositories[0].truths())


def test_no_call_is_made_for_a_single_pull_request(world: World, server: Server, tmp_path: Path) -> None:
    """At a request each, the quota of an hour would be gone after one repository."""
    before = (server.counts.points, server.counts.rest.total())
    harvest(request_to(server, tmp_path))
    repository = world.repositories[0]
    closed = len(repository.ordered("pulls", "MERGED|CLOSED", "created"))
    assert server.counts.rest.total() == before[1]
    spent = server.counts.points - before[0]
    manifest = json.loads(manifest_path(tmp_path / "raw", "github", REPO).read_text())
    assert (manifest["points"], manifest["points_in_all"]) == (spent, spent)
    assert spent / closed <= 0.2  # of so few pull requests, most pages are not full


# --- resuming


def test_a_second_harvest_asks_only_whether_there_is_news(server: Server, tmp_path: Path) -> None:
    first = harvest(request_to(server, tmp_path))
    before = server.counts.graphql
    assert harvest(request_to(server, tmp_path)) == first
    assert server.counts.graphql - before == 3


def test_what_came_later_is_read_later(tmp_path: Path) -> None:
    """Whatever changed in between must be found, and a stale issue must not be taken for how it was."""
    world = World.generate(tmp_path / "world", Shape(pulls=120, seed=4))
    middle, end = moments_of(world)
    with serve(world) as server:
        world.at(middle)
        early = harvest(request_to(server, tmp_path / "twice"))
        world.at(end)
        before = server.counts.points
        late = harvest(request_to(server, tmp_path / "twice"))
        spent = server.counts.points - before
        fresh = harvest(request_to(server, tmp_path / "once"))
        assert len(early) < len(late)
        assert spent < server.counts.points - before - spent
        assert set(late) == set(fresh)
        lost = [number for number in late if not same_or_better(late[number], fresh[number])]
        assert lost == []


def same_or_better(twice: PullRequest, once: PullRequest) -> bool:
    """Whoever read an issue before it was edited knows its words even where the service has lost them since.

    Comments are compared by their times: their words and authors are those of when they were read.
    """
    known, fresh = told_by(twice), told_by(once)
    for number, text in fresh["statements"].items():
        if text is None:
            known["statements"][number] = None
    times = [[[said.created_at for said in issue.comments] for issue in each.issues] for each in (twice, once)]
    return known == fresh and times[0] == times[1]


def test_a_replay_needs_no_service(server: Server, harvested: tuple[Records, Path], tmp_path: Path) -> None:
    records, place = harvested
    shutil.copytree(place, tmp_path / "copy")
    with serve(server.world) as gone:
        pass
    again = harvest(request_to(gone, tmp_path / "copy", replay=True))
    assert alike(again, records)


def test_a_replay_of_nothing_says_so(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was harvested yet"):
        harvest(request_to(server, tmp_path, replay=True))


def test_t06_any_number_of_breaks_loses_nothing(harvested: tuple[Records, Path], world: World, tmp_path: Path) -> None:
    """Fifty times the budget is spent, and the journal torn, at whatever page; then the rest is read."""
    records, _ = harvested
    with serve(world) as server:
        for turn in range(50):
            found, problems = incomplete(request_to(server, tmp_path, max_points=1 + turn % 3))
            assert all(alike({number: found[number]}, {number: records[number]}) for number in found)
            tear(raw_directory(tmp_path / "raw", "github", REPO) / "pages.jsonl", turn)
            if not problems:
                break
        assert alike(harvest(request_to(server, tmp_path)), records)


def tear(journal: Path, turn: int) -> None:
    """As a kill does it: the last line is there in part, or not at all."""
    content = journal.read_bytes()
    start = content.rfind(b"\n", 0, len(content) - 1) + 1
    if turn % 2:
        journal.write_bytes(content[: start + (turn * 37) % (len(content) - start)])


# --- what goes wrong


@pytest.mark.parametrize("seed", range(4))
def test_t06_failures_of_the_service_change_nothing(
    harvested: tuple[Records, Path], world: World, tmp_path: Path, seed: int
) -> None:
    """Every second request fails, in every way that there is, up to three times in a row."""
    clock = Clock()
    with serve(world, faults=Faults(rate=0.5, seed=seed, in_a_row=3), clock=clock) as server:
        assert alike(harvest(request_to(server, tmp_path), clock), harvested[0])
        assert server.counts.faults.total() >= 4


def test_pages_become_smaller_where_large_ones_run_out_of_time(
    harvested: tuple[Records, Path], world: World, tmp_path: Path
) -> None:
    clock = Clock()
    with serve(world, faults=Faults(most_nodes=9_000), clock=clock) as server:
        assert alike(harvest(request_to(server, tmp_path), clock), harvested[0])


def test_a_token_that_expires_is_done_without(harvested: tuple[Records, Path], world: World, tmp_path: Path) -> None:
    with serve(world) as server:
        first, second = server.tokens
    with serve(world, faults=Faults(expired=[first])) as server:
        assert alike(harvest(request_to(server, tmp_path)), harvested[0])
    with serve(world, faults=Faults(expired=[first, second])) as server:
        with pytest.raises(TokenMissingError) as caught:
            harvest(request_to(server, tmp_path / "none"))
        assert first not in str(caught.value)


def test_spent_points_leave_whole_records_and_say_what_waits(server: Server, world: World, tmp_path: Path) -> None:
    found, problems = incomplete(request_to(server, tmp_path, max_points=16))
    truths = {truth.number: truth for truth in world.repositories[0].truths()}
    assert 0 < len(found) < len(truths)
    assert all(told_by(record) == told_as(truths[number]) for number, record in found.items())
    assert any("wait" in problem for problem in problems)


# --- names


def test_a_repository_that_was_renamed_is_found_by_either_name(
    server: Server, harvested: tuple[Records, Path], tmp_path: Path
) -> None:
    """Links that use the other name are links to the same repository."""
    records, _ = harvested
    old = harvest(request_to(server, tmp_path, repo="octo/totals"))
    assert {number: record.merge_commit for number, record in old.items()} == {
        number: record.merge_commit for number, record in records.items()
    }
    assert {number: told_by(record) for number, record in old.items()} == {
        number: told_by(record) for number, record in records.items()
    }


def test_an_archived_repository_is_harvested_like_any(server: Server, tmp_path: Path) -> None:
    assert len(harvest(request_to(server, tmp_path, repo="commons/archive"))) > 0


def test_a_repository_that_does_not_exist_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="octo/sumz"):
        harvest(request_to(server, tmp_path, repo="octo/sumz"))


def test_a_name_that_was_given_to_another_repository_is_noticed(server: Server, tmp_path: Path) -> None:
    """The pages of two repositories would be mixed."""
    raw = RawPages(raw_directory(tmp_path / "raw", "github", REPO))
    raw.add("repository", {"id": "R_other", "name": REPO, "host": "", "license": ""}, b"{}", 1)
    with pytest.raises(WorkspaceError, match="another repository"):
        harvest(request_to(server, tmp_path))


# --- narrowed


def test_named_pull_requests_are_read_alone(
    server: Server, world: World, harvested: tuple[Records, Path], tmp_path: Path
) -> None:
    wanted = tuple(world.repositories[0].merged()[3:40:7])
    before = server.counts.points
    found = harvest(request_to(server, tmp_path, pulls=wanted))
    assert set(found) == set(wanted)
    assert server.counts.points - before <= 10
    assert all(found[number].merge_commit == harvested[0][number].merge_commit for number in wanted)


def test_a_number_that_is_no_merged_pull_request_is_named(server: Server, world: World, tmp_path: Path) -> None:
    repository = world.repositories[0]
    merged = set(repository.merged())
    other = next(n for n in range(1, 100) if n not in merged)
    with pytest.raises(UnknownNameError, match=str(other)):
        harvest(request_to(server, tmp_path, pulls=(other,)))


def test_a_limit_reads_no_more_than_it_needs(server: Server, harvested: tuple[Records, Path], tmp_path: Path) -> None:
    before = server.counts.points
    found = harvest(request_to(server, tmp_path, limit=5))
    assert len(found) == 5
    assert server.counts.points - before <= 12
    assert all(told_by(found[number]) == told_by(harvested[0][number]) for number in found)


def test_dates_bound_what_is_read(server: Server, harvested: tuple[Records, Path], tmp_path: Path) -> None:
    merges = sorted(record.merged_at for record in harvested[0].values())
    since = merges[-40].isoformat()
    before = server.counts.points
    found = harvest(request_to(server, tmp_path, since=since))
    assert len(found) == 40
    assert server.counts.points - before <= 16
    assert alike(found, {number: harvested[0][number] for number in found})


def test_an_estimate_is_an_upper_bound_that_costs_a_point(server: Server, harvested: tuple[Records, Path]) -> None:
    spent = json.loads(manifest_path(harvested[1] / "raw", "github", REPO).read_text())["points"]
    before = server.counts.points
    access = request_to(server, Path()).access
    estimated = list(GithubSource(Clock()).estimate([REPO, "commons/archive"], access))
    assert server.counts.points - before == 1
    assert estimated[0].merged == len(harvested[0])
    assert spent <= estimated[0].points + 5  # a few lists are longer than a page
    with pytest.raises(UnknownNameError, match="octo/sumz"):
        list(GithubSource(Clock()).estimate(["octo/sumz"], access))
