"""Which pull requests become candidate tasks, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builder.candidates import candidate, instance_id
from builder.errors import Rejected
from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository
from builder.models import Comment, Commit, Issue, IssueLink, PullRequest, Sha, TaskInstance
from builder.repo_config import EnvironmentRules, LinkConvention, RepoConfig, TestRules, VersionRule

REPO = "owner/tool"
WHEN = datetime(2024, 5, 6, tzinfo=UTC)
CODE = "    return sorted(values, key=lambda value: value.rank)\n"
BASE = {
    "tool/__init__.py": "__version__ = '1.10.2'\n",
    "tool/core.py": "def ranked(values):\n    return values\n",
    "tests/test_core.py": "def test_ranked():\n    pass\n",
    "LICENSE": 'Permission is hereby granted, free of charge, ... THE SOFTWARE IS PROVIDED "AS IS"',
}
SOURCE = {"tool/core.py": f"def ranked(values):\n{CODE}"}
TESTS = {"tests/test_core.py": "def test_ranked():\n    assert True\n", "tests/data/a.bin": "\0\1\2"}
LINKS = (IssueLink(repo=REPO, number=3, source="title"),)


@dataclass
class Change:
    """root ─ base ─ merge, and what a source says of it."""

    repository: Repository
    base: Sha
    merge: Sha

    def pull_request(self, **fields: Any) -> PullRequest:
        given: dict[str, Any] = {
            "repo": REPO,
            "number": 7,
            "title": "Rank by rank (#7)",
            "body": "Fixes #3\n\nTies keep their order.",
            "merged_at": WHEN + timedelta(days=3),
            "base_commit": self.base,
            "merge_commit": self.merge,
            "source": "git",
            "links": LINKS,
        }
        return PullRequest(**{**given, **fields})

    def candidate(self, config: RepoConfig | None = None, **fields: Any) -> TaskInstance:
        return candidate(self.pull_request(**fields), self.repository, config or RepoConfig())


def _change(tmp_path: Path, edits: dict[str, str], *, refs: tuple[str, ...] = ()) -> Change:
    trees = [{"README": "x"}, BASE, {**BASE, **edits}]
    files = [{path: TreeFile(text.encode()) for path, text in tree.items()} for tree in trees]
    commits = [NewCommit(str(n), WHEN, tree, (n - 1,) if n else ()) for n, tree in enumerate(files)]
    commits[2] = NewCommit("Rank by rank\n\nCo-authored-by: A <a@b>", WHEN, files[2], (1,), ("refs/heads/main", *refs))
    _, base, merge = write_commits(tmp_path / "git", commits)
    return Change(Repository(tmp_path / "git"), base, merge)


def test_a_pull_request_becomes_a_candidate(tmp_path: Path) -> None:
    """A field of the candidate is not what the pull request, its commit or its repository says."""
    change = _change(tmp_path, {**SOURCE, **TESTS})
    task = change.candidate()
    assert task.instance_id == "owner__tool-7"
    assert (task.version, task.license) == ("1.10", "MIT")
    assert task.problem_statement == "Rank by rank\nTies keep their order."
    assert (task.statement_source, task.hints_text) == ("pull_request", "")
    assert task.test_files == ("tests/test_core.py",)
    assert (task.issue_numbers, task.link_sources, task.flags) == ((3,), ("title",), ())
    assert (task.stats.files, task.stats.hunks, task.stats.lines_added, task.stats.lines_removed) == (1, 1, 1, 1)
    assert b"tool/core.py" in task.patch
    assert b"tests/" not in task.patch
    assert b"tests/data/a.bin" in task.test_patch
    assert change.repository.apply(change.base, task.test_patch, task.patch) == change.repository.tree(change.merge)
    assert TaskInstance.from_json(task.to_json()) == task


def test_equal_input_gives_an_equal_candidate(tmp_path: Path) -> None:
    """Something of the machine or the moment gets into a candidate."""
    change = _change(tmp_path, {**SOURCE, **TESTS})
    again = Change(Repository(tmp_path / "git"), change.base, change.merge)
    assert change.candidate().digest() == again.candidate().digest()


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        (SOURCE, "no_tests_in_patch"),
        (TESTS, "no_source_in_patch"),
        ({}, "no_tests_in_patch"),
        ({**SOURCE, "tests/data/a.bin": "x"}, "no_tests_in_patch"),
        ({**SOURCE, "tests/__init__.py": "x"}, "no_tests_in_patch"),
    ],
)
def test_a_change_without_both_parts_is_none(edits: dict[str, str], reason: str, tmp_path: Path) -> None:
    """A task without tests, or without anything to solve."""
    with pytest.raises(Rejected) as caught:
        _change(tmp_path, edits).candidate()
    assert caught.value.reason == reason


def test_t12_a_test_command_of_the_repository_s_own_needs_no_test_files(tmp_path: Path) -> None:
    """A repository whose tests are data, run by its own command, has no candidates."""
    change = _change(tmp_path, {**SOURCE, "tests/data/check.test": "x"})
    config = RepoConfig(environment=EnvironmentRules(test_cmd="make check"))
    assert change.candidate(config).test_files == ()


def test_without_an_issue_there_is_no_candidate_unless_it_is_prescribed(tmp_path: Path) -> None:
    """Every refactoring becomes a task, or a published set cannot be rebuilt."""
    change = _change(tmp_path, {**SOURCE, **TESTS})
    for source in ("git", "github", "gharchive"):
        with pytest.raises(Rejected, match="no_linked_issue"):
            change.candidate(source=source, links=())
    assert change.candidate(source="index", links=()).issue_numbers == ()
    assert change.candidate(source="pypi", links=(), title="tool 1.11").statement_source == "release"


def test_t02_a_link_to_a_pull_request_is_none(tmp_path: Path) -> None:
    """The number of another pull request counts as an issue."""
    change = _change(tmp_path, {**SOURCE, **TESTS}, refs=("refs/pull/3/head",))
    with pytest.raises(Rejected, match="no_linked_issue"):
        change.candidate()


def test_t02_an_issue_that_is_a_pull_request_is_none(tmp_path: Path) -> None:
    """The words of another pull request become the statement, its discussion the hints."""
    change = _change(tmp_path, {**SOURCE, **TESTS}, refs=("refs/pull/3/head",))
    issue = Issue(repo=REPO, number=3, title="Another change", body="", body_as_of=WHEN)
    with pytest.raises(Rejected, match="no_linked_issue"):
        change.candidate(issues=(issue,), source="github")


def test_t02_all_sources_of_a_link_are_told_and_issues_keep_the_links_order(tmp_path: Path) -> None:
    """A number that several sources name counts twice, loses a source, or the issues' texts change places."""
    sources = {4: ("closing_reference", "closed_event", "body"), 3: ("closed_event", "commit")}
    links = tuple(IssueLink(repo=REPO, number=number, source=each) for number, all_ in sources.items() for each in all_)
    issues = tuple(Issue(repo=REPO, number=n, title=f"Issue {n}", body="", body_as_of=WHEN) for n in (3, 4))
    task = _change(tmp_path, {**SOURCE, **TESTS}).candidate(links=links, issues=issues, source="github")
    assert task.issue_numbers == (4, 3)
    assert task.link_sources == ("closing_reference", "closed_event", "body", "commit")
    assert (task.problem_statement, task.flags) == ("Issue 4\nIssue 3", ())


