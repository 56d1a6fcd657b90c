"""The card: the golden text, metadata that `datasets` obeys, nothing said that is not so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from task_factory import TEMPLATES, report, rows, task, validated

from builder import card
from builder.card import CARD_NAME, front_matter, is_push, render_card, size_category, stages
from builder.figures import Codebase, Figures, Funnel
from builder.rows import PublishedRow, Validation, build_rows

GOLDEN = Path(__file__).parent / "golden"
EMPTY = Funnel(0, 0, 0, 0)


def figures_of(published: list[PublishedRow], codebase: Codebase | None = None) -> Figures:
    figures = Figures()
    for row in published:
        figures.add(row, codebase)
    return figures


def various() -> list[PublishedRow]:
    """Two repositories, three licences, a flaky test, a row that is not lite, a patch that is not UTF-8, a flag."""
    latin = task(2, repo="other-org/lib", instance_id="other-org__lib-2", license="", patch=task().patch + b"# \xe9\n")
    third = task(3, license="BSD-3-Clause", statement_source="pull_request", problem_statement="Fix #12, please.")
    environment = validated().environment
    verdicts = [
        Validation(task(1), environment, report(1, flaky_tests=("t.py::test_a", "t.py::test_b")), ""),
        Validation(latin, environment, report(2, flags=("needs_network",)), "", "registry.example/proj@sha256:0"),
        Validation(third, environment, report(3, n_runs=5), ""),
    ]
    return list(build_rows([task(1), latin, third, task(4)], verdicts))


def test_the_card_is_the_golden_one() -> None:
    """Catches every change of the card; review the difference, then run the tests with BUILDER_GOLDEN=write."""
    funnel = Funnel(9, 4, 4, 3, {"no_linked_issue": 3, "no_tests_in_patch": 1}, {}, {"flaky": 1})
    text = render_card(TEMPLATES, figures_of(various(), Codebase(files=120, lines=34000)), funnel, "Various | tasks")
    golden = GOLDEN / "dataset_card.md"
    if os.environ.get("BUILDER_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_card_of_an_empty_set_promises_nothing() -> None:
    """Catches sentences, tables and examples that are false where there are no rows."""
    text = render_card(TEMPLATES, Figures(), EMPTY, "Nothing")
    assert "This set has no rows" in text
    for promise in ("load_dataset", "were run", "configs:", "## Statistics", "## Limits", "licence of its repository"):
        assert promise not in text


def test_the_card_of_candidates_says_nothing_of_runs() -> None:
    """Catches claims about runs where nothing was run."""
    text = render_card(TEMPLATES, figures_of(rows(2, 0)), Funnel(2, 2, 0, 0), "Candidates")
    for claim in (
        "were run",
        "A flaky test",
        "rows with flaky tests",
        "eval_script`.",
        "Runtime of the validation",
        "criteria of lite |",
        "import json",
    ):
        assert claim not in text
    assert 'split="raw"' in text
    assert "A split without rows has no file" in text


@pytest.mark.parametrize("published", [[], rows(2, 0), rows(3, 2), various()], ids=["empty", "raw", "small", "various"])
def test_the_card_is_tidy(published: list[PublishedRow]) -> None:
    """Catches tables broken by a value or a blank line, doubled blank lines, and white space at line ends."""
    text = render_card(TEMPLATES, figures_of(published), Funnel(9, 4, 4, 3), "Tidy")
    assert "\n\n\n" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.endswith("\n")
    block: list[int] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append(line.replace("\\|", "").count("|"))
        else:
            assert len(set(block)) <= 1, line
            assert len(block) != 1, line
            block = []


def test_metadata_configures_the_splits_that_have_rows() -> None:
    """Catches a split without rows in the metadata, which makes the whole set unloadable."""
    metadata = front_matter(figures_of(rows(2, 0)), "x")
    assert metadata["configs"] == [
        {"config_name": "default", "data_files": [{"split": "raw", "path": "data/raw-*.parquet"}]}
    ]
    assert "configs" not in front_matter(Figures(), "x")


def test_names_that_yaml_would_read_otherwise_survive() -> None:
    """Catches a set's name that breaks the metadata."""
    name = "yes: [no] #1 — 'x'"
    text = render_card(TEMPLATES, Figures(), EMPTY, name)
    assert yaml.safe_load(text.split("---\n")[1])["pretty_name"] == name


@pytest.mark.parametrize(
    ("rows_", "name"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (66_894, "10K<n<100K"), (5_000_000, "1M<n<10M")]
)
def test_sizes_have_the_hub_s_names(rows_: int, name: str) -> None:
    """Catches an off-by-one at the borders."""
    assert size_category(rows_) == name


def test_the_funnel_shows_what_was_not_processed() -> None:
    """Catches items that vanish between two stages, and a card that fails or shows less than nothing."""
    lines = stages(Funnel(10, 5, 3, 1, {"no_linked_issue": 4}, {}, {"flaky": 2}), Figures())
    assert [(line.count, line.pending) for line in lines] == [(10, 0), (5, 1), (3, 2), (1, 0)]
    stale = stages(Funnel(4, 5, 0, 0, {"no_linked_issue": 2}), Figures())
    assert [line.pending for line in stale] == [0, 0, 5, 0]


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        ("---\nbuilder_schema_version: '1'\n---\n# x\n", True),
        ("---\nlicense: mit\n---\nbuilder_schema_version\n", False),
        ("# no metadata\n", False),
        ("---\n: [\n---\n", False),
        ("---\n- builder_schema_version\n---\n", False),
        (None, False),
    ],
)
def test_an_earlier_push_is_known_by_its_metadata(tmp_path: Path, content: Any, ours: bool) -> None:
    """Catches somebody else's directory taken for one of ours."""
    if content is not None:
        (tmp_path / CARD_NAME).write_text(content)
    assert is_push(tmp_path) is ours


def test_cells_cannot_break_a_table() -> None:
    """Catches a licence or name with a bar or a line break."""
    assert card.cell("a|b\n\\c ") == "a\\|b \\\\c"
