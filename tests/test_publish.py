"""Pushing to a directory: what `datasets` reads back, same bytes, old set or new one, clear refusals."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
from task_factory import TEMPLATES, TEST_DIRECTORY, data_set, environment, report, rows, task

from builder.errors import DiskFullError, UsageError, WorkspaceError
from builder.publish import eval_script, preview_directory, push_directory
from builder.rows import PublishedRow, Validation, build_rows

GOLDEN = Path(__file__).parent / "golden"


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def loaded(directory: Path, home: Path) -> dict[str, Any]:
    """What `datasets.load_dataset` gives, in a process with an empty home and without network."""
    script = (
        "import datasets, json, sys\n"
        "datasets.disable_progress_bars()\n"
        "print(json.dumps({name: split.to_list() for name, split in datasets.load_dataset(sys.argv[1]).items()}))"
    )
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    offline = {**inherited, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-W", "error", "-c", script, str(directory)]
    result = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_datasets_loads_what_was_pushed(tmp_path: Path) -> None:
    """Catches a set that `datasets` refuses or reads differently: unicode, bytes that are not UTF-8, null, lists."""
    patch = task().patch + "# ☃\n".encode() + b"# \xff\xfe\r\n"
    verdict = Validation(
        task(2, patch=patch, hints_text="☃ é"), environment(), report(2, fail_to_pass=("t[\udce9]",)), ""
    )
    published = [*rows(3, 1), *build_rows([], [verdict])]
    push_directory(data_set(published), tmp_path / "set", TEMPLATES)
    found = loaded(tmp_path / "set", tmp_path / "home")
    assert {split: len(split_rows) for split, split_rows in found.items()} == {"raw": 3, "full": 2, "lite": 2}
    for split, split_rows in found.items():
        expected = [json.loads(item.row.to_json()) for item in published if item.split == split]
        assert split_rows == expected
    row = found["full"][1]
    assert row["patch"].encode(row["patch_encoding"]) == patch
    assert json.loads(row["FAIL_TO_PASS"]) == ["t[\udce9]"]


def test_datasets_loads_a_set_without_validated_rows(tmp_path: Path) -> None:
    """Catches empty splits, which `datasets` refuses together with all others."""
    push_directory(data_set(rows(2, 0)), tmp_path / "set", TEMPLATES)
    assert list(loaded(tmp_path / "set", tmp_path / "home")) == ["raw"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """Catches the order of arrival, the time, the place or a hash seed in the files."""
    published = rows(20, 10)
    shuffled = random.Random(7).sample(published, len(published))
    first = push_directory(data_set(published), tmp_path / "one", TEMPLATES)
    push_directory(data_set(shuffled), tmp_path / "elsewhere" / "two", TEMPLATES)
    assert digests(tmp_path / "one") == digests(tmp_path / "elsewhere" / "two")
    script = (
        f"import sys; sys.path.insert(0, {str(TEST_DIRECTORY)!r})\n"
        "from pathlib import Path; from task_factory import *; from builder.publish import push_directory\n"
        "push_directory(data_set(rows(20, 10)), Path(sys.argv[1]), TEMPLATES)"
    )
    seeded = {**os.environ, "PYTHONHASHSEED": "123", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "three")], env=seeded, check=True)
    assert digests(tmp_path / "one") == digests(tmp_path / "three")
    assert first.rows == {"raw": 20, "full": 10, "lite": 10}
    assert first.size_bytes == sum(path.stat().st_size for path in (tmp_path / "one").rglob("*") if path.is_file())


def test_an_empty_set_can_be_pushed(tmp_path: Path) -> None:
    """Catches a division by zero, and data of the earlier set under a card that says there is none."""
    target = tmp_path / "set"
    push_directory(data_set(), target, TEMPLATES)
    pushed = push_directory(data_set([]), target, TEMPLATES)
    assert pushed.rows == {"raw": 0, "full": 0, "lite": 0}
    assert list(digests(target)) == ["README.md"]
    assert len(pushed.differences[0].removed) == 3


def test_a_push_replaces_an_earlier_push_and_says_what_changed(tmp_path: Path) -> None:
    """Catches files of the earlier set left over, and a report against the wrong set."""
    target = tmp_path / "set"
    push_directory(data_set(), target, TEMPLATES)
    assert all(part.empty for part in push_directory(data_set(), target, TEMPLATES).differences)
    changed = [item._replace(row=item.row.model_copy(update={"version": "9"})) for item in rows(1, 1)]
    raw, full, _ = push_directory(data_set(changed), target, TEMPLATES).differences
    assert (raw.removed, dict(raw.changed)) == (("some-org__proj-2", "some-org__proj-3"), {"version": 1})
    assert (full.removed, dict(full.changed)) == (("some-org__proj-2",), {"version": 1})


def test_a_preview_changes_nothing(tmp_path: Path) -> None:
    """Catches a dry run that writes, and one that reports something else than the push."""
    target = tmp_path / "set"
    assert len(preview_directory(data_set(), target, TEMPLATES).differences[0].added) == 3
    assert list(tmp_path.iterdir()) == []
    push_directory(data_set(), target, TEMPLATES)
    before = digests(tmp_path)
    preview = preview_directory(data_set(rows(5, 5)), target, TEMPLATES)
    assert digests(tmp_path) == before
    assert preview == push_directory(data_set(rows(5, 5)), target, TEMPLATES)


def a_file(target: Path) -> None:
    target.write_text("mine")


def a_directory_with_a_file(target: Path) -> None:
    target.mkdir()
    (target / "thesis.txt").write_text("mine")


def a_card_of_somebody_else(target: Path) -> None:
    target.mkdir()
    (target / "README.md").write_text("---\nlicense: mit\n---\n# mine\n")


def a_push_with_a_note(target: Path) -> None:
    push_directory(data_set(), target, TEMPLATES)
    (target / "data" / "note.txt").write_text("mine")


@pytest.mark.parametrize("prepare", [a_file, a_directory_with_a_file, a_card_of_somebody_else, a_push_with_a_note])
@pytest.mark.parametrize("push", [push_directory, preview_directory])
def test_anything_but_an_earlier_push_is_refused(
    tmp_path: Path, prepare: Callable[[Path], None], push: Callable[..., object]
) -> None:
    """Catches a push that deletes what is not its own."""
    target = tmp_path / "set"
    prepare(target)
    before = digests(tmp_path)
    with pytest.raises(UsageError, match="is not a"):
        push(data_set(), target, TEMPLATES)
    assert digests(tmp_path) == before
    if target.is_dir():
        with pytest.raises(UsageError, match=r"thesis\.txt|note\.txt|README\.md"):
            push(data_set(), target, TEMPLATES)


def test_an_empty_directory_and_a_link_to_one_are_filled(tmp_path: Path) -> None:
    """Catches a refusal of `mkdir` before the push, and a link replaced by a directory."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    push_directory(data_set(), tmp_path / "link", TEMPLATES)
    assert (tmp_path / "link").is_symlink()
    assert "README.md" in digests(tmp_path / "real")


