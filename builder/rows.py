"""The published row, and how candidates and verdicts become rows.

The twelve columns of SWE-bench come first (arXiv 2310.06770, appendix A), then ours. How things are typed, and why:

* Names that come from a repository or a test run (`FAIL_TO_PASS`, `PASS_TO_PASS`, `flaky_tests`, `test_files`) are
  JSON text, as in SWE-bench's own data set, so that every SWE-bench consumer reads them (`swebench.types` declares
  `FAIL_TO_PASS: str`; its harness also takes SWE-Gym's lists, most others call `json.loads` unconditionally). JSON
  text can also hold a name that is not UTF-8 (a lone surrogate, escaped), which no parquet string can.
* Patches are text in the encoding that `patch_encoding` names, so `row["patch"].encode(row["patch_encoding"])` is the
  patch byte for byte: `utf-8` wherever both patches are UTF-8, else `latin-1`, which maps every byte to one character.
* Prose shows a byte that is not UTF-8 as `\\xNN`.
* What only a run can tell is null in a row that was not run.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from builder.lite import lite_failures
from builder.models import SCHEMA_VERSION, Environment, Record, TaskInstance, ValidationReport

Split = Literal["raw", "full", "lite"]
SPLITS: tuple[Split, ...] = ("raw", "full", "lite")
"""`raw`: every candidate, not run. `full`: validated by execution. `lite`: the part of `full` that meets `lite.py`."""

STDOUT_PARSER = "parse_log_pytest"
"""Key of swebench's parser registry that reads the output of `eval_script` (pytest's summary lines)."""
PROBE_PARSER = "builder_probe"
"""For rows with test ids that a summary line cannot carry (T30): only the probe's records tell them apart."""


class Row(Record):
    """One published row. `created_at` and `validated_at` are UTC, `YYYY-MM-DDTHH:MM:SSZ`; counts are of `patch`."""

    repo: str
    instance_id: str
    base_commit: str
    patch: str
    test_patch: str
    problem_statement: str
    hints_text: str
    created_at: str
    version: str
    FAIL_TO_PASS: str | None = None
    PASS_TO_PASS: str | None = None
    environment_setup_commit: str | None = None
    image: str | None = None
    eval_script: str | None = None
    log_parser: str | None = None
    eval_type: str | None = None
    test_cmd: str | None = None
    test_files: str
    env_id: str | None = None
    pull_number: int
    issue_numbers: tuple[int, ...]
    link_sources: tuple[str, ...]
    statement_source: str
    merge_commit: str
    f2p_rule: str | None = None
    n_runs: int | None = None
    flaky_tests: str | None = None
    validated_at: str | None = None
    runtime: str | None = None
    platform: str | None = None
    flags: tuple[str, ...]
    patch_encoding: str
    patch_files: int
    patch_files_added: int
    patch_files_removed: int
    patch_hunks: int
    patch_lines_added: int
    patch_lines_removed: int
    license: str
    schema_version: str = SCHEMA_VERSION


@dataclass(frozen=True)
class Validation:
    """A verdict with what it is about, and the text of its evaluation script.

    `image` is a reference by digest (T63), if the image that was validated is in a registry; `platform` is what it was
    built for (`linux/amd64`).
    """

    instance: TaskInstance
    environment: Environment
    report: ValidationReport
    eval_script: str
    image: str = ""
    platform: str = ""


class PublishedRow(NamedTuple):
    """A row and the split it belongs to; `not_lite` names the criteria that keep a row of `full` out of `lite`."""

    split: Split
    row: Row
    not_lite: tuple[str, ...] = ()


def build_rows(candidates: Iterable[TaskInstance], validations: Iterable[Validation]) -> Iterator[PublishedRow]:
    """Every candidate as `raw`, every validated one also as `full`, and as `lite` where it meets all criteria.

    Reads its inputs one by one; a report that rejects its instance gives no row.
    """
    for candidate in candidates:
        yield PublishedRow("raw", candidate_row(candidate))
    for validation in validations:
        if not validation.report.validated:
            continue
        row = validated_row(validation)
        failures = tuple(failure.criterion for failure in lite_failures(validation.instance))
        yield PublishedRow("full", row, failures)
        if not failures:
            yield PublishedRow("lite", row)


