"""Find the alternatives of a folder by file name: `load("sources", "git")` is `builder/sources/git.py`.

Every such module has one function `create(**services)` that returns an object of the folder's protocol.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import builder
from builder.errors import UnknownNameError


def names(folder: str) -> list[str]:
    """The names that `load(folder, …)` knows, sorted."""
    package = importlib.import_module(f"{builder.__name__}.{folder}")
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_"))


def load(folder: str, name: str) -> ModuleType:
    """Import an alternative. Raises UnknownNameError with the nearest name."""
    known = names(folder)
    if name not in known:
        raise UnknownNameError(folder.removesuffix("s"), name, known)
    return importlib.import_module(f"{builder.__name__}.{folder}.{name}")
