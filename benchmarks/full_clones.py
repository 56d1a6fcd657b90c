"""Build the images of a workspace's instances as SWE-Gym's fork of SWE-bench does: everything again for each.

    python benchmarks/full_clones.py WORKSPACE [NUMBER]

Per instance, on the same base image and from the same lock: a whole clone of the repository, checked out at the base
commit, a virtual environment, the dependencies, the package, in one container that is committed. The clone comes from a
local mirror and the downloads from a warm cache, which the fork has neither of. Prints bytes and seconds beside ours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from builder import locks
from builder.console import size, table
from builder.jobs import ImageRecord
from builder.models import Environment, TaskInstance
from builder.store import CANDIDATE, DONE, ENVIRONMENT, IMAGE, Store

SCRIPT = """
set -e
export UV_NO_CONFIG=1 UV_LINK_MODE=copy UV_CACHE_DIR=/cache/uv UV_EXCLUDE_NEWER={as_of}
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
git clone -q --no-checkout /mirror /testbed
cd /testbed
git reset -q --hard {commit}
git remote remove origin
uv venv -q --python "$(command -v python{python})" /opt/env
VIRTUAL_ENV=/opt/env uv pip install -q --compile-bytecode --require-hashes --no-deps {late} -r /lock.txt
export VIRTUAL_ENV=/opt/env
uv pip install -q --no-deps --no-build-isolation -e . || /opt/env/bin/python setup.py -q develop --no-deps
"""
TRUSTED = "/etc/ssl/certs"


def main() -> None:
    workspace = Path(sys.argv[1]).absolute()
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 10**6
    rows, theirs, ours = [], [0.0, 0], [0.0, 0]
    with Store.reader(workspace) as store:
        done = list(store.results(IMAGE, outcome=DONE))
        for one in done[:: max(1, len(done) // number)]:
            record = ImageRecord.from_json(one.value or "")
            seconds, weight = build(store, one.item)
            mine = [each.seconds for each in store.attempts(one.item) if each.result.step == IMAGE][-1]
            rows.append([one.item, size(weight), f"{seconds:.1f}", size(record.layer_bytes), f"{mine:.1f}"])
            theirs = [theirs[0] + seconds, theirs[1] + weight]
            ours = [ours[0] + mine, ours[1] + record.layer_bytes]
    totals = ["all", size(theirs[1]), f"{theirs[0]:.1f}", size(ours[1]), f"{ours[0]:.1f}"]
    print(table(["instance", "everything again", "s", "instance layer", "s"], [*rows, totals]))


def build(store: Store, item: str) -> tuple[float, int]:
    """Seconds, and bytes beyond the base image."""
    instance = TaskInstance.from_json(value(store, CANDIDATE, item))
    environment = Environment.from_json(value(store, ENVIRONMENT, item))
    label = docker("image", "inspect", "--format", '{{index .Config.Labels "builder.base"}}', image_of(item)).strip()
    late = locks.late_uploads(environment.lock.as_of)
    script = SCRIPT.format(
        late=" ".join(f"--exclude-newer-package {name}={moment}" for name, moment in late.items()),
        as_of=environment.lock.as_of.isoformat(),
        commit=instance.base_commit,
        python=environment.spec.python,
    )
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
        lock.write(environment.lock.text)
        lock.flush()
        Path(lock.name).chmod(0o644)
        mounts = ["-v", f"{Path(instance.git_dir).resolve()}:/mirror:ro", "-v", f"{lock.name}:/lock.txt:ro"]
        certificates = [
            "-v",
            f"{TRUSTED}:{TRUSTED}:ro",
            "-e",
            f"SSL_CERT_FILE={TRUSTED}/ca-certificates.crt",
        ]
        started = time.monotonic()
        container = docker("run", "-d", "-w", "/", *mounts, "-v", "builder-bench-cache:/cache", *certificates, label,
                           "bash", "-c", script).strip()  # fmt: skip
        code = docker("wait", container).strip()
        made = docker("commit", container).strip()
        seconds = time.monotonic() - started
    said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True).stderr
    weight = int(docker("history", "-H=false", "--format", "{{.Size}}", made).split()[0])
    docker("rm", "-v", container)
    docker("rmi", made)
    if code != "0":
        raise SystemExit(f"{item}: {said[-2000:]}")
    return seconds, weight


def image_of(item: str) -> str:
    return docker("images", "-q", "--filter", f"label=builder.instance={item}").split()[0]


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def value(store: Store, step: str, item: str) -> str:
    result = store.result(step, item)
    return (result.value if result else None) or ""


if __name__ == "__main__":
    main()
