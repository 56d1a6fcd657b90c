"""The files of a repository at one commit, as far as the environment rules look at them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_CI = re.compile(
    r"""(?x)
    \.travis\.ya?ml | \.?appveyor\.ya?ml | azure-pipelines\.ya?ml | \.gitlab-ci\.ya?ml | \.cirrus\.yml
    | \.circleci/config\.yml | \.github/workflows/[^/]+\.ya?ml | \.github/actions/.*\.ya?ml
    | tox\.ini | noxfile\.py | Makefile | GNUmakefile | justfile | Jenkinsfile
    | \.ci/.*\.(jenkins|sh|py|ya?ml) | (scripts|ci|tools)/(ci/)?[^/]+\.(sh|ya?ml)
    """
)


@dataclass(frozen=True)
class SourceTree:
    """All paths, and a way to read one of them (None: not there, or not text)."""

    paths: frozenset[str]
    read: Callable[[str], str | None]
    _texts: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def text(self, path: str) -> str:
        """The file's text, empty where there is no such file."""
        if path not in self._texts:
            self._texts[path] = (self.read(path) or "") if path in self.paths else ""
        return self._texts[path]

    def ci_files(self) -> list[str]:
        """Files that say how the project installs and tests itself, sorted."""
        return sorted(path for path in self.paths if _CI.fullmatch(path))
