"""One request and its answer over one connection, within its time."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import SplitResult

from muster.core.errors import error
from muster.net.http.faults import Faults
from muster.net.http.framing import (
    HEAD_LIMIT,
    OVERHEAD,
    BoundedSocket,
    Deadline,
    TooLargeError,
    chunks,
    plain,
)

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status, headers by lower-case name (repeated ones joined by ", "), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> int | None:
        """What the peer's clock says (`Date`), Unix seconds; None where it does not tell."""
        from email.utils import parsedate_to_datetime

        try:
            return int(parsedate_to_datetime(self.headers.get("date", "")).timestamp())
        except (ValueError, OverflowError, OSError):
            return None


def peer_text(host: str, port: int) -> str:
    """`name:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        parts: SplitResult,
        *,
        timeout: float,
        limit: int,
        monotonic: Callable[[], float],
        connect_to: tuple[str, int] | None,
        proxy: SplitResult | None,
        tls: Callable[[], ssl.SSLContext] | None,
    ) -> None:
        self._parts = parts
        self._host = cast("str", parts.hostname)
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._limit = limit
        self._connect_to = connect_to
        self._proxy = proxy
        self._tls = tls
        self._deadline = Deadline(timeout, monotonic)
        if proxy is not None:
            self._peer = peer_text(cast("str", proxy.hostname), proxy.port or 80)
        elif connect_to is not None:
            self._peer = peer_text(*connect_to)
        else:
            self._peer = peer_text(self._host, self._port)

    def run(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        with (
            self._faults().translated(),
            contextlib.closing(_Connection(self._host, self._port)) as link,
        ):
            channel = self._connect()
            # http.client needs the duck, not the class.
            link.sock = channel
            try:
                self._send(link, method, body, headers)
                response = link.getresponse()
                if channel.source.ended:
                    # http.client takes the end of the connection for the end of the head.
                    raise http.client.IncompleteRead(b"")
                return self._read(response, channel)
            finally:
                channel.sock.close()

    def _target(self) -> str:
        path = self._parts.path or "/"
        if self._parts.query:
            path += "?" + self._parts.query
        if self._proxy is not None and self._parts.scheme == "http":
            return f"http://{peer_text(self._host, self._port)}{path}"
        return path

    def _send(
        self,
        link: http.client.HTTPConnection,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> None:
        default = 443 if self._parts.scheme == "https" else 80
        name = f"[{self._host}]" if ":" in self._host else self._host
        link.putrequest(method, self._target(), skip_host=True, skip_accept_encoding=True)
        link.putheader("Host", name if self._port == default else f"{name}:{self._port}")
        link.putheader("Connection", "close")
        link.putheader("Accept-Encoding", "identity")
        for field, value in headers.items():
            link.putheader(field, value)
        if body is not None:
            link.putheader("Content-Length", str(len(body)))
        # The peer may have answered before it read all (413) and closed: its answer counts.
        # Nothing to read gives a fault of its own.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            link.endheaders(body)

    def _read(self, response: http.client.HTTPResponse, channel: BoundedSocket) -> Response:
        fields: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            text = value.strip()
            fields[key] = f"{fields[key]}, {text}" if key in fields else text
        self._check_framing(response)
        channel.source.budget = self._limit * OVERHEAD + HEAD_LIMIT
        pieces: list[bytes] = []
        size = 0
        for piece in chunks(response.fp) if response.chunked else plain(response):
            size += len(piece)
            if size > self._limit:
                raise TooLargeError
            pieces.append(piece)
        return Response(response.status, fields, b"".join(pieces))

    def _check_framing(self, response: http.client.HTTPResponse) -> None:
        lengths = response.headers.get_all("Content-Length", [])
        codings = response.headers.get_all("Transfer-Encoding", [])
        bad = (
            len(lengths) > 1
            or any(not (one.strip().isascii() and one.strip().isdigit()) for one in lengths)
            or any(one.strip().lower() != "chunked" for one in codings)
            or len(codings) > 1
            or (lengths and codings)
        )
        if bad:
            raise http.client.HTTPException("the length of the body is not clear")
        if lengths and int(lengths[0]) > self._limit and response.length:
            raise TooLargeError

    def _connect(self) -> BoundedSocket:
        if self._proxy is not None:
            host, port = cast("str", self._proxy.hostname), self._proxy.port or 80
        else:
            host, port = self._connect_to or (self._host, self._port)
        sock = self._dial(host, port)
        try:
            if self._tls is not None:
                if self._proxy is not None:
                    self._tunnel(sock)
                sock.settimeout(self._deadline.remaining())
                sock = self._tls().wrap_socket(sock, server_hostname=self._host)
            return BoundedSocket(sock, self._deadline, HEAD_LIMIT)
        except BaseException:
            sock.close()
            raise

    def _tunnel(self, sock: socket.socket) -> None:
        target = peer_text(self._host, self._port)
        channel = BoundedSocket(sock, self._deadline, HEAD_LIMIT)
        channel.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
        answer = http.client.HTTPResponse(cast("socket.socket", channel), method="CONNECT")
        try:
            answer.begin()
            if answer.status != 200:
                detail = f"it answered with status {answer.status}"
                raise error("net/proxy", peer=self._peer, detail=detail)
        finally:
            answer.close()

    def _dial(self, host: str, port: int) -> socket.socket:
        addresses = self._resolve(host, port)
        last: OSError | None = None
        for place, (family, kind, protocol, address) in enumerate(addresses):
            left = self._deadline.remaining()
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                sock.settimeout(left / (len(addresses) - place))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as fault:
                if sock is not None:
                    sock.close()
                last = fault
            else:
                return sock
        if last is None:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        raise last

    def _resolve(self, host: str, port: int) -> list[tuple[int, int, int, Any]]:
        literal = _literal(host)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV if literal else socket.AI_NUMERICSERV
        if literal:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        else:
            found = bounded(
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags),
                self._deadline.remaining(),
            )
        return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]

    def _faults(self) -> Faults:
        if self._proxy is not None:
            name = cast("str", self._proxy.hostname)
        else:
            name = self._connect_to[0] if self._connect_to else self._host
        return Faults(self._peer, name, self._deadline.seconds, self._limit, self._tls is not None)


class _Connection(http.client.HTTPConnection):
    """http.client without a way of connecting by itself."""

    sock: Any

    def connect(self) -> None:
        raise http.client.NotConnected


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def bounded(call: Callable[[], T], seconds: float) -> T:
    """Run a call that cannot be given a time, such as the system's resolver, for a bounded time.

    The call runs in a thread of its own, which is left behind when the time is over.
    Raises: TimeoutError, or what the call raises.
    """
    result: list[T] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            result.append(call())
        except BaseException as fault:  # noqa: BLE001 - handed to the caller
            failed.append(fault)
        finally:
            done.set()

    threading.Thread(target=run, name="bounded-call", daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError("the system's resolver did not answer in time")
    if failed:
        raise failed[0]
    return result[0]
