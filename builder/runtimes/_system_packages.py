"""Whether a base has the system packages that an image asks for: each is a shell test that succeeds where it is."""

from __future__ import annotations

import shlex

from builder.errors import Rejected
from builder.models import Reason
from builder.protocols import ExecResult, ImageSpec

SECONDS = 120.0


def script(image: ImageSpec) -> str:
    """Runs the tests in the base, and names each package whose test fails."""
    tests = [
        f"( {test}\n) </dev/null >/dev/null 2>&1 || echo {shlex.quote(name)}"
        for name, test in image.system_packages.items()
    ]
    return "\n".join([*tests, "true"])


def require(image: ImageSpec, result: ExecResult) -> None:
    """Raises Rejected naming the packages that `script` found missing; all of them if it did not come to its end."""
    missing = result.output.decode("utf-8", "replace").split("\n")[:-1]
    if missing or not result.ok:
        raise Rejected(Reason.ENV_FAILED, "needs " + ", ".join(missing or list(image.system_packages)))
