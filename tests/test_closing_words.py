"""The grammar of closing an issue, held to a labelled set of forms (T01, T02).

`tests/data/link_forms.jsonl` has one form a line: a text of a pull request of `acme/tool`, the issues that it claims
to close, and where the label comes from. `keywords` is GitHub's "Linking a pull request to an issue" (nine keywords, in
any case, with or without a colon, each before a reference), `references` its "Autolinked references and URLs",
`markdown` GitHub Flavored Markdown (what is code), `traps` the failures T01 and T02, and `reader` what somebody who
reads the text takes for its author's claim, where those say nothing, or say what nobody means. A `note` marks a form
that is known to be misread, and says why it is hard: it counts as wrong in the figures.

The texts were written for this set; which forms occur was looked up in the commit messages of eleven repositories.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.closing_words import closing_references

FORMS = Path(__file__).parent / "data" / "link_forms.jsonl"
SOURCES = {"keywords", "references", "markdown", "traps", "reader"}


@dataclass(frozen=True)
class Form:
    text: str
    expected: list[int]
    category: str
    source: str
    aliases: tuple[str, ...] = ()
    host: str = "github.com"
    note: str = ""

    def found(self) -> list[int]:
        return list(closing_references(self.text, "acme/tool", aliases=self.aliases, host=self.host))


LABELLED = [Form(**json.loads(line)) for line in FORMS.read_text("ascii").splitlines()]
READ = [form for form in LABELLED if not form.note]
MISREAD = [form for form in LABELLED if form.note]


def _named(form: Form) -> str:
    return f"{form.category}:{form.text[:60]}"


@pytest.mark.parametrize("form", READ, ids=_named)
def test_t01_t02_what_a_text_claims_to_close(form: Form) -> None:
    """A form that people write is missed, a look-alike becomes a link, or one of several claims survives."""
    assert form.found() == form.expected


@pytest.mark.parametrize("form", MISREAD, ids=_named)
def test_t02_forms_known_to_be_misread(form: Form) -> None:
    """A note in the set, and a limit in the documentation, outlive the misreading that they tell of."""
    assert form.found() != form.expected


def test_t02_recall_and_precision() -> None:
    """The rules are traded against each other until they find too few links, or too many."""
    counts: Counter[str] = Counter()
    wrong = []
    for form in LABELLED:
        found, expected = set(form.found()), set(form.expected)
        counts += Counter(right=len(found & expected), extra=len(found - expected), missed=len(expected - found))
        if found != expected:
            wrong.append(f"{form.category}: {form.text!r} claims {sorted(expected)}, read as {sorted(found)}")
    assert counts["right"] >= 0.99 * (counts["right"] + counts["missed"]), "\n".join(wrong)
    assert counts["right"] >= 0.98 * (counts["right"] + counts["extra"]), "\n".join(wrong)


def test_the_set_is_large_enough_to_mean_something() -> None:
    """A handful of forms, or only right ones, proves nothing about links; one form twice counts double."""
    assert len(LABELLED) >= 300
    assert sum(not form.expected for form in LABELLED) >= 150
    assert {form.source for form in LABELLED} == SOURCES
    assert len({(form.text, str(form.aliases), form.host) for form in LABELLED}) == len(LABELLED)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "fixes ",
            "fixes [",
            "`",
            "fixes #1, ",
            "<!--",
            "~~a",
            "<code>",
            "<pre>",
            "<s>",
            'revert "a ',
            "; fix for #1 ",
        ),
        *("fixes:\n- ", "> a\n", "not ", "a/", "fix a b bug ", "| fixes ", "[a]: b\n", 'fixes <a href="', "\n", " "),
    ],
)
def test_a_hostile_text_takes_no_exponential_time(piece: str) -> None:
    """A body of one repeated piece, as long as the service takes it, stops a harvest."""
    assert set(closing_references(piece * (65_536 // len(piece)), "acme/tool")) <= {1}
