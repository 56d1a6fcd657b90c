"""What commands show: each view has a text for a person and data for a program (`--json`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from builder.console import seconds, size, table
from builder.errors import UnknownNameError
from builder.store import CANDIDATE, DONE, ENVIRONMENT, IMAGE, PULL_REQUEST, REJECTED, STEPS, UPLOAD, VALIDATION, Store

if TYPE_CHECKING:
    from pathlib import Path

    from builder.commands import Measured, Outcome
    from builder.diagnosis import Finding
    from builder.models import TaskInstance
    from builder.protocols import Leftovers
    from builder.pruning import Pruned
    from builder.publish import Push
    from builder.repositories import Chosen
    from builder.settings import Settings
    from builder.sources._github_estimate import Estimate

_LONG = 100
POINTS_AN_HOUR = 5000
"""What a user's token may spend on GitHub ("Rate limits and query limits for the GraphQL API", docs.github.com)."""


@dataclass(frozen=True)
class View:
    """The same facts twice: `text` for a person, `data` (JSON) for a program."""

    text: str
    data: Any


def status(store: Store) -> View:
    """Counts by repository, step and outcome; why items were rejected; what failed last."""
    counts = store.counts()
    by_repo: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[tuple[str, str]] = Counter()
    for count in counts:
        by_repo[count.repo][f"{count.step} {count.outcome}"] += count.number
        if count.outcome == REJECTED:
            reasons[count.step, count.reason] += count.number
    failed = store.last_errors()
    rows: list[list[Any]] = [
        [repo, *(seen[f"{step} {DONE}"] for step in STEPS)] for repo, seen in sorted(by_repo.items())
    ]
    totals = ["all", *(sum(row[column] for row in rows) for column in range(1, len(STEPS) + 1))]
    text = [
        table(
            ["repository", "changes", "candidates", "environments", "images", "validated", "uploaded"], [*rows, totals]
        )
    ]
    if reasons:
        shown = [[step, reason, number] for (step, reason), number in sorted(reasons.items())]
        text.append(table(["rejected at", "reason", "number"], shown))
    if failed:
        text.append(_error_table(failed))
    data = {"counts": [asdict(count) for count in counts], "errors": [_attempt(attempt) for attempt in failed]}
    return View("\n\n".join(text), data)


def harvested(store: Store, repos: Sequence[str], points: Mapping[str, int]) -> View:
    """For each repository: merged changes, candidates, why the rest is none; `points` are what a service charged."""
    rows = []
    for repo in repos:
        seen = Counter[str]()
        for count in store.counts():
            if count.repo == repo and count.step in (PULL_REQUEST, CANDIDATE):
                seen[count.reason if count.outcome == REJECTED else count.step] += count.number
        rest = ", ".join(f"{number} {reason}" for reason, number in sorted(seen.items()) if reason not in STEPS)
        rows.append([repo, seen[PULL_REQUEST], seen[CANDIDATE], points.get(repo, 0), rest])
    data = [dict(zip(("repo", "changes", "candidates", "points", "rejected"), row, strict=True)) for row in rows]
    return View(table(["repository", "changes", "candidates", "points", "not candidates"], rows), data)


def repositories(chosen: Chosen) -> View:
    """The repositories in their order, how many did not meet which criterion, and what could not be read."""
    headers = ["repository", "pull requests", "issues", "stars", "contributors", "licence"]
    rows = [
        [each.repo, each.pulls, each.closed_issues, each.stars, each.contributors or "?", each.license]
        for each in chosen.candidates
    ]
    left_out = ", ".join(f"{number} {criterion}" for criterion, number in chosen.failed.most_common())
    text = f"{table(headers, rows)}\n\n{len(rows)} repositories. Left out: {left_out or 'none'}"
    found = [each.model_dump(mode="json") for each in chosen.candidates]
    data = {"repositories": found, "left_out": dict(chosen.failed), "problems": chosen.problems}
    return View("\n".join([text, *chosen.problems]), data)


def estimated(estimates: Sequence[Estimate]) -> View:
    """For each repository: how much there is, and the points that a first harvest costs at most."""
    rows: list[list[Any]] = [[one.repo, one.merged, one.closed_issues, one.points] for one in estimates]
    totals = ["all", *(sum(row[column] for row in rows) for column in (1, 2, 3))]
    headers = ["repository", "merged pull requests", "closed issues", "points at most"]
    hours = totals[3] / POINTS_AN_HOUR
    text = f"{table(headers, [*rows, totals])}\n\nAbout {seconds(hours * 3600)} of one token's points."
    return View(text, [asdict(one) for one in estimates])


def base_image(name: str, image_id: str, size_bytes: int) -> View:
    """The name, id and size of the system image that was made."""
    return View(f"{name}: {size(size_bytes)}, {image_id}", {"name": name, "id": image_id, "bytes": size_bytes})


