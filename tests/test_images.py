"""Catches recipes that change without cause, and images that hold more than the history of their commit.

The scripts are run here in a directory of their own where they only use git on a repository made for the test.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from environment_factory import TEMPLATES, Made, environment, lock, make

from builder import images, interpreters
from builder.git import Repository
from builder.protocols import CONTEXT_DIR, TESTBED, ImageSpec
from builder.recipes import Workshop, repository_image

GOLDEN = Path(__file__).parent / "golden"
BASE = ImageSpec(kind="base", name="base", python="3.9.18")
COMMIT, LATER = "1" * 40, "2" * 40


@pytest.fixture(autouse=True)
def _interpreter(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("sandbox"):
        return

    def find(version: str, **_options: object) -> interpreters.Interpreter:
        return interpreters.Interpreter(f"{version}.1", Path("/p"), Path("/p/bin/python"))

    monkeypatch.setattr(interpreters, "find", find)


def run(script: str, root: Path, context: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script with /testbed and /context below `root`."""
    moved = script.replace(TESTBED, str(root / "testbed")).replace(f"{CONTEXT_DIR}/history.bundle", str(context))
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "TMPDIR": str(root)}
    return subprocess.run(["bash", "-c", moved], capture_output=True, text=True, env=environment, check=False)


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root / "testbed"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def staged(made: Made, root: Path, index: int) -> Path:
    image = repository_image(made.workshop, BASE, made.shas[index])
    done = run(image.script, root, image.context[0].path)
    assert done.returncode == 0, done.stderr
    return root


def advanced(made: Made, root: Path, index: int) -> subprocess.CompletedProcess[str]:
    parent = repository_image(made.workshop, BASE, made.shas[0])
    image = images.instance_image(made.workshop, "o__n-1", made.shas[index], environment(made.shas[0]), parent)
    return run(image.script, root, image.context[0].path if image.context else None)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path, {"a.py": b"one\n"}, {"a.py": b"two\n", "b.py": b"b\n"}, {"c.py": b"the fix\n"})


def test_t23_only_the_history_of_the_commit_is_there(made: Made, tmp_path: Path) -> None:
    root = staged(made, tmp_path / "box", 0)
    assert advanced(made, root, 1).returncode == 0
    assert git(root, "log", "--all", "--format=%H").split() == [made.shas[1], made.shas[0]]
    assert git(root, "rev-parse", "--abbrev-ref", "HEAD").strip() == "main"
    assert git(root, "status", "--porcelain") == ""
    assert sorted(path.name for path in (root / "testbed").glob("*.py")) == ["a.py", "b.py", "setup.py"]
    assert made.shas[2] not in git(root, "cat-file", "--batch-all-objects", "--batch-check")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("git tag v1", "other refs"),
        ("git remote add origin /nowhere", "a remote"),
        ("echo later | git hash-object -w --stdin", "not reachable"),
        ("git update-ref refs/stash HEAD", "other refs"),
        ("touch .git/FETCH_HEAD", "FETCH_HEAD"),
        ("git pack-refs --all", "packed-refs"),
        ("mkdir .git/logs", "logs"),
        ("git checkout --quiet --detach; git branch -D main", "other refs"),
    ],
)
def test_t23_whatever_else_is_left_fails_the_build(made: Made, tmp_path: Path, spoil: str, words: str) -> None:
    root = staged(made, tmp_path / "box", 0)
    assert run(f"cd {TESTBED}; {spoil}", root).returncode == 0
    done = advanced(made, root, 0)
    assert done.returncode != 0
    assert words in done.stderr


