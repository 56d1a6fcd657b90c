"""One run of an instance's tests: patches into a fresh sandbox, the test command, the probe's records, a `TestRun`.

The one core below `validate` and `evaluate`. Two commands run in the sandbox. The first applies the patches with
`git apply`, exactly and all or nothing per patch, in the repository, so that end-of-line attributes count as they did
at checkout. Never fuzzily and never three-way: a patch that needs it is another patch. Nobody's git configuration,
hooks or file-system monitor is obeyed; filters that attributes name are nowhere defined. It also lays out the probe,
whose secret must not stand in a script that the tests can read. The second runs the test command as it is given, with
`-p <probe>` and the test files appended; its arguments are words of the script, not of our own command line (T14).
Nothing else is added to what pytest is told; what the probe sets from inside is said in `instrumentation`.

Limits of trust: whoever runs in the process of the tests can, with effort, report what he likes (see `probe`), and what
replaces the things that tests call or compare with cannot be told from a repair. A `conftest.py` that marks a test as
expected to fail makes its failure `xfailed`, which SWE-bench's rule counts as a pass. For a foreign patch `evaluate`
must therefore also restore every test file, `conftest.py` and configuration file afterwards.
"""

from __future__ import annotations

import base64
import os
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from builder import grading
from builder.errors import SandboxError, UsageError
from builder.instrumentation import Instrument, instrument
from builder.models import TestRun
from builder.protocols import ExecResult, ImageSpec, Limits, Runtime, Sandbox

PREPARATION_SECONDS = 300.0
CHANNEL_BYTES = 256 * 1024**2
ARGUMENT_BYTES = 128 * 1024 - 4096
ALL_ARGUMENTS_BYTES = 1536 * 1024
"""Below Linux's limits for one argument (32 pages) and for all with the environment (a quarter of an 8 MiB stack)."""
NO_FILES_EXIT = 4
"""What pytest itself ends with if a test file does not exist."""
PINNED = {"TZ": "UTC", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}

_APPLY = """\
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_OPTIONAL_LOCKS=0 HOME=/nonexistent
here=$(pwd -P)
for patch in "$@"; do
  [ -s "$patch" ] || continue
  git -c core.hooksPath=/dev/null -c core.attributesFile=/dev/null -c core.fsmonitor=false \\
      -c core.autocrlf=false -c core.safecrlf=false -c core.fileMode=true -c core.symlinks=true \\
      -c "safe.directory=$here" apply --whitespace=nowarn -- "$patch" || exit 65
done
"""
_PATCH_REFUSED = 65


@dataclass(frozen=True)
class _Command:
    test_cmd: str
    test_files: tuple[str, ...]
    test_env: Mapping[str, str]
    timeout: float


def run_tests(
    runtime: Runtime,
    image: ImageSpec,
    *,
    patches: Sequence[bytes],
    test_cmd: str,
    test_files: Sequence[str],
    test_env: Mapping[str, str],
    timeout: float,
    limits: Limits | None = None,
) -> TestRun:
    """Apply the patches in order and run the tests, in a fresh sandbox without network.

    `test_cmd` is a shell command that ends in pytest and its options; `timeout` counts its seconds. `test_files` are
    paths from the repository's root, or node ids; those that do not exist once the patches are in are left out, since
    pytest would refuse to run the others (T12), and if none exists there are no results. Without `test_files` the
    command runs as it is. Raises UsageError if the test files do not fit on a command line, SandboxError and
    DiskFullError if the sandbox itself broke. Everything else that can happen is an outcome.
    """
    command = _Command(test_cmd, tuple(test_files), test_env, timeout)
    _check_size(command.test_files)
    probe = instrument(f"/tmp/{secrets.token_hex(8)}", test_cmd, test_env)  # noqa: S108  the sandbox's own
    with runtime.start(image, network=False, limits=limits) as sandbox:
        prepared = sandbox.exec(_preparation(patches, probe), timeout=PREPARATION_SECONDS)
        if not prepared.ok:
            return _refused(prepared)
        result = sandbox.exec(_script(command, probe), timeout=timeout, env={**PINNED, **test_env, **probe.env})
        channel = _channel(sandbox, probe)
    return _as_run(result, _graded(result, channel, probe, timeout))