def test_two_rows_of_one_id_are_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    """Catches a set in which an id means two tasks."""
    target = tmp_path / "set"
    push_directory(data_set(), target, TEMPLATES)
    before = digests(tmp_path)
    with pytest.raises(UsageError, match="some-org__proj-1"):
        push_directory(data_set([*rows(), *rows(1, 0)]), target, TEMPLATES)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("suffix", [".rows", ".part", ".md"])
def test_t60_a_full_disk_leaves_the_old_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """Catches a full disk (the kernel's own error) that damages the old set, or comes as anything but DiskFullError."""
    target = tmp_path / "set"
    push_directory(data_set(), target, TEMPLATES)
    before = digests(tmp_path)
    opened = Path.open

    def full(self: Path, mode: str = "r", *rest: Any, **options: Any) -> IO[Any]:
        hit = self.name.endswith(suffix) and set(mode) & {"w", "+"}
        return opened(Path("/dev/full") if hit else self, mode.replace("w+", "r+") if hit else mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiskFullError, match="no space left"):
        push_directory(data_set(rows(9, 9)), target, TEMPLATES)
    monkeypatch.undo()
    assert digests(tmp_path) == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a bare OSError."""

    def refuse(self: Path, **options: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WorkspaceError, match=r"cannot write .*/set: Read-only file system"):
        push_directory(data_set(), tmp_path / "set", TEMPLATES)


def test_t60_a_kill_before_the_rename_leaves_the_old_set(tmp_path: Path) -> None:
    """Catches a set that is replaced file by file; the next push works and leaves nothing behind."""
    target = tmp_path / "set"
    push_directory(data_set(), target, TEMPLATES)
    before = digests(target)
    script = (
        f"import os, sys; sys.path.insert(0, {str(TEST_DIRECTORY)!r})\n"
        "from pathlib import Path; from task_factory import *; from builder import publish, replacement\n"
        "replacement._swap = lambda *paths: os.kill(os.getpid(), 9)\n"
        "publish.push_directory(data_set(rows(9, 9)), Path(sys.argv[1]), TEMPLATES)"
    )
    result = subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert digests(target) == before
    assert len(list(tmp_path.iterdir())) == 2
    push_directory(data_set(rows(9, 9)), target, TEMPLATES)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert digests(target) != before


def test_many_rows_need_little_memory(tmp_path: Path) -> None:
    """Catches a push that holds all rows: 20,000 rows of 20 kB are 400 MB."""
    script = (
        f"import sys; sys.path.insert(0, {str(TEST_DIRECTORY)!r})\n"
        "from dataclasses import replace; from pathlib import Path\n"
        "import pyarrow.parquet; from task_factory import *\n"
        "from builder.publish import push_directory; from builder.rows import candidate_row\n"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "base = candidate_row(task(hints_text='x' * 20_000))\n"
        "named = lambda number: base.model_copy(update={'instance_id': f'some-org__proj-{number}'})\n"
        "many = (PublishedRow('raw', named(number)) for number in range(20_000))\n"
        "before = peak()\n"
        "pushed = push_directory(replace(data_set([]), rows=many), Path(sys.argv[1]), TEMPLATES)\n"
        "print(pushed.rows['raw'], peak() - before)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "set")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    count, kilobytes = map(int, result.stdout.split())
    assert count == 20_000
    assert kilobytes < 200_000


def test_the_evaluation_script_is_the_golden_one() -> None:
    """Catches every change of the script; review the difference, then run the tests with BUILDER_GOLDEN=write."""
    verdict = report(test_cmd="pytest -q", test_files=("tests/test_a.py", "tests/it's \udce9.py"))
    text = eval_script(environment(test_env={"B": "2 $x", "A": "1"}), verdict, TEMPLATES)
    golden = GOLDEN / "eval.sh"
    if os.environ.get("BUILDER_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("test_files", "code", "arguments"),
    [
        (("a b.py", "gone.py", "it's.py::test_x"), 3, "-rA|a b.py|it's.py::test_x"),
        (("gone.py",), 4, None),
        ((), 3, "-rA"),
    ],
)
def test_the_evaluation_script_runs_the_files_that_exist(
    tmp_path: Path, test_files: tuple[str, ...], code: int, arguments: str | None
) -> None:
    """Catches T12 (pytest refuses a missing file), a split name, a lost exit code, a missing marker; in a real bash."""
    for name in ("a b.py", "it's.py"):
        (tmp_path / name).touch()
    (tmp_path / "pytest").write_text('#!/bin/bash\nIFS=\'|\'; echo "ran $*"; echo "A=$A"; exit 3\n')
    (tmp_path / "pytest").chmod(0o755)
    script = eval_script(environment(test_env={"A": "1 $x"}), report(test_files=test_files), TEMPLATES)
    script = script.replace("cd /testbed", f"cd {tmp_path}").replace("/opt/env/bin", str(tmp_path))
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == code
    if arguments is not None:
        inside = result.stdout.split(">>>>> Start Test Output\n")[1].split(">>>>> End Test Output\n")[0]
        assert inside == f"ran {arguments}\nA=1 $x\n"


def test_a_command_that_is_not_pytest_gets_no_flag() -> None:
    """Catches pytest's reporting flag handed to another program."""
    assert "-rA" not in eval_script(environment(), report(test_cmd="python runtests.py"), TEMPLATES)
    assert "\npytest -rA " in eval_script(environment(), report(), TEMPLATES)


def test_errors_of_the_rows_source_are_not_hidden(tmp_path: Path) -> None:
    """Catches a push that goes on, or leaves something, after its rows stop with an error."""

    def broken() -> Iterator[PublishedRow]:
        yield rows(1, 0)[0]
        raise RuntimeError("no more rows")

    with pytest.raises(RuntimeError, match="no more rows"):
        push_directory(replace(data_set([]), rows=broken()), tmp_path / "set", TEMPLATES)
    assert list(tmp_path.iterdir()) == []
