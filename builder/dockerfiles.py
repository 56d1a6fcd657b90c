"""Images as directories for `docker build`: a Dockerfile each, its context, and a script that builds parents first.

They are the recipes that a runtime runs, for those who build by hand or elsewhere. `Dockerfile` is for the classic
builder, and has the context in a layer of its own; `Dockerfile.mounts` needs BuildKit or buildah, and has it in none.
No `# syntax=` line: that would have a front end downloaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from builder import __version__, image_names, interpreter_archive, interpreters, network_settings
from builder.files import disk_errors
from builder.protocols import CACHE_ENV, SHELL_ENV, ImageSpec
from builder.templating import Templates

SYSTEM_IMAGE = "builder-base"
"""The image that `builder base-image` makes, and that all others stand on unless another is named."""
TITLE_LABEL = "org.opencontainers.image.title"
VERSION_LABEL = "builder.version"


def labels(image: ImageSpec) -> dict[str, str]:
    """What an image carries, wherever it is built. See the annotations of OCI's image specification."""
    return {**image.labels, TITLE_LABEL: image.name, VERSION_LABEL: __version__}


def environment(image: ImageSpec) -> dict[str, str]:
    """The variables that an image sets beyond its parent's."""
    return dict(SHELL_ENV if image.kind == "base" else image.env)


def write(images: Iterable[ImageSpec], directory: Path, templates: Templates, *, system: str) -> list[Path]:
    """Write the images and their parents below `directory`, a directory each; returns the images' own, in order.

    `system` is the image below the base. Raises InterpreterMissingError, SettingsError, DiskFullError.
    """
    written: set[Path] = set()
    return [_write(image, directory, templates, system, written) for image in images]


def _write(image: ImageSpec, directory: Path, templates: Templates, system: str, written: set[Path]) -> Path:
    """Write what is not `written` yet: images share their parents, and an interpreter is large."""
    own = directory / f"{image.kind}-{image_names.tag(image.name)}"
    if own in written:
        return own
    parent = _write(image.parent, directory, templates, system, written) if image.parent else None
    written.add(own)
    with disk_errors(own):
        own.mkdir(parents=True, exist_ok=True)
        for name, text in texts(
            image, templates, system=system, parent_directory=parent.name if parent else ""
        ).items():
            (own / name).parent.mkdir(exist_ok=True)
            (own / name).write_text(text, encoding="utf-8")
        if image.kind == "base":
            _write_interpreter(image.python, own / "interpreter.tar")
        for file in image.context:
            shutil.copyfile(file.path, own / "context" / file.name)
    return own


def texts(image: ImageSpec, templates: Templates, system: str, parent_directory: str) -> Mapping[str, str]:
    """The text files of an image's directory. The same image gives the same bytes."""
    values = {
        "title": image.name,
        "python": image.python,
        "tag": name(image),
        "parent": name(image.parent) if image.parent else system,
        "parent_directory": parent_directory,
        "labels": labels(image),
        "env": environment(image),
        "network": image.network,
        "cache": f"builder-{image.cache}" if image.cache else "",
        "cache_env": CACHE_ENV if image.cache else {},
        "is_base": image.kind == "base",
        "proxy_names": network_settings.PROXY_NAMES,
        "index_names": network_settings.INDEX_NAMES,
        "ca_file_names": network_settings.CA_FILE_NAMES,
    }
    template = f"Dockerfile.{image.kind}.j2"
    written = {
        "build.sh": templates.render("build.sh.j2", **values),
        "Dockerfile": templates.render(template, mounts=False, **values),
    }
    if image.kind != "base":
        written["Dockerfile.mounts"] = templates.render(template, mounts=True, **values)
        written["context/setup.sh"] = image.script
    return written


def name(image: ImageSpec) -> str:
    """What an image that is built by hand is called."""
    return f"builder/{image.kind}:{image_names.tag(image.name)}"


def _write_interpreter(python: str, path: Path) -> None:
    with path.open("wb") as file:
        interpreter_archive.pack(interpreters.find(python), interpreters.uv_program(), file)
