"""Pull requests out of history: which commits brought in which, and which only look like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from history_factory import START, Story

from builder.errors import RepositoryError, SettingsError, UnknownNameError, UsageError
from builder.models import PullRequest, Sha
from builder.protocols import HarvestRequest
from builder.sources import git
from builder.sources._history import is_released, pull_number

MAIN = ("refs/heads/main",)


def head(number: int) -> tuple[str, ...]:
    return (f"refs/pull/{number}/head",)


def harvested(path: Path, **narrowed: Any) -> list[PullRequest]:
    request = HarvestRequest(repo="o/n", work_dir=path.parent, git_dir=path, **narrowed)
    return list(git.create().pull_requests(request))


def told(tmp_path: Path, story: Story) -> tuple[dict[int, PullRequest], dict[str, Sha]]:
    shas = story.write(tmp_path / "r")
    return {each.number: each for each in harvested(tmp_path / "r")}, shas


def ends(pull_request: PullRequest) -> tuple[Sha, Sha]:
    return pull_request.base_commit, pull_request.merge_commit


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Fix it (#12)", (12, False)),
        ("Fix it (#12) [ci skip]", (12, False)),
        ("Backport (#11) (#12)", (12, False)),
        ('Revert "Fix it (#11)" (#12)', (12, False)),
        ("Merge pull request #12 from someone/branch-99", (12, True)),
        ("Merge pull request #12 in P/r from x to y", (12, True)),
        ("Merge PR #12: Fix it", (12, True)),
        ('Revert "Fix it (#11)"', (0, False)),
        ("Fix it (other/project#12)", (0, False)),
        ("Fix #12", (0, False)),
        ("Fix it (fixes #12)", (0, False)),
        ("Merge branch 'main' into x", (0, False)),
    ],
)
def test_the_number_in_a_subject(subject: str, expected: tuple[int, bool]) -> None:
    """Catches issue numbers, other projects' and quoted numbers taken for the pull request's own."""
    assert pull_number(subject) == expected


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main", "refs/heads/develop2", "refs/heads/release/1.2.0", "refs/heads/release-0.700",
        "refs/heads/1.0_branch", "refs/heads/2.x", "refs/heads/v1.10-fixes", "refs/remotes/origin/release/1.2",
        "refs/remotes/origin/master", "refs/tags/v1.2.0", "refs/tags/1.0rc1", "refs/tags/pkg-1.2.0",
    ],
)  # fmt: skip
def test_release_branches_are_looked_at(ref: str) -> None:
    assert is_released(ref)


@pytest.mark.parametrize(
    "ref",
    ["refs/heads/fix-3.12-warnings", "refs/heads/issue-11806", "refs/heads/dependabot/pip/x-1.2", "refs/pull/1/head",
     "refs/heads/gh-pages", "refs/tags/nightly", "refs/notes/main"],
)  # fmt: skip
def test_work_in_progress_is_not(ref: str) -> None:
    """Catches unmerged branches whose commits would count as merged."""
    assert not is_released(ref)


def test_squash_and_merge(tmp_path: Path) -> None:
    """Catches a wrong base: it is the first parent of what brought the change in, never where the branch began."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("s1", "Part one\n", "root", refs=head(2))
    story.add("other", "Direct\n", "root", refs=MAIN)
    story.add("squash", "Add it (#2)\n\nFixes #1\n", "other", refs=MAIN)
    story.add("m1", "Work\n\nCloses #3\n", "root")
    story.add("m2", "More\n", "m1", refs=head(4))
    story.add("merge", "Merge pull request #4 from you/x\n\nDo that\n\nAt last.\n", "squash", "m2", refs=MAIN)
    found, sha = told(tmp_path, story)
    assert list(found) == [4, 2]
    assert ends(found[2]) == (sha["other"], sha["squash"])
    assert ends(found[4]) == (sha["squash"], sha["merge"])
    assert [(each.title, each.body, each.how_merged) for each in found.values()] == [
        ("Do that", "At last.", "merge"),
        ("Add it", "Fixes #1", "squash"),
    ]
    assert [commit.sha for commit in found[4].commits] == [sha["m1"], sha["m2"]]
    assert (found[4].pr_base_sha, found[4].head_sha) == (sha["root"], sha["m2"])
    assert [(link.number, link.source) for link in found[2].links] == [(1, "body")]
    assert [(link.number, link.source) for link in found[4].links] == [(3, "commit")]


