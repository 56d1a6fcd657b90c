"""Catches automation that is not looked at, and files that are read twice or where there are none."""

from __future__ import annotations

from builder.source_tree import SourceTree


def test_automation_is_found_by_path_and_nothing_else() -> None:
    yes = [".github/workflows/ci.yaml", ".circleci/config.yml", "tox.ini", "noxfile.py", ".ci/jenkins/tests.jenkins"]
    no = ["docs/tox.ini", ".github/CODEOWNERS", "src/noxfile.py", "tests/.travis.yml", "website/.circleci/config.yml"]
    assert SourceTree(frozenset([*yes, *no]), lambda _path: None).ci_files() == sorted(yes)


def test_a_file_is_read_once_and_a_missing_one_never() -> None:
    reads: list[str] = []

    def read(path: str) -> str:
        reads.append(path)
        return "text"

    tree = SourceTree(frozenset({"a"}), read)
    assert (tree.text("a"), tree.text("a"), tree.text("b")) == ("text", "text", "")
    assert reads == ["a"]
