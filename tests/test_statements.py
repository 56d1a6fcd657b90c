"""The words of a task tell the problem, and not the solution (T03)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from builder.models import Comment, Issue
from builder.statements import Hints, Solution, clean_text, hints, issue_statement, own_statement

START = datetime(2024, 1, 1, tzinfo=UTC)
FIX = "1234567890abcdef1234567890abcdef12345678"
LINE = "    return sorted(values, key=lambda value: value.rank)"
SOLUTION = Solution.of(7, [FIX], [LINE, "x = 1"], repo="a/tool")


def _comment(hours: int, body: str, author: str = "somebody") -> Comment:
    return Comment(author=author, created_at=START + timedelta(hours=hours), body=body)


def test_an_issue_is_taken_as_it_is() -> None:
    """The issue's title, code or order of several issues gets lost."""
    issues = [
        Issue(repo="a/b", number=1, title="It crashes", body="```\r\ntrace\r\n```"),
        Issue(repo="a/b", number=2, title="Also", body=""),
    ]
    assert issue_statement(issues) == "It crashes\n```\ntrace\n```\nAlso"


def test_t03_hints_are_the_comments_created_before_the_first_commit() -> None:
    """The loop stops at the first late comment, or takes the order of the list for that of time."""
    comments = [_comment(5, "late"), _comment(2, "second"), _comment(1, "first"), _comment(3, "at that moment")]
    assert hints(comments, START + timedelta(hours=3), SOLUTION) == Hints("first\n\nsecond", 0)
    assert hints(comments, None, SOLUTION) == Hints("", 0)


@pytest.mark.parametrize(
    "leak",
    [
        "Try #7",
        "see GH-7.",
        "see a/tool#7",
        "see A/Tool#7",
        "https://github.com/a/b/pull/7",
        f"fixed by {FIX}",
        f"fixed in {FIX[:8]}",
        f"I would write\n```python\n{LINE}\n```",
        f"```diff\n+{LINE}\n```",
        f"> {LINE.strip()}",
        "```diff\n-a\n+b\n```",
        "```suggestion\nb\n```",
    ],
)
def test_t03_comments_that_give_the_solution_away_are_left_out(leak: str) -> None:
    """A hint quotes the fix, names its commit or links to its pull request."""
    comments = [_comment(1, "It crashes here too"), _comment(2, leak)]
    assert hints(comments, START + timedelta(hours=3), SOLUTION) == Hints("It crashes here too", 1)


@pytest.mark.parametrize(
    "harmless", ["see #70", "see a#7b", "&#7;", "x = 1", "123456", "deadbeef00", "version 7", "b/tool#7", "a/tool#70"]
)
def test_t03_other_comments_stay(harmless: str) -> None:
    """A number or a hash that only resembles the solution's costs a hint."""
    assert hints([_comment(1, harmless)], START + timedelta(hours=3), SOLUTION) == Hints(harmless, 0)


@pytest.mark.parametrize(
    "login", ["stale[bot]", "ci-bot", "codecov", "Codecov-IO", "CLAassistant", "dependabot", "pep8speaks"]
)
def test_t03_bots_give_no_hints_and_count_as_no_leaks(login: str) -> None:
    """A stale notice becomes a hint, or a bot's report on the change a comment that people lack."""
    comments = [_comment(1, "stale", login), _comment(2, "see #7", login), _comment(2, "robot", "robot")]
    assert hints(comments, START + timedelta(hours=3), SOLUTION) == Hints("robot", 0)


def test_t03_only_what_would_have_been_a_hint_is_counted_as_left_out() -> None:
    """Late comments, which name the change as a matter of course, or empty ones make a discussion look leaky."""
    leaks = [_comment(1, "see #7"), _comment(2, f"in {FIX[:9].upper()}"), _comment(3, "a/tool#7"), _comment(9, "#7")]
    comments = [
        *leaks,
        _comment(1, " "),
        _comment(1, "one", "somebody"),
        Comment(author=None, created_at=START, body="two"),
    ]
    assert hints(comments, START + timedelta(hours=5), SOLUTION) == Hints("two\n\none", 3)


