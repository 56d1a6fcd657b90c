"""The server that stands in for GitHub in tests: it must be right before anything that is tested against it can be."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from github_server import Fault, Faults, Server, Shape, Text, Traits, Truth, World, serve
from github_server.basics import moment
from github_server.cost import cost_of
from graphql import build_schema, parse

Json = dict[str, Any]

WALK = """
query($after: String, $first: Int = 7) {
  rateLimit { cost remaining used nodeCount }
  repository(owner: "octo", name: "sums") {
    pullRequests(states: MERGED, first: $first, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
      totalCount pageInfo { hasNextPage endCursor } nodes { number updatedAt mergeCommit { oid } }
    }
  }
}
"""
EDITS = """
query($number: Int!) { repository(owner: "octo", name: "sums") { issue(number: $number) {
  title body lastEditedAt
  userContentEdits(first: 100) { nodes { editedAt diff deletedAt } }
  timelineItems(first: 100, itemTypes: [RENAMED_TITLE_EVENT, CLOSED_EVENT]) { nodes {
    __typename
    ... on RenamedTitleEvent { createdAt previousTitle currentTitle }
    ... on ClosedEvent { closer { __typename ... on PullRequest { number } ... on Commit { oid } } }
  } }
} } }
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.generate(tmp_path_factory.mktemp("world"), Shape(pulls=120))


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Server]:
    with serve(world) as running:
        yield running


@pytest.fixture(scope="module")
def truths(world: World) -> list[Truth]:
    return list(world.repositories[0].truths())


def post(server: Server, query: str, *, token: str = "", **variables: Any) -> requests.Response:
    headers = {"authorization": f"bearer {token or server.tokens[0]}"}
    asked = {"query": query, "variables": variables}
    return requests.post(f"{server.url}/graphql", json=asked, headers=headers, timeout=20)


def ask(server: Server, query: str, **variables: Any) -> Json:
    body: Json = post(server, query, **variables).json()
    return body


def pulls_page(server: Server, **variables: Any) -> Json:
    page: Json = ask(server, WALK, **variables)["data"]["repository"]["pullRequests"]
    return page


def git(*arguments: str | Path, config: str = "") -> str:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *(["-c", config] if config else []), *map(str, arguments)]
    found = subprocess.run(
        command, env={**environment, "GIT_TERMINAL_PROMPT": "0"}, capture_output=True, check=True, text=True
    )
    return found.stdout


# --- the world is what it says


def test_equal_shapes_give_equal_commits(tmp_path: Path, world: World) -> None:
    """A figure that cannot be measured again would be worth nothing."""
    again = World.generate(tmp_path, Shape(pulls=120))
    assert [t.merge_commit for t in again.repositories[0].truths()] == [
        t.merge_commit for t in world.repositories[0].truths()
    ]


def test_what_is_on_the_disk_is_used_again(tmp_path: Path) -> None:
    """A benchmark would spend its time on making what is there."""
    made = World.generate(tmp_path, Shape(pulls=6)).repositories[0]
    packs = sorted((made.git.path / "objects/pack").iterdir())
    again = World.generate(tmp_path, Shape(pulls=6)).repositories[0]
    assert sorted((again.git.path / "objects/pack").iterdir()) == packs
    assert list(again.truths()) == list(made.truths())


def test_merges_change_exactly_the_files_of_their_pull_request(world: World, truths: list[Truth]) -> None:
    """A truth that git does not confirm would condemn a harvester that is right."""
    repo = world.repositories[0]
    for truth in truths:
        names = git("-C", repo.git.path, "diff", "--name-only", truth.base_commit, truth.merge_commit)
        assert tuple(names.splitlines()) == repo.plan(truth.number).paths
        assert git("-C", repo.git.path, "rev-parse", f"refs/pull/{truth.number}/head").strip() == truth.head