def test_t23_a_submodule_brings_its_files_and_not_its_history(tmp_path: Path) -> None:
    part = make(tmp_path / "part", {"p.py": b"part\n"}, {"p.py": b"newer\n"})
    origin = tmp_path / "origin"
    identity = ["-c", "user.name=x", "-c", "user.email=x", "-c", "protocol.file.allow=always"]
    for arguments in (
        ["init", "-q", str(origin)],
        ["-C", str(origin), "submodule", "--quiet", "add", str(tmp_path / "part/clone"), "lib/part"],
        ["-C", str(origin / "lib/part"), "checkout", "-q", part.shas[0]],
        ["-C", str(origin), "commit", "-qam", "with a part"],
    ):
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)
    sha = subprocess.run(["git", "-C", origin, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    workshop = Workshop("o/n", Repository(origin), TEMPLATES, tmp_path / "work")
    image = repository_image(workshop, BASE, sha.stdout.strip(), submodules=True)
    script = image.script.replace("protocol.file.allow=never", "protocol.file.allow=always")
    root = tmp_path / "box"
    done = run(script, root, image.context[0].path)
    assert done.returncode == 0, done.stderr
    assert (root / "testbed/lib/part/p.py").read_text() == "part\n"
    assert not list((root / "testbed/lib").rglob(".git"))
    assert git(root, "status", "--porcelain") == ""
    assert "submodule" not in (root / "testbed/.git/config").read_text()


def test_a_checkout_that_lacks_files_fails_the_build(made: Made, tmp_path: Path) -> None:
    """git checkout ends with 0 where blobs are missing."""
    root = staged(made, tmp_path / "box", 0)
    (root / "testbed/a.py").unlink()
    done = advanced(made, root, 0)
    assert done.returncode != 0
    assert "missing in the work tree" in done.stderr


def test_t27_the_build_leaves_the_tree_as_the_commit_has_it(made: Made, tmp_path: Path) -> None:
    root = staged(made, tmp_path / "box", 0)
    build = "echo changed > a.py; mkdir x.egg-info; touch x.egg-info/y new.lock"
    script = "\n".join(
        TEMPLATES.render(name, commit=made.shas[0]) if name.endswith("j2") else name
        for name in ("_prelude.sh.j2", f"cd {TESTBED}", "_tree_check.sh.j2", build, "_clean_tree.sh.j2")
    )
    done = run(script, root)
    assert done.returncode == 0, done.stderr
    assert git(root, "status", "--porcelain") == ""
    assert (root / "testbed/a.py").read_text() == "one\n"
    assert (root / "testbed/x.egg-info/y").exists()


@pytest.mark.parametrize("name", ["setup_repository", "setup_environment", "setup_instance"])
def test_t21_a_failing_command_ends_the_script(name: str) -> None:
    """Each install command in a subshell with `|| true` loses exports and hides failures."""
    text = (GOLDEN / f"{name}.sh").read_text()
    assert "set -euo pipefail" in text
    assert "|| true" not in text


def golden(made: Made) -> dict[str, str]:
    """The three scripts for fixed values."""
    spec = {
        "install": "develop",
        "build_env": {"B": "a b", "A": "1"},
        "build_steps": ("make parsers",),
        "submodules": True,
    }
    one = environment(made.shas[0], **spec)
    image = images.environment_image(made.workshop, one)
    assert image.parent
    instance = images.instance_image(made.workshop, "o__n-1", made.shas[1], one, image)
    scripts = {
        "setup_repository": image.parent.script,
        "setup_environment": image.script,
        "setup_instance": instance.script,
    }
    return {name: text.replace(made.shas[0], COMMIT).replace(made.shas[1], LATER) for name, text in scripts.items()}


def test_the_rendered_scripts_are_the_reviewed_ones(tmp_path: Path) -> None:
    """Rendered anew by `BUILDER_GOLDEN=write`; the difference is the review."""
    made = make(tmp_path, {"a": b""}, {"setup.cfg": b"[x]\n"})
    for name, text in golden(made).items():
        path = GOLDEN / f"{name}.sh"
        if os.environ.get("BUILDER_GOLDEN") == "write":
            path.write_text(text)
        assert path.read_text() == text


def test_t29_the_same_inputs_give_the_same_digest(made: Made, tmp_path: Path) -> None:
    one = environment(made.shas[0])
    again = one.model_copy(update={"lock": lock(relaxed=("x",), text="# a comment\n" + one.lock.text)})
    digests = {images.environment_image(made.workshop, env).digest for env in (one, again)}
    assert len(digests) == 1


def test_another_lock_or_commit_gives_another_digest(made: Made) -> None:
    first = environment(made.shas[0])
    other = first.model_copy(update={"lock": lock(text="pytest==7 --hash=sha256:zz\n")})
    parent = images.environment_image(made.workshop, first)
    assert images.environment_image(made.workshop, other).digest != parent.digest
    instances = {images.instance_image(made.workshop, "i", sha, first, parent).digest for sha in made.shas}
    assert len(instances) == len(made.shas)


@pytest.mark.parametrize(
    ("path", "rebuilt"),
    [
        ("setup.cfg", True),
        ("src/x.pyx", True),
        ("helpers.py", True),
        ("src/a.py", False),
        ("requirements/dev.txt", True),
    ],
)
def test_the_package_is_built_again_only_if_its_inputs_changed(tmp_path: Path, path: str, rebuilt: bool) -> None:
    """Building each time would cost more than the tests; never, and extensions would be those of another commit."""
    setup = b"from helpers import version\nfrom setuptools import setup\nsetup()\n"
    made = make(tmp_path, {"setup.py": setup}, {path: b"x"})
    one = environment(made.shas[0], install="develop")
    image = images.instance_image(made.workshop, "i", made.shas[1], one, images.environment_image(made.workshop, one))
    assert ("setup.py -q develop" in image.script) is rebuilt


def test_an_installed_copy_of_the_project_is_looked_for_by_any_spelling(made: Made) -> None:
    script = images.environment_image(made.workshop, environment(made.shas[0])).script
    assert "'^own[-_.]project(==| @)'" in script


def test_setuptools_does_not_freeze_the_list_of_modules(made: Made) -> None:
    """A module that a patch adds could not be imported otherwise."""
    for backend, expected in (("setuptools.build_meta", True), ("hatchling.build", False)):
        one = environment(made.shas[0], install="editable", build_backend=backend)
        assert ("editable_mode=compat" in images.environment_image(made.workshop, one).script) is expected


@pytest.mark.sandbox
def test_the_layers_build_and_stay_small_in_a_real_sandbox(made: Made, tmp_path: Path) -> None:
    """The sandbox's user, its read-only system and its overlays are what the scripts meet in earnest."""
    from builder.runtimes import bubblewrap

    runtime = bubblewrap.create(tmp_path / "workspace")
    base = ImageSpec(kind="base", name="base", python=platform.python_version())
    parent = repository_image(made.workshop, base, made.shas[0])
    image = images.instance_image(made.workshop, "o__n-1", made.shas[1], environment(made.shas[0]), parent)
    assert runtime.build(image).layer_bytes < 100_000
    with runtime.start(image) as sandbox:
        result = sandbox.exec("git log --all --format=%H; git status --porcelain; cat b.py", timeout=60)
    assert result.output.decode().split() == [made.shas[1], made.shas[0], "b"]
