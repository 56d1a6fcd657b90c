"""Keep the beginning and the end of a stream of bytes, in bounded memory."""

from __future__ import annotations

from collections import deque

_NOTICE = b"\n[... %d bytes left out ...]\n"
_NOTICE_ROOM = 64


class Capture:
    """Takes any number of chunks; `value` is at most `limit` bytes long, the middle left out where there was more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head_room = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._total = 0

    @property
    def truncated(self) -> bool:
        return self._total > self._limit

    def add(self, chunk: bytes) -> None:
        self._total += len(chunk)
        missing = self._head_room - len(self._head)
        self._head += chunk[:missing]
        if len(chunk) > missing:
            self._tail.append(chunk[missing:])
            self._tail_bytes += len(chunk) - missing
        while self._tail and self._tail_bytes - len(self._tail[0]) >= self._limit - self._head_room:
            self._tail_bytes -= len(self._tail.popleft())

    def value(self) -> bytes:
        tail = b"".join(self._tail)
        if not self.truncated:
            return bytes(self._head) + tail
        room = self._limit - self._head_room
        if room <= _NOTICE_ROOM:
            return bytes(self._head) + tail[-room:]
        kept = room - _NOTICE_ROOM
        return bytes(self._head) + _NOTICE % (self._total - self._head_room - kept) + tail[-kept:]
