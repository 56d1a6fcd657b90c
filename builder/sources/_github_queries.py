"""The GraphQL documents that the `github` source sends. What each costs is counted by GitHub's published rule.

The rule ("Rate limits and query limits for the GraphQL API", docs.github.com): one request for each connection, times
the number of its parents' nodes, summed, divided by 100, rounded, at least 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

PULLS_AT_A_TIME = 100
ISSUES_AT_A_TIME = 100
NAMED_AT_A_TIME = 25
MORE_AT_A_TIME = 50

_RATE = "rateLimit { cost remaining resetAt }"
_PAGE = "totalCount pageInfo { hasNextPage endCursor }"
_COMMITS = f"{_PAGE} nodes {{ commit {{ oid message authoredDate }} }}"
_CLOSING = f"{_PAGE} nodes {{ number repository {{ nameWithOwner }} }}"
_COMMENTS = f"{_PAGE} nodes {{ author {{ __typename login }} createdAt body }}"
_EDITS = f"{_PAGE} nodes {{ editedAt deletedAt diff }}"
_EVENTS = """
totalCount
nodes {
  __typename
  ... on ClosedEvent {
    createdAt
    closer { __typename ... on PullRequest { number repository { nameWithOwner } } ... on Commit { oid } }
  }
  ... on RenamedTitleEvent { createdAt previousTitle currentTitle }
}
"""

_PULL = f"""
fragment Pull on PullRequest {{
  id number title body state createdAt mergedAt updatedAt
  baseRefOid headRefOid mergeCommit {{ oid }}
  labels(first: 50) {{ {_PAGE} nodes {{ name }} }}
  closingIssuesReferences(first: 25) {{ {_CLOSING} }}
  commits(first: 100) {{ {_COMMITS} }}
  files(first: 100) {{ {_PAGE} nodes {{ path }} }}
}}
"""

REPOSITORY = f"""
query Repository($owner: String!, $name: String!) {{
  {_RATE}
  repository(owner: $owner, name: $name) {{
    id nameWithOwner url isArchived isPrivate
    licenseInfo {{ spdxId }}
    merged: pullRequests(states: MERGED) {{ totalCount }}
    closed: pullRequests(states: CLOSED) {{ totalCount }}
    issues(states: CLOSED) {{ totalCount }}
  }}
}}
"""
"""What a repository is, and how much of it there is. 1 point."""

PULLS = f"""
query Pulls($owner: String!, $name: String!, $first: Int!, $after: String) {{
  {_RATE}
  repository(owner: $owner, name: $name) {{
    id
    pullRequests(states: MERGED, first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      {_PAGE} nodes {{ ...Pull }}
    }}
  }}
}}
{_PULL}
"""
"""A page of merged pull requests, last updated first. 4 points for 100."""

CLOSERS = f"""
query Closers($owner: String!, $name: String!, $first: Int!, $after: String) {{
  {_RATE}
  repository(owner: $owner, name: $name) {{
    id
    issues(states: CLOSED, first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      {_PAGE}
      nodes {{
        number updatedAt
        timelineItems(itemTypes: [CLOSED_EVENT, RENAMED_TITLE_EVENT], last: 20) {{ {_EVENTS} }}
      }}
    }}
  }}
}}
"""
"""A page of closed issues with what closed them and what their titles were. 1 point for 100."""


def named_pulls(numbers: Iterable[int]) -> str:
    """Some pull requests by number; 4 points for 100."""
    fields = "\n".join(
        f"n{number}: issueOrPullRequest(number: {number}) {{ __typename ...Pull }}" for number in numbers
    )
    return _of_repository("NamedPulls", fields) + _PULL


def issues(numbers: Iterable[int]) -> str:
    """Some issues by number, with their comments; 1 point for 100. A number may turn out to be a pull request."""
    fields = "\n".join(
        f"n{number}: issueOrPullRequest(number: {number}) {{ __typename ...Told }}" for number in numbers
    )
    fragment = f"""
fragment Told on Issue {{
  id number title body createdAt updatedAt lastEditedAt
  comments(first: 100) {{ {_COMMENTS} }}
}}
"""
    return _of_repository("Issues", fields) + fragment


def edits(numbers: Iterable[int]) -> str:
    """The earlier texts and titles of some issues; 2 points for 100."""
    fields = "\n".join(f"n{number}: issue(number: {number}) {{ ...Edited }}" for number in numbers)
    fragment = f"""
fragment Edited on Issue {{
  number
  userContentEdits(first: 100) {{ {_EDITS} }}
  timelineItems(itemTypes: [CLOSED_EVENT, RENAMED_TITLE_EVENT], last: 100) {{ {_EVENTS} }}
}}
"""
    return _of_repository("Edits", fields) + fragment


MORE = {
    "commits": ("PullRequest", _COMMITS),
    "closingIssuesReferences": ("PullRequest", _CLOSING),
    "comments": ("Issue", _COMMENTS),
}
"""Lists that may be longer than a page shows: whose they are, and what is asked of them."""


def more(connection: str, places: Iterable[tuple[str, str]]) -> str:
    """The next page of the same list of some nodes, by id and cursor; 1 point for 100."""
    kind, asked = MORE[connection]
    fields = "\n".join(
        f"m{position}: node(id: {_quoted(node)}) {{"
        f" ... on {kind} {{ more: {connection}(first: 100, after: {_quoted(after)}) {{ {asked} }} }} }}"
        for position, (node, after) in enumerate(places)
    )
    return f"query More {{ {_RATE}\n{fields} }}"


def estimate(repos: Iterable[tuple[str, str]]) -> str:
    """How much there is to read of some repositories; 1 point."""
    fields = "\n".join(
        f"r{position}: repository(owner: {_quoted(owner)}, name: {_quoted(name)}) {{ nameWithOwner"
        " merged: pullRequests(states: MERGED) { totalCount } closed: pullRequests(states: CLOSED) { totalCount }"
        " issues(states: CLOSED) { totalCount } }"
        for position, (owner, name) in enumerate(repos)
    )
    return f"query Estimate {{ {_RATE}\n{fields} }}"


def _of_repository(operation: str, fields: str) -> str:
    return f"""
query {operation}($owner: String!, $name: String!) {{
  {_RATE}
  repository(owner: $owner, name: $name) {{
    id
{fields}
  }}
}}
"""


def _quoted(text: str) -> str:
    """A GraphQL string; repository names need no escapes, and anything else gets them."""
    return json.dumps(text)
