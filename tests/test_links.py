"""Issue links: the forms people write, and the look-alikes that must not become links (T01, T02)."""

from __future__ import annotations

import pytest

from builder.links import closing_links, closing_references, convention_links
from builder.repo_config import LinkConvention

REPO = "acme/tool"
KEYWORDS = ("close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved")
URL = "https://github.com/acme/tool/issues"

RIGHT: list[tuple[str, tuple[int, ...]]] = [
    *((f"{word} #7", (7,)) for word in KEYWORDS),
    *((f"{word.upper()} #7", (7,)) for word in KEYWORDS),
    *((f"{word.capitalize()}: #7", (7,)) for word in KEYWORDS),
    ("fixes #2 and later fixes #3", (2, 3)),
    ("Fixes #2\nFixes #3\nCloses #4", (2, 3, 4)),
    ("Closes #1, closes #2, resolves #3", (1, 2, 3)),
    ("Fixes #1, #2", (1, 2)),
    ("Fixes #1 and #2", (1, 2)),
    ("Fixes #1 & #2", (1, 2)),
    ("Fixes #1, #2 and #3", (1, 2, 3)),
    ("Fixes #1, #2, and #3.", (1, 2, 3)),
    ("Fixes #1,#2", (1, 2)),
    ("Fixes #1,\n#2", (1, 2)),
    ("Fixes #1 #2", (1, 2)),
    ("Fixes #1; #2", (1, 2)),
    ("Fixes #1/#2", (1, 2)),
    ("Fixes:\n- #1\n- #2\n", (1, 2)),
    ("Fixes:\n\n* #1\n* #2\n", (1, 2)),
    ("Closes issues:\n1. #1\n2. #2\n", (1, 2)),
    ("Resolves:\n- [x] #1\n- [ ] #2", (1, 2)),
    ("Fixes : #1", (1,)),
    ("Fixes:#1", (1,)),
    ("fixes\t#1", (1,)),
    ("fixes\n#1", (1,)),
    ("fixes GH-12", (12,)),
    ("fixes gh-12, gh-13", (12, 13)),
    ("fixes acme/tool#5", (5,)),
    ("fixes ACME/Tool#5", (5,)),
    ("fixes acme/tool#5 and acme/tool#6", (5, 6)),
    ("fixes other/tool#5, #6", (6,)),
    (f"fixes {URL}/8", (8,)),
    (f"Fixes: {URL}/8", (8,)),
    (f"fixes <{URL}/8>", (8,)),
    (f"fixes {URL}/8.", (8,)),
    (f"fixes {URL}/8#issuecomment-99", (8,)),
    (f"fixes {URL}/8?x=1", (8,)),
    (f"fixes {URL}/8, {URL}/9", (8, 9)),
    (f"fixes {URL}/8 and #9", (8, 9)),
    ("fixes http://www.github.com/acme/tool/issues/8", (8,)),
    (f"fixes [#8]({URL}/8)", (8,)),
    (f"fixes [#8]({URL}/8), [#9]({URL}/9)", (8, 9)),
    (f"fixes [the crash]({URL}/8)", (8,)),
    (f'fixes [#8]({URL}/8 "title")', (8,)),
    ("fixes [#8](https://example.org/8)", (8,)),
    ("fixes [#8]", (8,)),
    ("fixes [acme/tool#8][ref]", (8,)),
    ("**Fixes** #1", (1,)),
    ("**Fixes:** #1", (1,)),
    ("**Fixes #1**", (1,)),
    ("_Fixes #1_", (1,)),
    ("*Fixes* **#1**, **#2**", (1, 2)),
    ("Fixes issue #1", (1,)),
    ("Fixes issues #1 and #2", (1, 2)),
    ("fixes the issue #1", (1,)),
    ("fixes GitHub issue: #1", (1,)),
    ("closes bug #1", (1,)),
    ("(fixes #1)", (1,)),
    ("[fix #1] Do it", (1,)),
    ("Add x (closes #1, #2)", (1, 2)),
    ("Fix #1: the crash", (1,)),
    ("- fixes #1", (1,)),
    ("* Fixes #1\n* Fixes #2", (1, 2)),
    ("It works.Fixes #1", ()),
    ("This also closes #1!", (1,)),
    ('Says "fixes #1"', (1,)),
    ("partially fixes #1", (1,)),
    ("Fixes #1\r\nFixes #2\r\n", (1, 2)),
    ("<!-- note --> Fixes #1", (1,)),
    ("`code` fixes #1", (1,)),
    ("```\ncode\n```\nFixes #1", (1,)),
    ("Fixes #1\n```\nfixes #2\n```", (1,)),
    ("- item\n\n    fixes #1", (1,)),
    ("fixes #1 fixes #1", (1,)),
    ("Fixes #999999999", (999999999,)),
    ("fixes #1. See #2", (1,)),
    ("fixes #1 (see #2)", (1,)),
    ("fixes #1, see #2", (1,)),
    ("fixes #1\n#2 is another matter", (1,)),
    ("fixes #1 and supersedes #2", (1,)),
    ("fixes #1, part of #2", (1,)),
]

