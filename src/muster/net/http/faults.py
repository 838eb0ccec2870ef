"""Names what failed below: each fault of a lower library is one error `net/…`."""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from muster.core.errors import MusterError, error
from muster.net.http.framing import HEAD_LIMIT, TooLargeError


@dataclass(frozen=True, slots=True)
class Faults:
    """Translates for one exchange.

    `peer` is who was talked to and `name` who was dialled; `seconds` and `limit` are the bounds;
    `tls`: whether TLS is spoken.
    """

    peer: str
    name: str
    seconds: float
    limit: int
    tls: bool

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except MusterError:
            raise
        except Exception as fault:
            known = self.translate(fault)
            if known is None:
                raise
            raise known from fault

    def translate(self, fault: Exception) -> MusterError | None:
        peer = self.peer
        if isinstance(fault, TimeoutError):
            return error("net/timeout", peer=peer, seconds=f"{self.seconds:g}")
        if isinstance(fault, TooLargeError | http.client.LineTooLong):
            return error("net/too-large", peer=peer, limit=self.limit)
        if isinstance(fault, socket.gaierror):
            return error("net/name", name=self.name)
        if isinstance(fault, UnicodeError):
            # A name whose labels no DNS can hold fails in the codec.
            return error("net/name", name=self.name)
        if isinstance(fault, http.client.IncompleteRead | ConnectionError):
            if isinstance(fault, ConnectionRefusedError):
                return error("net/refused", peer=peer)
            return error("net/reset", peer=peer)
        if isinstance(fault, http.client.HTTPException):
            if "more than" in str(fault) and "headers" in str(fault):
                return error("net/too-large", peer=peer, limit=HEAD_LIMIT)
            detail = "the status line is something else"
            if not isinstance(fault, http.client.BadStatusLine | http.client.UnknownProtocol):
                detail = str(fault) or type(fault).__name__
            return error("net/not-http", peer=peer, detail=detail)
        if isinstance(fault, OSError):
            return self._translate_os(fault)
        return None

    def _translate_os(self, fault: OSError) -> MusterError:
        peer = self.peer
        if self.tls:
            import ssl

            if isinstance(fault, ssl.SSLCertVerificationError):
                return error("net/tls", peer=peer, detail=fault.verify_message)
            if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                return error("net/reset", peer=peer)
            if isinstance(fault, ssl.SSLError):
                return error("net/tls", peer=peer, detail=fault.reason or "it does not speak TLS")
        if fault.errno in (errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN):
            return error("net/reset", peer=peer)
        return error("net/unreachable", peer=peer, detail=fault.strerror or "no route")
