"""What the raw pages of one repository know, looked up a page at a time."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from builder.models import Sha
from builder.rawpages import RawPage, RawPages
from builder.revisions import Rename
from builder.sources._github_queries import MORE
from builder.sources._github_records import Events, Node, events, nodes, rest_after
from builder.sources._github_walks import numbers_of, walks

_KEPT = 16  # parsed pages in memory


class GithubPages:
    """A reading of the pages as they are now. Memory: numbers, and a few parsed pages.

    `names` are the repository's: the one that was asked for, and those by which the service called it. `host` is where
    people read it, and what links to it begin with; `license` an SPDX identifier, empty if the service knows none.
    """

    def __init__(self, raw: RawPages, repo: str) -> None:
        self._raw = raw
        self.names = tuple(dict.fromkeys([repo, *(page.facts["name"] for page in raw.pages("repository"))]))
        facts = next((page.facts for page in reversed(raw.pages("repository"))), {})
        self.host = str(facts.get("host", ""))
        self.license = str(facts.get("license", ""))
        self._issue_pages = numbers_of(page for page in raw.pages("issues") if not page.facts["failures"])
        self._edit_pages = numbers_of(raw.pages("edits"))
        self._more = {
            (kind, node, after): (page, position)
            for kind in MORE
            for page in raw.pages(kind)
            for position, (node, after) in enumerate(page.facts["places"])
        }
        self._parsed: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def pulls(self) -> Iterator[Node]:
        """Every pull request that was walked over, last updated first, in its newest form."""
        seen: set[int] = set()
        for walk in walks(self._raw, "pulls"):
            for page in walk.pages:
                for node in nodes(self._repository(page)["pullRequests"]):
                    if node["number"] not in seen:
                        seen.add(node["number"])
                        yield node

    def named_pulls(self, numbers: Sequence[int]) -> Iterator[Node]:
        """Those of these numbers that are merged pull requests."""
        pages = numbers_of(self._raw.pages("named"))
        for number in numbers:
            node = self._repository(pages[number])[f"n{number}"] if number in pages else None
            if node and node["__typename"] == "PullRequest" and node["mergedAt"]:
                yield node

    def closers(self) -> Closers:
        """What closed issues, as far as it was read."""
        found = Closers()
        for number in self._edit_pages:
            node = self.edited(number)
            if node and (self.edits_read(number) or "") >= (self.issue_read(number) or ""):
                found.add(number, "", events(node, self.names))
        for walk in walks(self._raw, "closers"):
            for page in walk.pages:
                for node in nodes(self._repository(page)["issues"]):
                    found.add(node["number"], node["updatedAt"], events(node, self.names))
        return found

    def issue(self, number: int) -> Node | None:
        """The issue as it was last read; None if there is none of this number, or it is a pull request."""
        page = self._issue_pages.get(number)
        node: Node | None = self._repository(page)[f"n{number}"] if page else None
        return node if node and node["__typename"] == "Issue" else None

    def issue_read(self, number: int) -> str | None:
        """Until when, by the service's clock, the issue is known; None if it was not read."""
        page = self._issue_pages.get(number)
        return str(page.facts["newest"]) if page else None

    def edited(self, number: int) -> Node | None:
        """The issue's earlier texts and titles."""
        page = self._edit_pages.get(number)
        return self._repository(page)[f"n{number}"] if page else None

    def edits_read(self, number: int) -> str | None:
        """As `issue_read`, of the earlier texts; empty if the service could not answer in full."""
        page = self._edit_pages.get(number)
        if page is None:
            return None
        return "" if page.facts["failures"] else str(page.facts["newest"])

    def rest(self, node: Node, connection: str) -> list[Node]:
        """What a list of a node has beyond its first page, as far as it was read."""
        return [more for page in self._rest_pages(node, connection) for more in nodes(page)]

    def rest_unread(self, node: Node, connection: str) -> str | None:
        """The cursor up to which a list of a node was read; None if that is its end."""
        last = [node[connection], *self._rest_pages(node, connection)][-1]
        return rest_after({"last": last}, "last")

    def failures(self) -> list[str]:
        """What the service could not answer even when it was asked for nothing else."""
        walked = [page for kind in ("pulls", "closers", *MORE) for page in self._raw.pages(kind)]
        asked = [page for page in self._raw.pages("issues") if page.facts["numbers"][0] not in self._issue_pages]
        return [failure for page in (*walked, *asked, *self._edit_pages.values()) for failure in page.facts["failures"]]

    def _rest_pages(self, node: Node, connection: str) -> Iterator[Node]:
        after = rest_after(node, connection)
        while after is not None and (place := self._more.get((connection, node["id"], after))):
            page, position = place
            more = self._body(page)["data"][f"m{position}"]["more"]
            yield more
            after = rest_after({"more": more}, "more")

    def _repository(self, page: RawPage) -> dict[str, Any]:
        found: dict[str, Any] = self._body(page)["data"]["repository"]
        return found

    def _body(self, page: RawPage) -> dict[str, Any]:
        if page.digest not in self._parsed:
            self._parsed[page.digest] = self._raw.body(page)
            if len(self._parsed) > _KEPT:
                self._parsed.popitem(last=False)
        self._parsed.move_to_end(page.digest)
        return self._parsed[page.digest]


class Closers:
    """Which issues were closed by which pull requests and commits, and what their titles were."""

    def __init__(self) -> None:
        self._by_pull: dict[int, set[int]] = defaultdict(set)
        self._by_commit: dict[Sha, set[int]] = defaultdict(set)
        self._renames: dict[int, tuple[str, tuple[Rename, ...]]] = {}
        self._known: set[int] = set()

    def add(self, issue: int, updated_at: str, past: Events) -> None:
        """Take in an issue's events as of a moment (empty: the latest); of two readings the first one counts."""
        if issue in self._known:
            return
        self._known.add(issue)
        if past.whole:
            self._renames[issue] = (updated_at, past.renames)
        for number in past.pulls:
            self._by_pull[number].add(issue)
        for sha in past.commits:
            self._by_commit[sha].add(issue)

    def closed_by(self, number: int, commits: Sequence[Sha]) -> tuple[int, ...]:
        """The issues that the pull request or one of its commits closed."""
        found = set(self._by_pull.get(number, ()))
        for sha in commits:
            found.update(self._by_commit.get(sha, ()))
        return tuple(sorted(found))

    def renames(self, issue: int, updated_at: str) -> tuple[Rename, ...] | None:
        """All of an issue that was last updated at that moment; None where they may not be all."""
        read_at, found = self._renames.get(issue, (None, ()))
        return found if read_at is not None and (not read_at or read_at >= updated_at) else None
