"""What a sandbox cannot see, reach or change. Hostile scripts run nowhere else."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from builder.protocols import Limits, Runtime, Sandbox
from conformance.conftest import Image


def _lines(sandbox: Sandbox, script: str) -> list[str]:
    return sandbox.exec(script, timeout=60).output.decode("utf-8", "replace").splitlines()


def test_callers_variables_stay_outside(runtime: Runtime, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches tokens that reach untrusted code, by the environment or through /proc."""
    word = secrets.token_hex(16)
    for name in ("GITHUB_TOKEN", "HF_TOKEN", "BASH_ENV", "LD_PRELOAD_NOT", "UV_INDEX_TOKEN", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, word)
    with runtime.start(image(), network=True) as sandbox:
        result = sandbox.exec("env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline", timeout=10)
    assert word.encode() not in result.output
    assert b"HOME=/home/agent" in result.output


def test_home_workspace_and_machine_stay_outside(sandbox: Sandbox, tmp_path: Path) -> None:
    """Catches the caller's files, other sandboxes' files, sockets and host state in the sandbox."""
    word = secrets.token_hex(16)
    (tmp_path / word).touch()
    script = f"find / -xdev -name {word}; find {tmp_path} {Path.home()} -maxdepth 1 -type f; find / -type s"
    assert [line for line in _lines(sandbox, script) if "No such file" not in line and "denied" not in line] == []
    shown = _lines(sandbox, "ls -A /home /run /mnt /srv /media 2>/dev/null | grep -v : | sort -u")
    assert [name for name in shown if name not in ("", ".containerenv")] == ["agent", "builder"]


def test_t50_expected_results_cannot_be_read(sandbox: Sandbox) -> None:
    """T50: catches our own package, whose data hold expected results, below a visible prefix."""
    script = "find / -xdev \\( -name validated.jsonl -o -path '*/builder/protocols.py' -o -path '*/builder/data' \\)"
    assert _lines(sandbox, f"{script} 2>/dev/null") == []


def test_other_sandboxes_stay_outside(runtime: Runtime, image: Image) -> None:
    with runtime.start(image()) as one, runtime.start(image()) as other:
        one.write("/tmp/secret", b"")
        one.write("/testbed/secret", b"")
        assert _lines(other, "find / -xdev -name secret 2>/dev/null") == []


def test_no_network(sandbox: Sandbox) -> None:
    """Catches a route out, and a sandbox without loopback, which many tests need."""
    script = """
import os, socket
print(sorted(name for _, name in socket.if_nameindex()))
for family, address in ((socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET6, ("2001:db8::1", 80))):
    try:
        socket.socket(family).connect(address)
    except OSError as error:
        print(type(error).__name__)
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
print("loopback", socket.gethostname(), socket.gethostbyname("localhost"))
print(open("/proc/net/route").read().count("\\n"))
"""
    sandbox.write("/tmp/net.py", script.encode())
    assert _lines(sandbox, "python3 /tmp/net.py") == [
        "['lo']", "OSError", "OSError", "loopback testbed 127.0.0.1", "1",
    ]  # fmt: skip


def test_abstract_sockets_of_the_machine_are_out_of_reach(sandbox: Sandbox) -> None:
    """Catches a shared network namespace, through which abstract sockets of host services can be reached."""
    assert _lines(sandbox, "wc -l </proc/net/unix") in (["0"], ["1"])


def test_ordinary_user_without_privilege(sandbox: Sandbox) -> None:
    status = dict(line.split(":\t", 1) for line in _lines(sandbox, "cat /proc/self/status") if ":\t" in line)
    assert status["Uid"].split() == ["1000"] * 4
    assert status["Gid"].split() == ["1000"] * 4
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"
    assert _lines(sandbox, "id -un; id -gn; echo ~") == ["agent", "agent", "/home/agent"]


@pytest.mark.parametrize(
    "attempt",
    [
        "unshare --user --map-root-user true",
        "unshare --mount true",
        "mount -t tmpfs none /tmp",
        "mount -o remount,rw /usr",
        "umount /testbed",
        "mknod /tmp/device b 8 0",
        "chroot / true",
        "sysctl -w kernel.hostname=x",
        "exec 3>/proc/sysrq-trigger",
        "hostname other",
        "ip link set lo down",
        "chown root /tmp",
        "nice -n -5 sh -c 'test $(nice) -lt 0'",
        "kill -9 1 && false",
    ],
)
def test_privileged_acts_fail(sandbox: Sandbox, attempt: str) -> None:
    assert sandbox.exec(f"{attempt} && exit 0; exit 77", timeout=20).exit_code == 77


_WRITABLE = """
import os, stat
for parent, below, names in os.walk("/proc"):
    if parent == "/proc":
        below[:] = [name for name in below if not name.isdigit() and not name.endswith("self")]
    for path in (os.path.join(parent, name) for name in names):
        try:
            if stat.S_ISCHR(os.stat(path).st_mode):  # Covered with /dev/null.
                continue
            os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
        except OSError:
            continue
        print(path)
"""


