"""A pull request becomes a candidate task, or the reason why it is none.

Everything here is known without running anything. Equal input gives an equal candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from builder import patches
from builder.errors import Rejected
from builder.git import Repository
from builder.licenses import license_at
from builder.links import convention_links
from builder.models import Issue, IssueLink, PullRequest, Reason, Sha, TaskInstance
from builder.repo_config import RepoConfig
from builder.statements import Hints, Solution, hints, issue_statement, own_statement
from builder.testpaths import path_rule
from builder.versions import RunCommand, series, version_at

_PRESCRIBED = ("index", "pypi")
"""Sources that say what the task is; the others find it by the issue that it resolves."""


_CODE = (
    *(".py", ".pyi", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".h", ".hpp", ".rs", ".go", ".java", ".js", ".ts", ".tsx"),
    *(".sh", ".g4", ".j2", ".html", ".css", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".json", ".test"),
)


@dataclass(frozen=True)
class _Change:
    """What the task's whole change makes of `base_commit`, and whether it had to be merged onto it."""

    diff: bytes
    tree: Sha
    three_way: bool


@dataclass(frozen=True)
class _Statement:
    """`may_be_later`: whether it may have been changed after the pull request was opened."""

    text: str
    source: str
    may_be_later: bool = False


def candidate(
    pull_request: PullRequest,
    repository: Repository,
    config: RepoConfig,
    *,
    run_command: RunCommand | None = None,
) -> TaskInstance:
    """The task in a pull request.

    Raises Rejected: `no_linked_issue` (not for the sources that prescribe the task), `patch_failed` if the change does
    not apply to `base_commit`, `no_tests_in_patch` (also if there is nothing that pytest can collect and no test
    command that knows better), `no_source_in_patch`. Raises RepositoryError if the clone lacks what is needed.
    """
    if not may_be_linked(pull_request, config):
        raise Rejected(Reason.NO_LINKED_ISSUE)
    change = _change(pull_request, repository)
    links = _links(pull_request, repository, config, change.diff)
    parts = _parts(change, config)
    _check_applies(repository, pull_request.base_commit, parts, change.tree)
    solution = _solution(pull_request, change.diff)
    issues = _issues(pull_request, repository, links)
    statement = _statement(pull_request, issues, repository, solution)
    told = _hints(pull_request, issues, solution)
    return TaskInstance(
        instance_id=pull_request.instance_id or instance_id(pull_request.repo, pull_request.number),
        repo=pull_request.repo,
        pull_number=pull_request.number,
        version=_version(pull_request, repository, config, run_command),
        base_commit=pull_request.base_commit,
        merge_commit=pull_request.merge_commit,
        patch=parts.patch,
        test_patch=parts.test_patch,
        test_files=_selected(pull_request, parts.test_patch),
        problem_statement=statement.text,
        statement_source=statement.source,
        hints_text=told.text,
        hints_left_out=told.left_out,
        created_at=_created_at(pull_request),
        issue_numbers=tuple(dict.fromkeys(link.number for link in links)),
        link_sources=tuple(dict.fromkeys(link.source for link in links)),
        stats=patches.statistics(parts.patch),
        license=config.license or license_at(repository, pull_request.base_commit),
        git_dir=str(repository.path),
        how_merged=pull_request.how_merged,
        flags=_flags(change, statement, solution),
    )


def instance_id(repo: str, number: int) -> str:
    """SWE-bench's form, `owner__name-number`. Never parsed back (T24)."""
    return f"{repo.replace('/', '__')}-{number}"


def _selected(pull_request: PullRequest, test_patch: bytes) -> tuple[str, ...]:
    """Which test files to run. A release touches many things at once: all of them, which is none in particular."""
    return () if pull_request.source == "pypi" else patches.test_files(test_patch)


def _change(pull_request: PullRequest, repository: Repository) -> _Change:
    base, merge = pull_request.base_commit, pull_request.merge_commit
    if not pull_request.base_given:
        return _Change(repository.diff(base, merge), repository.tree(merge), three_way=False)
    head = pull_request.head_sha or repository.pull_head(pull_request.number)
    if head and (head == merge or pull_request.how_merged == "rebase"):
        # Several commits came in, so the last one's parent is not where the change begins.
        start = repository.merge_base(base, head)
        tree = repository.merged_tree(base, head, start=start)
    else:
        start = next(iter(repository.parents(merge)), None)
        tree = repository.merged_tree(base, merge, start=start)
    return _Change(repository.diff(base, tree), tree, three_way=start != base)


def may_be_linked(pull_request: PullRequest, config: RepoConfig) -> bool:
    """Whether it is worth reading the change at all: most of a history is not."""
    return bool(pull_request.links or pull_request.issues or config.links) or pull_request.source in _PRESCRIBED


def _links(pull_request: PullRequest, repository: Repository, config: RepoConfig, diff: bytes) -> tuple[IssueLink, ...]:
    pulls = _pulls(pull_request, repository)
    added = patches.added_lines(diff) if config.links else {}
    conventional = convention_links(
        pull_request.repo, config.links, title=pull_request.title, paths=added, added_lines=added, pulls=pulls
    )
    links = (*(link for link in pull_request.links if link.number not in pulls), *conventional)
    told = any(issue.number not in pulls for issue in pull_request.issues)
    if not (links or told or pull_request.source in _PRESCRIBED):
        raise Rejected(Reason.NO_LINKED_ISSUE)
    return links