def test_a_link_to_a_pull_request_is_no_issue(tmp_path: Path) -> None:
    """Catches `fixes #2` where 2 is another pull request (T02)."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("h2", "Try\n", "root", refs=head(2))
    story.add("h5", "Do\n", "root", refs=head(5))
    story.add("squash", "Do it (#5)\n\nFixes #2, fixes #3\n", "root", refs=MAIN)
    found, _ = told(tmp_path, story)
    assert [link.number for link in found[5].links] == [3]


def test_a_rebase_is_found_by_its_commits(tmp_path: Path) -> None:
    """Catches a base taken from the last commit alone, which would lose the rest of the change."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("p1", "One\n\nFixes #8\n", "root", authored=1)
    story.add("p2", "Two\n", "p1", refs=head(9), authored=2)
    story.add("other", "Direct\n", "root", refs=MAIN)
    story.add("r1", "One\n\nFixes #8\n", "other", authored=1, refs=MAIN)
    story.add("r2", "Two\n", "r1", authored=2, refs=MAIN)
    story.add("later", "Direct again\n", "r2", refs=MAIN)
    found, sha = told(tmp_path, story)
    assert ends(found[9]) == (sha["other"], sha["r2"])
    assert (found[9].how_merged, found[9].title) == ("rebase", "One")
    assert found[9].body == "* One\n\nFixes #8\n\n* Two"
    assert [commit.sha for commit in found[9].commits] == [sha["p1"], sha["p2"]]
    assert [link.number for link in found[9].links] == [8]


def test_a_rebase_needs_every_commit_in_a_row(tmp_path: Path) -> None:
    """Catches a closed pull request taken for merged because one of its commits was picked."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("p1", "One\n", "root", authored=1)
    story.add("p2", "Two\n", "p1", refs=head(9), authored=2)
    story.add("r1", "One\n", "root", authored=1, refs=MAIN)
    story.add("between", "Direct\n", "r1", refs=MAIN)
    story.add("same words", "Two\n", "between", authored=3, refs=MAIN)
    found, _ = told(tmp_path, story)
    assert found == {}


def test_of_two_with_the_same_commits_the_last_pushed_before_the_merge(tmp_path: Path) -> None:
    """Catches a backport, or the request that another replaced, claiming the same commits."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("replaced", "One\n", "root", refs=head(1), authored=1, committed=1)
    story.add("merged", "One\n", "root", refs=head(2), authored=1, committed=2)
    story.add("r1", "One\n", "root", refs=MAIN, authored=1, committed=5)
    story.add("backport", "One\n", "root", refs=head(3), authored=1, committed=9)
    found, sha = told(tmp_path, story)
    assert list(found) == [2]
    assert ends(found[2]) == (sha["root"], sha["r1"])


def test_a_merge_by_hand_is_found_by_its_head(tmp_path: Path) -> None:
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("p1", "One\n", "root", refs=head(7))
    story.add("main2", "Direct\n", "root")
    story.add("merge", "Merge remote-tracking branch 'you/topic'\n", "main2", "p1", refs=MAIN)
    found, sha = told(tmp_path, story)
    assert ends(found[7]) == (sha["main2"], sha["merge"])
    assert found[7].how_merged == "merge"


