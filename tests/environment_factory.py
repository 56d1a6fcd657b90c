"""A repository whose history is made up, and environments for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from builder.fastimport import NewCommit, TreeFile, write_commits
from builder.git import Repository
from builder.models import Environment, EnvSpec, Lock
from builder.recipes import Workshop
from builder.templating import Templates

TEMPLATES = Templates(Path(__file__).parents[1] / "templates")
START = datetime(2022, 4, 6, 12, tzinfo=UTC)
SETUP = b"from setuptools import setup\nsetup(name='own', classifiers=['Programming Language :: Python :: 3.9'])\n"


@dataclass(frozen=True)
class Made:
    """A clone with a line of commits `shas`, `days` apart, and what recipes need."""

    workshop: Workshop
    shas: list[str]


def make(root: Path, *trees: dict[str, bytes], days: int = 1) -> Made:
    """A clone with one commit per tree (added to the one before), a tag and another branch on the last."""
    content: dict[str, TreeFile] = {"setup.py": TreeFile(SETUP)}
    commits = []
    for index, tree in enumerate(trees):
        content = content | {path: TreeFile(data) for path, data in tree.items()}
        refs = ("refs/heads/main", "refs/tags/v9", "refs/heads/other") if index == len(trees) - 1 else ()
        moment = START + timedelta(days=index * days)
        parents = (index - 1,) if index else ()
        commits.append(NewCommit(f"commit {index}", moment, dict(content), parents, refs, moment))
    shas = write_commits(root / "clone", commits)
    return Made(Workshop("o/n", Repository(root / "clone"), TEMPLATES, root / "work"), list(shas))


def lock(**changes: object) -> Lock:
    """As of the day after the first commit; setuptools without PEP 660."""
    text = "pytest==7.1 \\\n    --hash=sha256:aa\nsetuptools==62.0 \\\n    --hash=sha256:bb\n"
    values = {"python": "3.9", "as_of": START + timedelta(days=1), "text": text, **changes}
    return Lock.model_validate(values)


def environment(commit: str, **changes: object) -> Environment:
    """An environment at `commit`; `changes` are those of its specification."""
    values = {
        "repo": "o/n",
        "commit": commit,
        "as_of": START + timedelta(days=1),
        "python": "3.9",
        "project": "Own.Project",
        "build_backend": "setuptools.build_meta",
        "requirements": (),
        "install": "none",
        "test_cmd": "pytest",
        **changes,
    }
    spec = EnvSpec.model_validate(values)
    return Environment(env_id="o__n-py39-20220407-00000000", spec=spec, lock=lock(), environment_setup_commit=commit)
