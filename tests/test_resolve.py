"""Catches resolutions that drift from their date, hide what gave way, or blame a repository for a broken network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder import resolve
from builder.errors import NetworkMissingError, Rejected
from builder.models import Lock, Requirement
from builder.protocols import ExecResult
from builder.requirements import ProjectMetadata
from builder.runtimes.scripted import Call, ScriptedSandbox
from builder.source_tree import SourceTree
from builder.templating import Templates

TEMPLATES = Templates(Path(__file__).parents[1] / "templates")
TARGET = resolve.Target("3.9", datetime(2022, 4, 7, tzinfo=UTC))
FACTS = {"name": "own", "version": "1", "requires": ["a"], "extras": ["x"], "can_build_editable": False}


def answering(*results: ExecResult) -> ScriptedSandbox:
    """A sandbox that compiles and installs with these results, one after the other, and has a lock at the end."""
    remaining = list(results)
    files = {"/tmp/lock.txt": b"a==1 --hash=sha256:aa\n", "/tmp/requires.txt": b"wheel\n"}
    files["/tmp/metadata.json"] = json.dumps(FACTS).encode()
    return ScriptedSandbox([("", lambda _sandbox, _call: remaining.pop(0))], files)


def resolved(sandbox: ScriptedSandbox, *lines: str, constraints: Sequence[str] = ()) -> Lock:
    requirements = [Requirement(text=line, tier=tier, source="x") for tier, line in enumerate(lines, 1)]
    return resolve.resolve(sandbox, TEMPLATES, requirements, constraints, "own", TARGET)


def failure(text: str) -> ExecResult:
    return ExecResult(2, text.encode())


def scripts(sandbox: ScriptedSandbox) -> list[Call]:
    return sandbox.calls


def test_everything_is_resolved_at_once_as_of_the_date_and_tried_out() -> None:
    sandbox = answering(ExecResult(0, b""), ExecResult(0, b""))
    lock = resolved(sandbox, "a>=1", "b", constraints=["c<2"])
    compile_script, try_script = (call.script for call in scripts(sandbox))
    assert sandbox.files["/tmp/requirements.in"] == b"a>=1\nb\n"
    assert sandbox.files["/tmp/constraints.txt"] == b"c<2\n"
    assert "--exclude-newer 2022-04-07T00:00:00Z" in compile_script
    assert "--generate-hashes" in compile_script
    assert "--require-hashes" in try_script
    assert "UV_EXCLUDE_NEWER=2022-04-07T00:00:00Z" in try_script
    assert (lock.python, lock.as_of, lock.text) == ("3.9", TARGET.as_of, "a==1 --hash=sha256:aa\n")


def test_t23_the_project_itself_is_never_taken_from_the_index() -> None:
    sandbox = answering(ExecResult(0, b""), ExecResult(0, b""))
    resolved(sandbox, "own-plugin")
    assert sandbox.files["/tmp/overrides.txt"] == b"own ; sys_platform == 'never'\n"


def test_what_gave_way_is_in_the_lock() -> None:
    conflict = failure("No solution found: there is no version of moto==1.dev4 and you require moto==1.dev4")
    sandbox = answering(conflict, ExecResult(0, b""), ExecResult(0, b""))
    lock = resolved(sandbox, "moto==1.dev4", constraints=["moto==1.dev4", "z<1"])
    assert lock.relaxed == ("moto==1.dev4",)
    assert sandbox.files["/tmp/requirements.in"] == b"moto\n"
    assert sandbox.files["/tmp/constraints.txt"] == b"z<1\n"


def test_a_distribution_that_does_not_install_gives_way_too() -> None:
    """The resolver is content with a source distribution that cannot be built."""
    broken = failure("Failed to build `b==1.0`")
    sandbox = answering(ExecResult(0, b""), broken, ExecResult(0, b""), broken, ExecResult(0, b""), ExecResult(0, b""))
    lock = resolved(sandbox, "a", "b")
    assert "--only-binary b" in scripts(sandbox)[2].script
    assert lock.dropped == ("b",)


def test_when_nothing_can_give_way_the_last_words_are_the_reason() -> None:
    with pytest.raises(Rejected, match=r"env_failed: .*nobody can"):
        resolved(answering(failure("error: nobody can")), "a")


def test_t61_a_network_that_is_down_is_no_verdict_on_the_repository() -> None:
    with pytest.raises(NetworkMissingError):
        resolved(answering(failure("error: dns error: failed to lookup address")), "a")
    with pytest.raises(NetworkMissingError):
        metadata(answering(failure("tcp connect error: error sending request"), failure("error sending request")))


def metadata(sandbox: ScriptedSandbox, text: str = "") -> ProjectMetadata:
    files = {"pyproject.toml": text, "setup.py": ""}
    return resolve.read_metadata(sandbox, TEMPLATES, SourceTree(frozenset(files), files.get), TARGET, {"V": "1 0"})


def test_metadata_is_built_with_tools_of_the_date() -> None:
    sandbox = answering(ExecResult(0, b""))
    text = "[build-system]\nrequires = ['hatchling<2']\nbuild-backend = 'hatchling.build'\nbackend-path = ['b']\n"
    found = metadata(sandbox, text)
    script = scripts(sandbox)[0].script
    assert "UV_EXCLUDE_NEWER=2022-04-07T00:00:00Z" in script
    assert "export V='1 0'" in script
    assert "'hatchling<2'" in script
    assert "hatchling.build b" in script
    assert (found.name, found.requires, found.extras) == ("own", ("a",), ("x",))
    assert found.build_requires == ("hatchling<2", "wheel")
    assert (found.can_build_editable, found.has_setup_py) == (False, True)


def test_setuptools_too_old_for_the_interface_is_replaced() -> None:
    sandbox = answering(failure("no attribute build_meta"), ExecResult(0, b""))
    metadata(sandbox, "broken = [")
    assert "setuptools>=40.8,<64" in scripts(sandbox)[1].script


def test_metadata_that_cannot_be_built_is_a_reason() -> None:
    with pytest.raises(Rejected, match=r"env_failed: .*metadata.*boom"):
        metadata(answering(failure("boom"), failure("boom")))
