"""A proxy in front of a server that fails some requests: with a status, or by resetting the connection.

Each connection carries one request, so that requests can be told apart without understanding their bodies.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

RESET = 0
"""The fault that is no answer at all."""
Fault = int | None
_HEAD = 64 * 1024


@dataclass
class Proxy:
    """`address` is `127.0.0.1:PORT`; `fault` decides by a request's number and first line; `failed` counts."""

    address: str
    fault: Callable[[int, str], Fault]
    seen: list[str] = field(default_factory=list)
    failed: int = 0


@contextmanager
def proxying(upstream: str, fault: Callable[[int, str], Fault] = lambda *_: None) -> Iterator[Proxy]:
    """Forward to `upstream` (`127.0.0.1:PORT`) what is not to fail."""
    proxy = Proxy("", fault)
    lock = threading.Lock()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                head = _read_head(self.request)
                if not head:
                    return
                with lock:
                    line = head.split(b"\r\n", 1)[0].decode("latin-1")
                    failure = proxy.fault(len(proxy.seen), line)
                    proxy.seen.append(line)
                    proxy.failed += failure is not None
                if failure is None:
                    _forward(self.request, head, upstream)
                else:
                    _fail(self.request, failure)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _read_head(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _HEAD:
        piece = client.recv(4096)
        if not piece:
            break
        data += piece
        if not data[:1].isalpha():  # Somebody tries whether this speaks TLS.
            return b""
    return data if re.match(rb"[A-Z]+ /", data) else b""


def _fail(client: socket.socket, status: int) -> None:
    if status == RESET:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        client.sendall(f"HTTP/1.1 {status} Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _forward(client: socket.socket, head: bytes, upstream: str) -> None:
    host, _, port = upstream.partition(":")
    start, _, rest = head.partition(b"\r\n\r\n")
    start = re.sub(rb"(?im)^connection:.*\r\n", b"", start)
    with socket.create_connection((host, int(port)), timeout=60) as server:
        server.sendall(start + b"\r\nConnection: close\r\n\r\n" + rest)
        while True:
            for readable in select.select([client, server], [], [])[0]:
                piece = readable.recv(1 << 16)
                if readable is server and not piece:
                    return
                if piece:
                    (server if readable is client else client).sendall(piece)
                elif readable is client:
                    return
