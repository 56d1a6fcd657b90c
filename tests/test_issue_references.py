"""References to issues, one at a time; `test_closing_words` tries them in sentences."""

from __future__ import annotations

import pytest

from builder.issue_references import REFERENCE, Home

HOME = Home.of(["acme/tool", "Old/Name"], "github.com", "[far]: https://github.com/acme/tool/issues/9")
URL = "https://github.com/acme/tool"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("#7", 7), ("GH-7", 7), ("acme/tool#7", 7), ("old/NAME#7", 7), ("tool#7", 7), ("other/tool#7", 0)),
        *((f"{URL}/issues/7", 7), (f"{URL}/pull/7", 0), ("https://example.org/acme/tool/issues/7", 0)),
        *((f"[x]({URL}/issues/7)", 7), ("[#7](https://example.org/7)", 0), ("[x](https://example.org/7)", None)),
        *(("[x][far]", 9), ("[far]", 9), ("[x][near]", None), ("[#7][near]", 7), ("[acme/tool#7]", 7)),
        *((f'<a href="{URL}/issues/7">x</a>', 7), ('<a href="https://example.org/7">#7</a>', 0), ("ABC-7", 0)),
    ],
)
def test_a_reference_is_ours_or_another_s_or_none(text: str, number: int | None) -> None:
    """The label of a link counts before its target, or another repository's issue as one of this."""
    reference = REFERENCE.match(text)
    assert reference
    assert HOME.number(reference) == number


@pytest.mark.parametrize("text", ["7", "#", "#0", "#07", "#7a", "#7.5", "# 7", "issues/7", "#1234567890"])
def test_what_is_no_reference(text: str) -> None:
    """A bare number, a version or a word becomes an issue."""
    assert REFERENCE.match(text) is None