def test_conventions_of_the_repository_find_issues(tmp_path: Path) -> None:
    """News fragments, release notes and titles do not count, or count for the wrong file."""
    change = _change(tmp_path, {**SOURCE, **TESTS, "news/12.bugfix": "x", "docs/notes.rst": ":issue:`13`\n"})
    config = RepoConfig(
        links=(
            LinkConvention(name="news", path=r"^news/(\d+)\."),
            LinkConvention(name="notes", added_line=r":issue:`(\d+)`", file=r"^docs/"),
        )
    )
    task = change.candidate(config, links=())
    assert task.issue_numbers == (12, 13)
    assert task.link_sources == ("convention:news", "convention:notes")
    with pytest.raises(Rejected, match="no_linked_issue"):
        _change(tmp_path / "other", {**SOURCE, **TESTS}).candidate(config, links=())


def test_an_issue_s_words_come_first(tmp_path: Path) -> None:
    """The solver's words are used though the reporter's are known, or hints come too late (T03)."""
    comments = (
        Comment(author="a", created_at=WHEN - timedelta(days=1), body="Here too"),
        Comment(author="b", created_at=WHEN - timedelta(days=1), body=f"```\n{CODE}```"),
        Comment(author="c", created_at=WHEN + timedelta(days=1), body="Fixed, thanks"),
    )
    issue = Issue(
        repo=REPO, number=3, title="Ties are unordered", body="They should not be.", body_as_of=WHEN, comments=comments
    )
    commits = (Commit(sha="1" * 40, message="x", author_date=WHEN),)
    task = _change(tmp_path, {**SOURCE, **TESTS}).candidate(issues=(issue,), commits=commits, source="github")
    assert task.problem_statement == "Ties are unordered\nThey should not be."
    assert (task.statement_source, task.hints_text, task.hints_left_out) == ("issue", "Here too", 1)
    assert task.flags == ()
    assert task.created_at == WHEN


