"""Reads an answer from a socket, within its time and its size."""

from __future__ import annotations

import http.client
import io
import re
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

HEAD_LIMIT = 64 * 1024
"""Bytes of status line and headers."""
_CHUNK = 64 * 1024
OVERHEAD = 8
"""A chunked body may take this many times its size on the wire (chunks of one byte take six)."""
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_LINE = 4096


class TooLargeError(Exception):
    """The peer sent more bytes than it may."""


class Deadline:
    """The end of a request on the monotonic clock."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError("the time for the request is over")
        return left


class _Source(io.RawIOBase):
    """Bytes from a socket, within the deadline and a budget of bytes."""

    def __init__(self, sock: socket.socket, deadline: Deadline, budget: int) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self.budget = budget
        self.ended = False
        """Whether the peer has closed its side and somebody wanted to read on."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        if self.budget <= 0:
            raise TooLargeError
        self._sock.settimeout(self._deadline.remaining())
        got = self._sock.recv_into(view[: min(len(view), self.budget)])
        self.budget -= got
        self.ended = self.ended or got == 0
        return got


class BoundedSocket:
    """What http.client asks of a socket, with every wait bounded by the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline, budget: int) -> None:
        self.sock = sock
        self._deadline = deadline
        self.source = _Source(sock, deadline, budget)

    def sendall(self, data: ReadableBuffer) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            self.sock.settimeout(self._deadline.remaining())
            rest = rest[self.sock.send(rest) :]

    def makefile(self, mode: str, *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(self.source, 8192)

    def close(self) -> None:
        """Nothing: http.client closes before it has read; the exchange closes at its end."""


def plain(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The pieces of a body that has a length or ends with the connection."""
    while piece := response.read1(_CHUNK):
        yield piece
    if response.length:
        # http.client takes an end before the announced length for a good one.
        raise http.client.IncompleteRead(b"", response.length)


def chunks(source: io.BufferedIOBase) -> Iterator[bytes]:
    """The pieces of a chunked body (RFC 9112, section 7.1); http.client takes odd sizes."""
    while left := _chunk_size(source):
        while left:
            piece = source.read1(min(left, _CHUNK))
            if not piece:
                raise http.client.IncompleteRead(b"")
            left -= len(piece)
            yield piece
        if _line(source):
            raise http.client.HTTPException("a chunk is longer than it says")
    while _line(source):
        pass


def _chunk_size(source: io.BufferedIOBase) -> int:
    text = _line(source).partition(b";")[0].strip()
    if not _SIZE.fullmatch(text):
        raise http.client.HTTPException("a chunk has no size")
    return int(text, 16)


def _line(source: io.BufferedIOBase) -> bytes:
    line = source.readline(_LINE)
    if not line.endswith(b"\n"):
        if len(line) == _LINE:
            raise http.client.LineTooLong("chunk size")
        raise http.client.IncompleteRead(b"")
    return line.rstrip(b"\r\n")
