"""What commands do with a workspace: which instances are meant, what the funnel counts, what is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from task_factory import environment, report, task

from builder import commands, harvesting, jobs, session, views
from builder.errors import UnknownNameError, UsageError
from builder.layer_sizes import measure
from builder.models import Reason, Record
from builder.protocols import HarvestRequest, StoredLayer
from builder.settings import Settings
from builder.store import CANDIDATE, DONE, ENVIRONMENT, REJECTED, UPLOAD, VALIDATION, Attempt, Result


def attempt(step: str, item: str, record: Record | None, reason: str = "") -> Attempt:
    outcome = REJECTED if reason else DONE
    value = record.to_json() if record else None
    return Attempt(Result(step, item, "some-org/proj", "d", outcome, value, reason, "because"), "2026-01-01", 0.0)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[session.Session]:
    """Three candidates: one validated, one flaky, one that waits; and a change that is no candidate."""
    with session.writing(Settings(tmp_path, quiet=True)) as opened:
        for number in (1, 2, 3):
            one = task(number)
            opened.store.record(attempt(CANDIDATE, one.instance_id, one))
        for number, reason in ((1, None), (2, Reason.FLAKY)):
            item = task(number).instance_id
            verdict = jobs.ValidationRecord(report=report(number, reason=reason), runs="")
            opened.store.record(attempt(ENVIRONMENT, item, environment()))
            opened.store.record(attempt(VALIDATION, item, verdict, reason.value if reason else ""))
        opened.store.record(attempt(CANDIDATE, "some-org__proj-9", None, "no_tests_in_patch"))
        yield opened


def test_without_names_all_candidates_are_meant(opened: session.Session) -> None:
    assert [one.pull_number for one in commands.select(opened, [], [])] == [1, 2, 3]
    assert [one.pull_number for one in commands.select(opened, ["some-org/proj"], [])] == [1, 2, 3]
    assert [one.pull_number for one in commands.select(opened, [], ["some-org__proj-2"])] == [2]


@pytest.mark.parametrize(
    ("repos", "ids", "said"),
    [
        (["some-org/porj"], [], "'some-org/proj'"),
        ([], ["some-org__proj-22"], "'some-org__proj-2'"),
    ],
)
def test_a_wrong_name_offers_the_nearest(opened: session.Session, repos: list[str], ids: list[str], said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        commands.select(opened, repos, ids)


def test_a_change_that_is_no_candidate_is_named_with_its_reason(opened: session.Session) -> None:
    with pytest.raises(UsageError, match="no_tests_in_patch"):
        commands.select(opened, [], ["some-org__proj-9"])


def test_only_what_was_validated_is_a_task(opened: session.Session) -> None:
    """Fails if a rejected verdict, which carries its report too, were published."""
    assert [one.instance.pull_number for one in commands.validated(opened.store)] == [1]


def test_the_funnel_counts_every_stage(opened: session.Session) -> None:
    funnel = commands.funnel(opened.store)
    assert (funnel.candidates, funnel.validated) == (3, 1)
    assert funnel.not_validated == {"flaky": 1}
    assert funnel.not_candidates == {"no_tests_in_patch": 1}


def test_a_push_publishes_candidates_as_raw_and_tasks_as_full(opened: session.Session, tmp_path: Path) -> None:
    pushed = commands.push(opened.settings, opened.store, f"dir:{tmp_path / 'set'}", (), dry_run=False)
    assert (pushed.rows["raw"], pushed.rows["full"]) == (3, 1)
    only = commands.push(opened.settings, opened.store, f"dir:{tmp_path / 'set'}", ("full",), dry_run=True)
    assert (only.rows["raw"], only.rows["full"]) == (0, 1)


@pytest.mark.parametrize("target", ["hub:o/n", "dir:", "set"])
def test_a_target_that_is_none_is_refused(opened: session.Session, target: str) -> None:
    with pytest.raises(UsageError, match="dir:PATH"):
        commands.push(opened.settings, opened.store, target, (), dry_run=False)


def test_the_row_of_an_instance_is_that_of_its_state(opened: session.Session) -> None:
    validated = commands.published_row(opened.settings, opened.store, "some-org__proj-1")
    candidate = commands.published_row(opened.settings, opened.store, "some-org__proj-3")
    assert validated is not None
    assert candidate is not None
    assert (validated.n_runs, candidate.n_runs) == (3, None)
    assert commands.published_row(opened.settings, opened.store, "some-org__proj-9") is None


def test_options_of_one_repository_are_refused_for_several(opened: session.Session, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one repository"):
        harvesting.harvest(opened, ["a/b", "c/d"], None, HarvestRequest("", tmp_path, git_dir=tmp_path))


def test_views_tell_each_instance_how_far_it_came(opened: session.Session) -> None:
    instances = commands.select(opened, [], [])
    view = views.validations(opened.store, instances)
    assert [entry["verdict"] for entry in view.data] == ["validated", "flaky", None]
    assert "1 validated" in view.text
    shown = views.instance(opened.settings, opened.store, "some-org__proj-2")
    assert "flaky" in shown.text
    status = views.status(opened.store)
    assert "no_tests_in_patch" in status.text
    assert {row["reason"] for row in status.data["counts"]} == {"", "flaky", "no_tests_in_patch"}


def uploaded(opened: session.Session, image: str) -> None:
    item = task(1).instance_id
    reference = f"registry.example/tasks/some-org__proj@sha256:{'e' * 64}"
    record = jobs.UploadRecord(instance_id=item, image=image, reference=reference, tag="registry.example/x:1", bytes=5)
    opened.store.record(attempt(UPLOAD, item, record))


def test_t63_a_row_names_the_image_that_was_validated_and_no_other(opened: session.Session) -> None:
    """Catches an image that was uploaded before it was built anew."""
    for image, expected in ((report().image, "registry.example/tasks/some-org__proj@sha256:"), ("another", "")):
        uploaded(opened, image)
        (one,) = commands.validated(opened.store)
        assert one.image[: len("registry.example/tasks/some-org__proj@sha256:")] == expected
        row = commands.published_row(opened.settings, opened.store, "some-org__proj-1")
        assert row is not None
        assert row.image == (one.image or None)
    shown = views.uploads(opened.store, commands.select(opened, [], []))
    assert [entry["bytes"] for entry in shown.data] == [5]


def test_a_place_for_images_is_looked_at_before_anything_is_built(opened: session.Session) -> None:
    with pytest.raises(UsageError, match="no place for images"):
        commands.upload(opened, [], "Not/A/Registry")


@pytest.mark.sandbox
def test_layers_without_an_engine_are_not_uploaded(opened: session.Session) -> None:
    with pytest.raises(UsageError, match="--runtime docker"):
        commands.upload(opened, [], "registry.example/tasks")


def test_sizes_are_told_of_each_and_of_all() -> None:
    layers = {"a": [StoredLayer("base", 2_000_000), StoredLayer("a", 1000)], "b": [StoredLayer("base", 2_000_000)]}
    view = views.sizes(commands.Measured(measure(layers), measure({})))
    assert view.data["built"] == {"stored": 2_001_000, "separate": 4_001_000}
    assert view.data["images"][0] == {"instance_id": "a", "total": 2_001_000, "unique": 1000, "uploaded": None}
    assert "2 images here: 2.0 MB" in view.text
    assert "registry, compressed" not in view.text
