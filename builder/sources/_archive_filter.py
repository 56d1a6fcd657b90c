"""The few lines of an archive that concern wanted repositories, told from the others by their bytes.

Of some million events a day a few hundred are wanted; parsing the others is what would take the time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from builder.sources._archive_files import LONG_LINE

_TYPES = (b'"PullRequestEvent"', b'"IssuesEvent"', b'"IssueCommentEvent"')
_BEGINNING = re.compile(rb'\{"id":"\d+","type":("\w+")')
_REPO = re.compile(rb'"repo":\{"id":(\d+),"name":"([^"/]+/[^"]+)"')  # a repository inside a payload has no slash there


class Filter:
    """Which repositories are wanted: by name, and by the service's id, which stays when a repository is renamed.

    An event in the form that GitHub's API gives it is told by its bytes; any other is let through to be parsed.
    """

    def __init__(self, names: Mapping[str, int], ids: Mapping[int, int]) -> None:
        """Keys are the caller's. Names are lower case; ids are those of all repositories that are known."""
        self._names = dict(names)
        self._ids = dict(ids)
        self._identified = set(ids.values())

    def lets_through(self, line: bytes) -> bool:
        """Whether the line may hold an event of a wanted repository."""
        beginning = _BEGINNING.match(line) if len(line) < LONG_LINE else None
        if beginning:
            if beginning[1] not in _TYPES:
                return False
        elif not any(name in line for name in _TYPES):
            return False
        found = _REPO.search(line) if beginning else None
        return found is None or int(found[1]) in self._ids or found[2].decode("utf-8", "replace").lower() in self._names

    def key_of(self, name: str, repo_id: int | None) -> int | None:
        """The repository of an event. The id decides: a name may have been another repository's before."""
        if repo_id in self._ids:
            return self._ids[repo_id]
        key = self._names.get(name.lower())
        return None if repo_id is not None and key in self._identified else key

    def learn(self, key: int, repo_id: int) -> None:
        """From now on the repository is known by its id as well."""
        self._ids[repo_id] = key
        self._identified.add(key)

    def knows(self, repo_id: int | None) -> bool:
        return repo_id is None or repo_id in self._ids


def objects(line: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a line; archives of 2012 have several in one. Raises ValueError, RecursionError at others."""
    text = line.decode("utf-8", "replace").strip()
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        if isinstance(value, dict):
            yield value
        while position < len(text) and text[position].isspace():
            position += 1