def test_every_kind_of_pull_request_is_there(world: World, truths: list[Truth]) -> None:
    """A test against a world without the hard cases would prove nothing."""
    repo = world.repositories[0]
    assert {truth.how_merged for truth in truths} == {"merge", "squash", "rebase"}
    assert any(len(truth.commits) > 100 for truth in truths)
    assert any(len(repo.plan(truth.number).paths) > 100 for truth in truths)
    assert any(len(truth.links) > 25 for truth in truths)
    assert any(not truth.on_branch for truth in truths)
    assert {repo.plan(truth.number).fate.base.partition("/")[0] for truth in truths} == {"main", "release", "topic"}
    sources = {source for truth in truths for found in truth.links.values() for source in found}
    assert sources == {"title", "body", "commit", "closing_reference", "closed_event"}
    assert any(text is None for truth in truths for text in truth.statements.values())
    assert any(truth.leaks[issue] for truth in truths for issue in truth.links)
    assert any(truth.hints[issue] for truth in truths for issue in truth.links)


def test_only_a_quarter_is_unmerged_and_less_than_half_linked(world: World, truths: list[Truth]) -> None:
    """Figures per pull request depend on both shares."""
    linked = sum(bool(truth.links) for truth in truths)
    assert 0.7 <= len(truths) / 120 <= 0.85
    assert 0.35 <= linked / len(truths) <= 0.55


def test_tests_of_a_pull_request_fail_before_and_pass_after(tmp_path: Path, world: World, truths: list[Truth]) -> None:
    """A candidate made of this world must be a task that could be validated."""
    repo = world.repositories[0]
    tested = {t.number: [path for path in repo.plan(t.number).paths if path.startswith("tests/")] for t in truths}
    truth = next(truth for truth in truths if truth.how_merged == "rebase" and tested[truth.number])
    tests = tested[truth.number]
    git("-C", repo.git.path, f"--work-tree={tmp_path}", "checkout", "-f", truth.merge_commit, "--", ".")
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    git("-C", repo.git.path, f"--work-tree={tmp_path}", "checkout", "-f", truth.base_commit, "--", "src")
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, check=False).returncode == 1


# --- GraphQL


def test_walks_every_merged_pull_request_once(server: Server, truths: list[Truth]) -> None:
    """A cursor that skips or repeats would look like a harvester's mistake."""
    found: list[Json] = []
    page: Json = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while page["pageInfo"]["hasNextPage"]:
        page = pulls_page(server, after=page["pageInfo"]["endCursor"])
        found += page["nodes"]
    assert sorted(node["number"] for node in found) == [truth.number for truth in truths]
    assert [node["updatedAt"] for node in found] == sorted((node["updatedAt"] for node in found), reverse=True)
    assert page["totalCount"] == len(truths)


def test_a_cursor_outlives_what_moves_to_the_top(tmp_path: Path) -> None:
    """Positions as cursors would show some twice and lose others while time passes."""
    world = World.generate(tmp_path, Shape(pulls=60))
    repo = world.repositories[0]
    middle = repo.fate(repo.merged()[30]).merged
    world.at(middle)
    with serve(world) as server:
        before = pulls_page(server, first=100)
        first = pulls_page(server, first=5)
        world.at(middle + 90 * 86_400)
        rest = pulls_page(server, first=100, after=first["pageInfo"]["endCursor"])
        now = {node["number"]: node["updatedAt"] for node in pulls_page(server, first=100)["nodes"]}
    unmoved = [node for node in before["nodes"][5:] if now[node["number"]] == node["updatedAt"]]
    assert unmoved
    assert rest["nodes"] == unmoved
    assert len(now) > len(before["nodes"])


def test_the_future_is_not_there_yet(tmp_path: Path) -> None:
    """An incremental harvest cannot be tested on a world that never changes."""
    world = World.generate(tmp_path, Shape(pulls=60))
    repo = world.repositories[0]
    late = repo.fate(repo.merged()[40])
    world.at(late.merged - 1)
    with serve(world) as server:
        query = f'{{ repository(owner: "octo", name: "sums") {{ pullRequest(number: {late.number}) {{ state }} }} }}'
        assert ask(server, query)["data"]["repository"]["pullRequest"] == {"state": "OPEN"}
        missing = ask(server, query.replace(str(late.number), str(repo.last_number + 1)))
    assert missing["errors"][0]["type"] == "NOT_FOUND"
    tip = git("-C", repo.git.path, "log", "-1", "--format=%ct", "main")
    assert int(tip) < late.merged
    assert f"refs/pull/{repo.last_number + 5}/" not in git("-C", repo.git.path, "for-each-ref")


