"""Releases as tasks, from an index on loopback: pairing, hostile archives, generated files, failures of the network."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InfrastructureError, NetworkMissingError, SettingsError, UnknownNameError, UsageError
from builder.fastimport import TreeFile
from builder.git import Repository
from builder.models import PullRequest
from builder.protocols import HarvestRequest
from builder.sources import _sdist, pypi
from builder.sources._changelog import added_entry
from builder.sources._package_index import PackageIndex

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
Files = Mapping[str, str | bytes]


def sdist(top: str, files: Files, *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


@dataclass
class Index:
    """A package index on loopback. `served` are the paths that were asked for; `answers` are given first."""

    url: str = ""
    projects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    content_type: str = JSON_TYPE

    def release(
        self, project: str, version: str, day: str, data: bytes, *, suffix: str = "tar.gz", **entry: Any
    ) -> None:
        filename = f"{project}-{version}.{suffix}"
        self.archives[f"/files/{filename}"] = data
        facts = {
            "filename": filename,
            "url": f"../../files/{filename}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "upload-time": f"{day}T10:00:00.000000Z",
            "yanked": False,
        }
        self.projects.setdefault(project, []).append(facts | entry)

    def downloads(self) -> list[str]:
        return [path.removeprefix("/files/") for path in self.served if path.startswith("/files/")]

    def answer(self, path: str) -> tuple[int, str, bytes]:
        self.served.append(path)
        if self.answers:
            return self.answers.pop(0), "text/plain", b""
        if path in self.archives:
            return 200, "application/octet-stream", self.archives[path]
        project = path.removeprefix("/simple/").strip("/")
        if project in self.projects:
            return 200, self.content_type, json.dumps({"files": self.projects[project]}).encode()
        return 404, "text/plain", b""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = state.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/simple"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def harvested(index: Index, work_dir: Path, repo: str = "pypi/thing", **narrowed: Any) -> list[PullRequest]:
    source = pypi.create(index=PackageIndex({"UV_DEFAULT_INDEX": index.url}, wait_seconds=0))
    return list(source.pull_requests(HarvestRequest(repo=repo, work_dir=work_dir, **narrowed)))


def simple(index: Index, version: str, day: str, source: str = "", **files: str | bytes) -> None:
    content = {"thing.py": f"value = {source or version!r}\n", "tests/test_thing.py": "import thing\n", **files}
    index.release("thing", version, day, sdist(f"thing-{version}", content))


def changed(pull_request: PullRequest) -> dict[str, str]:
    repository = Repository(Path(pull_request.git_dir))
    return repository.changed_paths(pull_request.base_commit, pull_request.merge_commit)


def test_two_releases_make_a_pull_request(index: Index, tmp_path: Path) -> None:
    simple(index, "1.9", "2024-01-01")
    simple(index, "1.10", "2024-02-01", **{"CHANGES.md": "## 1.10\n\n- Mend the value.\n\n## 1.9\n\n- Begin.\n"})
    (found,) = harvested(index, tmp_path)
    assert (found.instance_id, found.version, found.number) == ("pypi__thing-1.10", "1.9", 1706781600)
    assert (found.title, found.body) == ("thing 1.10", "## 1.10\n\n- Mend the value.")
    assert found.merged_at.isoformat() == "2024-02-01T10:00:00+00:00"
    assert changed(found) == {"CHANGES.md": "A", "thing.py": "M"}


def test_commits_depend_on_the_pair_alone(index: Index, tmp_path: Path) -> None:
    """Catches ids that change with what else was harvested, where, or in what order."""
    for version, day in (("1.0", "2024-01-01"), ("1.1", "2024-02-01"), ("1.2", "2024-03-01")):
        simple(index, version, day)
    both = harvested(index, tmp_path / "both")
    (last,) = harvested(index, tmp_path / "last", limit=None, pulls=(both[0].number,))
    assert [each.instance_id for each in both] == ["pypi__thing-1.2", "pypi__thing-1.1"]
    assert (last.base_commit, last.merge_commit) == (both[0].base_commit, both[0].merge_commit)
    again = harvested(index, tmp_path / "both")
    assert again == both


def test_a_fix_of_an_older_line_follows_its_own_line(index: Index, tmp_path: Path) -> None:
    """Catches 1.0.1, uploaded after 2.0, being compared with 2.0, and 1.10 being sorted before 1.9 (T25)."""
    days = {"1.0": "01", "1.9": "02", "1.10": "03", "2.0": "04", "1.0.1": "05", "2.1rc1": "06", "2.1": "07"}
    for version, day in days.items():
        simple(index, version, f"2024-01-{day}")
    pairs = {each.instance_id: each.version for each in harvested(index, tmp_path)}
    assert pairs == {
        "pypi__thing-2.1": "2.0",
        "pypi__thing-1.0.1": "1.0",
        "pypi__thing-2.0": "1.10",
        "pypi__thing-1.10": "1.9",
        "pypi__thing-1.9": "1.0",
    }


def test_yanked_and_unreadable_releases_are_passed_over(index: Index, tmp_path: Path) -> None:
    simple(index, "1.0", "2024-01-01")
    index.release("thing", "1.1", "2024-01-02", b"", yanked="broken")
    index.release("thing", "py3-none-any", "2024-01-03", b"", suffix="whl")
    simple(index, "1.2", "2024-01-04")
    (found,) = harvested(index, tmp_path)
    assert (found.instance_id, found.version) == ("pypi__thing-1.2", "1.0")


def test_releases_without_tests_are_no_task(index: Index, tmp_path: Path) -> None:
    """Catches a release that first ships its tests: all of them would look fixed by it."""
    index.release("thing", "1.0", "2024-01-01", sdist("thing-1.0", {"thing.py": "", "latest.py": ""}))
    simple(index, "1.1", "2024-01-02")
    simple(index, "1.2", "2024-01-03")
    assert [each.instance_id for each in harvested(index, tmp_path)] == ["pypi__thing-1.2"]


def test_only_what_is_asked_for_is_downloaded_and_only_once(index: Index, tmp_path: Path) -> None:
    """Catches a harvest of one release that fetches the project's whole past."""
    for day in range(1, 6):
        simple(index, f"1.{day}", f"2024-01-0{day}")
    assert len(harvested(index, tmp_path, since="2024-01-03", until="2024-01-03")) == 1
    assert sorted(index.downloads()) == ["thing-1.2.tar.gz", "thing-1.3.tar.gz"]
    source = pypi.create(index=PackageIndex({"UV_DEFAULT_INDEX": index.url}, wait_seconds=0))
    next(source.pull_requests(HarvestRequest(repo="pypi/thing", work_dir=tmp_path)))
    assert sorted(index.downloads()[2:]) == ["thing-1.4.tar.gz", "thing-1.5.tar.gz"]