def test_settings_of_the_kernel_cannot_be_written(sandbox: Sandbox) -> None:
    """Catches /proc/sys open to a sandbox that root started: its files belong to the same user, as root or not."""
    sandbox.write("/tmp/writable.py", _WRITABLE.encode())
    assert _lines(sandbox, "python3 /tmp/writable.py; echo end") == ["end"]


def test_devices_of_the_machine_cannot_be_changed(sandbox: Sandbox) -> None:
    """Catches `chmod 0 /dev/null` in a sandbox of root taking the machine's own node away."""
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        facts = Path("/dev", name).stat()
        script = f"chmod --reference=/dev/{name} /dev/{name} 2>/dev/null && stat -c %d:%i /dev/{name}"
        assert _lines(sandbox, script) != [f"{facts.st_dev}:{facts.st_ino}"]


@pytest.mark.parametrize("name", ["keys", "kcore", "kmsg", "kallsyms", "kpageflags", "iomem", "slabinfo"])
def test_what_only_root_may_read_of_the_kernel_is_covered(sandbox: Sandbox, name: str) -> None:
    """Catches addresses and keys of the machine: nothing can be read, or the kernel shows zeros for them."""
    script = f"awk '{{ print $1 }}' /proc/{name} 2>/dev/null | tr -d '0\\n-'"
    assert sandbox.exec(script, timeout=10).output == b""


@pytest.mark.parametrize(
    "place", ["/", "/usr", "/usr/bin", "/etc", "/dev", "/opt", "/opt/builder/bin", "/proc", "/home", "/var"]
)
def test_system_is_read_only(sandbox: Sandbox, place: str) -> None:
    """Catches a change that outlives the sandbox, or fills memory that nobody counts."""
    assert sandbox.exec(f"touch {place}/new && exit 0; exit 77", timeout=10).exit_code == 77
    assert not Path(place, "new").exists()


def test_system_files_cannot_be_replaced(sandbox: Sandbox) -> None:
    for path in ("/etc/passwd", "/usr/bin/env", "/bin/bash", "/opt/builder/bin/uv"):
        assert (
            sandbox.exec(f"(echo >>{path}) 2>/dev/null || mv {path} /tmp || rm {path} || exit 77", timeout=10).exit_code
            == 77
        )


def test_interpreter_cannot_be_changed(sandbox: Sandbox) -> None:
    script = 'f=$(python3 -c "import os; print(os.__file__)"); (echo >>"$f") || rm "$f" || exit 77'
    assert sandbox.exec(script, timeout=10).exit_code == 77


@pytest.mark.parametrize(
    "place", ["/testbed", "/opt/env", "/tmp", "/home/agent", "/dev/shm", "/var/tmp", "/run/user/../../tmp"]
)
def test_usual_places_are_writable(sandbox: Sandbox, place: str) -> None:
    """Catches a sandbox in which ordinary tests cannot work."""
    assert sandbox.exec(
        f"mkdir -p {place} 2>/dev/null; cd {place} && echo '#!/bin/sh' >x && chmod +x x && ./x", timeout=10
    ).ok


def test_usual_devices_work(sandbox: Sandbox) -> None:
    script = """
set -e
head -c 4 /dev/urandom >/dev/null; echo >/dev/null; head -c 1 /dev/zero >/dev/full && exit 1
python3 -c 'import multiprocessing as m, pty, tempfile; m.Lock(); m.Queue(); pty.openpty(); tempfile.mkdtemp()'
"""
    result = sandbox.exec(script, timeout=30)
    assert result.ok, result.output


def test_processes_of_the_machine_are_invisible(sandbox: Sandbox) -> None:
    pids = [int(line) for line in _lines(sandbox, "cd /proc; ls -d [0-9]*")]
    assert len(pids) < 10
    assert max(pids) < 100
    assert sandbox.exec(f"kill -0 {os.getpid()} && exit 0; exit 77", timeout=10).exit_code == 77


def test_system_v_memory_is_private(runtime: Runtime, image: Image) -> None:
    """Catches a shared ipc namespace, through which two sandboxes could talk."""
    with runtime.start(image(), limits=Limits()) as one, runtime.start(image()) as other:
        assert one.exec("ipcmk -M 4096", timeout=10).ok
        assert sum(line.startswith("0x") for line in _lines(other, "ipcs -m")) == 0


def test_identity_of_the_machine_is_invented(sandbox: Sandbox) -> None:
    people = "awk -F: '$3 >= 1000 && $3 < 65534 { print $1 }' /etc/passwd"
    absent = "/etc/resolv.conf /etc/pip.conf /etc/uv/uv.toml"
    lines = _lines(sandbox, f"hostname; cat /etc/hostname /etc/machine-id; {people}; cat {absent}")
    assert lines[:4] == ["testbed", "testbed", "0" * 32, "agent"]
    assert [line for line in lines[4:] if "No such file" not in line and line != "nameserver 127.0.0.1"] == []
