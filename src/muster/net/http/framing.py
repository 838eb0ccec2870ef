"""Reads an answer from a peer, within its time and its size: the one decoder of such bytes.

Strict by RFC 9112 with three allowances of it: a line may end with a bare line feed, a long field
may be folded, and a status line may lack its reason. White space is the space and the tab alone
[`str.strip` takes four more control characters, and those of other scripts, for white space], and
a number is ASCII digits alone. Everything that a peer sends ends in an answer or in one of the
exceptions of this module; a peer's words are never in them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping

from muster.core import grammar
from muster.core.values import dataclass

HEAD_LIMIT = 64 * 1024
"""Bytes of the status lines and headers of one answer, interim ones included; of trailers too."""
MAX_FIELDS = 100
"""Header lines of one answer, and trailer lines."""
_PIECE = 64 * 1024
_OVERHEAD = 8
"""A chunked body may take this many times its size on the wire (chunks of one byte take six)."""
_STATUS = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9]{2})(?: " + grammar.TEXT_CHARACTER + rb"*)?")
_FIELD = re.compile(
    rb"(" + grammar.TOKEN_CHARACTER + rb"+):[ \t]*(" + grammar.TEXT_CHARACTER + rb"*)"
)
_FOLD = re.compile(rb"[ \t]+(" + grammar.TEXT_CHARACTER + rb"*)")
_LENGTH = re.compile(r"[0-9]+")
_LONGEST_LENGTH = 18
"""Digits of a length that is looked at; a longer one is above every limit."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;" + grammar.TEXT_CHARACTER + rb"*)?")
_CHUNK_LINE = 4096


class TooLargeError(Exception):
    """The peer sends more than it may; `limit` in bytes, None means that of the body."""

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(limit)
        self.limit = limit


class NotHTTPError(Exception):
    """What came is no answer in HTTP; `detail` says why, in our words."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class CutOffError(Exception):
    """The connection ended before the answer was whole."""


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


class Wire:
    """A connection to a peer. Each wait ends with the deadline; what is held is bounded.

    Raises: TimeoutError and OSError of the socket, besides what each method says.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self._deadline = deadline
        self._held = bytearray()
        self._ended = False
        self.first = b""
        """The first bytes that came, at most 8."""

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(self._deadline.remaining())
            rest = rest[self.sock.send(rest) :]

    def line(self, most: int) -> bytes:
        """The next line of at most `most` bytes with its end, without which it is returned.

        Raises: TooLargeError; CutOffError where the peer ended within the line.
        """
        seen = 0
        while (end := self._held.find(b"\n", seen, most)) < 0:
            if len(self._held) >= most:
                raise TooLargeError
            seen = len(self._held)
            if not self._more():
                raise CutOffError
        text = bytes(self._held[:end])
        del self._held[: end + 1]
        return text.removesuffix(b"\r")

    def piece(self, most: int) -> bytes:
        """The next bytes, at least one and at most `most`; none when the peer ended."""
        if not self._held and not self._more():
            return b""
        data = bytes(self._held[:most])
        del self._held[:most]
        return data

    @property
    def held(self) -> bytes:
        """What came already and was not read."""
        return bytes(self._held)

    def _more(self) -> bool:
        if not self._ended:
            self.sock.settimeout(self._deadline.remaining())
            data = self.sock.recv(_PIECE)
            self._ended = not data
            self._held += data
            self.first = self.first or data[:8]
        return not self._ended


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before a body: minor version, status, fields in order, names in lower case."""

    minor: int
    status: int
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of a field, in order; `name` in lower case."""
        return [value for key, value in self.fields if key == name]

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields by name; repeated ones joined by ", "."""
        joined: dict[str, str] = {}
        for name, value in self.fields:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined


def read_head(wire: Wire) -> Head:
    """The head of the final answer; interim ones (1xx) are passed over within the same size.

    Raises: NotHTTPError, TooLargeError, CutOffError.
    """
    left = HEAD_LIMIT
    while True:
        try:
            line = wire.line(left)
        except CutOffError:
            # Nothing, or the begin of a good line, was cut off; anything else is another protocol.
            if wire.held and not wire.held.startswith(b"HTTP/"):
                raise NotHTTPError("the status line is something else") from None
            raise
        except TooLargeError:
            raise TooLargeError(HEAD_LIMIT) from None
        left -= len(line)
        match = _STATUS.fullmatch(line)
        if match is None:
            raise NotHTTPError("the status line is something else")
        fields, left = _read_fields(wire, left)
        status = int(match[2])
        if status == 101:
            raise NotHTTPError("it changes to another protocol that nobody asked for")
        if status >= 200:
            return Head(int(match[1]), status, fields)


def _read_fields(wire: Wire, left: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Field lines up to the empty one, and what is left of the size."""
    fields: list[tuple[str, str]] = []
    lines = 0
    while True:
        try:
            line = wire.line(left)
        except TooLargeError:
            raise TooLargeError(HEAD_LIMIT) from None
        left -= len(line) + 1
        if not line:
            return tuple(fields), left
        lines += 1
        if lines > MAX_FIELDS:
            raise TooLargeError(HEAD_LIMIT)
        if fields and (fold := _FOLD.fullmatch(line)) is not None:
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {_text(fold[1])}".strip(" \t"))
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise NotHTTPError("a header line is something else")
        fields.append((match[1].decode("ascii").lower(), _text(match[2])))


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \t")


