"""Commands in a sandbox: what comes back, and that nothing stays."""

from __future__ import annotations

import pytest

from builder.errors import SandboxError
from builder.protocols import Limits, Runtime, Sandbox
from conformance.conftest import FOREVER, KNOWN, Image, processes_named


def test_output(sandbox: Sandbox) -> None:
    """T39: catches stdout and stderr out of order, and text that is not UTF-8 changed."""
    result = sandbox.exec(r"echo one; echo two >&2; echo three; printf 'gr\xc3\xb6\xff\0'", timeout=10)
    assert result.output == b"one\ntwo\nthree\ngr\xc3\xb6\xff\0"
    assert (result.exit_code, result.timed_out, result.truncated, result.killed_by) == (0, False, False, "")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 0", 0),
        ("exit 7", 7),
        ("false", 1),
        ("no-such-command-here", 127),
        ("/etc/passwd", 126),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        ("kill -SEGV $$", 139),
        ("exec sh -c 'exit 300'", 44),
        ("if", 2),
    ],
)
def test_exit_code(sandbox: Sandbox, script: str, code: int) -> None:
    """Catches signals lost in process 1, and our own codes mistaken for the command's."""
    assert sandbox.exec(script, timeout=10).exit_code == code


def test_no_word_of_ours_in_the_output(sandbox: Sandbox) -> None:
    """Catches "Killed" and job messages of an outer shell in the output."""
    assert sandbox.exec("sh -c 'kill -9 $$' 2>/dev/null; kill -9 $$", timeout=10).output.count(b"Killed") <= 1
    assert sandbox.exec("kill -9 $$", timeout=10).output == b""


def test_t14_any_length_of_script(sandbox: Sandbox) -> None:
    """T14: catches scripts handed over on a command line, which ends at 128 KiB an argument."""
    script = ": " + "x" * 3_000_000 + "\necho ${#BASH_SOURCE} done\n"
    assert sandbox.exec(script, timeout=30).output.endswith(b"done\n")


def test_script_with_bytes_that_are_no_text(sandbox: Sandbox) -> None:
    """Catches a path of a repository, decoded with surrogateescape, that cannot be encoded again."""
    assert sandbox.exec("printf %s 'gr\udcf6\udcdfe'", timeout=10).output == b"gr\xf6\xdfe"


def test_t22_environment(sandbox: Sandbox) -> None:
    """T22: catches the caller's variables in the sandbox, and missing ones."""
    variables = dict(
        line.split("=", 1)
        for line in sandbox.exec("env", timeout=10, env={"A": "b c\n'$HOME'"}).output.decode().split("\n")
        if "=" in line
    )
    shells_own = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert variables.keys() - shells_own == {"A", "HOME", "LANG", "PATH", "PYTHONHASHSEED", "TZ", "VIRTUAL_ENV"}
    assert variables["PATH"].startswith("/opt/env/bin:")
    assert (variables["TZ"], variables["LANG"], variables["PYTHONHASHSEED"]) == ("UTC", "C.UTF-8", "0")
    assert sandbox.exec('printf %s "$A"', timeout=10, env={"A": "b c\n'$HOME'"}).output == b"b c\n'$HOME'"


def test_interpreter_and_tools_are_on_path(sandbox: Sandbox, image: Image) -> None:
    """Catches a base without the interpreter that the image names, or a second one before it."""
    script = (
        "python3 -c 'import platform; print(platform.python_version())'; uv --version; git --version; bash --version"
    )
    lines = sandbox.exec(script, timeout=60).output.decode().splitlines()
    assert lines[0] == image().python
    assert lines[1].startswith("uv ")
    assert lines[2].startswith("git ")


def test_working_directory(sandbox: Sandbox) -> None:
    assert sandbox.exec("pwd", timeout=10).output == b"/testbed\n"
    assert sandbox.exec("pwd", timeout=10, workdir="/tmp").output == b"/tmp\n"
    with pytest.raises(SandboxError):
        sandbox.exec("true", timeout=10, workdir="/missing")


def test_files_persist_between_commands_and_processes_do_not(sandbox: Sandbox) -> None:
    """Catches a sandbox that starts afresh with each command, and a server that outlives its command (T40)."""
    sandbox.exec("echo kept >file; sleep $FOREVER & echo $! >pid", timeout=10, env=KNOWN)
    assert sandbox.exec("cat file", timeout=10).output == b"kept\n"
    assert processes_named(FOREVER) == []


