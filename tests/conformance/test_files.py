"""Files in a sandbox: what is written is what is read, byte for byte, and trouble is a SandboxError."""

from __future__ import annotations

import random

import pytest

from builder.errors import SandboxError
from builder.protocols import Runtime, Sandbox
from conformance.conftest import Image


@pytest.mark.parametrize(
    "data",
    [b"", b"text\n", "größe ☃ 中文\n".encode(), bytes(range(256)), b"\xff\xfe no \x00 text \r\n", b"no newline"],
    ids=["empty", "text", "unicode", "all-bytes", "not-utf8", "no-newline"],
)
def test_round_trip(storing_sandbox: Sandbox, data: bytes) -> None:
    """Catches decoding, newline translation and shell quoting on the way in or out."""
    storing_sandbox.write("/testbed/file", data)
    assert storing_sandbox.read("/testbed/file") == data


def test_large_file(storing_sandbox: Sandbox) -> None:
    """Catches argument-length limits, pipes that fill up, and output limits applied to files."""
    data = random.Random(0).randbytes(50 * 1024**2)
    storing_sandbox.write("/testbed/large", data)
    assert storing_sandbox.read("/testbed/large") == data


@pytest.mark.parametrize(
    "path",
    [
        "/testbed/a/b/c",
        "/testbed/with space",
        "/testbed/-n",
        "/testbed/$(id)",
        "/testbed/'\"",
        "/testbed/ü\n",
        "/tmp/x",
    ],
)
def test_any_name(storing_sandbox: Sandbox, path: str) -> None:
    """Catches missing parents, and names that a shell takes for something else."""
    storing_sandbox.write(path, b"here")
    assert storing_sandbox.read(path) == b"here"


def test_overwriting(storing_sandbox: Sandbox) -> None:
    """Catches appending, and the tail of a longer file left behind."""
    storing_sandbox.write("/testbed/file", b"a longer text")
    storing_sandbox.write("/testbed/file", b"short")
    assert storing_sandbox.read("/testbed/file") == b"short"


def test_missing_file(storing_sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="no such file"):
        storing_sandbox.read("/testbed/missing")


def test_directory_is_no_file(storing_sandbox: Sandbox) -> None:
    storing_sandbox.write("/testbed/directory/file", b"")
    with pytest.raises(SandboxError, match="not a regular file"):
        storing_sandbox.read("/testbed/directory")
    with pytest.raises(SandboxError, match="directory"):
        storing_sandbox.write("/testbed/directory", b"")


def test_file_is_no_directory(storing_sandbox: Sandbox) -> None:
    storing_sandbox.write("/testbed/file", b"")
    with pytest.raises(SandboxError):
        storing_sandbox.write("/testbed/file/below", b"")


@pytest.mark.parametrize("path", ["relative", "", "/testbed/nul\0byte"])
def test_nonsense_path(storing_sandbox: Sandbox, path: str) -> None:
    with pytest.raises(SandboxError):
        storing_sandbox.read(path)
    with pytest.raises(SandboxError):
        storing_sandbox.write(path, b"")


def test_too_large_to_read(storing_sandbox: Sandbox) -> None:
    """Catches a hostile file that fills our memory."""
    storing_sandbox.write("/testbed/file", b"x" * 10_001)
    assert len(storing_sandbox.read("/testbed/file", max_bytes=10_001)) == 10_001
    with pytest.raises(SandboxError, match="larger than 10000 bytes"):
        storing_sandbox.read("/testbed/file", max_bytes=10_000)


def test_each_start_is_a_fresh_copy(storing_runtime: Runtime, image: Image) -> None:
    """T37: catches state that leaks from one run into the next."""
    paths = [f"{place}/left" for place in ("/testbed", "/opt/env", "/tmp", "/home/agent")]
    with storing_runtime.start(image()) as first:
        for path in paths:
            first.write(path, b"")
    with storing_runtime.start(image()) as second:
        for path in paths:
            with pytest.raises(SandboxError, match="no such file"):
                second.read(path)


def test_no_permission(sandbox: Sandbox) -> None:
    """Catches a sandbox whose user is root after all."""
    sandbox.exec("echo secret >file; chmod 000 file; mkdir dir; chmod 500 dir", timeout=10)
    with pytest.raises(SandboxError, match="denied"):
        sandbox.read("/testbed/file")
    with pytest.raises(SandboxError, match="denied"):
        sandbox.write("/testbed/dir/file", b"")
    with pytest.raises(SandboxError, match=r"Read-only|denied"):
        sandbox.write("/usr/bin/file", b"")


@pytest.mark.parametrize("kind", ["mkfifo it", "ln -s /dev/zero it", "ln -s it it", "ln -s /proc/self/fd/0 it"])
def test_special_files_are_not_read(sandbox: Sandbox, kind: str) -> None:
    """Catches a result file replaced by something that never ends."""
    assert sandbox.exec(kind, timeout=10).ok
    with pytest.raises(SandboxError):
        sandbox.read("/testbed/it")


def test_links_stay_inside(sandbox: Sandbox) -> None:
    """Catches writing through a link of the sandbox into the machine's own files."""
    assert sandbox.exec("ln -s /etc/passwd p; ln -s ../../../../etc d", timeout=10).ok
    assert b"agent:" in sandbox.read("/testbed/p")
    with pytest.raises(SandboxError):
        sandbox.write("/testbed/p", b"")
    with pytest.raises(SandboxError):
        sandbox.write("/testbed/d/new", b"")
