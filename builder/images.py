"""The layers of an instance: base, repository with environment, instance. Recipes only; a runtime builds them.

Each is a script from `templates/` with its context; rendering the same inputs gives the same bytes and digest. The
environment is two layers, since resolving needs the repository before anything can be installed.
"""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from packaging.utils import canonicalize_name

from builder import locks
from builder.models import Environment, EnvSpec, Sha, digest_of
from builder.protocols import ContextFile, ImageSpec
from builder.recipes import Workshop, base_image, history, repository_image

_BUILD_INPUTS = (
    "setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "*.pyx", "*.pxd", "*.c", "*.cc", "*.cpp", "*.h", "*.hpp",
    "*.rs", "Cargo.toml", "Cargo.lock", "meson.build", "CMakeLists.txt", "*.g4", "*.proto", "*.thrift",
    "requirements*.txt", "*/requirements*.txt",
)  # fmt: skip
"""What decides the built package. `requirements*.txt` is often read by setup.py."""

_IMPORT = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_][\w.]*)", re.MULTILINE)

INSTANCE_LABEL = "builder.instance"
ENVIRONMENT_LABEL = "builder.environment"
LOCK_LABEL = "builder.lock"
REVISION_LABEL = "org.opencontainers.image.revision"

__all__ = ["base_image", "environment_image", "instance_image"]


def environment_image(workshop: Workshop, environment: Environment) -> ImageSpec:
    """/testbed at `environment_setup_commit` and /opt/env from the lock, with the package built.

    Raises InterpreterMissingError, RepositoryError.
    """
    spec = environment.spec
    base = base_image(spec.python)
    checkout = repository_image(workshop, base, environment.environment_setup_commit, submodules=spec.submodules)
    values = _package_values(environment) | {
        "python": spec.python,
        "as_of": _moment(environment),
        "commit": environment.environment_setup_commit,
        "project": spec.project,
        "late_uploads": locks.late_uploads(environment.lock.as_of),
        "own_pattern": _own_pattern(spec.project),
    }
    return ImageSpec(
        kind="environment",
        name=environment.env_id,
        python=base.python,
        parent=checkout,
        script=workshop.templates.render("setup_environment.sh.j2", **values),
        context=(_lock_file(workshop, environment),),
        network=True,
        cache=workshop.cache,
        env=dict(spec.test_env),
        system_packages=dict(spec.system_packages),
        labels=_labels(environment, environment.environment_setup_commit),
    )


def instance_image(
    workshop: Workshop, instance_id: str, base_commit: Sha, environment: Environment, parent: ImageSpec
) -> ImageSpec:
    """The environment's image (`parent`) advanced to `base_commit`: its new objects and its changed files.

    The package is built again only where what decides the build has changed.
    """
    setup_commit = environment.environment_setup_commit
    advance = base_commit != setup_commit
    values = _package_values(environment) | {
        "advance": advance,
        "rebuild": advance and _must_rebuild(workshop, setup_commit, base_commit),
        "as_of": _moment(environment),
        "commit": base_commit,
        "environment_commit": setup_commit,
        "submodules": environment.spec.submodules,
    }
    return ImageSpec(
        kind="instance",
        name=instance_id,
        python=parent.python,
        parent=parent,
        script=workshop.templates.render("setup_instance.sh.j2", **values),
        context=(history(workshop, base_commit, setup_commit),) if advance else (),
        network=advance and environment.spec.submodules,
        cache=workshop.cache,
        env=dict(environment.spec.test_env),
        system_packages=dict(environment.spec.system_packages),
        labels={INSTANCE_LABEL: instance_id, **_labels(environment, base_commit)},
    )


def _package_values(environment: Environment) -> dict[str, object]:
    spec = environment.spec
    return {
        "install": spec.install,
        "editable_options": _editable_options(spec),
        "build_env": dict(spec.build_env),
        "build_steps": spec.build_steps,
    }


def _labels(environment: Environment, revision: Sha) -> dict[str, str]:
    """Facts about an image that travel with it; those that others ask for too have the names of OCI annotations."""
    return {
        REVISION_LABEL: revision,
        ENVIRONMENT_LABEL: environment.env_id,
        LOCK_LABEL: environment.lock.lock_id,
    }


def _editable_options(spec: EnvSpec) -> str:
    """setuptools maps the packages of the day otherwise, and a module that a patch adds could not be imported."""
    return " --config-setting editable_mode=compat" if "setuptools" in spec.build_backend else ""


def _must_rebuild(workshop: Workshop, one: Sha, other: Sha) -> bool:
    changed = workshop.repository.changed_paths(one, other)
    setup = (workshop.repository.read_file(other, "setup.py") or b"").decode("utf-8", "replace")
    patterns = (*_BUILD_INPUTS, *_imported_files(setup))
    return any(fnmatch.fnmatchcase(path, pattern) for path in changed for pattern in patterns)


def _imported_files(setup: str) -> list[str]:
    """Where the modules that setup.py imports would be in the repository."""
    modules = [name.replace(".", "/") for name in _IMPORT.findall(setup)]
    return [f"{name}{suffix}" for name in modules for suffix in (".py", "/__init__.py")]


def _own_pattern(project: str) -> str:
    """A regular expression (grep -E) for the project's own line in `uv pip freeze`."""
    return "^" + re.sub("-", "[-_.]", canonicalize_name(project)) + "(==| @)"


def _moment(environment: Environment) -> str:
    return environment.lock.as_of.strftime("%Y-%m-%dT%H:%M:%SZ")


def _lock_file(workshop: Workshop, environment: Environment) -> ContextFile:
    """The lock as context; what decides is its interpreter and lines, not its comments."""
    path: Path = workshop.work_dir / "locks" / f"{environment.env_id}.txt"
    locks.write_lock(path, environment.lock)
    return ContextFile("lock.txt", path, digest_of(["lock", environment.lock.lock_id]))
