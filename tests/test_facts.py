"""Facts of validated instances: what is written, what is read back, and that no text goes with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from task_factory import environment, report, task

from builder import facts
from builder.errors import SettingsError
from builder.exports.facts import create
from builder.models import Environment, Lock

LOCK = "pytest==8.0 \\\n    --hash=sha256:aa\n"


def locked(env_id: str = "e0") -> Environment:
    found = environment()
    lock = Lock(python="3.9", as_of=found.lock.as_of, text=LOCK)
    return found.model_copy(update={"env_id": env_id, "lock": lock})


def test_what_is_exported_is_read_back(tmp_path: Path) -> None:
    assert create().write(tmp_path, [(task(), locked(), report())]) == 1
    fact = facts.read_facts(tmp_path, "some-org/proj")["some-org__proj-1"]
    assert fact == facts.fact_of(task(), locked(), report())
    assert facts.read_environment_lock(tmp_path, fact) == locked().lock


def test_no_text_and_no_code_is_exported(tmp_path: Path) -> None:
    """Fails if a sentence, a patch or a path of this machine came along."""
    create().write(tmp_path, [(task(), locked(), report())])
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for word in (task().problem_statement, "diff --git", "return text", task().git_dir):
        assert word not in written


def test_the_same_export_gives_the_same_bytes_and_a_newer_verdict_replaces_its_line(tmp_path: Path) -> None:
    create().write(tmp_path, [(task(2), locked(), report(2)), (task(1), locked(), report(1))])
    path = facts.facts_path(tmp_path, "some-org/proj")
    first = path.read_bytes()
    create().write(tmp_path, [(task(1), locked(), report(1)), (task(2), locked(), report(2))])
    assert path.read_bytes() == first
    create().write(tmp_path, [(task(1), locked(), report(1, n_runs=9))])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["instance_id"], line["n_runs"]) for line in lines] == [
        ("some-org__proj-1", 9),
        ("some-org__proj-2", report(2).n_runs),
    ]


def test_a_lock_that_no_line_names_any_more_goes(tmp_path: Path) -> None:
    create().write(tmp_path, [(task(), locked("old"), report())])
    create().write(tmp_path, [(task(), locked("new"), report())])
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["new.txt"]


def test_a_missing_lock_is_none_and_a_broken_line_is_named(tmp_path: Path) -> None:
    create().write(tmp_path, [(task(), locked(), report())])
    fact = facts.read_facts(tmp_path, "some-org/proj")["some-org__proj-1"]
    next(tmp_path.rglob("*.txt")).unlink()
    assert facts.read_environment_lock(tmp_path, fact) is None
    path = facts.facts_path(tmp_path, "some-org/proj")
    path.write_text(path.read_text() + '{"instance_id": 3}\n')
    with pytest.raises(SettingsError, match=r"validated\.jsonl:2"):
        facts.read_facts(tmp_path, "some-org/proj")


def test_a_repository_without_facts_has_none(tmp_path: Path) -> None:
    assert facts.read_facts(tmp_path, "o/n") == {}
