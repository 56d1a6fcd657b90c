"""From what events showed, in order, to what a pull request or an issue was at a moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.models import Comment, Issue, Sha
from builder.sources._archive_events import Sighting, Words
from builder.sources._history import moment

_LATE = 300  # seconds by which the event of a merge may be later than the merge


@dataclass(frozen=True)
class PullState:
    """A merged pull request: its words and labels as it was merged, its commits as last known.

    Times are Unix seconds. `words` is None where no event carries them. `size` is how many commits it has.
    """

    number: int
    merged_at: int
    created_at: int | None
    words: Words | None
    base: Sha | None
    head: Sha | None
    merge: Sha | None
    size: int
    labels: tuple[str, ...]


def pull_state(number: int, merged_at: int, sightings: Iterable[Sighting]) -> PullState:
    """`sightings` are all of the pull request, oldest first."""
    seen = list(sightings)
    worded = as_of([each for each in seen if each.words], merged_at + _LATE)
    labelled = as_of([each for each in seen if "labels" in each.facts], merged_at + _LATE)
    last = {name: value for each in seen for name, value in each.facts.items()}
    return PullState(
        number=number,
        merged_at=merged_at,
        created_at=last.get("created_at"),
        words=worded.words if worded else None,
        base=last.get("base"),
        head=last.get("head"),
        merge=last.get("merge"),
        size=last.get("commits", 0),
        labels=tuple(labelled.facts["labels"]) if labelled else (),
    )


def issue_state(
    repo: str, number: int, sightings: Iterable[Sighting], comments: Iterable[Sighting], at: int | None
) -> Issue | None:
    """The issue as it was at a moment, else as it was first seen later; None if it was never seen.

    `sightings` and `comments` are all of the issue, oldest first. Comments of all times, by date, each as it was; those
    that were deleted are left out.
    """
    first_later: Sighting | None = None
    before: Sighting | None = None
    for each in sightings:
        if at is not None and each.at <= at:
            before = each
        elif first_later is None:
            first_later = each
    shown = before or first_later
    if shown is None or shown.words is None:
        return None
    created_at = shown.facts.get("created_at")
    return Issue(
        repo=repo,
        number=number,
        title=shown.words.title,
        body=shown.words.body,
        created_at=None if created_at is None else moment(created_at),
        body_as_of=moment(before.at) if before else None,
        comments=_comments(comments, at),
    )


def as_of(sightings: Iterable[Sighting], at: int | None) -> Sighting | None:
    """The last sighting until a moment, else the first one after it; `sightings` are oldest first."""
    chosen: Sighting | None = None
    for each in sightings:
        if chosen is None or (at is not None and each.at <= at):
            chosen = each
    return chosen


def _comments(sightings: Iterable[Sighting], at: int | None) -> tuple[Comment, ...]:
    by_id: dict[int, list[Sighting]] = {}
    for each in sightings:
        by_id.setdefault(each.facts["id"], []).append(each)
    kept = [as_of(of_one, at) for of_one in by_id.values() if not any("deleted" in each.facts for each in of_one)]
    found = sorted((each for each in kept if each), key=lambda each: (each.facts["created_at"], each.facts["id"]))
    return tuple(_comment(each) for each in found)


def _comment(sighting: Sighting) -> Comment:
    author, body = sighting.facts.get("author"), sighting.words.body if sighting.words else ""
    return Comment(author=author, created_at=moment(sighting.facts["created_at"]), body=body)
