"""Figures: every row counted once, in the right place."""

from __future__ import annotations

from task_factory import report, rows, task, validated

from builder import rows as published_rows
from builder.figures import Codebase, Figures, Measure, measured
from builder.models import PatchStats
from builder.rows import candidate_row, validated_row


def figures_of(rows_: list[published_rows.PublishedRow]) -> Figures:
    figures = Figures()
    for row in rows_:
        figures.add(row)
    return figures


def test_measures_of_a_row_are_those_of_the_paper_s_table() -> None:
    """Catches a miscount in SWE-Gym's Table 2; a row that was not run has no numbers of tests."""
    stats = PatchStats(files=2, files_added=1, files_removed=0, hunks=5, lines_added=30, lines_removed=4)
    instance = task(stats=stats, problem_statement="one two\nthree")
    expected = {"statement_words": 3, "patch_lines": 34, "patch_files": 2, "patch_hunks": 5}
    assert measured(candidate_row(instance)) == expected
    verdict = published_rows.Validation(instance, validated().environment, report(), "")
    executed = measured(validated_row(verdict), Codebase(files=9, lines=900))
    assert executed == expected | {"fail_to_pass": 1, "tests": 3, "codebase_files": 9, "codebase_lines": 900}


def test_a_measure_keeps_mean_and_maximum() -> None:
    """Catches a mean over something else than what was added."""
    measure = Measure()
    for value in (1, 2, 6):
        measure.add(value)
    assert (measure.mean, measure.maximum) == (3.0, 6)


def test_rows_are_counted_per_split_and_repository() -> None:
    """Catches a row counted in another split, and flaky tests counted once per split."""
    others = rows(1, 1, repo="other/proj", license="")
    flaky = published_rows.Validation(task(8), validated().environment, report(8, flaky_tests=("a", "b")), "")
    published = [*rows(3, 2), *others, *published_rows.build_rows([], [flaky])]
    figures = figures_of(published)
    assert {split: part.rows for split, part in figures.splits.items()} == {"raw": 4, "full": 4, "lite": 4}
    ours = figures.repositories["some-org/proj"]
    assert (ours.licenses, dict(ours.rows)) == ({"MIT"}, {"raw": 3, "full": 3, "lite": 3})
    assert (ours.rows_with_flaky_tests["full"], ours.flaky_tests["full"]) == (1, 2)
    assert figures.repositories["other/proj"].licenses == {""}
    assert dict(figures.verdicts["full"].runs) == {3: 4}
    assert figures.verdicts["full"].images_without_registry == 4
    assert figures.executed == "full"


def test_a_set_that_was_not_run_has_no_executed_split() -> None:
    """Catches statements about runs in the card of a set without any."""
    figures = figures_of(rows(2, 0))
    assert (figures.present, figures.executed) == (["raw"], None)
    only_lite = figures_of([row for row in rows(2, 2) if row.split == "lite"])
    assert (only_lite.present, only_lite.executed) == (["lite"], "lite")


def test_reasons_against_lite_are_counted_over_full() -> None:
    """Catches criteria counted for candidates, which nobody asked to be lite."""
    figures = figures_of(rows(2, 2, problem_statement="see #99"))
    assert dict(figures.verdicts["full"].not_lite) == {"statement_length": 2, "no_references": 2}
    assert dict(figures.verdicts["raw"].not_lite) == {}
