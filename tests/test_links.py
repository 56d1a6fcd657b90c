"""Issue links of a pull request: in its words, each place, and by a repository's conventions (T01, T02)."""

from __future__ import annotations

from builder.links import closing_links, convention_links
from builder.repo_config import LinkConvention

REPO = "acme/tool"


def test_t01_every_keyword_counts_not_only_the_last() -> None:
    """Several claims with the same keyword overwrite each other."""
    links = closing_links(REPO, title="Fix #1", body="fixes #2 … fixes #3", messages=["fixes #4", "fixes #2"])
    assert [(link.number, link.source) for link in links] == [(1, "title"), (2, "body"), (3, "body"), (4, "commit")]


def test_t02_pull_requests_are_no_issues() -> None:
    """A pull request's own number, or another one's, becomes its issue."""
    links = closing_links(REPO, title="Fix #1 (#5)", body="Closes #5, #6", pulls={5, 6})
    assert [link.number for link in links] == [1]


def test_former_names_and_hosts_are_handed_on() -> None:
    """After a move, or on an enterprise's own host, full references are taken for another repository's."""
    body = "fixes old/name#4, fixes https://github.example.com/old/name/issues/5, fixes https://github.com/old/name/issues/6"
    links = closing_links(REPO, body=body, aliases=["Old/Name"], host="github.example.com")
    assert [(link.repo, link.number) for link in links] == [(REPO, 4), (REPO, 5)]
    assert closing_links(REPO, body=body) == ()


def test_space_before_a_title_or_a_subject_makes_no_code_of_it() -> None:
    """A claim is taken for an indented block of code, as it would be within a body."""
    links = closing_links(REPO, title="    Fixes #1 .", messages=["\n    Fixes #2\n"], body="    fixes #3")
    assert [link.number for link in links] == [1, 2]


def test_conventions_name_their_source_and_skip_pull_requests() -> None:
    """A news fragment, release note or title is overlooked, or read from files that the rule excludes."""
    conventions = [
        LinkConvention(name="news", path=r"^news/(\d+)\.\w+$"),
        LinkConvention(name="notes", added_line=r":issue:`(\d+)`", file=r"\.rst$"),
        LinkConvention(name="title", title=r"^FIX-#(\d+):"),
    ]
    links = convention_links(
        REPO,
        conventions,
        title="FIX-#3: x",
        paths=["news/11.bugfix", "old_news/12.bugfix", "news/9.feature"],
        added_lines={"doc/a.rst": ["* :issue:`21` and :issue:`22`", ":issue:`11`"], "doc/a.py": [":issue:`23`"]},
        pulls={9},
    )
    expected = [(11, "convention:news"), (21, "convention:notes"), (22, "convention:notes"), (3, "convention:title")]
    assert [(link.number, link.source) for link in links] == expected
