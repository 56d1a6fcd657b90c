"""Figures about published rows, gathered while they stream by: what the card shows, and nothing kept but counts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from builder.rows import SPLITS, PublishedRow, Row, Split

Value = TypeVar("Value")


@dataclass(frozen=True)
class Funnel:
    """How many merged changes came out of each stage, and why it lost some (`models.Reason` → count).

    `built` are the candidates whose environment and image could be built.
    What a stage neither passed on nor lost was not processed yet.
    """

    pull_requests: int
    candidates: int
    built: int
    validated: int
    not_candidates: Mapping[str, int] = field(default_factory=dict)
    not_built: Mapping[str, int] = field(default_factory=dict)
    not_validated: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Codebase:
    """The size of a repository at a task's `base_commit`: files that are no tests, and their lines."""

    files: int
    lines: int


@dataclass
class Measure:
    """Mean and maximum of a whole number over rows."""

    count: int = 0
    total: int = 0
    maximum: int = 0

    def add(self, value: int) -> None:
        self.count += 1
        self.total += value
        self.maximum = max(self.maximum, value)

    @property
    def mean(self) -> float:
        """Raises ZeroDivisionError where nothing was added."""
        return self.total / self.count


@dataclass
class SplitFigures:
    """One split: number of rows, and the measures of SWE-Gym's Table 2 (arXiv 2412.21139), which averages over rows."""

    rows: int = 0
    measures: defaultdict[str, Measure] = field(default_factory=lambda: defaultdict(Measure))


@dataclass
class RepositoryFigures:
    licenses: set[str] = field(default_factory=set)
    rows: Counter[Split] = field(default_factory=Counter)
    rows_with_flaky_tests: Counter[Split] = field(default_factory=Counter)
    flaky_tests: Counter[Split] = field(default_factory=Counter)


@dataclass
class VerdictFigures:
    """What only rows that were run can tell, each as value → rows. An image without a registry cannot be pulled."""

    runs: Counter[int] = field(default_factory=Counter)
    runtimes: Counter[str] = field(default_factory=Counter)
    f2p_rules: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    not_lite: Counter[str] = field(default_factory=Counter)
    images_without_registry: int = 0

    def add(self, published: PublishedRow) -> None:
        row = published.row
        self.runs.update(_known(row.n_runs))
        self.runtimes.update(_known(row.runtime))
        self.f2p_rules.update(_known(row.f2p_rule))
        self.flags.update(row.flags)
        self.not_lite.update(published.not_lite)
        self.images_without_registry += row.image is None


@dataclass
class Figures:
    """All figures of a data set."""

    splits: dict[Split, SplitFigures] = field(default_factory=lambda: {split: SplitFigures() for split in SPLITS})
    verdicts: dict[Split, VerdictFigures] = field(default_factory=lambda: {split: VerdictFigures() for split in SPLITS})
    repositories: defaultdict[str, RepositoryFigures] = field(default_factory=lambda: defaultdict(RepositoryFigures))
    statement_sources: defaultdict[Split, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    encodings: defaultdict[Split, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def present(self) -> list[Split]:
        """The splits that have rows."""
        return [split for split in SPLITS if self.splits[split].rows]

    @property
    def executed(self) -> Split | None:
        """The largest present split whose rows were run; its figures stand for the whole set's verdicts."""
        return next((split for split in self.present if split != "raw"), None)

    def add(self, published: PublishedRow, codebase: Codebase | None = None) -> None:
        """Count one row. Call once per row and split."""
        split, row = published.split, published.row
        self.splits[split].rows += 1
        for name, value in measured(row, codebase).items():
            self.splits[split].measures[name].add(value)
        self.statement_sources[split][row.statement_source] += 1
        self.encodings[split][row.patch_encoding] += 1
        self.verdicts[split].add(published)
        self._add_repository(split, row)

    def _add_repository(self, split: Split, row: Row) -> None:
        repository = self.repositories[row.repo]
        repository.licenses.add(row.license)
        repository.rows[split] += 1
        flaky = len(json.loads(row.flaky_tests or "[]"))
        repository.flaky_tests[split] += flaky
        repository.rows_with_flaky_tests[split] += flaky > 0


def measured(row: Row, codebase: Codebase | None = None) -> dict[str, int]:
    """The measures of one row by name; those that need a run are absent where there was none."""
    values = {
        "statement_words": len(row.problem_statement.split()),
        "patch_lines": row.patch_lines_added + row.patch_lines_removed,
        "patch_files": row.patch_files,
        "patch_hunks": row.patch_hunks,
    }
    if codebase is not None:
        values |= {"codebase_files": codebase.files, "codebase_lines": codebase.lines}
    if row.FAIL_TO_PASS is not None and row.PASS_TO_PASS is not None:
        fail_to_pass = len(json.loads(row.FAIL_TO_PASS))
        values |= {"fail_to_pass": fail_to_pass, "tests": fail_to_pass + len(json.loads(row.PASS_TO_PASS))}
    return values


def _known(value: Value | None) -> list[Value]:
    return [] if value is None else [value]