def rebuilt(issue: Json, at: str) -> Text | None:
    """What an issue said at a moment, from what the service tells and nothing else."""
    title = issue["title"]
    for event in reversed(issue["timelineItems"]["nodes"]):
        if event["__typename"] == "RenamedTitleEvent" and event["createdAt"] > at:
            title = event["previousTitle"]
    if (issue["lastEditedAt"] or "") <= at:
        return Text(title, issue["body"])
    edits = [edit for edit in issue["userContentEdits"]["nodes"] if edit["editedAt"] <= at]
    return Text(title, edits[0]["diff"]) if edits and edits[0]["diff"] is not None else None


def test_t05_statements_follow_from_the_edits(server: Server, world: World, truths: list[Truth]) -> None:
    """Edits come newest first, each with its whole text; where one is lost, so is the statement."""
    repo = world.repositories[0]
    for truth in truths:
        opened = moment(repo.fate(truth.number).created)
        for issue, statement in truth.statements.items():
            answered = ask(server, EDITS, number=issue)["data"]["repository"]["issue"]
            assert rebuilt(answered, opened) == statement, f"#{issue} for #{truth.number}"


def test_closers_are_the_pull_requests_of_the_truth(server: Server, world: World, truths: list[Truth]) -> None:
    """Each issue with a `closed_event` link names the pull request, or a commit that it brought in."""
    repo = world.repositories[0]
    for truth in truths:
        for issue, sources in truth.links.items():
            events = ask(server, EDITS, number=issue)["data"]["repository"]["issue"]["timelineItems"]["nodes"]
            closers = [event["closer"] for event in events if event.get("closer")]
            landed = git("-C", repo.git.path, "rev-list", f"{truth.base_commit}..{truth.merge_commit}").split()
            ours = [c for c in closers if c.get("number") == truth.number or c.get("oid") in landed]
            assert bool(ours) == ("closed_event" in sources), f"#{issue} for #{truth.number}"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (WALK.replace("$first: Int = 7", "$first: Int = 101"), "EXCESSIVE_PAGINATION"),
        ('{ repository(owner: "octo", name: "sums") { issues { nodes { id } } } }', "MISSING_PAGINATION_BOUNDARIES"),
        (
            """{ repository(owner: "octo", name: "sums") { pullRequests(first: 100) { nodes {
               closingIssuesReferences(first: 100) { nodes { comments(first: 100) { nodes { body } } } } } } } }""",
            "MAX_NODE_LIMIT_EXCEEDED",
        ),
        ('{ repository(owner: "octo", name: "nothing") { id } }', "NOT_FOUND"),
        ('{ repository(owner: "octo", name: "sums") { issue(number: 2) { id } } }', "NOT_FOUND"),
    ],
)
def test_refuses_what_the_service_refuses(server: Server, query: str, kind: str) -> None:
    """A query that works here and not there would be found out by a user."""
    assert ask(server, query)["errors"][0]["type"] == kind


def test_refuses_unknown_fields(server: Server) -> None:
    """The schema, not this server, says what may be asked."""
    answer = ask(server, '{ repository(owner: "octo", name: "sums") { starCount } }')
    assert "data" not in answer
    assert "starCount" in answer["errors"][0]["message"]


_DOCUMENTED = build_schema("""
type Query { viewer: User }
type User { login: String repositories(first: Int): RepositoryConnection followers(first: Int): UserConnection }
type UserConnection { nodes: [User] }
type RepositoryConnection { nodes: [Repository] }
type Repository { pullRequests(first: Int): IssueConnection issues(first: Int): IssueConnection }
type IssueConnection { nodes: [Issue] }
type Issue { id: ID comments(first: Int): CommentConnection labels(first: Int): LabelConnection }
type CommentConnection { nodes: [Issue] }
type LabelConnection { nodes: [Issue] }
""")


