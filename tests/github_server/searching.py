"""Repository search by its qualifiers `language:`, `stars:`, `created:`, `repo:`, `license:` and `archived:`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from github_server.world import Repository, World


def matching(world: World, query: str) -> list[Repository]:
    """Repositories that a search finds, most stars first. A qualifier that is not known here finds nothing."""
    found = [repo for repo in world.repositories if all(_holds(repo, word) for word in query.split())]
    return sorted(found, key=lambda repo: (-repo.traits.stars, repo.index))


def _holds(repo: Repository, word: str) -> bool:
    name, _, value = word.partition(":")
    if not value:
        return word.lower() in repo.name.lower()
    facts = {
        "language": value.lower() == repo.traits.language.lower(),
        "repo": value.lower() == repo.name.lower(),
        "license": value.lower() == repo.traits.license.lower(),
        "archived": value == str(repo.traits.archived).lower(),
        "stars": name == "stars" and _within(float(repo.traits.stars), value),
        "created": name == "created" and _within(_day(repo.traits.created), value.replace("-", "")),
        "fork": value in ("false", "true"),
        "is": value == "public",
        "sort": True,
    }
    return facts.get(name, False)


def _day(seconds: int) -> float:
    return float(datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d"))


def _within(number: float, text: str) -> bool:
    """Whether a number is in a range as searches write it: `>10`, `>=10`, `<10`, `10..20`, `10`."""
    span = re.fullmatch(r"(\d+|\*)\.\.(\d+|\*)", text)
    if span:
        low, high = (float(end) if end != "*" else None for end in span.groups())
        return (low is None or number >= low) and (high is None or number <= high)
    match = re.fullmatch(r"(>=|<=|>|<)?(\d+)", text)
    if match is None:
        return False
    bound = float(match[2])
    return {">": number > bound, ">=": number >= bound, "<": number < bound, "<=": number <= bound}.get(
        match[1] or "", number == bound
    )
