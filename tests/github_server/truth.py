"""What a perfect harvest of a generated repository would say, for every merged pull request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from github_server.fates import MAIN, Claim, Fate
from github_server.plans import Plan
from github_server.stories import History, Story
from github_server.words import BOT_ACCOUNT, BOTS

_LISTED = (Claim.BODY, Claim.SEVERAL, Claim.MANY, Claim.MANUAL)
_ROBOTS = (*BOTS, BOT_ACCOUNT)


@dataclass(frozen=True)
class Text:
    title: str
    body: str


@dataclass(frozen=True)
class Truth:
    """`links` are issue numbers with every source that names them, spelt as in `builder.models.IssueLink`.

    `statements` are the issues' words when the pull request was opened; None where the service cannot tell. `hints` are
    the bodies of people's comments from before the first commit that give nothing away, oldest first; `leaks` are
    those that do. `on_branch`: whether a branch still holds the merge commit.
    """

    number: int
    base_commit: str
    merge_commit: str
    how_merged: str
    head: str
    on_branch: bool
    commits: tuple[str, ...]
    links: dict[int, frozenset[str]]
    statements: dict[int, Text | None]
    hints: dict[int, tuple[str, ...]]
    leaks: dict[int, tuple[str, ...]]


def links_of(fate: Fate, solver_of: Callable[[int], Fate | None]) -> dict[int, frozenset[str]]:
    """Issues that a merged pull request resolves, with the sources that name them; `solver_of` says what closed one."""
    found: dict[int, set[str]] = defaultdict(set)
    for issue in fate.targets:
        found[issue] |= _in_words(fate.claim)
        if is_listed(fate):
            found[issue].add("closing_reference")
        closer = solver_of(issue)
        if closer is not None and closer.number == fate.number:
            found[issue].add("closed_event")
    return {issue: frozenset(sources) for issue, sources in sorted(found.items()) if sources}


def is_listed(fate: Fate) -> bool:
    """Whether the service has the issues among the pull request's closing references."""
    return fate.base == MAIN and fate.claim in _LISTED


def statement_at(story: Story, moment: int) -> Text | None:
    """The issue's words at a moment; None where the service has lost them."""
    title = [revision.text for revision in story.titles if revision.at <= moment][-1]
    position = sum(revision.at <= moment for revision in story.bodies) - 1
    if position < len(story.bodies) - 1 and not _kept(story, position):
        return None
    return Text(title, story.bodies[position].text)


def early_comments(story: Story, plan: Plan, *, leaking: bool) -> tuple[str, ...]:
    """Bodies of people's comments from before the first commit: those that give the change away, or the others."""
    early = (each for each in story.remarks if each.created < plan.begun and each.author not in _ROBOTS)
    return tuple(remark.body for remark in early if (remark.leaks == plan.number) == leaking)


def _in_words(claim: Claim) -> set[str]:
    if claim in (Claim.TITLE, Claim.COMMIT):
        return {claim.value}
    return {"body"} if claim in (Claim.BODY, Claim.LOOSE, Claim.SEVERAL, Claim.MANY) else set()


def _kept(story: Story, position: int) -> bool:
    """Whether an earlier body of the issue can still be read."""
    return {
        History.WHOLE: True,
        History.DELETED: position != story.deleted,
        History.NO_ORIGIN: position != 0,
        History.LOST: False,
    }[story.history]
