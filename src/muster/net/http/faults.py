"""Names what failed below: each fault of a lower library is one error `net/…`."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from muster.core.errors import MusterError, error
from muster.net.http.framing import CutOffError, NotHTTPError, TooLargeError


@dataclass(frozen=True, slots=True)
class Faults:
    """Translates for one exchange.

    `peer` is who was talked to and `name` who was dialled; `seconds` and `limit` are the bounds;
    `server`: where TLS is spoken, `name:port` of the server and the name of its certificate.
    """

    peer: str
    name: str
    seconds: float
    limit: int
    server: tuple[str, str] | None

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Let errors of the catalogue through and name each fault of a lower library."""
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
        """The error that a fault is, or None where it is a defect."""
        peer = self.peer
        if isinstance(fault, TimeoutError):
            # A share of a longer time has many digits that tell nobody anything.
            seconds = round(self.seconds, 1) if self.seconds >= 1 else self.seconds
            return error("net/timeout", peer=peer, seconds=f"{seconds:g}")
        if isinstance(fault, TooLargeError):
            return error("net/too-large", peer=peer, limit=fault.limit or self.limit)
        if isinstance(fault, NotHTTPError):
            return error("net/not-http", peer=peer, detail=fault.detail)
        if isinstance(fault, socket.gaierror | UnicodeError):
            # A name whose labels no DNS can hold fails in the codec.
            return error("net/name", name=self.name)
        if isinstance(fault, ConnectionRefusedError):
            return error("net/refused", peer=peer)
        if isinstance(fault, CutOffError | ConnectionError):
            return error("net/reset", peer=peer)
        if isinstance(fault, OSError):
            return self._translate_os(fault)
        return None

    def _translate_os(self, fault: OSError) -> MusterError:
        peer = self.peer
        if self.server is not None:
            import ssl

            if isinstance(fault, ssl.SSLError):
                from muster.net.tls import tls_fault

                return tls_fault(fault, *self.server)
        if fault.errno in (errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN):
            return error("net/reset", peer=peer)
        return error("net/unreachable", peer=peer, detail=fault.strerror or "no route")
