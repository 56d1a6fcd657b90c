"""The records that travel between the steps, and on to disk and to the Hub.

Every record is frozen and refuses unknown fields, so that a record read back is the record written. Field names
are SWE-bench's where SWE-bench has a name for the thing (Jimenez et al., arXiv 2310.06770, appendix A). All
times are timezone-aware UTC. Text that came from git may hold lone surrogates (bytes that are not UTF-8, decoded
with `surrogateescape`); patches are kept as `bytes` until a row is published.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

SCHEMA_VERSION = "1"

Sha = str  # a full, lower-case git object id


def _bytes_from_json(value: Any) -> Any:
    return base64.b85decode(value) if isinstance(value, str) else value


Blob = Annotated[
    bytes,
    BeforeValidator(_bytes_from_json),
    PlainSerializer(lambda value: base64.b85encode(value).decode("ascii"), when_used="json"),
]
"""Arbitrary bytes; base85 in JSON, since git diffs need not be text."""


class Record(BaseModel):
    """A frozen value; equal content has an equal `digest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        return cls.model_validate_json(text)

    def digest(self) -> str:
        return digest_of(self.model_dump(mode="json"))


def digest_of(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class Reason(StrEnum):
    """Why something is not a validated task. A closed set (design, section 4)."""

    NO_LINKED_ISSUE = "no_linked_issue"
    NO_TESTS_IN_PATCH = "no_tests_in_patch"
    NO_SOURCE_IN_PATCH = "no_source_in_patch"
    ENV_FAILED = "env_failed"
    PATCH_FAILED = "patch_failed"
    NO_RESULTS = "no_results"
    NO_FAIL_TO_PASS = "no_fail_to_pass"
    GOLD_BREAKS_TESTS = "gold_breaks_tests"
    FLAKY = "flaky"
    TIMED_OUT = "timed_out"
    TAMPERED = "tampered"


# --- what a source says -------------------------------------------------------------------------------------


class IssueLink(Record):
    """A pull request says that it resolves issue `number` of `repo`; `source` says where it says so.

    `source` is `title`, `body`, `commit`, `convention:<name>` for a rule of `repo.yaml`, `closing_reference` where the
    service lists it among the pull request's closing references, or `closed_event` where the issue's own event of
    being closed names the pull request or one of its commits.
    """

    repo: str
    number: int
    source: str


class Comment(Record):
    author: str | None
    created_at: datetime
    body: str


class Issue(Record):
    """An issue as far as its source knows it.

    `body_as_of` is the moment whose title and body these are; None where they may be later ones.
    """

    repo: str
    number: int
    title: str
    body: str
    created_at: datetime | None = None
    body_as_of: datetime | None = None
    comments: tuple[Comment, ...] = ()


class Commit(Record):
    sha: Sha
    message: str
    author_date: datetime


class PullRequest(Record):
    """A merged change, whatever the source: a pull request, a release, or a row of an index.

    `base_commit` is the first parent of the commit that brought the change in (for a rebase-merge the parent of
    its first commit) and `merge_commit` the last commit of it, so `git diff base_commit merge_commit` is what
    the merge changed. `pr_base_sha` is what an API called the base. `git_dir` is where the history is, if the source
    knows. With `base_given` (the `index` source)
    `base_commit` is prescribed, and the change is `merge_commit` against its own parent, applied on
    `base_commit` three-way where needed.
    """

    repo: str
    number: int
    title: str
    body: str
    merged_at: datetime
    base_commit: Sha
    merge_commit: Sha
    source: Literal["github", "gharchive", "git", "pypi", "index"]
    base_given: bool = False
    created_at: datetime | None = None
    pr_base_sha: Sha | None = None
    head_sha: Sha | None = None
    how_merged: str = ""
    commits: tuple[Commit, ...] = ()
    links: tuple[IssueLink, ...] = ()
    issues: tuple[Issue, ...] = ()
    labels: tuple[str, ...] = ()
    instance_id: str | None = None
    version: str | None = None
    git_dir: str = ""

    @property
    def key(self) -> str:
        """Unique within a workspace: `owner/name#number`."""
        return f"{self.repo}#{self.number}"


# --- candidates ---------------------------------------------------------------------------------------------


class PatchStats(Record):
    """Counts over `patch` (the source part), as in SWE-Gym's Table 2."""

    files: int
    files_added: int
    files_removed: int
    hunks: int
    lines_added: int
    lines_removed: int


