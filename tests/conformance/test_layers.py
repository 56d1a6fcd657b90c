"""Images are layers: built once, stacked, and gone without a trace if they fail."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.errors import Rejected, SandboxError
from builder.models import Reason
from builder.protocols import BuiltImage, ContextFile, ImageSpec, Leftovers, Limits, Runtime
from conformance.conftest import FOREVER, KNOWN, REAL, Image, emptied, new_runtime, processes_named


@pytest.fixture(params=REAL)
def kind(request: pytest.FixtureRequest) -> str:
    """The entry of `REAL` that `fresh` is."""
    return str(request.param)


@pytest.fixture
def fresh(kind: str, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime over a workspace of its own."""
    with emptied(new_runtime(kind, tmp_path / "workspace")) as created:
        yield created


def _shown(runtime: Runtime, image: ImageSpec, script: str) -> str:
    with runtime.start(image) as sandbox:
        return sandbox.exec(script, timeout=30).output.decode()


def test_layers_stack(runtime: Runtime, image: Image) -> None:
    """Catches a layer that hides, or fails to hide, what lies below it, and links and modes lost on the way."""
    lower = image("mkdir sub; echo low >sub/a; echo low >sub/b; echo low >/opt/env/x; ln -s sub link; chmod 750 sub")
    upper = image("echo high >sub/b; echo high >sub/c; echo '#!/bin/sh' >/opt/env/y; chmod +x /opt/env/y", parent=lower)
    script = "cat sub/a sub/b sub/c /opt/env/x; readlink link; stat -c %a sub; /opt/env/y && echo runs"
    assert _shown(runtime, upper, script).split() == ["low", "high", "high", "low", "sub", "750", "runs"]
    assert _shown(runtime, lower, "cat sub/b; ls sub /opt/env").split() == ["low", "/opt/env:", "x", "sub:", "a", "b"]


def test_removed_files_stay_removed(runtime: Runtime, image: Image) -> None:
    """Catches whiteouts and opaque directories that come apart when a layer becomes the lower one of the next."""
    lower = image("mkdir -p d e; touch gone stays d/old e/old")
    upper = image("rm gone; rm -r d; mkdir d; touch d/new; rm -r e", parent=lower)
    top = image("mkdir e; touch e/newer; rm d/new", parent=upper)
    assert _shown(runtime, upper, "find . -type f | sort").split() == ["./d/new", "./stays"]
    assert _shown(runtime, top, "find . | sort").split() == [".", "./d", "./e", "./e/newer", "./stays"]


def test_moved_directories(runtime: Runtime, image: Image) -> None:
    """Catches a rename of a lower directory, which an overlay may refuse or keep as a reference."""
    lower = image("mkdir -p a/b; echo text >a/b/file")
    upper = image("mv a z; mkdir a; touch a/other", parent=lower)
    assert _shown(runtime, upper, "cat z/b/file; ls a").split() == ["text", "other"]


def test_what_is_no_layer_is_not_kept(runtime: Runtime, image: Image) -> None:
    """Catches temporary files and a home directory that reach later sandboxes."""
    spec = image("touch /tmp/t ~/h /var/tmp/v; touch kept")
    assert _shown(runtime, spec, "ls /testbed /tmp ~ /var/tmp | grep -v :").split() == ["kept"]


def test_sandbox_does_not_change_its_image(runtime: Runtime, image: Image) -> None:
    spec = image("echo built >file")
    assert _shown(runtime, spec, "echo changed >file; rm -rf .git; touch new; cat file") == "changed\n"
    assert _shown(runtime, spec, "cat file; ls") == "built\nfile\n"


def test_build_is_idempotent(runtime: Runtime, image: Image) -> None:
    """Catches a second build of what is there (T26), and sizes that a cached answer forgets."""
    spec = image("head -c 1000000 /dev/urandom >idempotent")
    first, second = runtime.build(spec), runtime.build(spec)
    assert (first.cached, second.cached) == (False, True)
    assert first.digest == second.digest == spec.digest
    assert 1_000_000 <= first.layer_bytes == second.layer_bytes < 1_200_000


def test_layer_bytes_are_what_the_layer_adds(runtime: Runtime, image: Image) -> None:
    lower = image("head -c 5M /dev/urandom >layer-bytes")
    runtime.build(lower)
    assert runtime.build(image("touch layer-bytes-2", parent=lower)).layer_bytes < 100_000


def test_a_layer_outlives_its_runtime(fresh: Runtime, kind: str, image: Image, tmp_path: Path) -> None:
    spec = image("touch file")
    fresh.build(spec)
    assert new_runtime(kind, tmp_path / "workspace").build(spec).cached