WRONG = [
    "prefixes #3",
    "suffixes #3",
    "affixed #3",
    "disclosed #3",
    "encloses #3",
    "unresolved #3",
    "fixture #3",
    "fixing #3",
    "closing #3",
    "resolving #3",
    "fixer #3",
    "hot_fixes #3",
    "auto-close #3",
    "path/fix #3",
    "#fix #3",
    "@fix #3",
    "fix-#3",
    "fixes#3",
    "see #3",
    "#3",
    "related to #3",
    "part of #3",
    "follow-up of #3",
    "reopens #3",
    "fixed by #3",
    "fixed in #3",
    "fix for #3",
    "fixes the test in #3",
    "typo fixes (#3)",
    "Fix the parser (#3)",
    "Merge pull request #3 from acme/fixes",
    "fixes # 3",
    "fixes #",
    "fixes #0",
    "fixes #3a",
    "fixes #3.5",
    "fixes #abc",
    "fixes \\#3",
    "fixes 3",
    "fixes issue 3",
    "fixes ABC-3",
    "fixes AGH-3",
    "fixes other/tool#3",
    "fixes acme/other#3",
    "fixes https://github.com/other/tool/issues/3",
    "fixes https://github.com/acme/tool2/issues/3",
    "fixes https://gitlab.com/acme/tool/issues/3",
    "fixes https://github.com/acme/tool/pull/3",
    "fixes https://github.com/acme/tool/discussions/3",
    "fixes [#3](https://github.com/acme/tool/pull/3)",
    "fixes [#3](https://github.com/other/tool/issues/3)",
    "<!-- fixes #3 -->",
    "<!--\nCloses #3\n",
    "<!-- a -->x<!-- fixes #3 -->",
    "`fixes #3`",
    "``fixes `#3` ``",
    "fixes `#3`",
    "```\nfixes #3\n```",
    "```text\nfixes #3",
    "~~~\nfixes #3\n~~~",
    "text\n\n    fixes #3\n",
    "\tfixes #3",
    "<pre>fixes #3</pre>",
    "<code>fixes #3</code>",
    "<blockquote>fixes #3</blockquote>",
    "> fixes #3",
    "~~fixes #3~~",
    'Revert "Fixes #3"',
    'Revert "Do it, fixes #3" (#9)',
    "does not fix #3",
    "doesn't fix #3",
    "didn’t actually resolve #3",
    "never closes #3",
    "A fix\n\n#3 is another",
    "fix\n\n\n#3",
    "fixes: see #3",
    "fixes #1234567890123",
]


@pytest.mark.parametrize(("text", "numbers"), RIGHT, ids=[text for text, _ in RIGHT])
def test_t02_forms_that_claim_an_issue(text: str, numbers: tuple[int, ...]) -> None:
    """A form that people write is missed, or more is read into it than it says."""
    assert closing_references(text, REPO) == numbers


@pytest.mark.parametrize("text", WRONG)
def test_t02_look_alikes_claim_nothing(text: str) -> None:
    """A task gets an issue that the change does not resolve."""
    assert closing_references(text, REPO) == ()


def test_t01_every_keyword_counts_not_only_the_last() -> None:
    """Several claims with the same keyword overwrite each other."""
    links = closing_links(REPO, title="Fix #1", body="fixes #2 … fixes #3", messages=["fixes #4", "fixes #2"])
    assert [(link.number, link.source) for link in links] == [(1, "title"), (2, "body"), (3, "body"), (4, "commit")]


def test_t02_pull_requests_are_no_issues() -> None:
    """A pull request's own number, or another one's, becomes its issue."""
    links = closing_links(REPO, title="Fix #1 (#5)", body="Closes #5, #6", pulls={5, 6})
    assert [link.number for link in links] == [1]


def test_former_names_of_a_repository_count() -> None:
    """After a move, full references by the old name are taken for another repository's."""
    text = "fixes old/name#4, https://github.com/old/name/issues/5"
    assert closing_references(text, REPO) == ()
    assert closing_references(text, REPO, aliases=["Old/Name"]) == (4, 5)


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


def test_a_hostile_text_takes_no_exponential_time() -> None:
    """A body of many keywords, brackets or backticks stops a harvest."""
    for text in ("fixes " * 20000, "fixes [" * 20000, "`" * 20000, "fixes #1, " * 20000, "<!--" * 20000, "~~a" * 20000):
        assert set(closing_references(text, REPO)) <= {1}


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(RIGHT) + len(WRONG) >= 100