@pytest.mark.parametrize(
    ("query", "requests_needed", "points", "nodes"),
    [
        (
            """{ viewer { repositories(first: 50) { nodes {
                 pullRequests(first: 20) { nodes { comments(first: 10) { nodes { id } } } }
                 issues(first: 20) { nodes { comments(first: 10) { nodes { id } } } } } }
               followers(first: 10) { nodes { login } } } }""",
            2_102,
            21,
            22_060,
        ),
        (
            """{ viewer { repositories(first: 100) { nodes {
                 issues(first: 50) { nodes { id labels(first: 60) { nodes { id } } } } } } } }""",
            5_101,
            51,
            305_100,
        ),
    ],
)
def test_costs_are_those_of_the_documentation(query: str, requests_needed: int, points: int, nodes: int) -> None:
    """Both examples of "Rate limits and query limits for the GraphQL API": 22,060 nodes; 5,101 requests, 51 points."""
    cost = cost_of(_DOCUMENTED, parse(query), {})
    assert (cost.requests, cost.points, cost.nodes) == (requests_needed, points, nodes)


def test_counts_points_and_tells_them(world: World) -> None:
    """The figures of a harvest are these counts."""
    with serve(world) as server:
        rate = ask(server, WALK, first=100)["data"]["rateLimit"]
        assert rate == {"cost": 1, "remaining": 4999, "used": 1, "nodeCount": 100}
        assert (server.counts.points, server.counts.graphql) == (1, 1)


def test_the_hour_of_a_token_ends_and_begins(world: World) -> None:
    """A client that does not wait for the reset must not get through."""
    now = [1_000_000.0]
    with serve(world, points=2, clock=lambda: now[0]) as server:
        assert "errors" not in ask(server, WALK)
        assert "errors" not in ask(server, WALK)
        refused = post(server, WALK)
        assert refused.json()["errors"][0]["type"] == "RATE_LIMITED"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert "errors" not in post(server, WALK, token=server.tokens[1]).json()
        now[0] = float(refused.headers["x-ratelimit-reset"])
        assert "errors" not in ask(server, WALK)


# --- what goes wrong


def test_asking_for_the_limits_is_free(world: World) -> None:
    """Others' collectors ask at every page; that must neither fail nor be charged."""
    with serve(world) as server:
        headers = {"authorization": f"token {server.tokens[0]}"}
        requests.get(f"{server.url}/repos/octo/sums", headers=headers, timeout=20)
        told = [requests.get(f"{server.url}/rate_limit", headers=headers, timeout=20).json() for _ in range(2)]
        assert [each["resources"]["core"]["used"] for each in told] == [1, 1]
        assert told[0]["rate"] == told[0]["resources"]["core"]


def test_counts_what_it_sends(world: World) -> None:
    """Figures of how much is transferred come from here: bodies and headers, git's apart."""
    with serve(world) as server:
        body = requests.get(f"{server.url}/repos/octo/sums", timeout=20).content
        git("ls-remote", f"{server.url}/octo/sums.git")
        assert len(body) < server.counts.sent["api"] < len(body) + 500
        assert server.counts.sent["git"] > 1000


