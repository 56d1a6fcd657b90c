"""Licences are told by plain facts, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository
from builder.licenses import license_at, license_of

BSD = "Redistribution and use in source and binary\n  forms, with or without modification"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The MIT License\n\nPermission is hereby granted, free of charge, to any person\n"
            'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT',
            "MIT",
        ),
        ("                 Apache License\n           Version 2.0, January 2004", "Apache-2.0"),
        (f"{BSD}\n* Neither the name of the copyright holder", "BSD-3-Clause"),
        (BSD, "BSD-2-Clause"),
        ("GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007", "GPL-3.0-only"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1", "LGPL-2.1-only"),
        ("Mozilla Public License Version 2.0", "MPL-2.0"),
        ("Apache License\nVersion 2.0\n" + "x " * 9000 + "GNU General Public License version 2", "Apache-2.0"),
        ("All rights reserved.", ""),
        ("", ""),
    ],
)
def test_a_licence_is_told_by_its_words(text: str, expected: str) -> None:
    """A part's licence, or a resembling one, is published as the repository's."""
    assert license_of(text) == expected


def test_the_file_is_asked_before_the_packaging(tmp_path: Path) -> None:
    """A licence that is only declared is overlooked, or one that is not known is made up."""
    declared = TreeFile(b'[project]\nlicense = "ISC"\n')
    trees = [
        {"LICENSE.txt": TreeFile(b"Apache License\nVersion 2.0"), "pyproject.toml": declared},
        {"COPYING": TreeFile(b"our own words"), "pyproject.toml": declared},
        {"README": TreeFile(b"MIT")},
    ]
    when = datetime(2024, 5, 6, tzinfo=UTC)
    shas = write_commits(tmp_path / "git", [NewCommit("x", when, tree) for tree in trees])
    repository = Repository(tmp_path / "git")
    assert [license_at(repository, sha) for sha in shas] == ["Apache-2.0", "ISC", ""]
