"""Rows: SWE-bench's columns and types, nothing lost of patches and ids, null where nothing was run."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from task_factory import MOMENT, PATCH, environment, report, task, validated

from builder import rows
from builder.models import Reason
from builder.rows import build_rows, candidate_row, shell_word, validated_row

SWE_BENCH = [
    *("repo", "instance_id", "base_commit", "patch", "test_patch", "problem_statement", "hints_text", "created_at"),
    *("version", "FAIL_TO_PASS", "PASS_TO_PASS", "environment_setup_commit"),
]
HARNESS = ["image", "log_parser", "eval_type", "eval_script"]


def test_the_first_twelve_columns_are_those_of_swe_bench() -> None:
    """Catches a renamed or reordered column that SWE-bench's consumers read."""
    assert list(rows.Row.model_fields)[:12] == SWE_BENCH


def test_a_validated_row_has_what_swe_bench_s_harness_reads() -> None:
    """Catches a null in a column of `swebench.harness.utils.make_test_spec`, and lists that are not JSON text."""
    row = validated_row(replace(validated(), image="registry.example/proj@sha256:0"))
    assert all(getattr(row, name) for name in [*SWE_BENCH[:6], *SWE_BENCH[7:], *HARNESS])
    assert json.loads(row.FAIL_TO_PASS or "") == ["tests/test_parser.py::test_it"]
    assert row.created_at == "2024-01-02T03:04:05Z"
    assert row.version == "1.10"


def test_a_row_that_was_not_run_says_nothing_about_a_run() -> None:
    """Catches an empty list that would read as 'no test fails' where nothing was run."""
    row = candidate_row(task())
    unknown = {name for name, value in row.model_dump().items() if value is None}
    assert unknown == {
        *("FAIL_TO_PASS", "PASS_TO_PASS", "environment_setup_commit", "image", "eval_script", "log_parser"),
        *("eval_type", "test_cmd", "env_id", "f2p_rule", "n_runs", "flaky_tests", "validated_at", "runtime"),
        "platform",
    }


def test_t63_an_image_that_is_in_no_registry_is_not_named() -> None:
    """Catches the digest of a recipe where consumers look for something to pull."""
    assert validated_row(validated()).image is None
    named = validated_row(replace(validated(), image="registry.example/proj@sha256:0", platform="linux/arm64"))
    assert (named.image, named.platform) == ("registry.example/proj@sha256:0", "linux/arm64")


def test_every_candidate_is_raw_and_only_validated_ones_are_more() -> None:
    """Catches a rejected instance among the validated ones, and a lite row that is not full."""
    rejected = rows.Validation(task(2), environment(), report(2, reason=Reason.FLAKY), "")
    wordy = validated(3, problem_statement="too short")
    published = list(build_rows([task(1), task(2), task(3)], [validated(1), rejected, wordy]))
    found = [(row.split, row.row.pull_number, row.not_lite) for row in published]
    assert found == [
        ("raw", 1, ()),
        ("raw", 2, ()),
        ("raw", 3, ()),
        ("full", 1, ()),
        ("lite", 1, ()),
        ("full", 3, ("statement_length",)),
    ]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [("naïve ☃".encode(), "utf-8"), ("naïve".encode("latin-1"), "latin-1"), (bytes(range(128, 256)), "latin-1")],
)
def test_t11_a_patch_survives_in_its_encoding(content: bytes, encoding: str) -> None:
    """Catches a patch that is not UTF-8 and loses bytes, in either of the two patches."""
    patch = PATCH.replace(b"pass", content) + b"\r\n"
    for gold, tests in ((patch, PATCH), (PATCH, patch)):
        row = candidate_row(task(patch=gold, test_patch=tests))
        assert row.patch_encoding == encoding
        assert row.patch.encode(row.patch_encoding) == gold
        assert row.test_patch.encode(row.patch_encoding) == tests
        row.to_json().encode("utf-8")


def test_ids_that_are_not_unicode_survive_as_json() -> None:
    """Catches a lone surrogate, which no parquet string can hold, in a test id or a path."""
    names = ("t.py::test[\udce9]", 't.py::test["☃"\n]')
    verdict = rows.Validation(task(test_files=names), environment(), report(fail_to_pass=names, flaky_tests=names), "")
    row = validated_row(verdict)
    for column in (row.FAIL_TO_PASS, row.flaky_tests, candidate_row(verdict.instance).test_files):
        assert column is not None
        assert column.isascii()
        assert tuple(json.loads(column)) == names


@pytest.mark.parametrize(
    ("text", "published"), [("caf\udce9", "caf\\xe9"), ("high \ud83d alone", "high \\ud83d alone"), ("é☃𝄞", "é☃𝄞")]
)
def test_prose_is_valid_unicode(text: str, published: str) -> None:
    """Catches a statement that cannot be written, and one whose proper characters are escaped."""
    row = candidate_row(task(problem_statement=text, hints_text=text))
    assert (row.problem_statement, row.hints_text) == (published, published)
    published.encode("utf-8")


def test_times_are_utc() -> None:
    """Catches a local time published as UTC, and a time without a zone."""
    eastern = MOMENT.astimezone(timezone(timedelta(hours=-5)))
    assert candidate_row(task(created_at=eastern)).created_at == "2024-01-02T03:04:05Z"
    with pytest.raises(ValueError, match="no time zone"):
        rows.utc_text(datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("test_id", "parser"),
    [
        ("t.py::test_x[a b]", rows.PROBE_PARSER),
        ("t.py::test_x[a\tb]", rows.PROBE_PARSER),
        ("t.py::t", "parse_log_pytest"),
    ],
)
def test_t30_ids_with_white_space_are_not_left_to_a_parser_that_cuts_them(test_id: str, parser: str) -> None:
    """Catches rows that swebench's parser of summary lines would grade by half an id."""
    assert rows.log_parser(["t.py::test_y", test_id]) == parser


def test_flags_of_instance_and_verdict_are_joined() -> None:
    """Catches a flag that is lost or doubled."""
    verdict = rows.Validation(task(flags=("b", "a")), environment(), report(flags=("c", "a")), "")
    assert validated_row(verdict).flags == ("a", "b", "c")


@pytest.mark.parametrize("name", ["plain.py", "a b.py", "it's.py", "$(touch x).py", "é.py", "\udce9'\\.py", "a\nb"])
def test_a_shell_word_is_the_name_again(name: str) -> None:
    """Catches a path that a shell would split, expand or decode; asked of a real bash."""
    word = shell_word(name)
    assert word.isascii()
    assert word.isprintable()
    result = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert result.stdout == name.encode("utf-8", "surrogateescape")