def test_a_statement_that_gives_the_solution_away_is_flagged(tmp_path: Path) -> None:
    """An issue that quotes the fix cannot be told from one that does not."""
    issue = Issue(repo=REPO, number=3, title="Ties", body=f"Do\n```\n{CODE}```\nas in #7", body_as_of=WHEN)
    task = _change(tmp_path, {**SOURCE, **TESTS}).candidate(issues=(issue,))
    assert task.flags == ("statement_quotes_patch", "statement_names_change")


@pytest.mark.parametrize(("known", "flags"), [(WHEN, ()), (None, ("statement_may_be_later",))])
def test_t05_a_statement_that_may_be_later_is_flagged(
    known: datetime | None, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """An issue that was edited after its fix cannot be told from one that is as the solver found it."""
    first = Issue(repo=REPO, number=3, title="Ties", body="", body_as_of=WHEN)
    second = Issue(repo=REPO, number=4, title="More ties", body="", body_as_of=known)
    silent = Issue(repo=REPO, number=5, title="", body="")
    change = _change(tmp_path, {**SOURCE, **TESTS})
    assert change.candidate(issues=(first, second, silent), source="github").flags == flags
    assert change.candidate(issues=(silent,), source="gharchive").flags == ()


def test_a_change_without_words_speaks_through_its_commit(tmp_path: Path) -> None:
    """An index row, which has facts only, gets an empty statement."""
    task = _change(tmp_path, {**SOURCE, **TESTS}).candidate(source="index", title="", body="", links=())
    assert (task.problem_statement, task.statement_source) == ("Rank by rank", "commit")


def test_created_at_is_when_the_pull_request_was_opened(tmp_path: Path) -> None:
    """The date of the merge is published as that of the pull request."""
    change = _change(tmp_path, {**SOURCE, **TESTS})
    opened, begun = WHEN + timedelta(days=1), WHEN - timedelta(days=1)
    commits = (Commit(sha="1" * 40, message="x", author_date=begun),)
    assert change.candidate(created_at=opened, commits=commits).created_at == opened
    assert change.candidate(commits=commits).created_at == begun
    assert change.candidate().created_at == WHEN + timedelta(days=3)


def test_t24_prescribed_ids_and_versions_are_kept(tmp_path: Path) -> None:
    """An id is made anew, lower-cased or taken apart."""
    task = _change(tmp_path, {**SOURCE, **TESTS}).candidate(instance_id="Other__Name-9", version="2021.08.1")
    assert (task.instance_id, task.version) == ("Other__Name-9", "2021.08")
    assert instance_id("Project-X/My.Repo", 10) == "Project-X__My.Repo-10"


def test_the_repository_s_rules_are_used(tmp_path: Path) -> None:
    """What `repo.yaml` says about tests, version or licence is ignored."""
    change = _change(tmp_path, {**SOURCE, "specs/test_a.py": "x\n", "RELEASE": "x"})
    config = RepoConfig(
        license="Apache-2.0", tests=TestRules(paths=("specs/",)), version=(VersionRule(command="version"),)
    )
    pull_request = change.pull_request()
    task = candidate(pull_request, change.repository, config, run_command=lambda commit, command: f"{command} 8.9.1")
    assert (task.license, task.version, task.test_files) == ("Apache-2.0", "8.9", ("specs/test_a.py",))


# --- a prescribed base


@dataclass
class Branches:
    repository: Repository
    shas: dict[str, Sha]

    def candidate(self, **fields: Any) -> TaskInstance:
        change = Change(self.repository, self.shas["base"], self.shas["merge"])
        return change.candidate(source="index", base_given=True, **fields)


def _branches(tmp_path: Path, base: dict[str, str], *, refs: tuple[str, ...] = ()) -> Branches:
    """root ─ first ─ merge (with source, then tests), root ─ base."""
    trees = [BASE, {**BASE, **SOURCE}, {**BASE, **SOURCE, **TESTS}, {**BASE, **base}]
    files = [{path: TreeFile(text.encode()) for path, text in tree.items()} for tree in trees]
    names = ["root", "first", "merge", "base"]
    heads = [(), (), ("refs/heads/main", *refs), ("refs/heads/base",)]
    parents: list[tuple[int, ...]] = [(), (0,), (1,), (0,)]
    history = zip(names, files, parents, heads, strict=True)
    shas = write_commits(
        tmp_path / "git", [NewCommit(name, WHEN, tree, above, ref) for name, tree, above, ref in history]
    )
    return Branches(Repository(tmp_path / "git"), dict(zip(names, shas, strict=True)))


def test_a_prescribed_base_gets_the_whole_pull_request(tmp_path: Path) -> None:
    """Of a pull request that came in as several commits, only the last one's change is taken."""
    branches = _branches(tmp_path, {"README": "other\n"}, refs=("refs/pull/7/head",))
    task = branches.candidate()
    assert (task.flags, task.base_commit) == (("three_way",), branches.shas["base"])
    assert b"tool/core.py" in task.patch
    assert b"README" not in task.patch
    assert branches.repository.apply(task.base_commit, task.patch, task.test_patch)


def test_a_rebased_pull_request_is_read_from_its_head(tmp_path: Path) -> None:
    """A rebase's last commit stands for all of them."""
    branches = _branches(tmp_path, {"README": "other\n"})
    head = branches.shas["merge"]
    task = branches.candidate(merge_commit=branches.shas["first"], head_sha=head, how_merged="rebase")
    assert b"tests/test_core.py" in task.test_patch


def test_without_a_head_the_merge_s_own_change_counts(tmp_path: Path) -> None:
    """A squash on another base takes what came before it along."""
    with pytest.raises(Rejected, match="no_source_in_patch"):
        _branches(tmp_path, {"README": "other\n"}).candidate()


def test_a_change_that_does_not_fit_its_prescribed_base_is_turned_down(tmp_path: Path) -> None:
    """Conflict markers become a task."""
    branches = _branches(
        tmp_path, {"tool/core.py": "def ranked(values):\n    return list(values)\n"}, refs=("refs/pull/7/head",)
    )
    with pytest.raises(Rejected, match="patch_failed"):
        branches.candidate()


def test_parts_that_need_each_other_are_turned_down(tmp_path: Path) -> None:
    """A file that becomes a folder with tests in it: the test patch applies only after the patch."""
    base = {**BASE, "checks": "x\n"}
    after = {**BASE, **SOURCE, "checks/test_a.py": "x\n"}
    trees = [{path: TreeFile(text.encode()) for path, text in tree.items()} for tree in (base, after)]
    commits = [NewCommit("a", WHEN, trees[0]), NewCommit("b", WHEN, trees[1], (0,), ("refs/heads/main",))]
    shas = write_commits(tmp_path / "git", commits)
    with pytest.raises(Rejected, match="patch_failed"):
        Change(Repository(tmp_path / "git"), *shas).candidate()
