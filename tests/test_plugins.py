"""Alternatives are found by file name, and a wrong name offers the nearest."""

from __future__ import annotations

import pytest

from builder import plugins
from builder.errors import UnknownNameError


def test_every_file_of_a_folder_is_an_alternative_with_a_factory() -> None:
    for folder in ("sources", "runtimes", "engines", "exports"):
        for name in plugins.names(folder):
            assert callable(plugins.load(folder, name).create), (folder, name)


def test_a_misspelt_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Perhaps you meant 'local'"):
        plugins.load("engines", "locl")