def candidate_row(instance: TaskInstance) -> Row:
    """The row of a task that was not run: every column of execution is null."""
    encoding = patch_encoding(instance.patch, instance.test_patch)
    stats = instance.stats
    return Row(
        repo=instance.repo,
        instance_id=instance.instance_id,
        base_commit=instance.base_commit,
        patch=instance.patch.decode(encoding),
        test_patch=instance.test_patch.decode(encoding),
        problem_statement=published_text(instance.problem_statement),
        hints_text=published_text(instance.hints_text),
        created_at=utc_text(instance.created_at),
        version=instance.version,
        test_files=names_json(instance.test_files),
        pull_number=instance.pull_number,
        issue_numbers=instance.issue_numbers,
        link_sources=instance.link_sources,
        statement_source=instance.statement_source,
        merge_commit=instance.merge_commit,
        flags=tuple(sorted(set(instance.flags))),
        patch_encoding=encoding,
        patch_files=stats.files,
        patch_files_added=stats.files_added,
        patch_files_removed=stats.files_removed,
        patch_hunks=stats.hunks,
        patch_lines_added=stats.lines_added,
        patch_lines_removed=stats.lines_removed,
        license=instance.license,
    )


def validated_row(validation: Validation) -> Row:
    """The row of a task whose tests were run before and after the gold patch."""
    instance, report = validation.instance, validation.report
    return candidate_row(instance).model_copy(
        update={
            "FAIL_TO_PASS": names_json(report.fail_to_pass),
            "PASS_TO_PASS": names_json(report.pass_to_pass),
            "environment_setup_commit": validation.environment.environment_setup_commit,
            "image": validation.image or None,
            "eval_script": validation.eval_script,
            "log_parser": log_parser((*report.fail_to_pass, *report.pass_to_pass)),
            "eval_type": "pass_and_fail",
            "test_cmd": published_text(report.test_cmd),
            "test_files": names_json(report.test_files),
            "env_id": report.env_id,
            "f2p_rule": report.f2p_rule,
            "n_runs": report.n_runs,
            "flaky_tests": names_json(report.flaky_tests),
            "validated_at": utc_text(report.validated_at),
            "runtime": report.runtime,
            "platform": validation.platform or None,
            "flags": tuple(sorted({*instance.flags, *report.flags})),
        }
    )


def patch_encoding(*patches: bytes) -> Literal["utf-8", "latin-1"]:
    """The codec that turns the patches into text and back without loss (module docstring)."""
    try:
        for patch in patches:
            patch.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def published_text(text: str) -> str:
    """Prose with every byte that was not UTF-8 (a lone surrogate here) written as `\\xNN`, to be valid Unicode."""
    return re.sub(
        "[\ud800-\udfff]",
        lambda match: (
            f"\\x{ord(match[0]) - 0xDC00:02x}" if "\udc80" <= match[0] <= "\udcff" else f"\\u{ord(match[0]):04x}"
        ),
        text,
    )


def names_json(names: Iterable[str]) -> str:
    """A JSON list, ASCII only, so that any name survives: `json.loads` gives back the very strings."""
    return json.dumps(list(names))


def utc_text(moment: datetime) -> str:
    """SWE-bench's spelling of a time: `2022-04-06T12:00:00Z`, whole seconds. Raises ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def log_parser(test_ids: Iterable[str]) -> str:
    """Which parser can read these ids: a summary line ends the id at its first white space (T30)."""
    return PROBE_PARSER if any(re.search(r"\s", test_id) for test_id in test_ids) else STDOUT_PARSER


def shell_word(text: str) -> str:
    """`text` as one bash word in printable ASCII, whatever bytes it stands for (T11: names that are not UTF-8)."""
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    body = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in text.encode("utf-8", "surrogateescape")
    )
    return f"$'{body}'"
