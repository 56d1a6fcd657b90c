"""Tasks, environments and verdicts made up for tests: valid, small, and different where a test says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builder.figures import Funnel
from builder.models import Environment, EnvSpec, Lock, PatchStats, TaskInstance, ValidationReport
from builder.publish import DataSet, validation
from builder.rows import PublishedRow, Validation, build_rows
from builder.templating import Templates

TEST_DIRECTORY = Path(__file__).parent
MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
TEMPLATES = Templates(TEST_DIRECTORY.parent / "templates")
STATEMENT = "The parser drops the last line of its input where there is no newline at the end. " * 3
PATCH = (
    b"diff --git a/src/parser.py b/src/parser.py\n"
    b"index 1111111111111111111111111111111111111111..2222222222222222222222222222222222222222 100644\n"
    b"--- a/src/parser.py\n+++ b/src/parser.py\n@@ -1,2 +1,2 @@\n def parse(text):\n-    pass\n+    return text\n"
)


def patch_of_tests(*added: str, context: str = "import parser") -> bytes:
    """A diff that adds lines to a test file."""
    lines = "".join(f"+{line}\n" for line in added)
    return (
        "diff --git a/tests/test_parser.py b/tests/test_parser.py\n"
        "index 3333333333333333333333333333333333333333..4444444444444444444444444444444444444444 100644\n"
        "--- a/tests/test_parser.py\n+++ b/tests/test_parser.py\n"
        f"@@ -1 +1,{len(added) + 1} @@\n {context}\n{lines}"
    ).encode()


def task(number: int = 1, **changes: Any) -> TaskInstance:
    values: dict[str, Any] = {
        "instance_id": f"some-org__proj-{number}",
        "repo": "some-org/proj",
        "pull_number": number,
        "version": "1.10",
        "base_commit": "a" * 40,
        "merge_commit": "b" * 40,
        "patch": PATCH,
        "test_patch": patch_of_tests("def test_it():", "    assert parser.parse('x') == 'x'"),
        "test_files": ("tests/test_parser.py",),
        "problem_statement": STATEMENT,
        "statement_source": "issue",
        "hints_text": "",
        "created_at": MOMENT,
        "issue_numbers": (7,),
        "link_sources": ("body",),
        "stats": PatchStats(files=1, files_added=0, files_removed=0, hunks=1, lines_added=1, lines_removed=1),
        "license": "MIT",
        "git_dir": "/clones/proj",
    }
    return TaskInstance(**{**values, **changes})


def environment(**changes: Any) -> Environment:
    spec = EnvSpec(
        repo="some-org/proj",
        commit="c" * 40,
        as_of=MOMENT,
        python="3.9",
        requirements=(),
        install="editable",
        test_cmd="pytest",
        **changes,
    )
    lock = Lock(python="3.9", as_of=MOMENT, text="pytest==8.0\n")
    return Environment(env_id="e0", spec=spec, lock=lock, environment_setup_commit="c" * 40)


def report(number: int = 1, **changes: Any) -> ValidationReport:
    values: dict[str, Any] = {
        "instance_id": f"some-org__proj-{number}",
        "env_id": "e0",
        "image": "sha256:" + "d" * 64,
        "runtime": "bubblewrap",
        "f2p_rule": "swe-bench",
        "n_runs": 3,
        "fail_to_pass": ("tests/test_parser.py::test_it",),
        "pass_to_pass": ("tests/test_parser.py::test_a", "tests/test_parser.py::test_b[x y]"),
        "flaky_tests": (),
        "test_cmd": "pytest",
        "test_files": ("tests/test_parser.py",),
        "validated_at": MOMENT,
    }
    return ValidationReport(**{**values, **changes})


def validated(number: int = 1, **changes: Any) -> Validation:
    return validation(task(number, **changes), environment(), report(number), TEMPLATES)


def rows(candidates: int = 3, verdicts: int = 2, **changes: Any) -> list[PublishedRow]:
    """Rows of `candidates` tasks, of which the first `verdicts` are validated and lite."""
    tasks = [task(number, **changes) for number in range(1, candidates + 1)]
    return list(build_rows(tasks, [validated(number, **changes) for number in range(1, verdicts + 1)]))


def data_set(published: list[PublishedRow] | None = None) -> DataSet:
    chosen = rows() if published is None else published
    counts = {split: sum(row.split == split for row in chosen) for split in ("raw", "full")}
    funnel = Funnel(counts["raw"] + 2, counts["raw"], counts["full"], counts["full"], {"no_tests_in_patch": 2}, {}, {})
    return DataSet(chosen, funnel, "Small set")