def _check_size(test_files: Sequence[str]) -> None:
    sizes = [len(os.fsencode(name)) + 1 for name in test_files]
    if sizes and (max(sizes) > ARGUMENT_BYTES or sum(sizes) > ALL_ARGUMENTS_BYTES):
        raise UsageError(
            f"{len(sizes)} test files take {sum(sizes)} bytes, more than a command line holds",
            hint="Name whole files or directories instead of single tests.",
        )


def _preparation(patches: Sequence[bytes], probe: Instrument) -> str:
    """One script for everything before the tests: each command costs the start of a sandbox."""
    names = [f"/tmp/{secrets.token_hex(8)}.patch" for _ in patches]  # noqa: S108
    words = shlex.join(names)
    lines = ["set -e"]
    lines += [_laid_out(name, patch) for name, patch in zip(names, patches, strict=True)]
    lines += [f"set -- {words}", f"(\n{_APPLY})", f"rm -f -- {words}"] if names else []
    lines += [_laid_out(name, content) for name, content in {**probe.files, probe.channel: b""}.items()]
    return "\n".join(lines)


def _laid_out(path: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode("ascii")
    return f"mkdir -p -- \"$(dirname {path})\"\nbase64 -d >{path} <<'END'\n{text}END"


def _script(command: _Command, probe: Instrument) -> str:
    """The test files that exist end the command. In an array: bash copies all of `$@` for every word it gains."""
    lines = ["test_files=()"]
    for name in command.test_files:
        path, word = shlex.quote(name.split("::", 1)[0]), shlex.quote(name)
        lines.append(f"[ -e {path} ] && test_files+=({word})")
    if command.test_files:
        missing = f"echo 'none of the test files exists'; exit {NO_FILES_EXIT}"
        lines.append(f"[ ${{#test_files[@]}} -gt 0 ] || {{ {missing}; }}")
    lines.append(f'{command.test_cmd} -p {probe.plugin} "${{test_files[@]}}"')
    return "\n".join(lines)


def _channel(sandbox: Sandbox, probe: Instrument) -> bytes | None:
    """What the probe wrote; None if someone removed, replaced or bloated its file, which was there before the run."""
    try:
        return sandbox.read(probe.channel, max_bytes=CHANNEL_BYTES)
    except SandboxError:
        readable = f'[ -f {probe.channel} ] && [ "$(stat -c %s {probe.channel})" -le {CHANNEL_BYTES} ]'
        if sandbox.exec(readable, timeout=PREPARATION_SECONDS).ok:
            raise
        return None


def _graded(result: ExecResult, channel: bytes | None, probe: Instrument, timeout: float) -> grading.Graded:
    if channel is None:
        return grading.Graded("tampered", "the probe's channel is gone")
    graded = grading.grade(channel, probe.key, result.exit_code)
    if result.killed_by:
        return replace(graded, outcome="no_results", detail=f"the tests went over the {result.killed_by} limit")
    if result.timed_out:
        return replace(graded, outcome="no_results", detail=f"not done after {timeout:g} s")
    return graded


def _as_run(result: ExecResult, graded: grading.Graded) -> TestRun:
    return TestRun(
        outcome="timed_out" if result.timed_out else graded.outcome,
        detail=graded.detail,
        statuses=graded.statuses,
        collection_errors=graded.collection_errors,
        exit_code=result.exit_code,
        wall_seconds=result.wall_seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        output=result.output,
    )


def _refused(result: ExecResult) -> TestRun:
    said = result.output.decode("utf-8", "replace").strip()
    if result.exit_code != _PATCH_REFUSED:
        raise SandboxError(f"a test run could not be prepared (exit code {result.exit_code}): {said[-400:]}")
    return TestRun(outcome="patch_failed", detail=said[:2000], exit_code=result.exit_code, output=result.output)
