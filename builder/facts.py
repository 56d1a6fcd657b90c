"""Facts of validated instances that may be shared without any of a repository's text or code.

`instances/<owner>__<name>/validated.jsonl` has one line per instance: ids, commits, version, FAIL_TO_PASS in full,
PASS_TO_PASS as count and digest, environment, runs. The lock of each environment lies beside it in
`locks/<env_id>.txt`. Together with a clone they reproduce the instance: the `index` source reads the commits, and the
environment comes from the lock instead of being resolved again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from builder import locks
from builder.errors import SettingsError
from builder.files import write_file
from builder.models import Environment, Lock, Record, Sha, TaskInstance, ValidationReport, digest_of
from builder.repo_config import directory_name

FACTS_NAME = "validated.jsonl"


class Fact(Record):
    """One line of `validated.jsonl`. `pass_to_pass_digest` is `models.digest_of` of the sorted ids."""

    instance_id: str
    repo: str
    pull_number: int
    version: str
    base_commit: Sha
    merge_commit: Sha
    how_merged: str
    env_id: str
    environment_setup_commit: Sha
    python: str
    runtime: str
    f2p_rule: str
    n_runs: int
    test_files: tuple[str, ...]
    FAIL_TO_PASS: tuple[str, ...]
    n_PASS_TO_PASS: int  # noqa: N815  SWE-bench's spelling
    pass_to_pass_digest: str
    flaky_tests: tuple[str, ...]


def fact_of(instance: TaskInstance, environment: Environment, report: ValidationReport) -> Fact:
    """What may be shared of a validated instance."""
    return Fact(
        instance_id=instance.instance_id,
        repo=instance.repo,
        pull_number=instance.pull_number,
        version=instance.version,
        base_commit=instance.base_commit,
        merge_commit=instance.merge_commit,
        how_merged=instance.how_merged,
        env_id=environment.env_id,
        environment_setup_commit=environment.environment_setup_commit,
        python=environment.spec.python,
        runtime=report.runtime,
        f2p_rule=report.f2p_rule,
        n_runs=report.n_runs,
        test_files=report.test_files,
        FAIL_TO_PASS=report.fail_to_pass,
        n_PASS_TO_PASS=len(report.pass_to_pass),
        pass_to_pass_digest=digest_of(sorted(report.pass_to_pass)),
        flaky_tests=report.flaky_tests,
    )


def facts_path(instances_dir: Path, repo: str) -> Path:
    return instances_dir / directory_name(repo) / FACTS_NAME


def read_facts(instances_dir: Path, repo: str) -> dict[str, Fact]:
    """The repository's facts by `instance_id`; empty where there are none. Raises SettingsError naming the line."""
    path = facts_path(instances_dir, repo)
    if not path.is_file():
        return {}
    facts = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            fact = Fact.from_json(line)
        except ValueError as error:
            raise SettingsError(f"{path}:{number} is not a fact: {error}") from error
        facts[fact.instance_id] = fact
    return facts


def read_environment_lock(instances_dir: Path, fact: Fact) -> Lock | None:
    """The lock that the instance was validated with, or None if it is not there. Raises SettingsError."""
    path = _lock_path(instances_dir, fact.repo, fact.env_id)
    return locks.read_lock(path) if path.is_file() else None


def write_facts(instances_dir: Path, repo: str, facts: Iterable[Fact], environments: Iterable[Environment]) -> int:
    """Add facts to the repository's, newer ones replacing older, with the locks; returns how many there are now.

    Lines are sorted by `instance_id`; locks that no line names any more are removed.
    """
    merged = read_facts(instances_dir, repo) | {fact.instance_id: fact for fact in facts}
    named = {fact.env_id for fact in merged.values()}
    for environment in environments:
        if environment.env_id in named:
            path = _lock_path(instances_dir, repo, environment.env_id)
            locks.write_lock(path, environment.lock)
    lines = [merged[name].to_json() for name in sorted(merged)]
    write_file(facts_path(instances_dir, repo), "".join(f"{line}\n" for line in lines).encode("utf-8"))
    for path in facts_path(instances_dir, repo).parent.glob("locks/*.txt"):
        if path.stem not in named:
            path.unlink()
    return len(merged)


def _lock_path(instances_dir: Path, repo: str, env_id: str) -> Path:
    return instances_dir / directory_name(repo) / "locks" / f"{env_id}.txt"
