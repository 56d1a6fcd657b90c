"""What machine an image is for, as OCI names it: `linux/amd64`. Everything is built for the machine that builds it."""

from __future__ import annotations

import platform

_ARCHITECTURES = {"x86_64": "amd64", "x64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i386": "386", "i686": "386"}
"""Where the kernel's name differs from Go's, which the image specification refers to."""


def of(machine: str) -> str:
    """The platform of a kernel's or an engine's name for an architecture: `x86_64`, `arm64`."""
    lowered = machine.lower()
    return f"linux/{_ARCHITECTURES.get(lowered, lowered)}"


def here() -> str:
    """The platform of this machine."""
    return of(platform.machine())
