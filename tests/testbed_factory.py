"""A small repository with pytest in a real sandbox, built without network from the pytest that runs these tests."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from builder import loopback_index
from builder.protocols import ContextFile, ImageSpec

VERSION = "{}.{}.{}".format(*sys.version_info[:3])
_SCRIPT = """\
set -e
uv venv --quiet --python python{minor} /opt/env
uv pip install --quiet --offline --no-index --find-links /context --python /opt/env/bin/python pytest
git -C /testbed init --quiet
"""


def repository_image(directory: Path, files: Mapping[str, bytes], extra: str = "") -> ImageSpec:
    """The image of a repository that holds `files`, committed, without an installed package of its own."""
    base = ImageSpec("base", "base", VERSION)
    lines = [_SCRIPT.format(minor=VERSION.rpartition(".")[0])]
    for name, content in files.items():
        text = base64.encodebytes(content).decode()
        lines.append(f'mkdir -p "$(dirname {name})"; base64 -d >{name} <<E\n{text}E\n')
    lines.append(f"{extra}\ngit add . && git -c user.name=n -c user.email=e@example.org commit --quiet -m base\n")
    return ImageSpec("environment", "testbed", VERSION, base, "".join(lines), context=_wheels(directory))


def _wheels(directory: Path) -> tuple[ContextFile, ...]:
    directory.mkdir(parents=True, exist_ok=True)
    found = []
    for wheel in loopback_index.wheels_of("pytest"):
        path = directory / wheel.filename
        path.write_bytes(wheel.content)
        found.append(ContextFile(wheel.filename, path, hashlib.sha256(wheel.content).hexdigest()))
    return tuple(found)


def added(files: Mapping[str, str]) -> bytes:
    """A git diff that adds these files."""
    parts = []
    for name, text in files.items():
        lines = text.splitlines()
        body = "".join(f"+{line}\n" for line in lines)
        parts.append(
            f"diff --git a/{name} b/{name}\nnew file mode 100644\nindex {'0' * 40}..{'1' * 40}\n"
            f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,{len(lines)} @@\n{body}"
        )
    return "".join(parts).encode()
