"""Publish a data set to a directory: parquet files per split and a card, as `datasets.load_dataset` reads them.

The same rows give the same bytes, in whatever order they come. A push replaces an earlier push as a whole, or leaves
it as it was; it never replaces anything else.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from builder.card import CARD_NAME, is_push, render_card
from builder.difference import SplitDifference, differences
from builder.errors import UsageError
from builder.figures import Codebase, Figures, Funnel
from builder.files import disk_errors
from builder.models import Environment, TaskInstance, ValidationReport
from builder.parquet import DATA_DIR, write_split
from builder.replacement import recover, replacing
from builder.rows import SPLITS, PublishedRow, Split, Validation, published_text, shell_word
from builder.spool import Spool
from builder.templating import Templates

_OUR_FILES = re.compile(rf"{re.escape(CARD_NAME)}|{DATA_DIR}/(?:{'|'.join(SPLITS)})-\d+-of-\d+\.parquet")


@dataclass(frozen=True)
class DataSet:
    """What to publish besides the rows: the funnel, the set's name, sizes of codebases by `instance_id` if known."""

    rows: Iterable[PublishedRow]
    funnel: Funnel
    name: str
    codebases: Mapping[str, Codebase] | None = None


@dataclass(frozen=True)
class Push:
    """What was published (or would be): where, rows per split, bytes in all, and what it changes."""

    target: Path
    rows: Mapping[Split, int]
    size_bytes: int
    differences: tuple[SplitDifference, ...]


def validation(
    instance: TaskInstance,
    environment: Environment,
    report: ValidationReport,
    templates: Templates,
    *,
    image: str = "",
    platform: str = "",
) -> Validation:
    """A verdict ready for `rows.build_rows`, with the evaluation script that its row carries."""
    return Validation(instance, environment, report, eval_script(environment, report, templates), image, platform)


def eval_script(environment: Environment, report: ValidationReport, templates: Templates) -> str:
    """A bash script that runs the instance's test command on its test files, inside the image.

    It applies nothing: the patch to judge and the row's `test_patch` must be in place. Its output is bracketed by the
    markers of `swebench.harness.constants`, and its exit code is that of the test command.
    """
    return templates.render(
        "eval.sh.j2",
        exports=[(name, shell_word(value)) for name, value in sorted(environment.spec.test_env.items())],
        test_cmd=published_text(report.test_cmd),
        summary=re.search(r"\b(?:pytest|py\.test)\b", report.test_cmd) is not None,
        test_files=[shell_word(path) for path in report.test_files],
    )


def push_directory(data: DataSet, target: Path, templates: Templates) -> Push:
    """Write the data set to `target`, which may be absent, empty, or an earlier push.

    Memory is bounded, whatever the number of rows. Raises UsageError if `target` is something else (nothing is
    touched) or two rows share an id, DiskFullError or WorkspaceError from the disk (the old set is intact),
    WorkspaceBusyError if another process is pushing there.
    """
    target = target.resolve()
    with _disk_errors(target):
        _recover_and_check(target)
        with replacing(target) as staging:
            counts = _write(data, staging, templates)
            push = Push(target, counts, _size(staging), differences(target, staging))
    return push


def preview_directory(data: DataSet, target: Path, templates: Templates) -> Push:
    """What `push_directory` would do; writes only to a temporary directory. Raises what it raises."""
    target = target.resolve()
    check_target(target)
    with _disk_errors(target), tempfile.TemporaryDirectory(prefix="builder-push-") as scratch:
        staging = Path(scratch)
        counts = _write(data, staging, templates)
        return Push(target, counts, _size(staging), differences(target, staging))


def check_target(target: Path) -> None:
    """Raise UsageError unless a push may replace `target`: every file in it must be one that a push writes."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"{target} is not a directory", hint="Name a directory that does not exist yet.")
    names = sorted(
        str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir() or path.is_symlink()
    )
    if not names:
        return
    foreign = [name for name in names if not _OUR_FILES.fullmatch(name)]
    if foreign or not is_push(target):
        found = f"it holds {foreign[0]!r}" if foreign else f"its {CARD_NAME} is missing or not one of ours"
        raise UsageError(
            f"{target} is not an earlier push: {found}", hint="Name another directory, or move its content away."
        )


def _recover_and_check(target: Path) -> None:
    """Finish what a killed push left, then `check_target`."""
    recover(target)
    check_target(target)


def _write(data: DataSet, root: Path, templates: Templates) -> dict[Split, int]:
    figures = Figures()
    codebases = data.codebases or {}
    spool_path = root / ".rows"
    with Spool(spool_path) as spool:
        for published in data.rows:
            spool.add(published)
            figures.add(published, codebases.get(published.row.instance_id))
        counts = {split: write_split(spool.sorted_rows(split), root, split) for split in SPLITS}
    spool_path.unlink()
    card = render_card(templates, figures, data.funnel, data.name)
    (root / CARD_NAME).write_text(card, encoding="utf-8", newline="\n")
    return counts


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def _disk_errors(target: Path) -> AbstractContextManager[None]:
    return disk_errors(target, hint="An earlier set there is unchanged. Free some space, push again.")
