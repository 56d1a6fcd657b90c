"""The fake runtime must refuse what a real one refuses, or tests that use it prove nothing."""

from __future__ import annotations

import pytest

from builder.errors import Rejected, SandboxError
from builder.protocols import ExecResult, ImageSpec, Limits
from builder.runtimes import scripted
from builder.runtimes.scripted import Call, ScriptedSandbox

BASE = ImageSpec("base", "base", "3.11.7")
IMAGE = ImageSpec("environment", "x", "3.11.7", BASE, "script")


def test_first_matching_rule_answers() -> None:
    runtime = scripted.create(answers=[("py.est", ExecResult(0, b"first")), ("pytest", ExecResult(1, b"second"))])
    with runtime.start(IMAGE) as sandbox:
        assert sandbox.exec("run pytest", timeout=1).output == b"first"


def test_unexpected_script_is_an_error() -> None:
    """Catches a test that passes because the fake says yes to everything."""
    runtime = scripted.create(answers=[("pytest", ExecResult(0, b""))])
    with runtime.start(IMAGE) as sandbox, pytest.raises(SandboxError, match="no rule answers"):
        sandbox.exec("rm -rf /", timeout=1)


def test_an_answer_may_change_files_of_its_own_sandbox_only() -> None:
    def answer(sandbox: ScriptedSandbox, call: Call) -> ExecResult:
        sandbox.write("/testbed/out", call.env["A"].encode())
        return ExecResult(0, b"")

    runtime = scripted.create(answers=answer)
    with runtime.start(IMAGE) as one, runtime.start(IMAGE) as other:
        one.exec("x", timeout=1, env={"A": "b"})
        assert one.read("/testbed/out") == b"b"
        with pytest.raises(SandboxError):
            other.read("/testbed/out")


def test_everything_asked_for_is_recorded() -> None:
    runtime = scripted.create()
    limits = Limits(processes=3)
    with runtime.start(IMAGE, network=True, limits=limits, cache="c") as sandbox:
        sandbox.exec("a", timeout=5, env={"A": "b"}, workdir="/tmp")
        assert runtime.live == 1
    assert runtime.live == 0
    assert runtime.calls == [Call("a", 5, {"A": "b"}, "/tmp", IMAGE.digest)]
    assert runtime.started == [scripted.Start(IMAGE, True, limits, "c")]


def test_builds_parents_first_and_once() -> None:
    runtime = scripted.create()
    assert [runtime.build(IMAGE).cached, runtime.build(IMAGE).cached] == [False, True]
    assert runtime.builds == [BASE, IMAGE]
    runtime.purge()
    assert not runtime.build(IMAGE).cached


def test_failed_build_is_not_kept() -> None:
    """Catches a retry that finds the failure's image built."""
    errors: list[Exception | None] = [None, Rejected("env_failed"), None]
    runtime = scripted.create(build_error=lambda _image: errors.pop(0))
    with pytest.raises(Rejected):
        runtime.build(IMAGE)
    assert not runtime.build(IMAGE).cached
