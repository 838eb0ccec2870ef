"""Heads and chunked bodies of HTTP/1 requests, read strictly: bytes to values, no sockets.

Decides what is a request (RFC 9112) and refuses, before anybody looks at it, what two readers
could read differently: two Host fields, two lengths, a length beside chunks, folded lines, bare
line feeds, white space before a colon. Everything is bounded: bytes and fields of a head, bytes
of chunk sizes, extensions and trailers. It refuses to know connections and times.

All refusals are `wire/bad-request` (400) or `wire/head-too-large` (431).
"""

from __future__ import annotations

import re

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

HEAD_LIMIT = 16 * 1024
"""Bytes of request line and fields, with the empty line."""
FIELDS = 100
"""Fields of a head."""
_LINE = 256
"""Bytes of a line with a chunk's size and its extensions."""
_TRAILER_LINE = 1024
_FRAME_LIMIT = 4 * 1024
"""Bytes of a chunked body that are not content; one more for each `_FRAME_SHARE` of content."""
_FRAME_SHARE = 8

_STRANGE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?=[^\n])")
"""What no head has: control characters, and line feeds and returns without each other."""
_REQUEST_LINE = re.compile(
    rb"(" + grammar.TOKEN_CHARACTER + rb"{1,64}) ([!\"$-~]+) HTTP/([0-9]\.[0-9])"
)
_FIELD = re.compile(rb"(" + grammar.TOKEN_CHARACTER + rb"+):([^\r\n]*)")
_ABSOLUTE = re.compile(rb"https?://([^/?]*)([/?].*)?", re.IGNORECASE)
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+;=%-]{0,253})(?::[0-9]{0,5})?"
)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;" + grammar.TEXT_CHARACTER + rb"*)?")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request.

    `target` and `query` are the raw bytes before and after the first `?`; names of `fields` have
    lower case; `length` is the announced length of the body, None where it comes in chunks;
    `keep_alive`: the sender may ask again on this connection; `expects`: it waits for a 100.
    """

    method: str
    target: bytes
    query: bytes
    version: str
    fields: list[tuple[bytes, bytes]]
    length: int | None
    keep_alive: bool
    expects: bool


def bad(detail: str) -> MusterError:
    """The refusal of what is not a request."""
    return error("wire/bad-request", detail=detail)


def too_large() -> MusterError:
    """The refusal of a head beyond its bounds."""
    return error("wire/head-too-large", limit=HEAD_LIMIT, fields=FIELDS)


def find_end(buffer: bytearray, seen: int) -> int:
    """Length of the head at the front of `buffer`, or -1 while it is not whole.

    Args:
        buffer: what has arrived, without empty lines before the request line.
        seen: how many of its bytes a call before this one has looked at.
    Raises: `wire/bad-request`, `wire/head-too-large`.
    """
    end = buffer.find(b"\r\n\r\n", max(0, seen - 3), HEAD_LIMIT)
    if end < 0:
        # Told at once, so that whoever uses TLS or another protocol does not wait for a timeout.
        if _STRANGE.search(buffer, max(0, seen - 1)):
            raise bad("it is not HTTP")
        if len(buffer) >= HEAD_LIMIT:
            raise too_large()
        return -1
    return end + 4


def read_head(data: bytes) -> Head:
    """The head whose bytes, with the empty line at the end, are `data`.

    Raises: `wire/bad-request`, `wire/head-too-large`.
    """
    if _STRANGE.search(data):
        raise bad("its head has control characters or broken line ends")
    first, *lines = data[:-4].split(b"\r\n")
    if len(lines) > FIELDS:
        raise too_large()
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        raise bad("its first line is no request line")
    method, target, version = request.groups()
    if version not in (b"1.1", b"1.0"):
        raise bad("its version of HTTP is not 1.1")
    fields: list[tuple[bytes, bytes]] = []
    by_name: dict[bytes, list[bytes]] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise bad("a line of its head is not a field")
        name, value = match[1].lower(), match[2].strip(b" \t")
        fields.append((name, value))
        by_name.setdefault(name, []).append(value)
    target = _own_target(target, _host(by_name, version))
    path, _, query = target.partition(b"?")
    connection = b",".join(by_name.get(b"connection", ())).lower()
    return Head(
        method=method.decode(),
        target=path,
        query=query,
        version=version.decode(),
        fields=fields,
        length=_length(by_name, version),
        keep_alive=version == b"1.1"
        and b"close" not in [token.strip() for token in connection.split(b",")],
        expects=version == b"1.1" and by_name.get(b"expect", [b""])[-1].lower() == b"100-continue",
    )


def _host(by_name: dict[bytes, list[bytes]], version: bytes) -> bytes:
    hosts = by_name.get(b"host", [])
    if len(hosts) > 1 or (not hosts and version == b"1.1"):
        raise bad("it must have one Host field")
    host = hosts[0] if hosts else b""
    if not _HOST.fullmatch(host):
        raise bad("its Host field is not a name or an address")
    return host


def _own_target(target: bytes, host: bytes) -> bytes:
    """The target as a path; an absolute one must name the host that the Host field names."""
    if target.startswith(b"/") or target == b"*":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise bad("its target is not a path")
    if absolute[1].lower() != host.lower() or not host:
        raise bad("its target and its Host field name different hosts")
    rest: bytes = absolute[2] or b"/"
    return rest if rest.startswith(b"/") else b"/" + rest


def _length(by_name: dict[bytes, list[bytes]], version: bytes) -> int | None:
    lengths, codings = by_name.get(b"content-length", []), by_name.get(b"transfer-encoding", [])
    if codings:
        if lengths or version != b"1.1" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise bad("its Transfer-Encoding is not just 'chunked'")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise bad("its Content-Length is not one number")
    return int(lengths[0])


class Chunks:
    """A chunked body, read from the front of a buffer; trailers are checked and dropped."""

    __slots__ = ("_frame", "_left", "_size", "_state")

    def __init__(self) -> None:
        self._state = "size"
        self._left = 0
        self._frame = 0
        self._size = 0

    def feed(self, buffer: bytearray, body: bytearray) -> bool:
        """Move content from `buffer` to `body`; whether the body has ended.

        Raises: `wire/bad-request`.
        """
        while True:
            if self._state == "data":
                if not buffer:
                    return False
                piece = buffer[: self._left]
                del buffer[: len(piece)]
                body += piece
                self._left -= len(piece)
                self._size += len(piece)
                if self._left == 0:
                    self._state = "end"
                continue
            line = self._line(buffer)
            if line is None:
                return False
            if self._state == "trailer":
                if not line:
                    return True
                if not _FIELD.fullmatch(line):
                    raise bad("a line of its trailers is not a field")
            elif self._state == "end":
                if line:
                    raise bad("a chunk is longer than its size")
                self._state = "size"
            else:
                self._begin(line)

    def _begin(self, line: bytes) -> None:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise bad("a chunk has no size")
        self._left = int(match[1], 16)
        self._state = "data" if self._left else "trailer"

    def _line(self, buffer: bytearray) -> bytes | None:
        """The next line without its end, taken from the buffer; None while it is not whole."""
        longest = {"size": _LINE, "end": 2}.get(self._state, _TRAILER_LINE)
        end = buffer.find(b"\n", 0, longest)
        if end < 0:
            if len(buffer) >= longest:
                raise bad("a line of its chunks is too long")
            return None
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        self._frame += len(line)
        if self._frame > _FRAME_LIMIT + self._size // _FRAME_SHARE:
            raise bad("its chunks have more frame than content")
        if not line.endswith(b"\r\n") or _STRANGE.search(line):
            raise bad("its chunks have broken line ends")
        return line[:-2]
