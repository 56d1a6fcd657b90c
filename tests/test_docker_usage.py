"""Catches use that is read from another's group, or from a kernel's file that means something else."""

from __future__ import annotations

from pathlib import Path

from builder.runtimes import _docker_usage
from builder.runtimes._docker_usage import Usage


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_groups_of_one_hierarchy(tmp_path: Path) -> None:
    write(tmp_path / "proc/7/cgroup", "0::/docker/c1\n")
    group = tmp_path / "cgroup/docker/c1"
    write(group / "pids.current", "3\n")
    write(group / "cpu.stat", "usage_usec 2500000\nuser_usec 1\n")
    write(group / "memory.stat", "anon 4096\nfile 999\n")
    write(group / "memory.events", "oom 2\noom_kill 1\n")
    write(group / "cgroup.procs", "7\n8\n9\n")
    found = _docker_usage.groups(7, mount=tmp_path / "cgroup", processes=tmp_path / "proc")
    assert found is not None
    assert found.usage() == Usage(3, 2.5, 4096, 1)
    assert found.members() == (7, 8, 9)


def test_groups_of_a_hierarchy_for_each_controller(tmp_path: Path) -> None:
    write(tmp_path / "proc/7/cgroup", "9:pids:/p/c1\n4:memory:/m/c1\n2:cpu,cpuacct:/c/c1\n1:name=systemd:/s\n")
    write(tmp_path / "cgroup/pids/p/c1/pids.current", "2\n")
    write(tmp_path / "cgroup/memory/m/c1/memory.stat", "rss 1\ntotal_rss 8192\n")
    write(tmp_path / "cgroup/memory/m/c1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    write(tmp_path / "cgroup/cpu,cpuacct/c/c1/cpuacct.usage", "1500000000\n")
    found = _docker_usage.groups(7, mount=tmp_path / "cgroup", processes=tmp_path / "proc")
    assert found is not None
    assert found.usage() == Usage(2, 1.5, 8192, 5)
    assert found.members() == ()


def test_a_group_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    write(tmp_path / "proc/7/cgroup", "0::/docker/c1\n")
    assert _docker_usage.groups(7, mount=tmp_path / "cgroup", processes=tmp_path / "proc") is None
    assert _docker_usage.groups(8, mount=tmp_path / "cgroup", processes=tmp_path / "proc") is None


def test_what_an_engine_states_is_read_by_either_kernel_s_words() -> None:
    stats = {"cpu_stats": {"cpu_usage": {"total_usage": 2_000_000_000}}, "pids_stats": {"current": 4}}
    one = _docker_usage.stated({**stats, "memory_stats": {"stats": {"anon": 7}}}, out_of_memory=False)
    other = _docker_usage.stated({**stats, "memory_stats": {"stats": {"total_rss": 7}}}, out_of_memory=True)
    assert one == Usage(4, 2.0, 7, 0)
    assert other == Usage(4, 2.0, 7, 1)
    assert _docker_usage.stated({**stats, "memory_stats": None}, out_of_memory=False).memory_bytes == 0