def read_body(wire: Wire, head: Head, limit: int, *, expected: bool) -> bytes:
    """The body of an answer, at most `limit` bytes.

    Args:
        expected: whether the method has a body in its answer; HEAD has none.
    Raises: NotHTTPError, TooLargeError, CutOffError.
    Source: RFC 9112, sections 6 and 7.
    """
    lengths = head.all("content-length")
    codings = head.all("transfer-encoding")
    clear = (
        len(lengths) + len(codings) <= 1
        and all(_LENGTH.fullmatch(length) for length in lengths)
        and all(coding.lower() == "chunked" and head.minor > 0 for coding in codings)
    )
    if not clear:
        raise NotHTTPError("the length of the body is not clear")
    if not expected or head.status in (204, 304):
        return b""
    if codings:
        body = _read_chunks(wire, limit)
    elif lengths:
        body = _read_length(wire, lengths[0].lstrip("0"), limit)
    else:
        body = _read_rest(wire, limit)
    if body and any(coding.lower() != "identity" for coding in head.all("content-encoding")):
        raise NotHTTPError("the body is coded, which nobody asked for")
    return body


def _read_length(wire: Wire, digits: str, limit: int) -> bytes:
    if len(digits) > _LONGEST_LENGTH or int(digits or "0") > limit:
        raise TooLargeError
    return bytes(_take(wire, int(digits or "0")))


def _take(wire: Wire, size: int) -> bytearray:
    """Exactly `size` bytes."""
    body = bytearray()
    while len(body) < size:
        piece = wire.piece(size - len(body))
        if not piece:
            raise CutOffError
        body += piece
    return body


def _read_rest(wire: Wire, limit: int) -> bytes:
    """All bytes up to the end of the connection."""
    body = bytearray()
    while piece := wire.piece(_PIECE):
        body += piece
        if len(body) > limit:
            raise TooLargeError
    return bytes(body)


def _read_chunks(wire: Wire, limit: int) -> bytes:
    body = bytearray()
    overhead = limit * (_OVERHEAD - 1) + HEAD_LIMIT
    while True:
        line = wire.line(_CHUNK_LINE)
        overhead -= len(line) + 4
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise NotHTTPError("a chunk has no size")
        size = int(match[1], 16)
        if size > limit - len(body) or overhead < 0:
            raise TooLargeError
        if not size:
            _read_fields(wire, HEAD_LIMIT)
            return bytes(body)
        body += _take(wire, size)
        # The line end alone may follow; one byte of anything else is enough to refuse.
        end = bytes(_take(wire, 1))
        if end == b"\r":
            end = bytes(_take(wire, 1))
        if end != b"\n":
            raise NotHTTPError("a chunk is longer than it says")
