"""The lower layers that both resolving and building stand on: the base, and a repository at a commit.

A bundle counts as what it holds, not as its bytes: git packs the same history differently on every machine, and the
cache must hit nevertheless (T29).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from builder import interpreters
from builder.git import Repository
from builder.models import Sha, digest_of
from builder.protocols import ContextFile, ImageSpec
from builder.repo_config import directory_name
from builder.templating import Templates


@dataclass(frozen=True)
class Workshop:
    """What every recipe needs: the repository `repo` (`owner/name`), its clone, the templates, a scratch directory."""

    repo: str
    repository: Repository
    templates: Templates
    work_dir: Path

    @property
    def cache(self) -> str:
        """The name of the repository's download cache."""
        return directory_name(self.repo)


def base_image(python: str) -> ImageSpec:
    """The layer with system and interpreter; `python` is `3.9`, or exact. Raises InterpreterMissingError."""
    exact = interpreters.find(python).version
    return ImageSpec(kind="base", name=f"py{exact}", python=exact)


def repository_image(workshop: Workshop, base: ImageSpec, commit: Sha, *, submodules: bool = False) -> ImageSpec:
    """/testbed as a repository with exactly the history of `commit`, on the branch `main`, nothing installed."""
    return ImageSpec(
        kind="environment",
        name=f"{directory_name(workshop.repo)}-{commit[:12]}",
        python=base.python,
        parent=base,
        script=workshop.templates.render("setup_repository.sh.j2", commit=commit, submodules=submodules),
        context=(history(workshop, commit),),
        network=submodules,
    )


def history(workshop: Workshop, commit: Sha, exclude: Sha = "") -> ContextFile:
    """A bundle of what `commit` reaches and `exclude` does not, as the context file `history.bundle`."""
    directory = workshop.work_dir / "bundles"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{commit}{'-' + exclude if exclude else ''}.bundle"
    if not path.exists():
        fresh = path.with_name(f".{path.stem}.{secrets.token_hex(8)}")
        workshop.repository.bundle(fresh, commit, exclude=(exclude,) if exclude else ())
        fresh.rename(path)
    return ContextFile("history.bundle", path, digest_of(["bundle", commit, exclude]))
