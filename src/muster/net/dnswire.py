"""One question to one DNS server: over UDP, over TCP, and the one decoder of what comes back.

Decides what counts as the answer to a question. It refuses to know which servers there are and
what records mean. A question goes as the C library sends it, without EDNS [servers and boxes on
the way that do not know EDNS answer FORMERR, NOTIMP, SERVFAIL or nothing]; an answer that is cut
comes again by TCP, and where that fails by UDP with EDNS. Obeys docs/spec/07-discovery.md,
section 7.2.

dnspython is imported by the first question, not by this module.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING

from muster.core.values import dataclass

if TYPE_CHECKING:
    import dns.message
    import dns.rrset

_PAYLOAD = 1232
"""Bytes that pass everywhere in one packet."""


class GarbageError(Exception):
    """What came is no answer to the question; `detail` says why, in our words."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RefusedError(Exception):
    """The server answered with a code that is neither records nor their absence."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of a name: records, or none; `alias` the name at the end of the CNAMEs,
    in the form of a zone file with its last dot."""

    records: dns.rrset.RRset | None
    alias: str


def ask(name: str, kind: str, server: tuple[str, int], seconds: float) -> Answer:
    """Ask one server.

    Args:
        name: a whole name, without its last dot.
        kind: the record type.
        server: IP address, with a scope where it needs one, and port.
        seconds: for everything together.
    Raises: TimeoutError, OSError, GarbageError, RefusedError.
    """
    import dns.flags

    end = time.monotonic() + seconds
    query = make_query(name, kind)
    message = _over_udp(query, server, end)
    if message.flags & dns.flags.TC:
        try:
            message = _over_tcp(query, server, end)
        except (OSError, GarbageError):
            # TCP is closed or broken. Half of what is left is enough for a larger packet.
            wide = make_query(name, kind, edns=True)
            try:
                message = _over_udp(wide, server, end)
                _no_error(message)
            except (OSError, RefusedError):
                message.flags |= dns.flags.TC
            if message.flags & dns.flags.TC:
                raise
    return understand(message)


def make_query(name: str, kind: str, *, edns: bool = False) -> dns.message.QueryMessage:
    """A question with a number that nobody can guess."""
    import dns.message

    if edns:
        return dns.message.make_query(name + ".", kind, use_edns=0, payload=_PAYLOAD)
    return dns.message.make_query(name + ".", kind, use_edns=False)


def decode(query: dns.message.Message, wire: bytes) -> dns.message.Message:
    """The answer to a question. Raises: GarbageError, whatever the bytes."""
    import dns.exception
    import dns.message

    try:
        message = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError) as fault:
        raise GarbageError(type(fault).__name__) from fault
    if not query.is_response(message):
        raise GarbageError("it answers another question")
    return message


def understand(message: dns.message.Message) -> Answer:
    """What a decoded answer says. Raises: GarbageError, RefusedError."""
    import dns.exception
    import dns.flags
    import dns.message

    _no_error(message)
    if message.flags & dns.flags.TC and not message.answer:
        raise GarbageError("it is cut")
    if not isinstance(message, dns.message.QueryMessage):
        raise GarbageError("it is no answer to a question")
    try:
        chain = message.resolve_chaining()
    except dns.exception.DNSException as fault:
        raise GarbageError(type(fault).__name__) from fault
    return Answer(chain.answer, chain.canonical_name.to_text())


def _no_error(message: dns.message.Message) -> None:
    import dns.rcode

    code = message.rcode()
    if code == dns.rcode.YXDOMAIN:
        raise GarbageError("a DNAME makes the name too long")
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise RefusedError(dns.rcode.to_text(code))


def _over_udp(
    query: dns.message.Message, server: tuple[str, int], end: float
) -> dns.message.Message:
    """Send and wait; what is no answer to this question is as if nothing had come."""
    with _connected(server, socket.SOCK_DGRAM, end) as sock:
        sock.send(query.to_wire())
        while True:
            sock.settimeout(_left(end))
            wire = sock.recv(65_535)
            with contextlib.suppress(GarbageError):
                return decode(query, wire)


def _over_tcp(
    query: dns.message.Message, server: tuple[str, int], end: float
) -> dns.message.Message:
    with _connected(server, socket.SOCK_STREAM, end) as sock:
        wire = query.to_wire()
        sock.settimeout(_left(end))
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        (size,) = struct.unpack("!H", _exactly(sock, 2, end))
        return decode(query, _exactly(sock, size, end))


def _connected(server: tuple[str, int], kind: socket.SocketKind, end: float) -> socket.socket:
    """A connected socket; over UDP too, so that a closed port is told and strangers are not."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    family, _, protocol, _, address = socket.getaddrinfo(*server, type=kind, flags=flags)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(_left(end))
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _exactly(sock: socket.socket, size: int, end: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        sock.settimeout(_left(end))
        piece = sock.recv(size - len(data))
        if not piece:
            raise GarbageError("it closed the connection")
        data += piece
    return bytes(data)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for the question is over")
    return left