def _pulls(pull_request: PullRequest, repository: Repository) -> frozenset[int]:
    """Numbers that are known to be no issues."""
    return repository.pull_numbers | {pull_request.number}


def _parts(change: _Change, config: RepoConfig) -> patches.SplitPatch:
    parts = patches.split(change.diff, path_rule(config.tests))
    if not parts.test_patch:
        raise Rejected(Reason.NO_TESTS_IN_PATCH)
    if not parts.patch:
        raise Rejected(Reason.NO_SOURCE_IN_PATCH)
    if not patches.test_files(parts.test_patch) and config.environment.test_cmd is None:
        raise Rejected(Reason.NO_TESTS_IN_PATCH, "nothing in the test patch that pytest can collect")
    return parts


def _check_applies(repository: Repository, base_commit: Sha, parts: patches.SplitPatch, tree: Sha) -> None:
    """That the parts apply in either order is the promise of every row: prove it, down to the resulting tree.

    Parts that have nothing to do with each other need no second proof.
    """
    orders: list[tuple[bytes, ...]] = [(parts.patch, parts.test_patch), (parts.test_patch, parts.patch)]
    if patches.independent(parts):
        orders = [(parts.patch + parts.test_patch,)]
    for order in orders:
        if repository.apply(base_commit, *order) != tree:
            raise Rejected(Reason.PATCH_FAILED, "patch and test_patch together are not the merged change")


def _issues(pull_request: PullRequest, repository: Repository, links: Sequence[IssueLink]) -> list[Issue]:
    """Those that are none of the repository's pull requests, in the order in which links name them."""
    named = list(dict.fromkeys(link.number for link in links))
    issues = [issue for issue in pull_request.issues if issue.number not in _pulls(pull_request, repository)]
    return sorted(issues, key=lambda issue: named.index(issue.number) if issue.number in named else len(named))


def _statement(
    pull_request: PullRequest, issues: Sequence[Issue], repository: Repository, solution: Solution
) -> _Statement:
    """The issues' words where they are known, else the change's own."""
    told = [issue for issue in issues if issue.title.strip() or issue.body.strip()]
    if told:
        return _Statement(issue_statement(told), "issue", any(issue.body_as_of is None for issue in told))
    title, body, source = pull_request.title, pull_request.body, _OWN_WORDS.get(pull_request.source, "pull_request")
    if not title.strip() and not body.strip():
        entry = repository.commit(pull_request.merge_commit)
        title, body, source = entry.subject, entry.body, "commit"
    return _Statement(own_statement(title, body, solution), source)


_OWN_WORDS = {"index": "commit", "pypi": "release"}


def _version(
    pull_request: PullRequest, repository: Repository, config: RepoConfig, run_command: RunCommand | None
) -> str:
    if pull_request.version:
        return series(pull_request.version)
    project = pull_request.repo
    return version_at(repository, pull_request.base_commit, config.version, project=project, run_command=run_command)


def _hints(pull_request: PullRequest, issues: Sequence[Issue], solution: Solution) -> Hints:
    comments = [comment for issue in issues for comment in issue.comments]
    return hints(comments, _begun_at(pull_request), solution)


def _begun_at(pull_request: PullRequest) -> datetime | None:
    """When the work on the solution began, at the latest: its first commit, or its pull request."""
    moments = [commit.author_date for commit in pull_request.commits]
    return min([*moments, *filter(None, [pull_request.created_at])], default=None)


def _created_at(pull_request: PullRequest) -> datetime:
    """When the pull request was opened (SWE-bench's meaning); unknown, its first commit's date; else the merge's."""
    if pull_request.created_at:
        return pull_request.created_at
    return pull_request.commits[0].author_date if pull_request.commits else pull_request.merged_at


def _solution(pull_request: PullRequest, diff: bytes) -> Solution:
    commits, lines = _commit_ids(pull_request), _code_lines(diff)
    return Solution.of(pull_request.number, commits, lines, repo=pull_request.repo)


def _code_lines(diff: bytes) -> list[str]:
    """Added lines of files that are not prose: a news entry may well say what the issue says."""
    added = patches.added_lines(diff)
    return [line for path, lines in added.items() if path.endswith(_CODE) for line in lines]


def _commit_ids(pull_request: PullRequest) -> Sequence[Sha]:
    known = (pull_request.merge_commit, pull_request.head_sha, *(commit.sha for commit in pull_request.commits))
    return [sha for sha in known if sha]


def _flags(change: _Change, statement: _Statement, solution: Solution) -> tuple[str, ...]:
    found = {
        "three_way": change.three_way,
        "statement_quotes_patch": solution.quoted_in(statement.text),
        "statement_names_change": solution.named_in(statement.text),
        "statement_may_be_later": statement.may_be_later,
    }
    return tuple(name for name, holds in found.items() if holds)
