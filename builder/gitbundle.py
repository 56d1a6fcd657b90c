"""Write git bundles (gitformat-bundle(5)) whose bytes follow from the commits, not from how a clone is packed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from builder.gitcommand import GitCommand
from builder.models import Sha

_SHA1_LENGTH = 40


def write_bundle(git: GitCommand, path: Path, commit: Sha, exclude: Sequence[Sha]) -> None:
    """Write what `commit` reaches and none of `exclude`, as `refs/builder/<commit>`; a reader must have `exclude`.

    One thread and nothing reused from existing packs: slower than `git bundle create`, but the same bytes for the same
    git, and packs that are often a third smaller. Raises GitFailed; `path` may then be incomplete.
    """
    version = b"# v2 git bundle\n" if len(commit) == _SHA1_LENGTH else b"# v3 git bundle\n@object-format=sha256\n"
    needed = "".join(f"-{sha} \n" for sha in exclude)
    with tempfile.TemporaryFile() as revisions, path.open("wb") as file:
        revisions.write("".join([f"{commit}\n", *(f"^{sha}\n" for sha in exclude)]).encode("ascii"))
        revisions.seek(0)
        file.write(version + f"{needed}{commit} refs/builder/{commit}\n\n".encode("ascii"))
        command = ("-c", "pack.threads=1", "pack-objects", "--revs", "--thin", "--stdout", "-q")
        for piece in git.stream(
            *command, "--delta-base-offset", "--no-reuse-object", "--no-use-bitmap-index", stdin=revisions
        ):
            file.write(piece)