def test_only_known_tokens_are_taken(world: World) -> None:
    """One expired token among good ones must be told from a service that is down."""
    with serve(world, faults=Faults(expired=["ghp_second000000000000000000000000000"])) as server:
        for token in ("nonsense", server.tokens[1]):
            refused = post(server, WALK, token=token)
            assert (refused.status_code, refused.json()["message"]) == (401, "Bad credentials")
        assert post(server, WALK).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.BAD_GATEWAY, 502),
        (Fault.GATEWAY_TIMEOUT, 504),
        (Fault.SECONDARY, 403),
        (Fault.SECONDARY_BARE, 403),
        (Fault.TOO_MANY_REQUESTS, 429),
        (Fault.MALFORMED, 200),
        (Fault.WENT_WRONG, 200),
        (Fault.PRIMARY, 200),
    ],
)
def test_faults_strike_once_where_they_are_planned(world: World, fault: Fault, status: int) -> None:
    """The second request fails, and neither the first nor the third."""
    with serve(world, faults=Faults(at={2: fault})) as server:
        good, bad, again = (post(server, WALK) for _ in range(3))
        assert good.json()["data"]["repository"] == again.json()["data"]["repository"]
        assert bad.status_code == status
        assert bad.content != good.content
        assert ("retry-after" in bad.headers) == (fault in (Fault.SECONDARY, Fault.TOO_MANY_REQUESTS))
        assert server.counts.faults == {fault: 1}


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.CUT])
def test_connections_break(world: World, fault: Fault) -> None:
    """No answer at all, and half of one, are what a client sees of a network."""
    with serve(world, faults=Faults(at={1: fault})) as server:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            post(server, WALK)
        assert post(server, WALK).status_code == 200


@pytest.mark.parametrize("fault", [Fault.NULL_NODES, Fault.PARTIAL, Fault.RESOURCE_LIMITS])
def test_something_is_missing_beside_an_error(world: World, fault: Fault) -> None:
    """Data with holes must not be taken for all there is."""
    with serve(world, faults=Faults(at={2: fault})) as server:
        whole, holed = ask(server, WALK), ask(server, WALK)
        assert holed["data"]["repository"] != whole["data"]["repository"]
        assert holed["errors"][0]["path"][:2] == ["repository", "pullRequests"]


def test_random_faults_are_the_same_again() -> None:
    """A failure that a test found must be found again."""
    drawn = [[Faults(rate=0.4, seed=3).of(ordinal) for ordinal in range(1, 50)] for _ in range(2)]
    faults = Faults(rate=0.9, seed=3, in_a_row=2)
    runs = "".join("x" if faults.of(ordinal) else "." for ordinal in range(1, 200))
    assert drawn[0] == drawn[1]
    assert any(drawn[0])
    assert "xxx" not in runs


def test_large_requests_time_out(world: World) -> None:
    """Page sizes must shrink until they fit."""
    with serve(world, faults=Faults(most_nodes=50)) as server:
        assert post(server, WALK, first=100).status_code == 502
        assert post(server, WALK, first=50).status_code == 200


# --- REST and git


def test_rest_lists_what_graphql_lists(server: Server, world: World) -> None:
    """The collector that figures are compared with must see the same repository."""
    found: list[int] = []
    url: str | None = f"{server.url}/repos/octo/sums/pulls?state=closed&per_page=30"
    while url:
        page = requests.get(url, timeout=20)
        found += [pull["number"] for pull in page.json() if pull["merged_at"]]
        url = page.links.get("next", {}).get("url")
    assert sorted(found) == world.repositories[0].merged()


def test_rest_shows_the_diff_of_a_pull_request(server: Server, world: World, truths: list[Truth]) -> None:
    """The page that `diff_url` names, from where the branch began to its head."""
    truth = next(truth for truth in truths if truth.how_merged == "squash")
    pull = requests.get(f"{server.url}/repos/octo/sums/pulls/{truth.number}", timeout=20).json()
    shown = requests.get(pull["diff_url"], timeout=20).text
    expected = git("-C", world.repositories[0].git.path, "diff", f"{truth.base_commit}...{truth.head}")
    assert shown == expected


def test_former_names_lead_to_the_repository(server: Server, tmp_path: Path) -> None:
    """A renamed repository answers GraphQL at once, REST by a redirect, and git too."""
    answer = ask(server, '{ repository(owner: "octo", name: "totals") { nameWithOwner } }')
    assert answer["data"]["repository"] == {"nameWithOwner": "octo/sums"}
    moved = requests.get(f"{server.url}/repos/octo/totals", timeout=20)
    assert moved.history[0].status_code == 301
    assert moved.json()["full_name"] == "octo/sums"
    assert git("ls-remote", f"{server.url}/octo/totals.git", "refs/heads/main")


