"""One request and its answer over one connection, within its time."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import SplitResult

from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.net.http.faults import Faults, ProxyFaults, Translator
from muster.net.http.framing import Deadline, Head, NotHTTPError, Wire, read_body, read_head
from muster.net.proxy import Proxy
from muster.wire.routes import PROBLEM

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

_REFUSING = 300
"""The first of the statuses with which what was asked for is not given."""
_LOGIN_WANTED = 407
"""The status with which a proxy asks for a login."""
_DIALLED = 8
"""Addresses of one name that are dialled; they share the time."""
_DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATE = re.compile(
    rf"(?:{_DAYS}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status, headers by lower-case name (repeated ones joined by ", "), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> int | None:
        """What the peer's clock says (`Date` as RFC 9110 has it), Unix seconds; else None."""
        match = _DATE.fullmatch(self.headers.get("date", ""))
        if match is None:
            return None
        day, month, year, hour, minute, second = match.groups()
        try:
            moment = datetime(
                int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=UTC
            )
        except ValueError:
            return None
        # A leap second is the one after 59.
        return int(moment.timestamp()) + int(second) if int(second) <= 60 else None


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
        proxy: Proxy | None,
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
        self._wire: Wire | None = None
        self._server = peer_text(self._host, self._port)
        self._peer = self._server if connect_to is None else peer_text(*connect_to)
        if proxy is not None:
            self._peer += f" through the proxy {peer_text(proxy.host, proxy.port)}"

    def run(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        """Send the request and read the answer. Raises: the errors `net/…`."""
        with self._faults().translated():
            self._wire = wire = self._connect()
            with contextlib.closing(wire.sock):
                # The peer may have answered before it read all (413) and closed: its answer
                # counts. Nothing to read gives a fault of its own.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    wire.send(self._request(method, body, headers))
                if self._forwarded is not None:
                    head = self._forwarded_head(wire, self._forwarded)
                else:
                    head = read_head(wire)
                data = read_body(wire, head, self._limit, expected=method != "HEAD")
                return Response(head.status, head.headers, data)

    @property
    def first(self) -> bytes:
        """The first bytes that the peer sent, none where it sent none."""
        return b"" if self._wire is None else self._wire.first

    @property
    def _forwarded(self) -> Proxy | None:
        """The proxy where it reads the request itself, and no tunnel leads through it."""
        return self._proxy if self._parts.scheme == "http" else None

    def _forwarded_head(self, wire: Wire, proxy: Proxy) -> Head:
        """The head of an answer that a proxy passes on, or gives itself.

        A Muster server says in a problem document why it refuses; what refuses in another form is
        the proxy's own word, or that of a server which is not the one meant.
        """
        with self._faults_of(proxy, reached=True).translated():
            head = read_head(wire)
        form = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if head.status >= _REFUSING and form != PROBLEM:
            raise self._refused(proxy, head)
        return head

    def _refused(self, proxy: Proxy, head: Head) -> MusterError:
        peer = peer_text(proxy.host, proxy.port)
        if head.status == _LOGIN_WANTED:
            return proxy.refused(peer, head.headers.get("proxy-authenticate", ""))
        return proxy.gave_none(peer, self._server, head.status)

    def _request(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        default = 443 if self._parts.scheme == "https" else 80
        name = f"[{self._host}]" if ":" in self._host else self._host
        fields = {
            "Host": name if self._port == default else f"{name}:{self._port}",
            "Connection": "close",
            "Accept-Encoding": "identity",
            **headers,
        }
        if self._forwarded is not None and self._forwarded.authorization:
            fields["Proxy-Authorization"] = self._forwarded.authorization
        if body is not None:
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {self._target()} HTTP/1.1"]
        lines += [f"{field}: {value}" for field, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")

    def _target(self) -> str:
        path = self._parts.path or "/"
        if self._parts.query:
            path += "?" + self._parts.query
        if self._forwarded is not None:
            return f"http://{self._server}{path}"
        return path

    def _connect(self) -> Wire:
        proxy = self._proxy
        if proxy is None:
            sock = self._dial(*(self._connect_to or (self._host, self._port)))
        else:
            with self._faults_of(proxy, reached=False).translated():
                sock = self._dial(proxy.host, proxy.port)
        try:
            if self._tls is not None:
                if proxy is not None:
                    with self._faults_of(proxy, reached=True).translated():
                        self._tunnel(sock, proxy)
                sock.settimeout(self._deadline.remaining())
                sock = self._tls().wrap_socket(sock, server_hostname=self._host)
            return Wire(sock, self._deadline)
        except BaseException:
            sock.close()
            raise

    def _tunnel(self, sock: socket.socket, proxy: Proxy) -> None:
        wire = Wire(sock, self._deadline)
        lines = [f"CONNECT {self._server} HTTP/1.1", f"Host: {self._server}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        wire.send("\r\n".join([*lines, "", ""]).encode("ascii"))
        head = read_head(wire)
        if head.status != 200:
            raise self._refused(proxy, head)
        if wire.held:
            raise NotHTTPError("bytes follow before anything was asked of the server")

    def _dial(self, host: str, port: int) -> socket.socket:
        addresses = self._resolve(host, port)
        last: OSError | None = None
        for index, (family, kind, protocol, address) in enumerate(addresses):
            left = self._deadline.remaining()
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                sock.settimeout(left / (len(addresses) - index))
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
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        else:
            entries = bounded(
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags),
                self._deadline.remaining(),
            )
        return [
            (family, kind, protocol, address)
            for family, kind, protocol, _, address in entries[:_DIALLED]
        ]

    def _faults(self) -> Translator:
        name = self._connect_to[0] if self._connect_to else self._host
        server = None if self._tls is None else (self._server, self._host)
        return Faults(self._peer, name, self._deadline.seconds, self._limit, server)

    def _faults_of(self, proxy: Proxy, *, reached: bool) -> Translator:
        peer = peer_text(proxy.host, proxy.port)
        seconds = self._deadline.seconds
        return ProxyFaults(peer, proxy.variable, self._server, seconds, reached)


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
    answered = threading.Event()

    def run() -> None:
        try:
            result.append(call())
        except BaseException as fault:  # noqa: BLE001 - handed to the caller
            failed.append(fault)
        finally:
            answered.set()

    threading.Thread(target=run, name="bounded-call", daemon=True).start()
    if not answered.wait(seconds):
        raise TimeoutError("the system's resolver did not answer in time")
    if failed:
        raise failed[0]
    return result[0]
