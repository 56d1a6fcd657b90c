"""The criteria of lite, each right and wrong."""

from __future__ import annotations

import pytest
from task_factory import PATCH, STATEMENT, patch_of_tests, task

from builder.lite import CRITERIA, lite_failures
from builder.models import TaskInstance


def failing(instance: TaskInstance) -> list[str]:
    return [failure.criterion for failure in lite_failures(instance)]


def other_file(path: str, *, added: bool = False) -> bytes:
    head = f"diff --git a/{path} b/{path}\n"
    if added:
        head += "new file mode 100644\n"
        return f"{head}index {'0' * 40}..{'1' * 40}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n".encode()
    return f"{head}index {'2' * 40}..{'1' * 40} 100644\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-y\n+x\n".encode()


def removed_file(path: str) -> bytes:
    head = f"diff --git a/{path} b/{path}\ndeleted file mode 100644\n"
    return f"{head}index {'2' * 40}..{'0' * 40}\n--- a/{path}\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n".encode()


def many_hunks(count: int) -> bytes:
    head = PATCH[: PATCH.index(b"@@")]
    return head + b"".join(b"@@ -%d +%d @@\n-a\n+b\n" % (line, line) for line in range(1, 10 * count, 10))


def test_a_small_self_contained_task_is_lite() -> None:
    """Catches a criterion that nothing meets."""
    assert lite_failures(task()) == ()


@pytest.mark.parametrize(("words", "fails"), [(40, True), (41, False)])
def test_a_statement_has_more_than_forty_words(words: int, fails: bool) -> None:
    """Catches an off-by-one: 40 words are too few (SWE-bench: at most 40 are removed)."""
    assert ("statement_length" in failing(task(problem_statement="word\n" * words))) is fails


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        ("see https://example.org", "no_links"),
        ("see HTTP://example.org", "no_links"),
        ("see www.example.org", "no_links"),
        ("see [the code](../blob/main/x.py)", "no_links"),
        ("![a plot](x)", "no_images"),
        ('<img width="3">', "no_images"),
        ("look at shot.PNG", "no_images"),
        ("as of " + "0123456789" * 4, "no_commit_hashes"),
        ("since commit 3f2a9b1", "no_commit_hashes"),
        ("since commit `3f2a9b1`", "no_commit_hashes"),
        ("in owner/name@3f2a9b1", "no_commit_hashes"),
        ("like #12", "no_references"),
        ("(#12)", "no_references"),
        ("like GH-12", "no_references"),
        ("like owner/name#7", "no_references"),
        ("a follow-up of PR 12", "no_references"),
        ("the same as issue 12", "no_references"),
    ],
)
def test_a_statement_that_points_elsewhere_is_not_lite(text: str, criterion: str) -> None:
    """Catches a form of link, image, commit or reference that slips through."""
    assert failing(task(problem_statement=f"{STATEMENT} {text}")) == [criterion]


@pytest.mark.parametrize(
    "text",
    [
        "handlers[name](event) calls it",
        "see the http module and the www folder",
        "the png writer, x.pngs and .gitignore",
        "the number 12345678901234567890 and 0xdeadbeef1",
        "this commit fails; the word defaced is hexadecimal",
        "this is #7, also known as GH-7 or issue 7",
        "&#39;quoted&#39; and C#7 and color #fff",
    ],
)
def test_a_statement_that_only_looks_like_pointing_elsewhere_is_lite(text: str) -> None:
    """Catches rules that are too wide, and the task's own issue counted as another one."""
    assert failing(task(problem_statement=f"{STATEMENT} {text}")) == []


@pytest.mark.parametrize(
    ("patch", "criteria"),
    [
        (PATCH + other_file("src/other.py"), ["one_file"]),
        (PATCH + other_file("src/fast.pyx"), ["one_file"]),
        (other_file("README.md"), ["one_file", "few_hunks"]),
        (PATCH + other_file("src/new.py", added=True), ["one_file", "no_added_or_removed_files"]),
        (other_file("src/new.py", added=True), ["no_added_or_removed_files"]),
        (removed_file("src/old.py"), ["no_added_or_removed_files"]),
        (many_hunks(4), ["few_hunks"]),
        (many_hunks(3), []),
        (PATCH + other_file("docs/guide.md") + other_file("news/7.bugfix", added=True), []),
    ],
)
def test_a_patch_edits_one_source_file_in_few_hunks(patch: bytes, criteria: list[str]) -> None:
    """Catches a miscount; the last case is the habit of adding a change note to every fix, which is no second file."""
    assert failing(task(patch=patch)) == criteria


