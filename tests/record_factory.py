"""Records as the probe writes them, made up by hand, and a fake pytest for the scripted runtime that writes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from builder.grading import PHASES
from builder.protocols import ExecResult
from builder.runtimes.scripted import Call, Rule, ScriptedSandbox

KEY = bytes(range(32))
Made = dict[str, Any]


def channel(*records: Made, key: bytes = KEY) -> bytes:
    """What a probe with this key would have written."""
    previous, lines = b"", []
    for number, record in enumerate(records):
        text = json.dumps({**record, "n": number}).encode("ascii")
        mac = hmac.new(key, previous + text, hashlib.sha256)
        lines.append(mac.hexdigest().encode("ascii") + b" " + text + b"\n")
        previous = mac.digest()
    return b"".join(lines)


def start() -> Made:
    return {"kind": "start", "pytest": "8.0", "python": "3.11.0", "rootdir": "/testbed", "distributed": False}


def end(status: int, collected: int) -> Made:
    return {"kind": "end", "exit": status, "collected": collected}


def phase(name: str, when: str, outcome: str = "passed", **more: Any) -> Made:
    raised = outcome == "failed" or (outcome == "skipped")
    return {"kind": "phase", "id": name, "when": when, "outcome": outcome, "seconds": 0.0, "raised": raised, **more}


def passes(name: str) -> list[Made]:
    return [phase(name, when) for when in PHASES]


def fails(name: str) -> list[Made]:
    return [phase(name, "setup"), phase(name, "call", "failed"), phase(name, "teardown")]


def collected(count: int) -> Made:
    return {"kind": "collected", "items": count, "ids": count}


def error(name: str) -> Made:
    return {"kind": "collect_error", "id": name}


Statuses = Mapping[str, str]
"""`passed` or `failed` by test id."""
_LAID_OUT = re.compile(r"base64 -d >(\S+) <<'END'\n(.*?)END", re.DOTALL)


def scripted_pytest(runs: Sequence[Statuses | ExecResult]) -> list[Rule]:
    """Answers for `scripted`: each test run has these results, in turn; an ExecResult ends one without records."""
    waiting = list(runs)

    def test(sandbox: ScriptedSandbox, call: Call) -> ExecResult:
        now = waiting.pop(0)
        if isinstance(now, ExecResult):
            return now
        settings = json.loads(sandbox.files[call.env["BUILDER_PROBE"]])
        results = [record for name, status in now.items() for record in (passes if status == "passed" else fails)(name)]
        exit_code = int("failed" in now.values())
        records = [start(), collected(len(now)), *results, end(exit_code, len(now))]
        sandbox.files[settings["channel"]] = channel(*records, key=bytes.fromhex(settings["key"]))
        return ExecResult(exit_code, b"said", wall_seconds=2.0, cpu_seconds=1.0)

    return [("git .* apply|base64 -d", prepare), (" -p p[0-9a-f]{16} ", test)]


def prepare(sandbox: ScriptedSandbox, call: Call) -> ExecResult:
    """Lay out the files of a preparation script."""
    for path, text in _LAID_OUT.findall(call.script):
        sandbox.files[path] = base64.b64decode(text)
    return ExecResult(0, b"")
