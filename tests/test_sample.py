"""The sample repository: the same everywhere, found again by the git source, its planted cases really there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from builder import repo_config
from builder.errors import RepositoryError
from builder.git import Repository
from builder.models import PullRequest, Reason
from builder.protocols import HarvestRequest
from builder.sample import SAMPLE_REPO, SampleCase, create_sample, sample_repo_yaml
from builder.sources.git import create

TIP = "1c77d175859fde938c881287ffb2ecaf22d57578"
PLANTED = {
    "validated",
    Reason.NO_TESTS_IN_PATCH,
    Reason.NO_SOURCE_IN_PATCH,
    Reason.FLAKY,
    Reason.GOLD_BREAKS_TESTS,
    Reason.TIMED_OUT,
    Reason.NO_FAIL_TO_PASS,
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "pantry.git"
    create_sample(path)
    return path


@pytest.fixture(scope="module")
def found(sample: Path) -> dict[int, PullRequest]:
    request = HarvestRequest(repo=SAMPLE_REPO, work_dir=sample.parent, git_dir=sample)
    return {each.number: each for each in create().pull_requests(request)}


def run_tests(sample: Path, commit: str, into: Path, *arguments: str) -> str:
    """Check the commit out and run pytest on it, in a process of its own; the exit code and the report's tail."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", sample, into], check=True)
    subprocess.run(["git", "-C", into, "checkout", "--quiet", commit], check=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rp", *arguments]
    return subprocess.run(command, cwd=into, capture_output=True, text=True, check=False).stdout


def test_the_commits_are_the_same_everywhere(sample: Path, tmp_path: Path) -> None:
    """Catches anything of the machine or the moment in the history; whoever changes the history changes this id."""
    create_sample(tmp_path / "again")
    assert Repository(tmp_path / "again").refs() == Repository(sample).refs()
    assert Repository(sample).resolve("HEAD") == TIP


def test_every_kind_of_outcome_is_planted(tmp_path: Path) -> None:
    cases = create_sample(tmp_path / "r")
    assert {case.expected for case in cases} == PLANTED
    assert [case.pull_number for case in cases] == sorted({case.pull_number for case in cases})
    assert cases[0] == SampleCase(2, "validated", cases[0].plants)


def test_the_git_source_finds_each_case_and_its_issue(found: dict[int, PullRequest], tmp_path: Path) -> None:
    """Catches a history that no longer looks like one that a hosting service made."""
    cases = create_sample(tmp_path / "r")
    assert set(found) == {case.pull_number for case in cases}
    assert {each.how_merged for each in found.values()} == {"squash", "merge", "rebase"}
    assert all([link.number for link in each.links] == [each.number - 1] for each in found.values())
    assert all(each.head_sha and each.commits for each in found.values())


def test_a_rebased_change_spans_all_its_commits(found: dict[int, PullRequest], sample: Path) -> None:
    rebased = found[16]
    assert [commit.message.splitlines()[0] for commit in rebased.commits] == [
        "Wrap long labels",
        "Print names as they are",
    ]
    changed = Repository(sample).changed_paths(rebased.base_commit, rebased.merge_commit)
    assert set(changed) == {"pantry/__init__.py", "pantry/labels.py", "tests/test_labels.py"}


def test_a_branch_cut_earlier_changes_only_its_own_files(found: dict[int, PullRequest], sample: Path) -> None:
    late = found[20]
    changed = Repository(sample).changed_paths(late.base_commit, late.merge_commit)
    assert changed == {"pantry/shopping.py": "A", "tests/test_shopping.py": "A"}
    assert late.pr_base_sha != late.base_commit


def test_chance_decides_each_flaky_run_anew(found: dict[int, PullRequest], sample: Path, tmp_path: Path) -> None:
    """Catches a flaky case that three runs could agree on: one of 400 passes, and not the same one."""
    passed = set()
    for attempt in range(3):
        output = run_tests(sample, found[10].merge_commit, tmp_path / str(attempt), "tests/test_menu.py")
        passed.add(tuple(line for line in output.splitlines() if line.startswith("PASSED")))
    assert {len(run) for run in passed} == {1}
    assert len(passed) > 1


def test_difficult_ids_pass_after_and_not_before(found: dict[int, PullRequest], sample: Path, tmp_path: Path) -> None:
    """Catches ids that pytest itself would refuse, or a fix that does not fix."""
    after = run_tests(sample, found[16].merge_commit, tmp_path / "after", "tests/test_labels.py")
    assert "33 passed" in after
    assert "tests/test_labels.py::test_kept[oil [refined]]" in after
    assert "tests/test_labels.py::test_kept[tea - green - loose]" in after
    assert "test_crème_brûlée" in after
    before = run_tests(sample, found[16].base_commit, tmp_path / "before", "tests/test_labels.py")
    assert "2 passed" in before


def test_the_broken_test_is_in_the_changed_file(found: dict[int, PullRequest], sample: Path, tmp_path: Path) -> None:
    broken = run_tests(sample, found[12].merge_commit, tmp_path / "after", "tests/test_stock.py")
    assert "1 failed, 3 passed" in broken
    whole = run_tests(sample, found[12].base_commit, tmp_path / "before", "tests/test_stock.py")
    assert "3 passed" in whole


def test_its_rules_are_a_valid_repo_yaml() -> None:
    config = repo_config.parse(sample_repo_yaml(), "sample")
    assert config.environment.test_timeout
    assert config.environment.requirements == ("pytest",)


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(RepositoryError):
        create_sample(tmp_path)