def test_own_words_lose_form_and_keep_content() -> None:
    """A template's headings, check boxes and comments, trailers or claims fill the statement."""
    body = """<!-- Thank you! -->
## Change Summary

Sorting is wrong for ties, see `sorted`.

## Related issue number

Fixes #12, fixes #13
Closes: https://github.com/a/b/issues/14

## Checklist

* [x] Unit tests pass
- [ ] Docs updated
  for all pages

Signed-off-by: Somebody <a@b>
Co-authored-by: Other <c@d>
"""
    statement = own_statement("Fix the order of ties (#7)", body, SOLUTION)
    assert statement == "Fix the order of ties\n## Change Summary\n\nSorting is wrong for ties, see `sorted`."


def test_own_words_lose_the_solution() -> None:
    """The statement carries the patch, its commit or the way to it."""
    body = (
        f"Like this:\n```diff\n-old\n+new\n```\nwas broken since {FIX[:10]}, see #7 and"
        " https://github.com/a/b/pull/7/files, not deadbeef00 or #70"
    )
    statement = own_statement("Sort", body, SOLUTION)
    assert statement == "Sort\nLike this:\n\nwas broken since , see  and , not deadbeef00 or #70"


def test_the_subjects_of_a_squash_lose_noise_and_repetition() -> None:
    """Half of a statement is `fix tests` and the title once more."""
    body = (
        "* Sort ties\n\n* Lint\n\n* fix tests\n\n* Merge branch 'main' into ties\n\n* sort `ties`."
        "\n\n* Keep the old order\n\n* address review comments\n\n* Update CHANGELOG.md\n\n* minor changes\n\n* wip"
    )
    assert own_statement("Sort ties (#7)", body, SOLUTION) == "Sort ties\n* Keep the old order"


@pytest.mark.parametrize("claim", [", fix #12", " (closes #12, #13)", " [fixes: #12]", " - resolves #12 and #13."])
def test_claims_at_the_end_of_a_line_go(claim: str) -> None:
    """A statement refers to an issue that nobody can read, and repeats itself because of it."""
    body = f"* Sort ties{claim}\n* Keep the order{claim}\n\nA fix #12 needs"
    assert own_statement(f"Sort ties{claim} (#7)", body, SOLUTION) == "Sort ties\n* Keep the order\n\nA fix #12 needs"


def test_a_title_that_is_only_a_claim_stays() -> None:
    """A task has no first line."""
    assert own_statement("Fixes #12 (#7)", "", SOLUTION) == "Fixes #12 (#7)"


def test_git_s_own_title_gives_way_to_the_author_s() -> None:
    """`Merge pull request` is the statement's first line."""
    assert own_statement("Merge pull request #7 from a/fix-12", "\nSort ties\n\nAs before.", SOLUTION) == (
        "Sort ties\nAs before."
    )
    assert own_statement("Merge the two lists", "", SOLUTION) == "Merge the two lists"


def test_lines_that_only_resemble_form_stay() -> None:
    """A sentence that begins with a keyword, or names an issue within, is cut."""
    body = "Fixes the crash that #12 describes\nSee the docs\nResolved paths are absolute\n- fix the order of ties"
    assert own_statement("Sort", body, SOLUTION) == f"Sort\n{body}"


def test_text_is_what_every_encoder_takes() -> None:
    """Bytes that are not UTF-8 stop the writing of a row."""
    assert clean_text("a\udcffb\0c\r\nd\ud83d") == "a\ufffdbc\nd\ufffd"
    assert clean_text("ü\U0001f40d") == "ü\U0001f40d"


@pytest.mark.parametrize(
    "piece", ["fixes ", "- [ ] ", "```diff\n", "<!--", "* a\n", "Fixes #1, ", ". ", "a/a ", "#", "\n\n"]
)
def test_a_hostile_text_takes_no_exponential_time(piece: str) -> None:
    """A body of one repeated piece stops a harvest."""
    assert len(own_statement("Sort", piece * (60_000 // len(piece)), SOLUTION)) < 70_000
