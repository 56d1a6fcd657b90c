"""The licence of a repository as an SPDX identifier, by plain facts of its files; "" where they do not tell."""

from __future__ import annotations

import re

from builder.git import Repository
from builder.models import Sha

LICENSE_FILES = (
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "LICENSE.rst",
    "LICENCE",
    "LICENCE.txt",
    "COPYING",
    "License.txt",
)
"""Where a licence stands, in the root."""
_PHRASES = (
    ("MIT", r"permission is hereby granted, free of charge.*the software is provided \"as is\""),
    ("Apache-2.0", r"apache license,? version 2\.0"),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.*(?:neither the name|names? of)"),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
    ("ISC", r"permission to use, copy, modify, and/?(?:or)? distribute this software for any purpose"),
    ("MPL-2.0", r"mozilla public license,? version 2\.0"),
    ("AGPL-3.0-only", r"gnu affero general public license version 3"),
    ("LGPL-3.0-only", r"gnu lesser general public license version 3"),
    ("LGPL-2.1-only", r"gnu lesser general public license version 2\.1"),
    ("GPL-3.0-only", r"gnu general public license version 3"),
    ("GPL-2.0-only", r"gnu general public license version 2"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("PSF-2.0", r"python software foundation license version 2"),
)
_COMPILED = tuple((name, re.compile(phrase, re.DOTALL)) for name, phrase in _PHRASES)
_DECLARED = re.compile(r"""^license\s*=\s*['"]([\w.+-]+)['"]""", re.MULTILINE)
_HEAD = 6000  # characters; later ones are licences of bundled parts


def license_at(repository: Repository, commit: Sha) -> str:
    """By the words of the licence file in the root, else by an SPDX identifier in `pyproject.toml`."""
    contents = repository.read_files(commit, (*LICENSE_FILES, "pyproject.toml"))
    for name in LICENSE_FILES:
        if name in contents and (found := license_of(contents[name].decode("utf-8", "replace"))):
            return found
    declared = _DECLARED.search(contents.get("pyproject.toml", b"").decode("utf-8", "replace"))
    return declared.group(1) if declared else ""


def license_of(text: str) -> str:
    """The licence whose characteristic words come first in the text."""
    words = re.sub(r"[\s*#>_]+", " ", text.lower().replace("“", '"').replace("”", '"'))[:_HEAD]
    found = ((match.start(), order, name) for order, (name, match) in enumerate(_searched(words)) if match)
    return min(found, default=(0, 0, ""))[2]


def _searched(words: str) -> list[tuple[str, re.Match[str] | None]]:
    return [(name, pattern.search(words)) for name, pattern in _COMPILED]