def test_a_renamed_file_is_not_lite() -> None:
    """Catches a rename counted as one edited file."""
    patch = PATCH.replace(b"diff --git a/src/parser.py", b"diff --git a/src/old.py").replace(
        b"index ", b"similarity index 90%\nrename from src/old.py\nrename to src/parser.py\nindex "
    )
    assert failing(task(patch=patch.replace(b"--- a/src/parser.py", b"--- a/src/old.py"))) == [
        "no_added_or_removed_files"
    ]


@pytest.mark.parametrize(
    "added",
    [
        ["with pytest.raises(ValueError, match='bad'):"],
        ["with raises(", "    ValueError,", "    match='bad',", "):"],
        ["with pytest.warns(UserWarning, match = 'bad'):"],
        ["with self.assertRaisesRegex(ValueError, 'bad'):"],
        ["with self.assertRaisesRegexp(ValueError, 'bad'):"],
        ["self.assertWarnsRegex(UserWarning, 'bad', f)"],
        ["with self.assertRaisesMessage(ValueError, 'bad'):"],
        ["with pytest.raises(ValueError) as caught:", "    f()", "assert str(caught.value) == 'bad'"],
        ["with pytest.raises(ValueError) as exc_info:", "    f()", "exc_info.match('bad')"],
        ["with self.assertRaises(ValueError) as cm:", "    f()", "self.assertIn('bad', cm.exception.args[0])"],
    ],
)
def test_a_test_of_a_message_is_not_lite(added: list[str]) -> None:
    """Catches a way to test the text of an error, which no statement can be expected to spell out."""
    assert failing(task(test_patch=patch_of_tests(*added))) == ["no_message_tests"]


def test_a_message_added_to_an_existing_call_is_not_lite() -> None:
    """Catches a keyword whose call stands in the context and not among the added lines."""
    patch = patch_of_tests("        match='bad',", context="    with pytest.raises(ValueError,")
    assert failing(task(test_patch=patch)) == ["no_message_tests"]


@pytest.mark.parametrize(
    "added",
    [
        ["with pytest.raises(ValueError):", "    f()"],
        ["with self.assertRaises(ValueError):", "    f()"],
        ["match = re.match('a', text)", "with pytest.raises(ValueError):"],
        ["assert select(rows, match='x') == []"],
        ["assert str(node.value) == 'x'"],
        ["++ b/x with pytest.raises(ValueError)"],
    ],
)
def test_a_test_of_an_exception_s_type_is_lite(added: list[str]) -> None:
    """Catches rules that take any exception, or any `match`, for a test of a message."""
    assert failing(task(test_patch=patch_of_tests(*added))) == []


def test_a_removed_or_surrounding_message_test_does_not_count() -> None:
    """Catches a rule that reads lines which the change does not add."""
    old = "with pytest.raises(ValueError, match='bad'):"
    patch = patch_of_tests("assert f() == 1", context=old)
    assert failing(task(test_patch=patch)) == []
    assert (
        failing(
            task(test_patch=patch.replace(b"+assert", b"-assert").replace(b"+1,2", b"+1").replace(b"-1 ", b"-1,2 "))
        )
        == []
    )


def test_an_added_line_that_looks_like_a_header_stays_a_line() -> None:
    """Catches a parser that believes in text instead of the counts of the hunk."""
    patch = patch_of_tests("@@ -1 +1 @@", "with pytest.raises(ValueError, match='bad'):")
    assert failing(task(test_patch=patch)) == ["no_message_tests"]


def test_every_criterion_has_a_name_and_a_reason() -> None:
    """Catches a criterion that the card could not explain, and two of one name."""
    assert len({criterion.name for criterion in CRITERIA}) == len(CRITERIA)
    assert all(criterion.requires for criterion in CRITERIA)