def test_what_the_builder_generated_is_no_part_of_the_change(index: Index, tmp_path: Path) -> None:
    """Catches version stamps and egg-info in the patch, and builds outside of git that no longer know their version."""
    for version, day, gap in (("1.0", "01", ""), ("1.1", "02", "\n")):
        generated = {
            "PKG-INFO": f"Version: {version}\n",
            "thing.egg-info/PKG-INFO": f"Version: {version}\n",
            "src/thing.egg-info/SOURCES.txt": version,
            "setup.cfg": f"[metadata]\nname = thing\n{gap}[egg_info]\ntag_build = \ntag_date = 0\n\n",
            "thing/_version.py": f"# file generated by setuptools_scm\n# don't track\nversion = '{version}'\n",
            "thing/version.py": f"version = '{version}'\n",
        }
        simple(index, version, f"2024-01-{day}", source="same", **generated)
    (found,) = harvested(index, tmp_path)
    assert changed(found) == {"thing/version.py": "M"}
    repository = Repository(Path(found.git_dir))
    assert repository.read_file(found.merge_commit, "PKG-INFO") == b"Version: 1.0\n"
    assert repository.read_file(found.merge_commit, "setup.cfg") == b"[metadata]\nname = thing\n"
    assert not [name for name in repository.list_files(found.merge_commit) if "egg-info" in name]


def test_a_setup_cfg_of_nothing_else_goes() -> None:
    tree = _sdist.without_generated({"setup.cfg": TreeFile(b"[egg_info]\ntag_build = \ntag_date = 0\n\n")})
    assert tree == {}
    kept = {"setup.cfg": TreeFile(b"[tool:pytest]\naddopts = -v\n")}
    assert _sdist.without_generated(kept) == kept


