"""Names what failed below: each fault of a lower library is one error `net/…`."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.net.http.framing import CutOffError, NotHTTPError, TooLargeError


class Translator:
    """Lets errors of the catalogue through and names each fault of a lower library."""

    __slots__ = ()

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Run the block; what fails there is named."""
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
        raise NotImplementedError


def _in_words(seconds: float) -> str:
    # A share of a longer time has many digits that tell nobody anything.
    return f"{round(seconds, 1) if seconds >= 1 else seconds:g}"


@dataclass(frozen=True, slots=True)
class ProxyFaults(Translator):
    """Translates what is between this machine and a proxy, before the server has its say.

    `peer` is the proxy and `variable` where it is named, `server` whom it should lead to;
    `reached`: whether a connection to the proxy stands.
    """

    peer: str
    variable: str
    server: str
    seconds: float
    reached: bool

    def translate(self, fault: Exception) -> MusterError | None:
        """`net/proxy-unreachable`, or `net/proxy` over a connection that stands."""
        detail = self._detail(fault)
        if detail is None:
            return None
        code = "net/proxy" if self.reached else "net/proxy-unreachable"
        return error(
            code, peer=self.peer, server=self.server, detail=detail, variable=self.variable
        )

    def _detail(self, fault: Exception) -> str | None:
        if isinstance(fault, TimeoutError):
            return f"it did not answer within {_in_words(self.seconds)} seconds"
        if isinstance(fault, TooLargeError):
            return "its answer is too large"
        if isinstance(fault, NotHTTPError):
            return f"it does not answer in HTTP, {fault.detail}"
        if isinstance(fault, socket.gaierror | UnicodeError):
            return "its name does not resolve to an address"
        if isinstance(fault, ConnectionRefusedError):
            return "it refused the connection"
        if isinstance(fault, CutOffError | ConnectionError):
            return "it closed the connection"
        if isinstance(fault, OSError):
            return fault.strerror or "no route"
        return None


@dataclass(frozen=True, slots=True)
class Faults(Translator):
    """Translates for one exchange.

    `peer` is who was talked to and `name` who was dialled; `seconds` and `limit` are the bounds;
    `server`: where TLS is spoken, `name:port` of the server and the name of its certificate.
    """

    peer: str
    name: str
    seconds: float
    limit: int
    server: tuple[str, str] | None

    def translate(self, fault: Exception) -> MusterError | None:
        """The error that a fault is, or None where it is a defect."""
        peer = self.peer
        if isinstance(fault, TimeoutError):
            return error("net/timeout", peer=peer, seconds=_in_words(self.seconds))
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