def test_parallel_builds_of_one_image_run_once(runtime: Runtime, image: Image, tmp_path: Path) -> None:
    """Catches two workers that build the same environment side by side (T26)."""
    spec = image("echo once; touch parallel")
    log = tmp_path / "log"

    def build(_: int) -> BuiltImage:
        return runtime.build(spec, log=log)

    with ThreadPoolExecutor(6) as pool:
        built = list(pool.map(build, range(6)))
    assert sorted(one.cached for one in built) == [False] + [True] * 5
    assert log.read_text() == "once\n"


def test_context_files(runtime: Runtime, image: Image, tmp_path: Path) -> None:
    """Catches context that can be written, or that stays in the image."""
    source = tmp_path / "x"
    source.write_bytes(b"context\n")
    spec = image(
        "cat /context/given >copy; echo >>/context/given || true", context=(ContextFile("given", source, "1"),)
    )
    assert _shown(runtime, spec, "cat copy; ls -A /context 2>/dev/null") == "context\n"
    assert source.read_bytes() == b"context\n"


def test_cache_is_shared_by_name_only(runtime: Runtime, image: Image) -> None:
    """Catches one repository's build writing into what another installs from."""
    runtime.build(image("echo mine >/cache/file", cache="owner/one"))
    with runtime.start(image(), cache="owner/one") as same, runtime.start(image(), cache="owner/two") as other:
        assert same.exec("cat /cache/file", timeout=10).output == b"mine\n"
        assert other.exec("ls -A /cache", timeout=10).output == b""
    assert _shown(runtime, image(), "ls -A /cache 2>/dev/null; echo end") == "end\n"


def test_build_environment_ends_with_the_build(runtime: Runtime, image: Image) -> None:
    spec = image('echo "$FLAG" >flag', env={"FLAG": "a b"})
    assert _shown(runtime, spec, 'cat flag; echo "<$FLAG>"') == "a b\n<>\n"


