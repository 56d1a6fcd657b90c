"""Git's smart HTTP protocol, by git's own `http-backend`."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
from http.server import BaseHTTPRequestHandler

from github_server.gitworld import environment
from github_server.service import Request
from github_server.tokens import Accounts
from github_server.world import Repository, World

_PATH = re.compile(r"/(?P<name>[^/]+/[^/]+)\.git(?P<rest>/(?:info/refs|git-upload-pack))")


def answer(handler: BaseHTTPRequestHandler, world: World, accounts: Accounts, request: Request, query: str) -> None:
    """Clone and fetch. A private repository wants a token as password; a former name answers with the new one."""
    match = _PATH.fullmatch(request.path)
    repo = world.find(match["name"]) if match else None
    if match is None or repo is None:
        _short(handler, 404, {})
    elif repo.traits.private and not _may_read(accounts, request.headers.get("authorization")):
        _short(handler, 401, {"www-authenticate": 'Basic realm="GitHub"'})
    elif repo.name.lower() != match["name"].lower():
        place = f"/{repo.name}.git{match['rest']}" + (f"?{query}" if query else "")
        _short(handler, 301, {"location": place})
    else:
        _backend(handler, repo, match["rest"], request, query)


def _may_read(accounts: Accounts, authorization: str | None) -> bool:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return accounts.find(authorization) is not None
    try:
        password = base64.b64decode(value).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return False
    return accounts.with_password(password) is not None


def _short(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "content-length": "0"}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _backend(handler: BaseHTTPRequestHandler, repo: Repository, rest: str, request: Request, query: str) -> None:
    """Run the CGI program (RFC 3875) and pass on what it says, a chunk at a time."""
    variables = {
        **environment(),
        "GIT_PROJECT_ROOT": str(repo.git.path.parent),
        "PATH_INFO": f"/{repo.git.path.name}{rest}",
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    command = ["git", "http-backend"]
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request.body)
            process.stdin.close()
            _pass_on(handler, process.stdout)
        except BrokenPipeError:
            process.kill()
            handler.close_connection = True


def _pass_on(handler: BaseHTTPRequestHandler, output: object) -> None:
    from typing import IO, cast

    stream = cast("IO[bytes]", output)
    status, headers = 200, []
    for line in iter(stream.readline, b"\r\n"):
        name, _, value = line.decode("latin-1").strip().partition(": ")
        if name.lower() == "status":
            status = int(value.split(" ")[0])
        else:
            headers.append((name, value))
    handler.send_response(status)
    for name, value in [*headers, ("transfer-encoding", "chunked")]:
        handler.send_header(name, value)
    handler.end_headers()
    while data := stream.read(1 << 16):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.write(b"0\r\n\r\n")