def contexts(written: Mapping[str, Path]) -> View:
    """For each instance: the directory that its image can be built in."""
    rows = [[instance_id, str(path)] for instance_id, path in written.items()]
    return View(table(["instance", "directory"], rows), {key: str(path) for key, path in written.items()})


def images(store: Store, instances: Sequence[TaskInstance]) -> View:
    """For each instance: its environment and what its layer weighs."""
    from builder.jobs import ImageRecord

    rows, data = [], []
    for instance in instances:
        result = store.result(IMAGE, instance.instance_id) or store.result(ENVIRONMENT, instance.instance_id)
        if result and result.step == IMAGE and result.value:
            image = ImageRecord.from_json(result.value)
            rows.append([instance.instance_id, image.env_id, size(image.environment_bytes), size(image.layer_bytes)])
            data.append(image.model_dump(mode="json"))
        elif result and result.outcome == REJECTED:
            rows.append([instance.instance_id, f"{result.reason}: {_first_line(result.detail)}", "", ""])
            data.append({"instance_id": instance.instance_id, "reason": result.reason, "detail": result.detail})
    return View(table(["instance", "environment", "environment size", "instance size"], rows), data)


def sizes(measured: Measured) -> View:
    """For each instance what its image weighs, alone and beyond what it shares; and all together."""
    rows, data = [], []
    for instance_id, here in measured.built.images.items():
        there = measured.uploaded.images.get(instance_id)
        shown = [size(there.total), size(there.unique)] if there else ["", ""]
        rows.append([instance_id, size(here.total), size(here.unique), *shown])
        data.append({"instance_id": instance_id, **asdict(here), "uploaded": asdict(there) if there else None})
    lines = [table(["instance", "image", "of its own", "in the registry", "of its own"], rows), ""]
    for place, found in (("here", measured.built), ("in the registry, compressed", measured.uploaded)):
        if found.images:
            number, alone = len(found.images), size(found.separate)
            lines.append(f"{number} images {place}: {size(found.stored)}; {alone} if none shared a layer")
    kinds = {"built": measured.built, "uploaded": measured.uploaded}
    totals = {kind: {"stored": found.stored, "separate": found.separate} for kind, found in kinds.items()}
    return View("\n".join(lines), {"images": data, **totals})


def uploads(store: Store, instances: Sequence[TaskInstance]) -> View:
    """For each instance: the reference of its image by digest, or why it has none."""
    from builder.jobs import UploadRecord

    rows, data = [], []
    for instance in instances:
        found = store.result(UPLOAD, instance.instance_id)
        if found and found.value:
            record = UploadRecord.from_json(found.value)
            rows.append([instance.instance_id, size(record.bytes), record.reference])
            data.append(record.model_dump(mode="json"))
    return View(table(["instance", "compressed", "image"], rows), data)


def validations(store: Store, instances: Sequence[TaskInstance]) -> View:
    """For each instance: the verdict with its counts, or the step and reason that ended it."""
    rows, data, verdicts = [], [], Counter[str]()
    for instance in instances:
        row, entry = _verdict(store, instance.instance_id)
        verdicts[row[1]] += 1
        rows.append(row)
        data.append(entry)
    summary = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    headers = ["instance", "verdict", "fail→pass", "pass→pass", "flaky", "runs", "seconds a run"]
    return View(f"{table(headers, rows)}\n\n{len(rows)} instances: {summary}", data)


def _verdict(store: Store, instance_id: str) -> tuple[list[str], dict[str, Any]]:
    from builder.jobs import ValidationRecord

    for step in (VALIDATION, IMAGE, ENVIRONMENT, CANDIDATE):
        result = store.result(step, instance_id)
        if result is None or (step != VALIDATION and result.outcome != REJECTED):
            continue
        if not result.value:
            entry = {"instance_id": instance_id, "verdict": result.reason, "detail": result.detail}
            return [instance_id, result.reason, "", "", "", "", ""], entry
        report = ValidationRecord.from_json(result.value).report
        verdict = report.reason.value if report.reason else "validated"
        runs = (*report.seconds_before, *report.seconds_after)
        numbers = (len(report.fail_to_pass), len(report.pass_to_pass), len(report.flaky_tests))
        cells = [str(number) for number in numbers]
        row = [instance_id, verdict, *cells, f"{len(report.seconds_before)}+{len(report.seconds_after)}"]
        pace = f"{sum(runs) / len(runs):.1f}" if runs else ""
        return [*row, pace], {"verdict": verdict, **report.model_dump(mode="json")}
    return [instance_id, "not validated yet", "", "", "", "", ""], {"instance_id": instance_id, "verdict": None}


def pushed(push: Push) -> View:
    """What was published, and what it changed."""
    lines = [
        f"{push.target}: " + ", ".join(f"{number} {split}" for split, number in push.rows.items()),
        f"{size(push.size_bytes)} in all",
        *(str(difference) for difference in push.differences),
    ]
    data = {"target": str(push.target), "rows": dict(push.rows), "bytes": push.size_bytes}
    return View("\n".join(lines), data | {"differences": [asdict(one) for one in push.differences]})


