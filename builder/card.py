"""The data set card: `README.md` with the metadata that the Hub and `datasets` read, from figures and a funnel.

Deterministic: it holds no date, path or machine, and everything in it is sorted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from builder.figures import Figures, Funnel, RepositoryFigures
from builder.lite import CRITERIA
from builder.models import SCHEMA_VERSION
from builder.parquet import DATA_DIR
from builder.rows import Row
from builder.templating import Templates

CARD_NAME = "README.md"
MARKER = "builder_schema_version"
"""Key of the card's metadata by which a directory is recognised as an earlier push."""

_MEASURES = {
    "statement_words": ("Problem statement", "words"),
    "codebase_files": ("Codebase", "files that are no tests"),
    "codebase_lines": ("Codebase", "lines that are no tests"),
    "patch_lines": ("Gold patch", "lines edited"),
    "patch_files": ("Gold patch", "files edited"),
    "patch_hunks": ("Gold patch", "hunks"),
    "fail_to_pass": ("Tests", "FAIL_TO_PASS"),
    "tests": ("Tests", "FAIL_TO_PASS and PASS_TO_PASS"),
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Stage:
    """A line of the funnel: what came out, and what was lost on the way into it."""

    name: str
    count: int
    lost: tuple[tuple[str, int], ...] = ()
    pending: int = 0


def render_card(templates: Templates, figures: Figures, funnel: Funnel, name: str) -> str:
    """The whole text of the card. `name` is what a person would call the set."""
    executed = figures.executed
    return templates.render(
        "dataset_card.md.j2",
        front_matter=yaml.safe_dump(front_matter(figures, name), sort_keys=False, allow_unicode=True),
        title=cell(name),
        figures=figures,
        splits=figures.present,
        executed=executed,
        verdicts=figures.verdicts[executed] if executed else None,
        columns=list(Row.model_fields),
        stages=stages(funnel, figures),
        statistics=statistics_table(figures),
        repositories=repository_table(figures),
        licenses=license_table(figures),
        criteria=[(criterion.requires, figures.verdicts["full"].not_lite[criterion.name]) for criterion in CRITERIA],
        counted=counted,
        schema_version=SCHEMA_VERSION,
    )


def front_matter(figures: Figures, name: str) -> dict[str, Any]:
    """The card's YAML metadata (Hub's data set card specification). Only splits with rows are configured."""
    configs = [{"split": split, "path": f"{DATA_DIR}/{split}-*.parquet"} for split in figures.present]
    metadata: dict[str, Any] = {
        "pretty_name": name,
        "license": "other",
        "license_name": "per-repository",
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["code", "software-engineering", "swe-bench", "swe-gym"],
        "size_categories": [size_category(max(part.rows for part in figures.splits.values()))],
        MARKER: SCHEMA_VERSION,
    }
    if configs:
        metadata["configs"] = [{"config_name": "default", "data_files": configs}]
    return metadata


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")


def stages(funnel: Funnel, figures: Figures) -> list[Stage]:
    """The funnel line by line, with lite where `full` has rows.

    A workspace can hold results of inputs that it has dropped since, so a stage may show more than the one before it.
    """
    counts = [funnel.pull_requests, funnel.candidates, funnel.built, funnel.validated]
    names = ["Merged changes", "Candidates", "Environment and image built", "Validated"]
    losses: list[Mapping[str, int]] = [{}, funnel.not_candidates, funnel.not_built, funnel.not_validated]
    result = []
    for position, (name, count, lost) in enumerate(zip(names, counts, losses, strict=True)):
        pending = counts[position - 1] - count - sum(lost.values()) if position else 0
        result.append(Stage(name, count, tuple(sorted(lost.items())), max(0, pending)))
    return [*result, Stage("Lite", figures.splits["lite"].rows)] if figures.splits["full"].rows else result


def statistics_table(figures: Figures) -> list[list[str]]:
    """Table 2 of the SWE-Gym paper, one line per measure that any split has: mean (maximum) per present split."""
    table = []
    for key, (category, metric) in _MEASURES.items():
        measures = [figures.splits[split].measures.get(key) for split in figures.present]
        if any(measures):
            cells = [f"{measure.mean:.1f} ({measure.maximum})" if measure else "–" for measure in measures]
            table.append([category, metric, *cells])
    return table


def repository_table(figures: Figures) -> list[list[str]]:
    """Per repository: licence, rows per present split; where rows were run, how many have flaky tests, and how many."""
    table = []
    for repo, counts in sorted(figures.repositories.items()):
        line = [repo, _joined_licenses(counts), *(str(counts.rows[split]) for split in figures.present)]
        if figures.executed:
            line += [str(counts.rows_with_flaky_tests[figures.executed]), str(counts.flaky_tests[figures.executed])]
        table.append([cell(text) for text in line])
    return table


def license_table(figures: Figures) -> list[list[str]]:
    """Per licence: repositories and rows per present split. A repository with several has a line of its own kind."""
    grouped: dict[str, list[RepositoryFigures]] = {}
    for _, counts in sorted(figures.repositories.items()):
        grouped.setdefault(_joined_licenses(counts), []).append(counts)
    return [
        [cell(name), str(len(group)), *(str(sum(part.rows[split] for part in group)) for split in figures.present)]
        for name, group in sorted(grouped.items())
    ]


def _joined_licenses(counts: RepositoryFigures) -> str:
    return " / ".join(sorted(text.strip() or "not stated" for text in counts.licenses))


def cell(text: str) -> str:
    """`text` for one cell of a Markdown table."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def counted(counts: Mapping[Any, int]) -> str:
    """`name (n), name (n)`, largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return ", ".join(f"{cell(str(name))} ({count})" for name, count in ordered)


def is_push(directory: Path) -> bool:
    """True if the directory's card has our marker in its metadata."""
    try:
        text = (directory / CARD_NAME).read_text(encoding="utf-8")
        _, metadata, _ = text.split("---\n", 2)
        content = yaml.safe_load(metadata)
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(content, dict) and MARKER in content