def test_a_merge_of_few_words_takes_those_of_its_commits(tmp_path: Path) -> None:
    """Catches problem statements of three words where the only commit explains everything."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("p1", "Mend the lock\n\nIt hung for ever.\n", "root", refs=head(2))
    story.add("merge", "Merge pull request #2 from you/x\n\nMend it\n", "root", "p1", refs=MAIN)
    story.add("p2", "Open the door\n", "merge", refs=head(3))
    story.add("bare", "Merge pull request #3 from you/y\n", "merge", "p2", refs=MAIN)
    found, _ = told(tmp_path, story)
    assert (found[2].title, found[2].body) == ("Mend it", "It hung for ever.")
    assert (found[3].title, found[3].body) == ("Open the door", "")


def test_a_pick_onto_a_release_branch_is_not_the_merge(tmp_path: Path) -> None:
    """Catches the same subject on a release branch winning over the merge that it was picked from."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "Fix it (#2)\n", "root", refs=MAIN, committed=3)
    story.add("pick", "Fix it (#2)\n", "root", refs=("refs/heads/release/1.0",), committed=8)
    story.add("only there", "Fix old (#3)\n", "pick", refs=("refs/heads/release/1.0",), committed=9)
    found, sha = told(tmp_path, story)
    assert ends(found[2]) == (sha["root"], sha["squash"])
    assert ends(found[3]) == (sha["pick"], sha["only there"])


def test_the_few_pull_requests_of_a_fork_do_not_hide_those_of_its_origin(tmp_path: Path) -> None:
    """A fork of a large project has heads 1 and 2 of its own, and a history of thousands with other numbers."""
    story = Story()
    story.add("root", "Start")
    previous = "root"
    for number in range(1, 31):
        story.add(f"c{number}", f"Change (#{number})", previous, refs=MAIN if number == 30 else ())
        previous = f"c{number}"
    story.add("own", "Try something", "c3", refs=head(1))
    story.add("own2", "Try more", "c4", refs=head(2))
    found, shas = told(tmp_path, story)
    assert sorted(found) == list(range(1, 31))
    assert ends(found[1]) == (shas["root"], shas["c1"])


def test_numbers_of_forks_merged_projects_and_issues_do_not_count(tmp_path: Path) -> None:
    """Catches another repository's `(#4)` or `Merge pull request #5` becoming ours, or an issue's number."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    for number in (4, 5, 6):
        story.add(f"h{number}", f"Closed {number}\n", "root", refs=head(number))
    story.add("foreign root", "Start of another project\n")
    story.add("foreign", "Theirs (#4)\n", "foreign root")
    story.add("subtree", "Merge the other project\n", "root", "foreign", refs=MAIN)
    story.add("fork", "Work\n", "root")
    story.add("sync", "Merge pull request #5 from upstream/main\n", "fork", "root")
    story.add("p6", "Ours\n", "sync", refs=head(7))
    story.add("merge", "Merge pull request #7 from fork/main\n\nOurs\n", "subtree", "p6", refs=MAIN)
    story.add("issue", "Do what was asked (#99)\n", "merge", refs=MAIN)
    found, _ = told(tmp_path, story)
    assert list(found) == [7]


def test_without_pull_refs_subjects_alone_count(tmp_path: Path) -> None:
    """Catches an ordinary clone, which has no `refs/pull`, giving nothing."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "Fix it (#2)\n", "root", refs=MAIN)
    found, _ = told(tmp_path, story)
    assert (found[2].head_sha, found[2].commits) == (None, ())


def test_a_branch_merged_into_another_keeps_its_pull_requests(tmp_path: Path) -> None:
    """Catches work that reached the default branch through `Merge branch 'develop'` being lost."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "On develop (#2)\n", "root")
    story.add("merge", "Merge branch 'develop'\n", "root", "squash", refs=MAIN)
    found, sha = told(tmp_path, story)
    assert ends(found[2]) == (sha["root"], sha["squash"])


def test_words_that_are_not_utf8_can_be_stored(tmp_path: Path) -> None:
    """Catches a commit message in another encoding ending the harvest of a whole history."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "Caf\udce9 (#2)\n\nbad \udcff\n", "root", refs=MAIN)
    found, _ = told(tmp_path, story)
    assert PullRequest.from_json(found[2].to_json()) == found[2]
    assert found[2].title == "Caf\ufffd"


def test_numbers_and_dates_narrow(tmp_path: Path) -> None:
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("a", "A (#1)\n", "root", refs=MAIN, committed=1)
    story.add("b", "B (#2)\n", "a", refs=MAIN, committed=30)
    story.add("c", "C (#3)\n", "b", refs=MAIN, committed=60)
    story.write(tmp_path / "r")
    assert [each.number for each in harvested(tmp_path / "r", pulls=(1, 3))] == [3, 1]
    assert [each.number for each in harvested(tmp_path / "r", since="2024-01-02", until="2024-01-02")] == [2]
    assert harvested(tmp_path / "r")[-1].merged_at == START.replace(hour=1)


def test_an_unknown_number_is_an_error_that_says_why(tmp_path: Path) -> None:
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("a", "A (#11)\n", "root", refs=(*MAIN, *head(11)))
    story.add("closed", "No\n", "root", refs=head(12))
    story.write(tmp_path / "r")
    with pytest.raises(UnknownNameError, match="'110'") as caught:
        harvested(tmp_path / "r", pulls=(110,))
    assert "'11'" in caught.value.hint
    with pytest.raises(UnknownNameError, match="closed without a merge"):
        harvested(tmp_path / "r", pulls=(12,))


def test_bad_input_is_named(tmp_path: Path) -> None:
    """Catches a traceback, or an empty harvest, for what is no usable clone."""
    with pytest.raises(UsageError, match="--git-dir"):
        list(git.create().pull_requests(HarvestRequest(repo="o/n", work_dir=tmp_path)))
    with pytest.raises(RepositoryError, match="not a git repository"):
        harvested(tmp_path)
    with pytest.raises(RepositoryError, match="does not exist"):
        harvested(tmp_path / "nowhere")
    Story().write(tmp_path / "empty")
    with pytest.raises(RepositoryError, match="HEAD names no commit"):
        harvested(tmp_path / "empty")
    Story().write(tmp_path / "r")
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.write(tmp_path / "r")
    with pytest.raises(SettingsError, match="--since"):
        harvested(tmp_path / "r", since="long ago")


def test_nothing_is_written_into_the_clone(tmp_path: Path) -> None:
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "A (#2)\n", "root", refs=MAIN)
    story.write(tmp_path / "r")
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "r").rglob("*"))
    assert len(harvested(tmp_path / "r")) == 1
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "r").rglob("*")) == before