class TaskInstance(Record):
    """A candidate task: everything about it that needs no execution.

    `patch` and `test_patch` are git diffs with full object ids and binary bodies; both apply to `base_commit` in
    either order, and together are the whole merged change. `git_dir` is where the history is. Without `test_files`
    the whole test suite is run.
    """

    instance_id: str
    repo: str
    pull_number: int
    version: str
    base_commit: Sha
    merge_commit: Sha
    patch: Blob
    test_patch: Blob
    test_files: tuple[str, ...]
    problem_statement: str
    statement_source: str
    hints_text: str
    created_at: datetime
    issue_numbers: tuple[int, ...]
    link_sources: tuple[str, ...]
    stats: PatchStats
    license: str
    git_dir: str
    how_merged: str = ""
    hints_left_out: int = 0  # comments that would have been hints, but give the change away
    flags: tuple[str, ...] = ()


# --- environments -------------------------------------------------------------------------------------------


class Evidence(Record):
    """One conclusion about an environment: what was concluded, by which rule, from which file or line."""

    rule: str
    conclusion: str
    source: str


class Requirement(Record):
    """One requirement line (PEP 508) and how much the tests can be expected to need it.

    `tier`: 0 the package itself, 1 its test requirements, 2 development requirements, 3 optional extras,
    4 linters and documentation tools. A resolver conflict relaxes and then drops from the highest tier down.
    """

    text: str
    tier: int
    source: str


class EnvSpec(Record):
    """What an environment must hold, for one repository at one commit."""

    repo: str
    commit: Sha
    as_of: datetime
    python: str
    project: str = ""  # the distribution that the repository builds
    build_backend: str = ""
    requirements: tuple[Requirement, ...]
    constraints: tuple[str, ...] = ()
    install: Literal["editable", "editable-isolated", "develop", "path", "none"]
    build_steps: tuple[str, ...] = ()
    build_env: dict[str, str] = {}
    test_env: dict[str, str] = {}
    test_cmd: str
    system_packages: dict[str, str] = {}
    submodules: bool = False
    evidence: tuple[Evidence, ...] = ()


class Lock(Record):
    """Exact dependency versions with hashes, resolved as of a date. `text` is a requirements file."""

    python: str
    as_of: datetime
    text: str
    dropped: tuple[str, ...] = ()
    relaxed: tuple[str, ...] = ()

    @property
    def lock_id(self) -> str:
        """Digest of what decides the installed files: interpreter and locked lines (comments do not)."""
        lines = [line for line in self.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        return digest_of([self.python, lines])


class Environment(Record):
    """An environment that instances share: a spec, its lock, and the commit that it is built at."""

    env_id: str
    spec: EnvSpec
    lock: Lock
    environment_setup_commit: Sha


# --- running tests ------------------------------------------------------------------------------------------


class TestStatus(StrEnum):
    """What became of one test id, over its setup, call and teardown phases."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"

    @property
    def counts_as_pass(self) -> bool:
        """SWE-bench's rule (`swebench.harness.grading.test_passed`): PASSED or XFAIL."""
        return self in (TestStatus.PASSED, TestStatus.XFAILED)


class TestRun(Record):
    """One run of an instance's test command in a fresh sandbox.

    `outcome` is `completed` only if the probe's records, its summary, and the exit code agree. Statuses of any
    other outcome are evidence for a person, never for a verdict. Times are seconds.
    """

    __test__ = False

    outcome: Literal["completed", "patch_failed", "no_results", "timed_out", "tampered"]
    detail: str = ""
    statuses: dict[str, TestStatus] = {}
    collection_errors: tuple[str, ...] = ()
    exit_code: int | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    output: Blob = b""


class ValidationReport(Record):
    """The verdict on one instance from N runs before and N runs after the gold patch."""

    instance_id: str
    env_id: str
    image: str
    runtime: str
    f2p_rule: Literal["swe-bench", "swe-gym"]
    n_runs: int
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    flaky_tests: tuple[str, ...]
    pass_to_fail: tuple[str, ...] = ()
    reason: Reason | None = None
    detail: str = ""
    test_cmd: str
    test_files: tuple[str, ...]
    seconds_before: tuple[float, ...] = ()
    seconds_after: tuple[float, ...] = ()
    cpu_seconds: float = 0.0
    flags: tuple[str, ...] = ()
    validated_at: datetime

    @property
    def validated(self) -> bool:
        return self.reason is None
