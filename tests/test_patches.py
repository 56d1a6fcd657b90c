"""Diffs taken apart and counted: nothing is lost, nothing applies to the wrong part (T10 to T12)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from random_changes import Tree, random_edit, random_tree, repository_of

from builder import patches
from builder.errors import Rejected
from builder.fastimport import TreeFile
from builder.models import PatchStats
from builder.testpaths import is_test_path


def _diff(tmp_path: Path, before: Tree, after: Tree) -> bytes:
    repository, (base, merge) = repository_of(tmp_path / "git", before, after)
    return repository.diff(base, merge)


@pytest.mark.parametrize("seed", range(25))
def test_t11_both_parts_apply_in_either_order_byte_for_byte(seed: int, tmp_path: Path) -> None:
    """Binary files, modes, links, CRLF, missing final newlines or odd names get lost between diff and apply."""
    rng = random.Random(seed)
    before = random_tree(rng)
    repository, (base, merge) = repository_of(tmp_path / "git", before, random_edit(rng, before))
    diff = repository.diff(base, merge)
    parts = patches.split(diff, is_test_path)
    assert repository.apply(base, parts.patch, parts.test_patch) == repository.tree(merge)
    assert repository.apply(base, parts.test_patch, parts.patch) == repository.tree(merge)
    assert sorted(parts.patch + parts.test_patch) == sorted(diff)


@pytest.mark.parametrize("seed", range(25, 45))
def test_t11_sections_name_the_files_that_git_names(seed: int, tmp_path: Path) -> None:
    """A quoted, spaced or undecodable name is read wrongly, and its section lands in the wrong part."""
    rng = random.Random(seed)
    before = random_tree(rng)
    repository, (base, merge) = repository_of(tmp_path / "git", before, random_edit(rng, before))
    diff = repository.diff(base, merge)
    sections = patches.sections(diff)
    changed = repository.changed_paths(base, merge)
    assert {section.path for section in sections} == set(changed)
    assert b"".join(section.raw for section in sections) == diff
    stats = patches.statistics(diff)
    kinds = list(changed.values())
    assert (stats.files, stats.files_added, stats.files_removed) == (len(kinds), kinds.count("A"), kinds.count("D"))


def test_t10_each_file_goes_whole_to_the_part_of_its_path(tmp_path: Path) -> None:
    """A substring decides, or data beside the tests stays with the source."""
    source = [
        "latest.py",
        "contest.py",
        "attestation/a.py",
        "src/_pytest/main.py",
        "mypy/testing/x.py",
        "mypy/stubtest.py",
    ]
    tests = [
        "tests/test_a.py",
        "tests/conftest.py",
        "tests/data/x.bin",
        "tests/__snapshots__/a.ambr",
        "pkg/test/x.json",
    ]
    after = {path: TreeFile(b"content\n") for path in (*source, *tests)}
    parts = patches.split(_diff(tmp_path, {"README": TreeFile(b"")}, {"README": TreeFile(b"x"), **after}), is_test_path)
    assert {section.path for section in patches.sections(parts.patch)} == {"README", *source}
    assert {section.path for section in patches.sections(parts.test_patch)} == set(tests)


def test_t11_a_move_between_source_and_tests_is_divided(tmp_path: Path) -> None:
    """A rename ends in one part as a whole, so that the other applies only after it."""
    content = TreeFile(b"".join(b"line %d\n" % number for number in range(50)))
    diff = _diff(tmp_path, {"src/helper.py": content}, {"tests/test_helper.py": content})
    parts = patches.split(diff, is_test_path)
    assert [section.old_path for section in patches.sections(parts.patch)] == ["src/helper.py"]
    assert [section.new_path for section in patches.sections(parts.test_patch)] == ["tests/test_helper.py"]


def test_t12_test_files_exist_afterwards_and_can_be_collected(tmp_path: Path) -> None:
    """A removed or renamed test file, a snapshot or a package marker is passed to pytest, which then runs nothing."""
    text = TreeFile(b"def test_a():\n    pass\n")
    before = {"tests/test_gone.py": text, "tests/test_old_name.py": text, "tests/test_edited.py": text}
    after = {
        "tests/test_new_name.py": text,
        "tests/test_edited.py": TreeFile(text.data + b"\n"),
        "tests/x_test.py": text,
        "tests/x.snap": text,
        "tests/__init__.py": text,
        "tests/conftest.py": text,
        "tests/helper.py": text,
        "tests/test_link.py": TreeFile(b"test_edited.py", "120000"),
        "tests/test_\udcff.py": text,
        "tests/test_binary.py": TreeFile(b"\0\1\2" * 99),
    }
    expected = ("tests/test_edited.py", "tests/test_new_name.py", "tests/x_test.py")
    assert patches.test_files(_diff(tmp_path, before, after)) == expected


def test_statistics_count_what_the_lite_rules_ask_for(tmp_path: Path) -> None:
    """Lines that look like headers inside a hunk are counted as headers, or a binary file as text."""
    lines = [b"line %d" % number for number in range(60)]
    edited = [*lines[:5], b"--- a/x", b"+++ b/x", *lines[6:50], b"@@ -1 +1 @@", *lines[51:]]
    before = {"a.py": TreeFile(b"\n".join(lines)), "b.bin": TreeFile(b"\0" * 99), "gone.py": TreeFile(b"x\ny\n")}
    after = {"a.py": TreeFile(b"\n".join(edited)), "b.bin": TreeFile(b"\0" * 98), "new.py": TreeFile(b"x\n" * 3)}
    stats = patches.statistics(_diff(tmp_path, before, after))
    assert stats == PatchStats(files=4, files_added=1, files_removed=1, hunks=4, lines_added=6, lines_removed=4)


def test_a_type_change_is_an_edit(tmp_path: Path) -> None:
    """A file that becomes a link counts as one removed and one added, and its sections are torn apart."""
    diff = _diff(tmp_path, {"tests/test_a.py": TreeFile(b"x\n")}, {"tests/test_a.py": TreeFile(b"y", "120000")})
    stats = patches.statistics(diff)
    assert (len(patches.sections(diff)), stats.files, stats.files_added, stats.files_removed) == (2, 1, 0, 0)
    assert patches.test_files(diff) == ()


def test_renames_of_other_tools_are_read() -> None:
    """A diff made with rename detection loses its file names."""
    diff = (
        b'diff --git "a/old \\303\\274.py" b/new name.py\nsimilarity index 100%\n'
        b'rename from "old \\303\\274.py"\nrename to new name.py\n'
    )
    section = patches.sections(diff)[0]
    assert (section.old_path, section.new_path, section.path) == ("old ü.py", "new name.py", "new name.py")
    assert patches.statistics(diff).files_added == 0


def test_added_lines_are_found_for_every_file_that_stays(tmp_path: Path) -> None:
    """A convention over added lines misses a file, or sees a removed one."""
    before = {"gone": TreeFile(b"x\n"), "notes.rst": TreeFile(b"a\nb\n"), "mode.sh": TreeFile(b"")}
    after = {"notes.rst": TreeFile(b"a\n* :issue:`3`\nb\n\xff\n"), "mode.sh": TreeFile(b"", "100755")}
    assert patches.added_lines(_diff(tmp_path, before, after)) == {
        "mode.sh": [],
        "notes.rst": ["* :issue:`3`", "\ufffd"],
    }


def test_text_before_the_first_file_stays_with_it() -> None:
    """The head of a mailed patch is dropped."""
    diff = b"From: somebody\n\n---\n a | 1 +\n\ndiff --git a/a b/a\nnew file mode 100644\nindex 0000000..1111111\n"
    assert patches.split(diff, is_test_path).patch == diff


def test_an_empty_diff_has_no_parts() -> None:
    """An empty change crashes instead of being turned down later."""
    assert patches.split(b"", is_test_path) == patches.SplitPatch(b"", b"")
    assert patches.statistics(b"").files == 0


def test_something_that_is_no_git_diff_is_turned_down() -> None:
    """A plain diff, or an error page, is taken for an empty change."""
    with pytest.raises(Rejected, match="not a git diff"):
        patches.sections(b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")


@pytest.mark.parametrize(
    ("source", "tests", "expected"),
    [
        (["a.py", "b/c.py"], ["tests/test_a.py", "b/test_c.py"], True),
        (["a.py"], ["a.py"], False),
        (["tool"], ["tool/test_x.py"], False),
        (["tool/x.py"], ["tool"], False),
        (["tool"], ["tools/test_x.py"], True),
        ([], ["test_x.py"], True),
    ],
)
def test_parts_that_meet_are_not_independent(source: list[str], tests: list[str], expected: bool) -> None:
    """A file that becomes a folder of tests: the tests apply only after it is gone."""
    parts = patches.SplitPatch(*(b"".join(map(new_file, paths)) for paths in (source, tests)))
    assert patches.independent(parts) == expected


def new_file(path: str) -> bytes:
    name = path.encode()
    head = b"diff --git a/%s b/%s\nnew file mode 100644\nindex %s..%s\n" % (name, name, b"0" * 40, b"1" * 40)
    return head + b"--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+x\n" % name
