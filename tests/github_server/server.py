"""A service like GitHub on the loopback: GraphQL, REST and git over real HTTP, on a generated world."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from github_server import githttp
from github_server.executing import Executor
from github_server.faults import Faults
from github_server.rest import Rest
from github_server.service import Counts, Request, Response, Service
from github_server.tokens import POINTS, Accounts
from github_server.world import World

if TYPE_CHECKING:
    from typing_extensions import Buffer

TOKENS = ("ghp_first0000000000000000000000000000", "ghp_second000000000000000000000000000")


@dataclass(frozen=True)
class Server:
    """`url` is the REST root; GraphQL is at `url`/graphql, a repository at `url`/OWNER/NAME.git."""

    url: str
    tokens: tuple[str, ...]
    world: World
    counts: Counts


@contextmanager
def serve(
    world: World,
    *,
    faults: Faults | None = None,
    schema: Path | None = None,
    tokens: Sequence[str] = TOKENS,
    points: int = POINTS,
    clock: Callable[[], float] = time.time,
) -> Iterator[Server]:
    """Serve the world until the block ends. `points` is the hourly budget of each token, `clock` gives Unix seconds."""
    accounts = Accounts(tokens, clock, points)
    service = Service(Executor(world, schema), Rest(world), accounts, faults or Faults(), clock)
    handler = type("Handler", (_Handler,), {"service": service, "world": world})
    with _Listener(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{listener.server_port}", tuple(tokens), world, service.counts)
        finally:
            listener.shutdown()
            thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of ours; anything else is shown."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Counted(io.BufferedIOBase):
    """Passes everything on, and counts it."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self.bytes += memoryview(data).nbytes
        return self._stream.write(data)

    def flush(self) -> None:
        if not self._stream.closed:
            self._stream.flush()

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Handler(BaseHTTPRequestHandler):
    service: Service
    world: World
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body

    def setup(self) -> None:
        super().setup()
        self.wfile = self._written = _Counted(self.wfile)

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self._body())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing on stderr."""

    def _handle(self, body: bytes) -> None:
        target = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = target.path.removeprefix("/api/v3")
        request = Request(self.command, path, dict(parse_qsl(target.query)), headers, body)
        before, kind = self._written.bytes, "git" if ".git/" in target.path else "api"
        if kind == "git":
            self.service.counts.git += 1
            githttp.answer(self, self.world, self.service.accounts, request, target.query)
        else:
            self._send(self.service.respond(request))
        self.service.counts.sent[kind] += self._written.bytes - before

    def _send(self, response: Response) -> None:
        if response.silent:
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in {"content-type": "application/json; charset=utf-8", **response.headers}.items():
            self.send_header(name.title(), value)  # as over HTTP/1.1; some clients do not take them in small letters
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body[: len(response.body) // 2] if response.cut else response.body)
        self.close_connection = self.close_connection or response.cut

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _chunk(self) -> bytes:
        """The next chunk (RFC 9112, section 7.1); an empty one is the last."""
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data
