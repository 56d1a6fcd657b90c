"""What of a text its author says."""

from __future__ import annotations

import pytest

from builder.own_words import HIDDEN, own_words


@pytest.mark.parametrize(
    "text",
    [
        "`x`",
        "```\nx\n```",
        "~~~\nx",
        "    x\n",
        "<pre>x</pre>",
        "<!-- x -->",
        "~~x~~",
        "> x",
        'Revert "x" (#1)',
        "Merge branch 'x' into main",
        "<details><summary>Changelog</summary>x</details>",
    ],
)
def test_what_is_not_the_author_s_is_left_out(text: str) -> None:
    """Code, a comment, a quotation, another project's notes or what is undone is read as a claim."""
    assert "x" not in own_words(f"a\n\n{text}\n\nb".replace("\n\n~~~\nx\n\nb", "\n\n~~~\nx"))


@pytest.mark.parametrize(
    "text",
    [
        "a < x > b",
        "Some One <s@example.org> x",
        "List<Code> x",
        "> [!NOTE]\n> x",
        "- item\n\n    x",
        'Reapply "x"',
        'Revert "Revert "x""',
        "<details><summary>How to try it</summary>x</details>",
        "a stray ` x",
    ],
)
def test_what_is_the_author_s_stays(text: str) -> None:
    """A sign that only resembles the beginning of code or a quotation hides what follows it."""
    assert "x" in own_words(text)


def test_words_around_a_gap_are_no_neighbours() -> None:
    """`fixes` and `#3` with code between them become a claim; a comment between them is not seen by any reader."""
    assert HIDDEN in own_words("fixes `x` #3")
    assert HIDDEN not in own_words("fixes <!-- x --> #3")
