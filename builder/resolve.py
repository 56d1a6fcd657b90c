"""Resolve requirements as of a date into a lock that installs, inside a sandbox with network.

Everything here runs foreign code (build backends, `setup.py` of old source distributions), so all of it is done by
scripts in the sandbox: `read_metadata`, `compile_lock` and `try_lock` of `templates/`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from builder import locks
from builder.errors import NetworkMissingError, Rejected
from builder.models import Lock, Reason, Requirement
from builder.protocols import ExecResult, Sandbox
from builder.relaxing import Ladder
from builder.requirement_lines import name_of
from builder.requirements import ProjectMetadata
from builder.source_tree import SourceTree
from builder.templating import Templates

METADATA_SECONDS = 600.0
COMPILE_SECONDS = 900.0
INSTALL_SECONDS = 3600.0
MAX_STEPS = 40

_LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
_UNREACHABLE = ("dns error", "Could not connect", "error sending request", "client error (Connect)")


@dataclass(frozen=True)
class BuildSystem:
    """`[build-system]` of pyproject.toml (PEP 518), or setuptools where there is none."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """What is resolved for: CPython `python` (`3.9`), and the index as of `as_of`."""

    python: str
    as_of: datetime

    @property
    def moment(self) -> str:
        return self.as_of.strftime("%Y-%m-%dT%H:%M:%SZ")


def build_system(tree: SourceTree) -> BuildSystem:
    """What builds the project at this commit. A broken pyproject.toml counts as none."""
    try:
        table = tomllib.loads(tree.text("pyproject.toml")).get("build-system", {})
    except tomllib.TOMLDecodeError:
        table = {}
    requires = tuple(table.get("requires") or ("setuptools", "wheel"))
    backend = table.get("build-backend") or _LEGACY_BACKEND
    return BuildSystem(requires, backend, tuple(table.get("backend-path") or ()))


def read_metadata(
    sandbox: Sandbox, templates: Templates, tree: SourceTree, target: Target, build_env: Mapping[str, str]
) -> ProjectMetadata:
    """Build the metadata of the project in /testbed. Raises Rejected(env_failed) with the backend's last words.

    The build tools are as old as the commit; if that fails, setuptools 40.8 to 63 (PEP 517 without PEP 660) is tried,
    since the very oldest have no such interface.
    """
    system = build_system(tree)
    attempts = (
        [system.requires, ("setuptools>=40.8,<64", "wheel")] if "setuptools" in system.backend else [system.requires]
    )
    sandbox.write("/tmp/read_metadata.py", templates.read("read_metadata.py").encode())  # noqa: S108
    for index, requires in enumerate(attempts):
        result = sandbox.exec(
            _metadata_script(templates, system, requires, target, build_env, dated=index == 0),
            timeout=METADATA_SECONDS,
        )
        if result.ok:
            return _metadata(sandbox, system, tree)
    _raise_if_unreachable(result)
    raise Rejected(Reason.ENV_FAILED, f"the project's metadata cannot be built: {_last_words(result)}")


def _metadata_script(
    templates: Templates,
    system: BuildSystem,
    requires: Sequence[str],
    target: Target,
    build_env: Mapping[str, str],
    *,
    dated: bool,
) -> str:
    return templates.render(
        "read_metadata.sh.j2",
        python=target.python,
        as_of=target.moment if dated else "2100-01-01T00:00:00Z",
        build_requires=requires,
        backend=system.backend,
        backend_path=":".join(system.backend_path),
        build_env=build_env,
    )


def _metadata(sandbox: Sandbox, system: BuildSystem, tree: SourceTree) -> ProjectMetadata:
    facts = json.loads(sandbox.read("/tmp/metadata.json"))  # noqa: S108
    wanted = sandbox.read("/tmp/requires.txt").decode("utf-8").split("\n")  # noqa: S108
    return ProjectMetadata(
        name=str(facts["name"]),
        version=str(facts["version"]),
        requires=tuple(facts["requires"]),
        extras=tuple(facts["extras"]),
        build_requires=(*system.requires, *filter(None, wanted)),
        backend=system.backend,
        can_build_editable=bool(facts["can_build_editable"]),
        has_setup_py="setup.py" in tree.paths,
    )


def resolve(
    sandbox: Sandbox,
    templates: Templates,
    requirements: Sequence[Requirement],
    constraints: Sequence[str],
    own_name: str,
    target: Target,
) -> Lock:
    """A lock that resolves and installs. Raises Rejected(env_failed) when nothing can give way any more.

    Requirements on the project itself (plugins of it have them) are met by the work tree, so they are left out.
    """
    ladder = Ladder(list(requirements))
    for _step in range(MAX_STEPS):
        result = _attempt(sandbox, templates, ladder, constraints, own_name, target)
        if result.ok:
            text = sandbox.read("/tmp/lock.txt").decode("utf-8")  # noqa: S108
            return Lock(
                python=target.python,
                as_of=target.as_of,
                text=text,
                dropped=tuple(ladder.dropped),
                relaxed=tuple(ladder.relaxed),
            )
        _raise_if_unreachable(result)
        if result.timed_out or not ladder.give_way(result.output.decode("utf-8", "replace")):
            break
    raise Rejected(Reason.ENV_FAILED, f"the requirements cannot be installed: {_last_words(result)}")


def _attempt(
    sandbox: Sandbox,
    templates: Templates,
    ladder: Ladder,
    constraints: Sequence[str],
    own_name: str,
    target: Target,
) -> ExecResult:
    """Resolve, then install into a throw-away environment: an index can hold what does not build."""
    inputs = {
        "requirements.in": ladder.lines(),
        "constraints.txt": _usable(constraints, ladder),
        "overrides.txt": [f"{own_name} ; sys_platform == 'never'"],
    }
    for name, lines in inputs.items():
        sandbox.write(f"/tmp/{name}", "".join(f"{line}\n" for line in lines).encode())  # noqa: S108
    script = templates.render(
        "compile_lock.sh.j2",
        python=target.python,
        as_of=target.moment,
        late_uploads=locks.late_uploads(target.as_of),
        wheels_only=sorted(ladder.wheels_only),
    )
    compiled = sandbox.exec(script, timeout=COMPILE_SECONDS, workdir="/tmp")  # noqa: S108
    if not compiled.ok:
        return compiled
    script = templates.render(
        "try_lock.sh.j2",
        python=target.python,
        as_of=target.moment,
        late_uploads=locks.late_uploads(target.as_of),
    )
    return sandbox.exec(script, timeout=INSTALL_SECONDS, workdir="/tmp")  # noqa: S108


def _usable(constraints: Sequence[str], ladder: Ladder) -> list[str]:
    """A bound goes with its requirement: what was relaxed is free of bounds from elsewhere too."""
    freed = {name_of(text) for text in (*ladder.relaxed, *ladder.dropped) if ": " not in text}
    return [text for text in constraints if name_of(text) not in freed]


def _raise_if_unreachable(result: ExecResult) -> None:
    text = result.output.decode("utf-8", "replace")
    if any(sign in text for sign in _UNREACHABLE):
        raise NetworkMissingError(
            f"the package index cannot be reached: {_last_words(result)}",
            hint="Check the network, the proxy variables and UV_DEFAULT_INDEX, then start again.",
        )


def _last_words(result: ExecResult) -> str:
    if result.timed_out:
        return f"no end after {result.wall_seconds:.0f} s"
    lines = [line.strip() for line in result.output.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:])[-600:] or f"exit code {result.exit_code}"
