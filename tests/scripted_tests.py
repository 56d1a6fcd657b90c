"""A scripted runtime whose test command answers as the probe would: authentic records, and the exit code they mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.protocols import ExecResult
from builder.runtimes.scripted import Call, ScriptedRuntime, ScriptedSandbox, create

_LAID_OUT = re.compile(r"base64 -d >(\S+) <<'END'\n(.*?)END$", re.DOTALL | re.MULTILINE)
_SHAPES: dict[str, tuple[dict[str, Any], ...]] = {
    "passed": ({"outcome": "passed"},) * 3,
    "failed": ({"outcome": "passed"}, {"outcome": "failed"}, {"outcome": "passed"}),
    "error": ({"outcome": "failed"}, {"outcome": "passed"}),
    "skipped": ({"outcome": "skipped"}, {"outcome": "passed"}),
    "xfailed": ({"outcome": "passed"}, {"outcome": "skipped", "xfail": True}, {"outcome": "passed"}),
    "xpassed": ({"outcome": "passed"}, {"outcome": "passed", "xfail": True}, {"outcome": "passed"}),
}


@dataclass(frozen=True)
class Script:
    """What one run of the test command does. `exit_code`: None means what pytest would say to such tests."""

    tests: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[str] = ()
    exit_code: int | None = None
    timed_out: bool = False
    killed_by: str = ""
    channel: bytes | None = None
    patch_refused: bytes = b""


def laid_out(script: str) -> dict[str, bytes]:
    """The files that a preparation writes, by path."""
    return {path: base64.b64decode(text) for path, text in _LAID_OUT.findall(script)}


def signed(records: Iterable[Mapping[str, Any]], key: bytes) -> bytes:
    """A channel that holds these records, numbered and authenticated."""
    previous, lines = b"", []
    for number, record in enumerate(records):
        text = json.dumps({**record, "n": number}).encode("ascii")
        mac = hmac.new(key, previous + text, hashlib.sha256)
        previous = mac.digest()
        lines.append(mac.hexdigest().encode("ascii") + b" " + text + b"\n")
    return b"".join(lines)


def records_of(script: Script) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = [{"kind": "start"}]
    records += [{"kind": "collect_error", "id": name} for name in script.errors]
    for name, status in script.tests.items():
        whens = ("setup", "teardown") if len(_SHAPES[status]) == 2 else ("setup", "call", "teardown")
        for when, shape in zip(whens, _SHAPES[status], strict=True):
            records.append({"kind": "phase", "id": name, "when": when, "raised": shape["outcome"] != "passed", **shape})
    return [*records, {"kind": "end", "exit": exit_code_of(script), "collected": len(script.tests)}]


def exit_code_of(script: Script) -> int:
    if script.exit_code is not None:
        return script.exit_code
    if script.errors or any(status in ("failed", "error") for status in script.tests.values()):
        return 1
    return 0 if script.tests else 5


class Rehearsed:
    """Answers each preparation with success, and each test command with the next script of its side.

    A side is named by the number of patches: `scripts[1]` are the runs with one patch. Every run uses its next script,
    and the last one again.
    """

    def __init__(self, scripts: Mapping[int, Sequence[Script]]) -> None:
        self._left = {count: list(queue) for count, queue in scripts.items()}
        self.patches: list[list[bytes]] = []

    def __call__(self, sandbox: ScriptedSandbox, call: Call) -> ExecResult:
        if "BUILDER_PROBE" in call.env:
            return self._test_command(sandbox, call)
        return self._preparation(sandbox, call)

    def _preparation(self, sandbox: ScriptedSandbox, call: Call) -> ExecResult:
        files = laid_out(call.script)
        if not files:
            return ExecResult(1, b"")
        patches = [content for path, content in files.items() if path.endswith(".patch")]
        self.patches.append(patches)
        sandbox.files.update({path: content for path, content in files.items() if not path.endswith(".patch")})
        refused = self._left[len(patches)][0].patch_refused
        return ExecResult(65, refused) if refused else ExecResult(0, b"")

    def _test_command(self, sandbox: ScriptedSandbox, call: Call) -> ExecResult:
        queue = self._left[len(self.patches[-1])]
        script = queue.pop(0) if len(queue) > 1 else queue[0]
        settings = json.loads(sandbox.files[call.env["BUILDER_PROBE"]])
        written = signed(records_of(script), bytes.fromhex(settings["key"]))
        sandbox.files[settings["channel"]] = written if script.channel is None else script.channel
        exit_code = None if script.timed_out or script.killed_by else exit_code_of(script)
        return ExecResult(
            exit_code, b"output \xff", script.timed_out, killed_by=script.killed_by, wall_seconds=1.5, cpu_seconds=1.25
        )


def rehearse(scripts: Mapping[int, Sequence[Script]]) -> tuple[ScriptedRuntime, Rehearsed]:
    """A runtime that plays these scripts, and the actor, which keeps what it was given."""
    actor = Rehearsed(scripts)
    return create(answers=actor), actor
