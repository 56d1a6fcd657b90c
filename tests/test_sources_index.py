"""Tasks rehydrated from facts; what is wrong with a row is said, and costs no other row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from history_factory import Story

from builder.errors import IncompleteHarvestError, RepositoryError, SettingsError, UnknownNameError, UsageError
from builder.models import PullRequest, Sha
from builder.protocols import HarvestRequest
from builder.sources import index

MAIN = ("refs/heads/main",)
ABSENT = "1" * 40


@pytest.fixture
def sha(tmp_path: Path) -> dict[str, Sha]:
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "Fix it (#2)\n\nFixes #1\n", "root", refs=MAIN)
    story.add("p1", "One\n", "root", authored=1)
    story.add("p2", "Two\n", "p1", authored=2, refs=("refs/pull/4/head",))
    story.add("r1", "One\n", "squash", authored=1, refs=MAIN)
    story.add("r2", "Two\n", "r1", authored=2, refs=MAIN)
    return story.write(tmp_path / "r")


def row(sha: dict[str, Sha], base: str = "root", merge: str = "squash", **other: Any) -> dict[str, Any]:
    facts = {"instance_id": "o__n-2", "base_commit": sha[base], "merge_commit": sha[merge], "version": "1.10"}
    return {**facts, **other}


def harvested(tmp_path: Path, rows: list[Any], **narrowed: Any) -> list[PullRequest]:
    """The good ones; whatever is raised comes out."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in rows))
    request = HarvestRequest(repo="o/n", work_dir=tmp_path, git_dir=tmp_path / "r", index=file, **narrowed)
    return list(index.create().pull_requests(request))


def problems(tmp_path: Path, rows: list[Any]) -> tuple[str, ...]:
    with pytest.raises(IncompleteHarvestError) as caught:
        harvested(tmp_path, rows)
    return tuple(problem.removeprefix(f"{tmp_path}/rows.jsonl:") for problem in caught.value.problems)


def test_t25_the_version_is_the_text_that_was_written(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches 1.10 becoming 1.1: text stays text, a number is refused."""
    (found,) = harvested(tmp_path, [row(sha)])
    assert found.version == "1.10"
    line = json.dumps(row(sha)).replace('"1.10"', "1.10")
    assert problems(tmp_path, [line]) == ("1: o__n-2 version must be text in quotes",)


def test_the_given_facts_and_the_words_of_the_merge(tmp_path: Path, sha: dict[str, Sha]) -> None:
    (found,) = harvested(tmp_path, [row(sha, base="p1", repo="o/n", pull_number=2, FAIL_TO_PASS=["x"])])
    assert (found.instance_id, found.number, found.base_given) == ("o__n-2", 2, True)
    assert (found.base_commit, found.merge_commit) == (sha["p1"], sha["squash"])
    assert (found.title, found.body, found.source) == ("Fix it", "Fixes #1", "index")
    assert [link.number for link in found.links] == [1]


def test_t24_the_number_is_never_read_out_of_the_id(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches ids being parsed: the number comes from the row or from the merge's own subject."""
    (found,) = harvested(tmp_path, [row(sha, instance_id="Some__Thing-77")])
    assert (found.instance_id, found.number) == ("Some__Thing-77", 2)
    assert "names none" in problems(tmp_path, [row(sha, merge="r2")])[0]


def test_a_rebase_is_the_whole_range(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches a rebased change shrinking to its last commit when it is read back from facts."""
    rebase = row(sha, base="squash", merge="r2", pull_number=4, instance_id="o__n-4")
    (found,) = harvested(tmp_path, [rebase])
    assert (found.how_merged, found.base_given, len(found.commits)) == ("rebase", False, 2)
    story_without_head = row(sha, base="squash", merge="r2", pull_number=5, instance_id="o__n-5", how_merged="rebase")
    (told,) = harvested(tmp_path, [story_without_head])
    assert (told.how_merged, told.base_given, told.title) == ("rebase", False, "Two")


def test_newest_first_and_only_this_repository(tmp_path: Path, sha: dict[str, Sha]) -> None:
    newer = row(sha, base="squash", merge="r2", pull_number=4, instance_id="o__n-4")
    other = row(sha, repo="other/thing", instance_id="other__thing-1", merge_commit=ABSENT)
    rows = [row(sha), other, "", newer]
    assert [each.number for each in harvested(tmp_path, rows)] == [4, 2]
    assert [each.number for each in harvested(tmp_path, rows, pulls=(2,))] == [2]


def test_broken_rows_are_named_after_all_good_ones(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches one bad line ending the harvest, or being dropped without a word."""
    rows = [
        "{not json",
        "[1]",
        row(sha, version=None),
        {"instance_id": "o__n-9"},
        row(sha, merge_commit="abc123", instance_id="o__n-8"),
        row(sha),
        row(sha),
        row(sha, instance_id="again"),
        row(sha, merge_commit=ABSENT, instance_id="o__n-7"),
        row(sha, base_commit=ABSENT, merge_commit="2" * 40, instance_id="o__n-6"),
        row(sha, pull_number="2", instance_id="o__n-5"),
        row(sha, base="root", merge="root", pull_number=3, instance_id="o__n-3"),
    ]
    (tmp_path / "rows.jsonl").write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in rows))
    request = HarvestRequest(repo="o/n", work_dir=tmp_path, git_dir=tmp_path / "r", index=tmp_path / "rows.jsonl")
    offered = index.create().pull_requests(request)
    assert next(offered).number == 2
    with pytest.raises(IncompleteHarvestError) as caught:
        next(offered)
    told = {int(line.split(":")[1]): line for line in caught.value.problems}
    assert sorted(told) == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]
    assert "not JSON" in told[1]
    assert "not a JSON object" in told[2]
    assert "has no version" in told[3]
    assert "has no base_commit, merge_commit, version" in told[4]
    assert "merge_commit must be a full commit id" in told[5]
    assert "repeats" in told[7]
    assert "repeats the pull request of" in told[8]
    assert f"has no commit {ABSENT}" in told[9]
    assert f"has no commit {ABSENT} and {'2' * 40}" in told[10]
    assert "pull_number must be a whole number" in told[11]
    assert "has no parent" in told[12]


def test_what_cannot_be_read_at_all_is_an_error_at_once(tmp_path: Path, sha: dict[str, Sha]) -> None:
    request = HarvestRequest(repo="o/n", work_dir=tmp_path, git_dir=tmp_path / "r", index=tmp_path / "none.jsonl")
    with pytest.raises(SettingsError, match=r"none\.jsonl cannot be read"):
        list(index.create().pull_requests(request))
    with pytest.raises(SettingsError, match="--index"):
        list(index.create().pull_requests(HarvestRequest(repo="o/n", work_dir=tmp_path)))
    with pytest.raises(UsageError, match="--git-dir"):
        list(index.create().pull_requests(HarvestRequest(repo="o/n", work_dir=tmp_path, index=tmp_path / "rows.jsonl")))
    with pytest.raises(UnknownNameError, match="Perhaps you meant 'o/nn'"):
        harvested(tmp_path, [row(sha, repo="o/nn")])
    with pytest.raises(UnknownNameError, match="pull request '3'"):
        harvested(tmp_path, [row(sha)], pulls=(3,))
    (tmp_path / "r" / "HEAD").unlink()
    with pytest.raises(RepositoryError):
        harvested(tmp_path, [row(sha)])
