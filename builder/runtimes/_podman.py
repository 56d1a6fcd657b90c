"""Where podman differs from the engine whose interface it speaks, and what is done about it (as of podman 4.3).

- It takes every volume of a container into the image that is made of it, so a container that becomes a layer has none:
  what lies in its temporary places is removed instead.
- It covers and protects what its own lists say, not the request's; more can be covered by an option.
- It fills a memory file system with what the image has in that place, ignores an owner, and gives it the mode of the
  directory below, see `setup_base.sh.j2`.
- It shows the machine's names and name servers. The files with them belong to the container's root.
- It forgets the labels of volumes that come with a container; see `_docker_containers.create`.

Not to be had: `/run/.containerenv` stays, and a process may make a user namespace of its own, in which it has
capabilities over nothing but what it makes there.
"""

from __future__ import annotations

from builder.errors import SandboxError
from builder.protocols import CONTEXT_DIR, HOME_DIR
from builder.runtimes import _kernel_view, _machine
from builder.runtimes._docker_engine import Engine, engine_errors

MASKS = "mask=" + ":".join(f"/proc/{name}" for name in (*_kernel_view.COVERED, "pressure"))
"""The security option that covers what the engine is asked to cover with `MaskedPaths`."""
MEMORY_FILES = ",notmpcopyup"
"""The mount option for an empty memory file system."""
_IDENTITY = f"""
printf '127.0.0.1 localhost {_machine.HOST_NAME}\\n' >/etc/hosts
printf '{_machine.HOST_NAME}\\n' >/etc/hostname
printf 'nameserver 127.0.0.1\\n' >/etc/resolv.conf
"""
_EMPTY = f"find /tmp {HOME_DIR} {CONTEXT_DIR} -mindepth 1 -delete 2>/dev/null"
_LEFT = f"find /tmp {HOME_DIR} {CONTEXT_DIR} -mindepth 1"


def invent_identity(engine: Engine, container: str) -> None:
    """Hide the machine's names from a running container that has no network. Raises SandboxError."""
    _run(engine, container, _IDENTITY, "0:0")


def empty_temporary_places(engine: Engine, container: str) -> None:
    """Remove what no layer may hold. Raises SandboxError if something stays."""
    for user in ("1000:1000", "0:0"):  # Without capabilities, each can remove only what is its own.
        _run(engine, container, f"{_EMPTY}; true", user)
    left = _run(engine, container, _LEFT, "0:0")
    if left:
        raise SandboxError(f"a layer would hold what was left in temporary places: {left.splitlines()[0]}")


def _run(engine: Engine, container: str, script: str, user: str) -> str:
    with engine_errors("preparing a sandbox"):
        made = engine.api.exec_create(container, ["/bin/sh", "-c", script], user=user)["Id"]
        said: bytes = engine.api.exec_start(made)
        code = engine.api.exec_inspect(made)["ExitCode"]
    text = said.decode("utf-8", "replace").strip()
    if code:
        raise SandboxError(f"preparing a sandbox ended with {code}: {text}")
    return text
