"""What becomes of a pull request, as far as others depend on it: a pure function of the seed and the number.

All times are Unix seconds. Everything else about a pull request (`plans`) follows from its fate, and is not needed to
put thousands of them in order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from github_server.numbering import block_of, is_pull, issues_of, pull_number, pull_position, pulls_of

START = 1_546_300_800  # 2019-01-01T00:00:00Z
END = 1_790_000_000
"""2026-09-21: later than anything that happens."""

_SPAN = 5 * 365 * 86_400
_HOUR = 3_600
_DAY = 86_400
MAIN = "main"
RELEASE = "release/1.x"
MANY = 30
"""Issues that one pull request may close: more than a page of a nested list shows."""
LONG = 110
"""Commits of a pull request with more of them than a page shows."""


@dataclass(frozen=True)
class Shape:
    """What a repository is generated from. Shares are of all its pull requests.

    Of `period` pull requests in a row, one has more than 100 commits, one more than 100 files, one more than 25 issues;
    of the issues beside them, one has more than 100 comments.
    """

    seed: int = 1
    pulls: int = 60
    unmerged: float = 0.25
    linked: float = 0.45
    period: int = 97

    @property
    def last_number(self) -> int:
        return pull_number(self.pulls - 1)

    @property
    def step(self) -> int:
        """Seconds between two numbers."""
        return max(600, min(6 * _HOUR, _SPAN // self.last_number))


class Claim(StrEnum):
    """How a pull request names the issues that it is about."""

    BODY = "body"
    LOOSE = "loose"  # in words that a reader takes for a claim, and the service does not
    TITLE = "title"
    COMMIT = "commit"
    MANUAL = "manual"  # by hand, in the sidebar: the service's own list only
    CLOSER = "closer"  # nowhere; but the issue's event of being closed names the pull request
    SEVERAL = "several"
    MANY = "many"
    CODE = "code"  # from here on: in vain
    HIDDEN = "hidden"
    FOREIGN = "foreign"
    PULL = "pull"
    MENTION = "mention"
    NONE = "none"


VAIN = (Claim.CODE, Claim.HIDDEN, Claim.FOREIGN, Claim.PULL, Claim.MENTION, Claim.NONE)
_TRUE_CLAIMS = {
    Claim.BODY: 50,
    Claim.LOOSE: 6,
    Claim.TITLE: 8,
    Claim.COMMIT: 12,
    Claim.MANUAL: 10,
    Claim.CLOSER: 8,
    Claim.SEVERAL: 8,
}
_VAIN_CLAIMS = {Claim.CODE: 5, Claim.HIDDEN: 5, Claim.FOREIGN: 6, Claim.PULL: 5, Claim.MENTION: 9, Claim.NONE: 70}
_AHEAD = 8  # blocks of numbers between an issue and what resolves it, at most
_MANY_AHEAD = MANY // 2


@dataclass(frozen=True, slots=True)
class Fate:
    """`merged` and `closed` are 0 where that never happens. `how` is merge, squash, rebase, or empty.

    `gone`: what it was merged into was deleted later, so no branch holds its merge commit. `merges_main`: its branch
    took in the main branch once.
    """

    number: int
    created: int
    merged: int
    closed: int
    how: str
    base: str
    commits: int
    wide: bool
    gone: bool
    merges_main: bool
    claim: Claim
    targets: tuple[int, ...]

    @property
    def landing_commits(self) -> int:
        """How many commits it adds to its base branch."""
        if not self.merged:
            return 0
        return self.commits - self.merges_main if self.how == "rebase" else 1


@lru_cache(maxsize=20_000)
def fate_of(shape: Shape, number: int) -> Fate:
    """`number` is that of a pull request."""
    draw = random.Random(f"{shape.seed}:{number}:fate")
    turn = pull_position(number) % shape.period
    odd = turn in (11, 23, 55)
    gone, release = not odd and turn % 41 == 7, not odd and turn % 41 == 19
    merged = odd or gone or release or draw.random() >= shape.unmerged
    created = created_at(shape, number)
    ends = created + _HOUR + int(min(20 * _DAY, draw.expovariate(1 / (1.5 * _DAY))))
    commits = LONG if turn == 11 else draw.choice((1, 1, 1, 2, 2, 3, 4, 6))
    how = _how(draw, commits, odd=odd) if merged else ""
    claim, targets = _claim(shape, number, draw, many=turn == 55)
    return Fate(
        number=number,
        created=created,
        merged=ends if merged else 0,
        closed=ends if merged or draw.random() < 0.8 else 0,
        how=how,
        base=f"topic/{number}" if gone else RELEASE if release else MAIN,
        commits=commits,
        wide=turn == 23,
        gone=gone,
        merges_main=commits in (3, 4, 6) and draw.random() < 0.3,
        claim=claim,
        targets=targets,
    )


def created_at(shape: Shape, number: int) -> int:
    """When the issue or pull request of this number was opened: later than all smaller ones."""
    draw = random.Random(f"{shape.seed}:{number}:created")
    return START + number * shape.step + draw.randrange(shape.step - 1)


@lru_cache(maxsize=20_000)
def claimants(shape: Shape, issue: int) -> tuple[Fate, ...]:
    """The pull requests that are about an issue, first merged first, then those that never are."""
    first = block_of(issue)
    numbers = (number for block in range(first, first + _MANY_AHEAD + 1) for number in pulls_of(block))
    fates = (fate_of(shape, number) for number in numbers if number <= shape.last_number)
    found = [fate for fate in fates if issue in fate.targets]
    return tuple(sorted(found, key=lambda fate: (not fate.merged, fate.merged, fate.number)))


def _how(draw: random.Random, commits: int, *, odd: bool) -> str:
    """One commit alone is never rebased here: nothing would tell that from a squash."""
    choices = ("squash", "squash", "merge") if odd or commits == 1 else ("squash", "squash", "merge", "rebase")
    return draw.choice(choices)


def _claim(shape: Shape, number: int, draw: random.Random, *, many: bool) -> tuple[Claim, tuple[int, ...]]:
    block = block_of(number)
    if many and block >= _MANY_AHEAD:
        below = range(block - _MANY_AHEAD, block)
        return Claim.MANY, tuple(issue for each in below for issue in issues_of(each))
    linked = draw.random() < shape.linked and block > 0
    weights = _TRUE_CLAIMS if linked else _VAIN_CLAIMS
    claim = draw.choices(list(weights), list(weights.values()))[0]
    if not linked:
        return claim, ()
    chosen = draw.sample(range(max(0, block - _AHEAD), block), 2 if claim is Claim.SEVERAL and block > 1 else 1)
    return claim, tuple(draw.choice(issues_of(each)) for each in sorted(chosen))


def earlier_pull(shape: Shape, number: int) -> int:
    """A pull request's number below this one, which is not the first."""
    return next((below for below in range(number - 1, 0, -1) if is_pull(below)), number)