def test_zip_archives_and_modes(index: Index, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("thing-1.0/tests/test_a.py", "")
        script = zipfile.ZipInfo("thing-1.0/run.sh")
        script.external_attr = 0o755 << 16
        archive.writestr(script, "#!/bin/sh\n")
    index.release("thing", "1.0", "2024-01-01", buffer.getvalue(), suffix="zip")
    inside = member("thing-1.1/link", tarfile.SYMTYPE, "tests/test_a.py")
    index.release("thing", "1.1", "2024-01-02", sdist("thing-1.1", {"tests/test_a.py": ""}, inside))
    (found,) = harvested(index, tmp_path)
    assert changed(found) == {"run.sh": "D", "link": "A"}
    listed = Repository(Path(found.git_dir)).diff(found.base_commit, found.merge_commit)
    assert b"deleted file mode 100755" in listed
    assert b"new file mode 120000" in listed


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("/etc/cron.d/x"),
        member("thing-1.1/../../outside"),
        member("thing-1.1/.git/hooks/post-checkout"),
        member("thing-1.1/sub/.GIT/config"),
        member("thing-1.1/link", tarfile.SYMTYPE, "../../outside"),
        member("thing-1.1/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("thing-1.1/link", tarfile.LNKTYPE, "../outside"),
        member("thing-1.1/device", tarfile.CHRTYPE),
        member("thing-1.1/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.type!r} {info.name}",
)
def test_an_archive_that_reaches_out_is_refused(index: Index, tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    """Catches paths and links out of the tree, devices, and files that git would run or obey."""
    simple(index, "1.0", "2024-01-01")
    index.release("thing", "1.1", "2024-01-02", sdist("thing-1.1", {"tests/test_a.py": ""}, hostile))
    with pytest.raises(InfrastructureError, match=r"thing-1\.1\.tar\.gz"):
        harvested(index, tmp_path / "work")
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_an_archive_that_grows_is_refused(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simple(index, "1.0", "2024-01-01")
    simple(index, "1.1", "2024-01-02", big=b"\0" * 100_000)
    monkeypatch.setattr(_sdist, "MAX_BYTES", 50_000)
    with pytest.raises(InfrastructureError, match="unpacks to more than"):
        harvested(index, tmp_path)


@pytest.mark.parametrize("data", [b"", b"no archive", sdist("thing-1.1", {"tests/test_a.py": "x" * 5000})[:-300]])
def test_a_broken_archive_is_named(index: Index, tmp_path: Path, data: bytes) -> None:
    simple(index, "1.0", "2024-01-01")
    index.release("thing", "1.1", "2024-01-02", data)
    with pytest.raises(InfrastructureError, match=r"thing-1\.1\.tar\.gz cannot be unpacked"):
        harvested(index, tmp_path)


def test_bytes_other_than_promised_are_refused_and_not_kept(index: Index, tmp_path: Path) -> None:
    """Catches a damaged or replaced download that is used, or found again by the next run."""
    simple(index, "1.0", "2024-01-01")
    simple(index, "1.1", "2024-01-02")
    good = index.archives["/files/thing-1.1.tar.gz"]
    index.archives["/files/thing-1.1.tar.gz"] = good + b"\0"
    with pytest.raises(InfrastructureError, match="does not have the hash"):
        harvested(index, tmp_path)
    assert [path.name for path in (tmp_path / "sdists").rglob("*") if path.is_file()] == ["thing-1.0.tar.gz"]
    index.archives["/files/thing-1.1.tar.gz"] = good
    assert len(harvested(index, tmp_path)) == 1


def test_a_moment_of_trouble_is_waited_out(index: Index, tmp_path: Path) -> None:
    """Catches one 503 or 429 losing the run (T06)."""
    simple(index, "1.0", "2024-01-01")
    simple(index, "1.1", "2024-01-02")
    index.answers = [503, 429]
    assert len(harvested(index, tmp_path)) == 1


def test_no_network_is_one_clear_sentence_without_passwords(tmp_path: Path) -> None:
    """Catches a traceback of four libraries, and credentials of an index address in a message (T06)."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://me:secret@127.0.0.1:{unused.getsockname()[1]}/simple"
        source = pypi.create(index=PackageIndex({"PIP_INDEX_URL": address, "NO_PROXY": "*"}, wait_seconds=0))
        with pytest.raises(NetworkMissingError) as caught:
            list(source.pull_requests(HarvestRequest(repo="pypi/thing", work_dir=tmp_path)))
    assert "cannot be reached" in caught.value.message
    assert "\n" not in caught.value.message
    assert "secret" not in str(caught.value)
    assert "me:" not in str(caught.value)


def test_an_index_that_keeps_failing_is_not_reachable(index: Index, tmp_path: Path) -> None:
    index.answers = [500] * 4
    with pytest.raises(NetworkMissingError, match="HTTP 500"):
        harvested(index, tmp_path)


def test_wrong_names_and_unfit_indexes_are_named(index: Index, tmp_path: Path) -> None:
    simple(index, "1.0", "2024-01-01")
    simple(index, "1.1", "2024-01-02")
    with pytest.raises(UsageError, match="has no project 'thnig'"):
        harvested(index, tmp_path, repo="pypi/thnig")
    with pytest.raises(UsageError, match="pypi/<project>"):
        harvested(index, tmp_path, repo="owner/thing")
    with pytest.raises(UnknownNameError, match="1704189600"):
        harvested(index, tmp_path, pulls=(1704189601,))
    index.projects["thing"][0].pop("upload-time")
    with pytest.raises(SettingsError, match="upload times"):
        harvested(index, tmp_path)
    index.content_type = "text/html"
    with pytest.raises(SettingsError, match="PEP 691"):
        harvested(index, tmp_path)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "https://pypi.org/simple"),
        ({"PIP_INDEX_URL": "https://pip.example/simple/"}, "https://pip.example/simple"),
        ({"PIP_INDEX_URL": "https://a.example", "UV_INDEX_URL": "https://b.example"}, "https://b.example"),
        (
            {"UV_INDEX_URL": "https://b.example", "UV_DEFAULT_INDEX": "ours=https://c.example/s?a=b"},
            "https://c.example/s?a=b",
        ),
        ({"UV_DEFAULT_INDEX": ""}, "https://pypi.org/simple"),
    ],
)
def test_the_index_is_the_one_that_uv_and_pip_would_use(environ: dict[str, str], url: str) -> None:
    assert PackageIndex(environ).url == url


def test_an_index_that_is_no_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="not the address"):
        PackageIndex({"UV_DEFAULT_INDEX": "/srv/simple"})


def text(content: str) -> TreeFile:
    return TreeFile(content.encode())


def test_the_entry_is_that_of_the_version_alone() -> None:
    """Catches the whole change log, or a neighbour's entry that was added late, becoming the statement."""
    old = {"docs/changes.rst": text("Changes\n=======\n\nVersion 3.1.2\n-------------\n\n* Old.\n")}
    new = {
        "docs/changes.rst": text(
            "Changes\n=======\n\nVersion 3.1.4\n-------------\n\n* New for 3.9 and\n  3.10.\n\n"
            "Version 3.1.3\n-------------\n\n* Late.\n\nVersion 3.1.2\n-------------\n\n* Old.\n"
        )
    }
    entry = added_entry(old, new, "3.1.4")
    assert entry
    assert entry.text == "Version 3.1.4\n-------------\n\n* New for 3.9 and\n  3.10."


def test_without_a_heading_what_was_added_counts() -> None:
    old = {"NEWS": text("* b\n* a\n")}
    entry = added_entry(old, {"NEWS": text("* c\n* b\n* a\n")}, "1.0")
    assert entry
    assert (entry.path, entry.text) == ("NEWS", "* c")


@pytest.mark.parametrize("path", ["src/history.py", "tests/CHANGES.md", "exchanges.md", "history/a.txt"])
def test_other_files_are_no_change_log(path: str) -> None:
    assert added_entry({}, {path: text("## 1.0\n\nText\n")}, "1.0") is None


@pytest.mark.network
@pytest.mark.parametrize(
    ("project", "number", "version", "merge_commit"),
    [
        ("tinydb", 1728746641, "4.8.1", "8596bc4ccdf3497c4a19343177bb722e164a6c4e"),
        ("cachetools", 1794518712, "7.3.0", "81d92cb10264943988214bb16b6a381e5fe01acf"),
        ("mistune", 1756452043, "3.1.3", "f77f1524e58f0866ce80886a26944a9cf6a24289"),
        ("humanize", 1746013867, "4.12.2", "f1d82f8c72d644e6f8acf0c818cd41677a712e02"),
    ],
)
def test_the_pairs_of_the_demo(project: str, number: int, version: str, merge_commit: str, tmp_path: Path) -> None:
    """Catches commits of real releases that differ from machine to machine, or releases that are gone."""
    request = HarvestRequest(repo=f"pypi/{project}", work_dir=tmp_path, pulls=(number,))
    (found,) = pypi.create().pull_requests(request)
    assert (found.version, found.merge_commit) == (version, merge_commit)