def test_failed_build(fresh: Runtime, image: Image, tmp_path: Path) -> None:
    """T21: catches a half-built layer that is taken for a whole one, and a reason without the lines that matter."""
    log = tmp_path / "log"
    spec = image("touch half; for i in $(seq 50); do echo line $i; done; echo ERROR: no matching wheel; exit 3")
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            fresh.build(spec, log=log)
        assert caught.value.reason == Reason.ENV_FAILED
        assert caught.value.detail.startswith("the build ended with exit code 3\n")
        assert caught.value.detail.endswith("\nERROR: no matching wheel")
        assert "line 1\n" not in caught.value.detail
    assert log.read_text().count("line 1\n") == 2
    assert [path for path in (tmp_path / "workspace").rglob("half*") if path.name == "half"] == []
    assert fresh.clean().layers == 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sleep 60", "took longer than 1 s"),
        ("no-such-compiler x.c", "needs no-such-compiler"),
        ("echo 'x.c:1:10: fatal error: pcre.h: No such file or directory'; exit 1", "needs pcre.h"),
    ],
)
def test_reason_of_a_failed_build(runtime: Runtime, image: Image, script: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        runtime.build(image(script), timeout=1 if "sleep" in script else 60)


def test_missing_system_package_is_named(runtime: Runtime, image: Image) -> None:
    packages = {"bash": "command -v bash", "openjdk-99": "command -v no-such-java", "odd": "exit 9"}
    with pytest.raises(Rejected) as caught:
        runtime.build(image("touch never", system_packages=packages))
    assert (caught.value.reason, caught.value.detail) == (Reason.ENV_FAILED, "needs openjdk-99, odd")


def test_failed_parent_is_the_childs_reason(runtime: Runtime, image: Image) -> None:
    child = image("true", parent=image("echo the parent failed; false"))
    with pytest.raises(Rejected, match="the parent failed"), runtime.start(child):
        pass


_OWNER = """
import sys
from pathlib import Path
from builder import interpreters
from builder.protocols import ImageSpec
from conformance.conftest import create
script = "echo half > half; sleep " + sys.argv[5]
runtime = create(sys.argv[1], Path(sys.argv[2]))
base = ImageSpec("base", "base", sys.argv[3])
if sys.argv[4] == "build":
    runtime.build(ImageSpec("environment", "x", sys.argv[3], base, script, cache="c"))
with runtime.start(ImageSpec("environment", "x", sys.argv[3], base, "true"), cache="c") as sandbox:
    sandbox.exec(script, timeout=600)
"""


@pytest.mark.parametrize("stage", ["build", "run"])
def test_t62_leftovers_of_a_killed_owner(fresh: Runtime, kind: str, image: Image, tmp_path: Path, stage: str) -> None:
    """T62: catches processes, sandboxes and half-built layers that outlive a `kill -9`."""
    workspace = tmp_path / "workspace"
    command = [sys.executable, "-c", _OWNER, kind, str(workspace), image().python, stage, FOREVER]
    with subprocess.Popen(command, cwd=Path(__file__).parent.parent) as owner:
        _wait_until_there(FOREVER)
        assert fresh.clean() == Leftovers(), "what is alive must stay"
        owner.send_signal(signal.SIGKILL)
    left = fresh.clean()
    assert (left.sandboxes, left.layers) == ((0, 1) if stage == "build" else (1, 0))
    assert left.bytes > 0
    assert fresh.clean().sandboxes == 0
    assert [path for path in workspace.rglob("half") if path.is_file()] == []
    _wait_until_gone(FOREVER)


def _wait_until_there(word: str) -> None:
    """Until a sandbox runs `sleep` with this word; the owner's own command line holds it, too."""
    while not any(b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()[:6] for pid in processes_named(word)):
        threading.Event().wait(0.05)


def _wait_until_gone(word: str) -> None:
    """The kernel kills what a killed owner ran, in its own time."""
    for pid in processes_named(word):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        with os.fdopen(handle, "rb") as ended:
            assert select.select([ended], [], [], 30)[0], f"process {pid} lives on"


def test_purge(fresh: Runtime, image: Image) -> None:
    """Catches space that cannot be had back, and a runtime that cannot be used afterwards."""
    spec = image("head -c 1000000 /dev/zero >file; head -c 1000000 /dev/zero >/cache/file", cache="c")
    fresh.build(spec)
    assert fresh.purge() >= 2_000_000
    assert not fresh.build(spec).cached
    assert fresh.purge() >= 2_000_000
    assert fresh.purge() == 0


def test_images_are_listed_and_removed_one_by_one(fresh: Runtime, image: Image) -> None:
    below = image("head -c 1000000 /dev/zero >file")
    above = [image(f"echo {n} >file{n}", parent=below) for n in range(2)]
    for spec in above:
        fresh.build(spec)
    found = {one.digest: one for one in fresh.stored()}
    assert {digest: one.parent for digest, one in found.items() if digest != below.digest} == {
        spec.digest: below.digest for spec in above
    }
    assert found[below.digest].bytes >= 1_000_000
    assert found[below.digest].parent not in found
    fresh.remove([above[0].digest])
    assert {one.digest for one in fresh.stored()} == {below.digest, above[1].digest}
    assert fresh.layers(above[0]) == ()
    assert _shown(fresh, above[1], "cat file1") == "1\n"
    assert _shown(fresh, above[0], "cat file0") == "0\n"


@pytest.mark.parametrize("stage", ["build", "exec"])
def test_close_kills_what_runs(fresh: Runtime, image: Image, stage: str) -> None:
    """Catches Ctrl-C that waits for the longest test run, and work that starts after it."""
    running = threading.Event()

    def work() -> None:
        if stage == "build":
            running.set()
            fresh.build(image("sleep $FOREVER", env=KNOWN))
        with fresh.start(image()) as sandbox:
            running.set()
            sandbox.exec("sleep $FOREVER", timeout=600, env=KNOWN)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        running.wait(60)
        fresh.close()
        assert isinstance(future.exception(60), SandboxError)
    assert processes_named(FOREVER) == []
    with pytest.raises(SandboxError), fresh.start(image()):
        pass
    assert fresh.clean().sandboxes == 0


def test_sandboxes_of_many_threads(runtime: Runtime, image: Image) -> None:
    """Catches shared state, and commands that die with a thread that has only started others."""

    def work(number: int) -> bytes:
        with runtime.start(image(), limits=Limits()) as sandbox:
            sandbox.write("/testbed/number", b"%d" % number)
            return sandbox.exec("cat number", timeout=60).output

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(8))) == [b"%d" % number for number in range(8)]


def test_commands_survive_the_thread_that_started_the_sandbox(runtime: Runtime, image: Image) -> None:
    """Catches death by parent: the kernel means the thread that forked, not its process."""
    with ThreadPoolExecutor(1) as opener:
        context = runtime.start(image())
        sandbox = opener.submit(context.__enter__).result()
        opener.submit(sandbox.exec, "touch file", timeout=30).result()
    assert sandbox.exec("ls", timeout=30).output == b"file\n"
    context.__exit__(None, None, None)


def test_no_descriptors_are_left_open(runtime: Runtime, image: Image) -> None:
    """Catches a run of thousands of sandboxes that ends with too many open files."""
    with runtime.start(image()) as sandbox:
        sandbox.exec("true", timeout=30)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with runtime.start(image()) as sandbox:
        sandbox.write("/tmp/x", b"")
        sandbox.exec("sleep 9", timeout=0.1)
        with pytest.raises(SandboxError):
            sandbox.exec("true", timeout=10, workdir="/missing")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