def instance(settings: Settings, store: Store, instance_id: str) -> View:
    """All steps and attempts of an instance; as data, its published row. Raises UnknownNameError."""
    results = store.steps_of(instance_id)
    if not results:
        known = {name for step in (PULL_REQUEST, CANDIDATE) for name in store.items(step)}
        raise UnknownNameError("instance", instance_id, known)
    lines = [instance_id, ""]
    for result in results:
        detail = f" {result.reason}: {result.detail}" if result.reason else ""
        lines.append(f"{result.step}: {result.outcome}{detail}")
        lines += [f"    {line}" for line in _facts(result.step, result.value)]
    attempts = [
        [a.result.step, a.result.outcome, a.result.reason, a.started_at, seconds(a.seconds), a.log]
        for a in store.attempts(instance_id)
        if a.log
    ]
    lines += ["", table(["attempt at", "outcome", "reason", "started", "took", "log"], attempts)] if attempts else []
    return View("\n".join(lines), _row(settings, store, instance_id))


def _facts(step: str, value: str | None) -> list[str]:
    if value is None:
        return []
    kinds = {
        CANDIDATE: (
            *("base_commit", "merge_commit", "version", "statement_source", "issue_numbers", "link_sources"),
            *("hints_left_out", "flags", "test_files"),
        ),
        ENVIRONMENT: ("env_id", "environment_setup_commit"),
        IMAGE: ("image", "environment_bytes", "layer_bytes"),
        UPLOAD: ("reference", "tag", "bytes"),
        PULL_REQUEST: ("title", "source", "how_merged", "merged_at"),
    }
    import json

    record = json.loads(value)
    if step == VALIDATION:
        record = {
            name: record["report"][name]
            for name in ("fail_to_pass", "pass_to_pass", "flaky_tests", "pass_to_fail", "n_runs", "test_cmd")
        }
        return [f"{name}: {_short(found)}" for name, found in record.items()]
    return [f"{name}: {_short(record[name])}" for name in kinds[step] if name in record]


def _row(settings: Settings, store: Store, instance_id: str) -> dict[str, Any]:
    """The published row of a validated instance or a candidate; else what its rejection says."""
    from builder import commands

    row = commands.published_row(settings, store, instance_id)
    if row is not None:
        return row.model_dump(mode="json")
    rejected = [result for result in store.steps_of(instance_id) if result.outcome == REJECTED]
    return {
        "instance_id": instance_id,
        "rejected": [{"step": one.step, "reason": one.reason, "detail": one.detail} for one in rejected],
    }


def findings(found: Sequence[Finding]) -> View:
    """What doctor found: one line each, with the remedy below what is not well."""
    lines = []
    for finding in found:
        mark = "ok" if finding.ok else ("MISSING" if finding.needed else "note")
        lines.append(f"{mark:8} {finding.name:14} {finding.detail}")
        if finding.hint:
            lines.append(f"{'':24}{finding.hint}")
    return View("\n".join(lines), [asdict(finding) for finding in found])


def cleaned(leftovers: Leftovers, layers_bytes: int | None, pruned: Pruned | None) -> View:
    """What was removed."""
    text = f"Removed {leftovers.sandboxes} sandboxes and {leftovers.layers} unfinished layers, {size(leftovers.bytes)}."
    if layers_bytes is not None:
        text += f"\nRemoved the built layers and caches, {size(layers_bytes)}."
    if pruned is not None:
        text += f"\nRemoved {pruned.images} images, {size(pruned.freed)}; {size(pruned.kept)} are left"
        text += f", {size(pruned.over)} over the budget, and all of them are needed." if pruned.over else "."
    return View(text, {**asdict(leftovers), "layers_bytes": layers_bytes, "pruned": pruned and asdict(pruned)})


def exported(kind: str, directory: Path, number: int) -> View:
    """How much was exported where."""
    return View(
        f"{number} instances as {kind} in {directory}", {"kind": kind, "directory": str(directory), "instances": number}
    )


def errors(outcome: Outcome) -> str:
    """What a source could not deliver, and the items that failed for no fault of theirs, with their logs."""
    text = [str(error) for error in outcome.incomplete]
    if outcome.errors:
        text.append(f"{len(outcome.errors)} failed with errors; the same command tries them again.")
        text.append(_error_table(outcome.errors))
    return "\n".join(text)


def _error_table(attempts: Iterable[Any]) -> str:
    rows = [
        [a.result.item, a.result.step, a.result.reason, _first_line(a.result.detail)[:_LONG], a.log] for a in attempts
    ]
    return table(["failed", "step", "error", "what happened", "log"], rows)


def _attempt(attempt: Any) -> dict[str, Any]:
    result = attempt.result
    names = ("item", "step", "reason", "detail")
    return {name: getattr(result, name) for name in names} | {"log": attempt.log, "started_at": attempt.started_at}


def _short(value: Any) -> str:
    text = f"{len(value)}: {', '.join(map(str, value[:3]))}" if isinstance(value, list) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