def test_t04_a_commit_that_no_branch_holds_can_be_fetched(server: Server, tmp_path: Path, truths: list[Truth]) -> None:
    """Blobless clones, `refs/pull/N/head`, and commits by their ids: all over HTTP."""
    gone = next(truth for truth in truths if not truth.on_branch)
    clone = tmp_path / "clone.git"
    git("clone", "--quiet", "--bare", "--filter=blob:none", f"{server.url}/octo/sums.git", clone)
    head = f"refs/pull/{gone.number}/head"
    git("-C", clone, "fetch", "--quiet", "origin", gone.merge_commit, f"{head}:{head}")
    assert git("-C", clone, "rev-parse", head).strip() == gone.head
    assert git("-C", clone, "rev-parse", f"{gone.merge_commit}^").strip() == gone.base_commit
    assert server.counts.git > 0


def test_private_repositories_want_a_token(tmp_path: Path) -> None:
    """Without one they are not there, as on the service."""
    world = World.generate(tmp_path / "world", Shape(pulls=6), traits=Traits(private=True))
    with serve(world) as server:
        url = f"{server.url}/octo/sums.git"
        with pytest.raises(subprocess.CalledProcessError):
            git("ls-remote", url)
        basic = base64.b64encode(f"x-access-token:{server.tokens[0]}".encode()).decode()
        assert "refs/heads/main" in git("ls-remote", url, config=f"http.extraHeader=Authorization: Basic {basic}")
        assert requests.get(f"{server.url}/repos/octo/sums", timeout=20).status_code == 404
        headers = {"authorization": f"token {server.tokens[0]}"}
        assert requests.get(f"{server.url}/repos/octo/sums", headers=headers, timeout=20).json()["private"]


def test_search_finds_by_its_qualifiers(tmp_path: Path) -> None:
    """Repositories are chosen by language, stars, age and licence; GraphQL and REST must agree."""
    others = {"octo/sums-2": Traits(stars=9_000, created=1_300_000_000), "octo/sums-3": Traits(language="Rust")}
    world = World.generate(tmp_path, Shape(pulls=3), repositories=3, others=others)
    words = {
        "language:python": ["octo/sums-2", "octo/sums", "commons/archive"],
        "language:python stars:>=1200": ["octo/sums-2", "octo/sums"],
        "created:<2015-01-01": ["octo/sums-2"],
        "license:gpl-3.0 archived:true": ["commons/archive"],
        "stars:50..2000 language:rust": ["octo/sums-3"],
    }
    query = """query($q: String!) { search(type: REPOSITORY, query: $q, first: 9) {
      nodes { ... on Repository { nameWithOwner } } } }"""
    with serve(world) as server:
        for searched, names in words.items():
            answer = requests.get(f"{server.url}/search/repositories", params={"q": searched}, timeout=20).json()
            assert [item["full_name"] for item in answer["items"]] == names
            nodes = ask(server, query, q=searched)["data"]["search"]["nodes"]
            assert [node["nameWithOwner"] for node in nodes] == names


def test_contributors_are_counted_by_the_last_page(server: Server) -> None:
    """One request instead of all pages tells how many there are."""
    answer = requests.get(f"{server.url}/repos/octo/sums/contributors?per_page=1", timeout=20)
    assert "page=24" in answer.links["last"]["url"]


def test_issues_since_a_moment(server: Server, world: World) -> None:
    """`filterBy: {since}` goes by the last update, and admits the moment itself."""
    repo = world.repositories[0]
    entries = repo.ordered("issues", "CLOSED", "updated")
    middle = entries[len(entries) // 2] >> 32
    query = """query($since: DateTime!) { repository(owner: "octo", name: "sums") {
      issues(states: CLOSED, first: 100, filterBy: {since: $since}) { totalCount nodes { number } } } }"""
    found = ask(server, query, since=moment(middle))["data"]["repository"]["issues"]
    assert {node["number"] for node in found["nodes"]} == {e & 0xFFFFFFFF for e in entries if e >> 32 >= middle}
    assert found["totalCount"] == len(found["nodes"])