def test_no_descriptor_of_ours(sandbox: Sandbox) -> None:
    """Catches a descriptor through which a script could talk to us or forge our own records."""
    listed = sandbox.exec("exec ls /proc/self/fd", timeout=10).output.split()
    assert listed == [b"0", b"1", b"2", b"3"], "the last is that of `ls`"


def test_no_input(sandbox: Sandbox) -> None:
    """Catches a command that waits for our terminal."""
    assert sandbox.exec("cat; read -r x; echo end; test -t 0 || : >/dev/tty", timeout=10).output.startswith(b"end\n")


def test_timeout_keeps_the_output_so_far(sandbox: Sandbox) -> None:
    result = sandbox.exec("echo before; sleep $FOREVER; echo after", timeout=0.5, env=KNOWN)
    assert (result.exit_code, result.timed_out, result.output) == (None, True, b"before\n")
    assert processes_named(FOREVER) == []


_DAEMON = """
python3 - <<'END'
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", os.environ["FOREVER"]])
    os._exit(0)
END
"""


@pytest.mark.parametrize(
    "escape",
    [
        "sleep $FOREVER &",
        "setsid nohup sleep $FOREVER >/dev/null 2>&1 &",
        "(trap '' TERM HUP INT; sleep $FOREVER) &",
        "sleep $FOREVER & kill -STOP $!",
        _DAEMON,
    ],
    ids=["background", "session", "signals-ignored", "stopped", "daemon"],
)
@pytest.mark.parametrize("end", ["exit 5", "while :; do sleep 1; done"], ids=["ends", "hangs"])
def test_t40_nothing_survives(sandbox: Sandbox, escape: str, end: str) -> None:
    """T40: catches children that keep the pipe open or live on, after the end and after a time-out."""
    result = sandbox.exec(f"{escape}\n{end}", timeout=30 if end == "exit 5" else 0.5, env=KNOWN)
    assert result.timed_out == (end != "exit 5")
    assert result.exit_code == (None if result.timed_out else 5)
    assert processes_named(FOREVER) == []


@pytest.mark.parametrize(
    "script", ["trap '' TERM INT HUP QUIT; while :; do sleep 1; done", "kill -STOP $$", "exec >&- 2>&-; sleep 9"]
)
def test_stubborn_scripts_are_stopped(sandbox: Sandbox, script: str) -> None:
    assert sandbox.exec(script, timeout=0.3).timed_out


def test_closed_output_is_not_the_end(sandbox: Sandbox) -> None:
    """Catches taking the end of the output for the end of the command."""
    assert sandbox.exec("exec >&- 2>&-; echo x >late; exit 4", timeout=10).exit_code == 4
    assert sandbox.read("/testbed/late") == b"x\n"


def test_output_flood(runtime: Runtime, image: Image) -> None:
    """T39: catches a deadlock on a full pipe, our memory filled, and the end of the output lost."""
    with runtime.start(image(), limits=Limits(output_bytes=10_000)) as sandbox:
        result = sandbox.exec("echo first; head -c 30000000 /dev/zero; echo last", timeout=60)
        endless = sandbox.exec("yes", timeout=0.5)
    assert result.truncated
    assert len(result.output) <= 10_000
    assert result.output.startswith(b"first\n")
    assert result.output.endswith(b"last\n")
    assert (endless.timed_out, endless.truncated) == (True, True)
    assert len(endless.output) <= 10_000


def test_output_of_exactly_the_limit_is_whole(runtime: Runtime, image: Image) -> None:
    with runtime.start(image(), limits=Limits(output_bytes=10_000)) as sandbox:
        result = sandbox.exec("head -c 10000 /dev/zero", timeout=10)
    assert (result.truncated, len(result.output)) == (False, 10_000)


_BURN = "python3 -c 'import time\nwhile time.process_time() < 0.4: pass'"


@pytest.mark.parametrize("script", [_BURN, f"({_BURN}) & wait", f"bash -c '{_BURN.replace(chr(39), chr(34))}'"])
def test_cpu_time_of_all_descendants_is_counted(sandbox: Sandbox, script: str) -> None:
    """Catches processor time that stays invisible behind the process namespace."""
    assert 0.35 < sandbox.exec(script, timeout=60).cpu_seconds < 5


def test_peak_memory_is_measured(sandbox: Sandbox) -> None:
    """Catches our own memory reported as the command's."""
    script = "python3 -c 'import time; x = b\"x\" * 200_000_000; time.sleep(0.5)'"
    assert 190_000_000 < sandbox.exec(script, timeout=60).peak_memory_bytes < 400_000_000
    assert sandbox.exec("true", timeout=60).peak_memory_bytes < 50_000_000
