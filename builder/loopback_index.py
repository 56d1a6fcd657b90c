"""A package index on the loopback that serves one distribution of this very installation, and what it requires.

With it the sample repository is built and tested without a network. The wheels are put together again from the
installed files; the index speaks the JSON form of the simple API (PEP 691, with upload times as in PEP 700).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.errors import SettingsError

UPLOADED_AT = "2010-01-01T00:00:00Z"
"""Older than any commit, so that every date admits what is served."""

_JSON = "application/vnd.pypi.simple.v1+json"
_LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wheel:
    """A wheel and its place in the index."""

    name: str
    filename: str
    content: bytes


def wheels_of(name: str) -> list[Wheel]:
    """The installed distribution `name` and everything it requires here, as wheels.

    Raises SettingsError if a distribution was installed without a list of its files.
    """
    found: dict[str, Wheel] = {}
    waiting = [name]
    while waiting:
        wanted = canonicalize_name(waiting.pop())
        if wanted not in found:
            installed = distribution(wanted)
            found[wanted] = _wheel(wanted, installed)
            waiting += _requirements(installed)
    return list(found.values())


@contextmanager
def serving(wheels: list[Wheel]) -> Iterator[str]:
    """Serve the wheels on the loopback; yields the address that uv takes as its index."""
    handler = type("Handler", (_Handler,), {"wheels": {wheel.filename: wheel for wheel in wheels}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def only_index(url: str) -> Iterator[None]:
    """Make `url` the one index that builds of this process use."""
    ours = {"UV_DEFAULT_INDEX": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    others = ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
    before = {name: os.environ.get(name) for name in (*ours, *others)}
    try:
        os.environ.update(ours)
        for name in others:
            os.environ.pop(name, None)
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _requirements(installed: Distribution) -> list[str]:
    parsed = [Requirement(text) for text in installed.requires or []]
    return [one.name for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]


def _wheel(name: str, installed: Distribution) -> Wheel:
    paths = [file for file in installed.files or [] if ".." not in file.parts and "__pycache__" not in file.parts]
    paths = sorted(file for file in paths if file.name not in _LEFT_OUT)
    info = next((file.parts[0] for file in paths if file.parts[0].endswith(".dist-info")), None)
    if info is None:
        raise SettingsError(f"{name} is installed without a list of its files", hint=f"Install {name} with pip or uv.")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for file in paths:
            archive.writestr(zipfile.ZipInfo(str(file), _EPOCH), file.read_binary())
        record = "".join(f"{file},,\n" for file in [*map(str, paths), f"{info}/RECORD"])
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _EPOCH), record)
    return Wheel(name, f"{info.removesuffix('.dist-info')}-py3-none-any.whl", content.getvalue())


class _Handler(BaseHTTPRequestHandler):
    """GET /simple/<project>/ and /wheels/<file>, and the same without a body for HEAD."""

    wheels: dict[str, Wheel]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a project's files, a file, or 404."""
        parts = self.path.strip("/").split("/")
        files = [wheel for wheel in self.wheels.values() if parts == ["simple", wheel.name]]
        if files:
            self._answer(200, json.dumps(_project(files)).encode(), _JSON)
        elif len(parts) == 2 and parts[0] == "wheels" and parts[1] in self.wheels:
            self._answer(200, self.wheels[parts[1]].content, "application/octet-stream")
        else:
            self._answer(404, b"", "text/plain")

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing on stderr."""

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _project(wheels: list[Wheel]) -> dict[str, object]:
    files = [
        {
            "filename": wheel.filename,
            "url": f"/wheels/{wheel.filename}",
            "hashes": {"sha256": hashlib.sha256(wheel.content).hexdigest()},
            "size": len(wheel.content),
            "upload-time": UPLOADED_AT,
            "yanked": False,
        }
        for wheel in wheels
    ]
    versions = [wheel.filename.split("-")[1] for wheel in wheels]
    return {"meta": {"api-version": "1.1"}, "name": wheels[0].name, "versions": versions, "files": files}
