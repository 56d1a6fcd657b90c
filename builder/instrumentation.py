"""What a sandbox needs so that pytest reports to us: the probe's files, its settings, its place in the environment."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROBE = Path(__file__).parent / "probe" / "builder_probe.py"
_DISTRIBUTES = re.compile(r"(^|\s)(-n\s*=?\s*(\d|auto|logical)|--numprocesses|--dist\b|--tx\b|-d\s)")

_ALL_TESTS = {"maxfail": 0, "continue_on_collection_errors": True, "maxworkerrestart": 64}
"""A run that stops at the first failure or collection error says nothing about the tests that were not tried. Old
xdist replaces workers that cannot even start without end, as long as there is memory."""
_SAME_ORDER = {"randomly_seed": 0, "random_order_seed": "0"}
"""The seeds of pytest-randomly and pytest-random-order: each run shuffles alike (T37)."""
_ONE_PROCESS = {"numprocesses": 0, "dist": "no", "tx": []}
"""What `-n0` sets. Workers spend the cores that other sandboxes want, and vary the order of the tests."""


@dataclass(frozen=True)
class Instrument:
    """One run's probe: random names, a fresh key. `files` are to be written into the sandbox before the run."""

    plugin: str
    key: bytes
    channel: str
    files: Mapping[str, bytes]
    env: Mapping[str, str]


def instrument(directory: str, test_cmd: str, test_env: Mapping[str, str]) -> Instrument:
    """Prepare a probe below `directory`, an absolute path inside the sandbox that exists for this run only.

    The test command must get `-p <plugin>`, and `env` besides `test_env`. Where the repository's own configuration
    asks for xdist the probe turns it off, as `-n0` would; a `test_cmd` that asks for it is obeyed.
    """
    plugin, key, channel = f"p{secrets.token_hex(8)}", secrets.token_bytes(32), f"{directory}/{secrets.token_hex(16)}"
    settings, importable = f"{directory}/{secrets.token_hex(16)}", f"{directory}/{plugin}.d"
    before = test_env.get("PYTHONPATH")
    source = _PROBE.read_bytes()
    content = {"key": key.hex(), "channel": channel, "pythonpath": before, "options": _options(test_cmd)}
    return Instrument(
        plugin=plugin,
        key=key,
        channel=channel,
        files={
            f"{importable}/{plugin}.py": source,
            f"{importable}/sitecustomize.py": source,
            settings: json.dumps(content).encode("ascii"),
        },
        env={"BUILDER_PROBE": settings, "PYTHONPATH": f"{importable}:{before}" if before else importable},
    )


def _options(test_cmd: str) -> dict[str, Any]:
    always = {**_ALL_TESTS, **_SAME_ORDER}
    return always if _DISTRIBUTES.search(test_cmd) else {**always, **_ONE_PROCESS}
