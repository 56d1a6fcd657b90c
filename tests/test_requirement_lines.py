"""Catches lines that pip reads and we would lose, and references that would drift (T20)."""

from __future__ import annotations

import pytest

from builder import requirement_lines
from builder.source_tree import SourceTree


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("pytest>=3.3.1", "pytest>=3.3.1"),
        ("PyJWT>=1.4.0, <2.0.0", "PyJWT<2.0.0,>=1.4.0"),
        ("pywin32; sys_platform == 'win32'", 'pywin32; sys_platform == "win32"'),
        ("moto[server] == 1.3", "moto[server]==1.3"),
        ("foo==1.0 --hash=sha256:abc --hash=sha256:def", "foo==1.0"),
        ("isort@git+git://github.com/timothycrosley/isort.git@c54b3dd#egg=isort", "isort"),
        ("mike @ git+https://github.com/jimporter/mike.git", "mike"),
        ("-e git+https://github.com/x/y.git@main#egg=z[extra]", "z[extra]"),
        ("git+https://github.com/iterative/mock-ssh-server.git", "mock-ssh-server"),
        ("-e .", None),
        (".[dev]", None),
        ("../other", None),
        ("--index-url https://example.org", None),
        ("https://example.org/a-1.0-py3-none-any.whl", None),
    ],
)
def test_t20_a_reference_is_replaced_by_its_name(line: str, text: str | None) -> None:
    assert requirement_lines.parsed(line) == text


def test_included_files_are_followed_once_and_constraints_stay_constraints() -> None:
    files = {
        "req/dev.txt": "-r test.txt\n-c ../bounds.txt\nblack  # style\n",
        "req/test.txt": "-r dev.txt\npytest \\\n  >=3\n",
        "bounds.txt": "pytest<5\n",
    }
    lines = list(requirement_lines.in_file(SourceTree(frozenset(files), files.get), "req/dev.txt"))
    assert [(line.text, line.constraint) for line in lines] == [
        ("pytest>=3", False),
        ("pytest<5", True),
        ("black", False),
    ]


def test_a_file_outside_the_repository_is_not_read() -> None:
    tree = SourceTree(frozenset({"a.txt"}), {"a.txt": "-r ../../etc/passwd\nx\n"}.get)
    assert [line.text for line in requirement_lines.in_file(tree, "a.txt")] == ["x"]
