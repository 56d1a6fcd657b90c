"""What a failed build says about its cause."""

from __future__ import annotations

import re

from builder.errors import InfrastructureError, NetworkMissingError, Rejected
from builder.models import Reason
from builder.protocols import ExecResult, ImageSpec

_LINES = 12
_WIDTH = 400
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OFFLINE = re.compile(
    r"dns error|failed to lookup address|Temporary failure in name resolution|Could not resolve host"
    r"|Name or service not known|tcp connect error|Network is unreachable"
    r"|No route to host|error sending request|NewConnectionError"
)
_BUSY = re.compile(
    r"\b(429|50[0234]) (Too Many Requests|Internal Server Error|Bad Gateway|Service Unavailable|Gateway)"
)
_FULL = re.compile(r"No space left on device|os error 28\b")
_NEEDS = (
    re.compile(r"fatal error: ([\w./+-]+\.h(?:pp)?): No such file"),
    re.compile(r"(?:line \d+|sh: \d+): ([\w.+-]+): (?:command )?not found"),
    re.compile(r"command '([\w.+-]+)' failed: No such file"),
    re.compile(r"(?:unable to execute|No such file or directory:) '([\w.+-]+)'"),
    re.compile(r"(pg_config|mysql_config|llvm-config|[\w-]+-config) (?:executable )?not found"),
)


def failure(
    image: ImageSpec, result: ExecResult, timeout: float
) -> Rejected | InfrastructureError | NetworkMissingError:
    """The exception for a build script that did not succeed: a rejection, unless the index or the disk is to blame."""
    text = _ANSI.sub("", result.output.decode("utf-8", "replace"))
    if _FULL.search(text):
        return InfrastructureError(f"building {image.name}: the disk is full", hint="Free some space and run again.")
    if image.network and _OFFLINE.search(text):
        return NetworkMissingError(
            f"building {image.name}: the package index cannot be reached: {_last(_OFFLINE, text)}",
            hint="Check the network, proxy and index settings, and run again.",
        )
    if image.network and _BUSY.search(text):
        return InfrastructureError(f"building {image.name}: the package index is busy: {_last(_BUSY, text)}")
    return Rejected(Reason.ENV_FAILED, "\n".join([_headline(result, timeout, text), *_tail(text)]))


def _headline(result: ExecResult, timeout: float, text: str) -> str:
    if result.timed_out:
        return f"the build took longer than {timeout:.0f} s"
    if result.killed_by:
        return f"the build used too much: {result.killed_by}"
    needs = dict.fromkeys(match for pattern in _NEEDS for match in pattern.findall(text))
    return f"needs {', '.join(needs)}" if needs else f"the build ended with exit code {result.exit_code}"


def _last(pattern: re.Pattern[str], text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if pattern.search(line)]
    return lines[-1][:_WIDTH]


def _tail(text: str) -> list[str]:
    lines = [line.rstrip()[:_WIDTH] for line in text.splitlines() if line.strip()]
    return lines[-_LINES:]
