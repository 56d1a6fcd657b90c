"""What a text was at a moment, from how it was changed. Pure.

A service keeps a body's revisions (each is the whole text from its moment on) and the titles before and after each
renaming. Revisions can be missing: of texts edited before they were kept, or removed by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Revision:
    """The body from `edited_at` on; `text` is None where it was removed."""

    edited_at: datetime
    text: str | None


@dataclass(frozen=True)
class Rename:
    """A title that became another."""

    created_at: datetime
    previous: str
    current: str


def body_at(revisions: Sequence[Revision], when: datetime) -> str | None:
    """The body at a moment, for a text that was edited after it; `revisions` in any order.

    None where that cannot be told: no revision is as old as the moment, or the one that held then was removed. Of
    revisions at one moment, the one listed last (services list the newest first) counts as the older.
    """
    held: Revision | None = None
    for revision in revisions:
        if revision.edited_at <= when and (held is None or revision.edited_at > held.edited_at):
            held = revision
    return held.text if held else None


def title_at(current: str, renames: Sequence[Rename], when: datetime) -> str | None:
    """The title at a moment, given the renamings read: what the first one after it replaced, else the current title.

    None where the renamings read do not join the title that held then, so that some are missing.
    """
    by_time = sorted(renames, key=lambda rename: rename.created_at)
    later = [rename for rename in by_time if rename.created_at > when]
    held = later[0].previous if later else current
    earlier = by_time[: len(by_time) - len(later)]
    return held if not earlier or earlier[-1].current.strip() == held.strip() else None
