"""How a connection to a server that uses TLS begins: it greets in time, or it is told and cut.

Decides what becomes of a connection before its first request. Every connection is greeted with the
certificate that is shown then, so that a renewed one needs no restart. Obeys docs/spec/08-http.md,
section 8.15.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from muster.net.certificate import Certificate

SHUT_SECONDS = 5.0
"""Time for the peer to say goodbye."""
_LINGER_SECONDS = 1.0
_GREETING = b"\x16"
_TEXT = b"This port speaks TLS: ask it with https://.\n"
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_TEXT), _TEXT)
)


async def greeted(
    make: Callable[[], asyncio.BaseProtocol],
    sock: socket.socket,
    certificate: Certificate,
    seconds: float,
) -> None:
    """Hand a connection that greets in TLS to the protocol that is made for it.

    Args:
        make: of the protocol behind.
        sock: just accepted, not blocking.
        certificate: the server's.
        seconds: for the first byte, and again for the greeting.
    Raises: OSError: it did not greet in time, or is gone, or spoke plain HTTP and was told so.
    """
    loop = asyncio.get_running_loop()
    first = await _first_byte(sock, seconds)
    if first != _GREETING:
        if first:
            certificate.failures["plain"] += 1
            await _tell(sock)
        raise ConnectionAbortedError
    try:
        await loop.connect_accepted_socket(
            make,
            sock,
            ssl=certificate.context,
            ssl_handshake_timeout=seconds,
            ssl_shutdown_timeout=SHUT_SECONDS,
        )
    except (OSError, ssl.SSLError):
        certificate.failures["handshake"] += 1
        raise


async def _first_byte(sock: socket.socket, seconds: float) -> bytes:
    """The first byte, which stays where it is; none where the peer has ended."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()

    def there() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(sock.fileno(), there)
    try:
        async with asyncio.timeout(seconds):
            await readable
    finally:
        loop.remove_reader(sock.fileno())
    return sock.recv(1, socket.MSG_PEEK)


async def _tell(sock: socket.socket) -> None:
    """Say that the port uses TLS; what still comes is thrown away meanwhile [a reset would
    overtake the words]."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await loop.sock_sendall(sock, _PLAIN)
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, 65536):
                pass
