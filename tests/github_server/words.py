"""What people write, made up: nothing here comes from anywhere."""

from __future__ import annotations

import random

LOGINS = ("amber", "bruno-k", "chidi", "dagny", "eskil", "fatima-z", "goran", "hana", "imre", "jolanta", "kofi", "liv")
MAINTAINERS = LOGINS[:3]
BOTS = ("dependabot", "codecov")
BOT_ACCOUNT = "sync-bot"
LABELS = ("bug", "enhancement", "documentation", "good first issue", "regression", "needs review", "performance")

_SUBJECTS = ("an empty list", "negative totals", "a generator", "nested items", "a very long list", "duplicate items")
_VERBS = ("returns the wrong total for", "fails on", "is slow for", "raises an unexpected error for", "loses part of")
_SENTENCES = (
    "I expected the total to match what the documentation says.",
    "It worked in the previous release, and I could not find it in the change log.",
    "The same call with a tuple instead of a list does the right thing.",
    "This happens on every run, also in a fresh environment.",
    "I can work around it by sorting the items first, but that should not be necessary.",
    "Happy to help with testing if somebody has an idea where to look.",
    "The traceback points into the combining step, though the input looks valid at that point.",
    "Our nightly job depends on this, so a fix would be much appreciated.",
    "Running with more verbose output did not show anything suspicious.",
    "Maybe related to how the starting value is handled when nothing is left to combine.",
    "The numbers are off by a small amount that grows with the number of items.",
    "It would be good to have a test for this, since it was broken once before.",
)
_REPLIES = (
    "Thanks for the report, I can reproduce this.",
    "Which version are you using?",
    "I see the same on another platform.",
    "Could this be the starting value? It looks suspicious when the list is empty.",
    "A small example that shows the problem would help a lot.",
    "This is on my list for the next release.",
    "+1, we ran into this as well.",
    "I think the documentation is right and the code is wrong here.",
)


def problem(draw: random.Random, module: int, area: int) -> str:
    """A title."""
    return f"area_{area} of mod_{module:03} {draw.choice(_VERBS)} {draw.choice(_SUBJECTS)}"


def sentences(draw: random.Random, least: int, most: int) -> str:
    return " ".join(draw.choices(_SENTENCES, k=draw.randint(least, most)))


def report(draw: random.Random, module: int, area: int) -> str:
    """An issue's body, with code in it."""
    steps = f"```python\nfrom sums import mod_{module:03}\n\nprint(mod_{module:03}.area_{area}([1, 2, 3]))\n```"
    return (
        f"### What happened\n\n{sentences(draw, 2, 4)}\n\n"
        f"### How to reproduce\n\n{steps}\n\n{sentences(draw, 1, 5)}\n\n"
        f"Version 1.{draw.randint(0, 9)}.{draw.randint(0, 9)}, case {draw.randrange(10**6)}.\n"
    )


def reply(draw: random.Random) -> str:
    return f"{draw.choice(_REPLIES)} {sentences(draw, 0, 2)}".strip()


def amended(text: str, draw: random.Random) -> str:
    """The text after an edit by its author."""
    return f"{text.rstrip()}\n\n**Update {draw.randrange(10**6)}:** {sentences(draw, 1, 2)}\n"
