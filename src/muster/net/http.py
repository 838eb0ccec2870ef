"""One bounded HTTP client: an answer within time and size, or one error that names the fault.

Decides how a request is sent and when a peer has had its chance. It refuses to know what an
answer means, follows no redirect and keeps no connection. Everything is bounded: the whole time
from the name to the last byte (also against a peer that sends one byte a second), the size of
head and body. Failures of any lower library, also in the middle of a body, become one of the
errors `net/…` (docs/spec/08-http.md, section 9).
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from muster.core.errors import MusterError, error

if TYPE_CHECKING:
    import ssl

    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")

HEAD_LIMIT = 64 * 1024
"""Bytes of status line and headers."""
_CHUNK = 64 * 1024
_OVERHEAD = 8
"""A chunked body may take this many times its size on the wire (chunks of one byte take six)."""
_FIELD = re.compile(r"[A-Za-z0-9-]{1,64}")
_VALUE = re.compile(r"[ -~]{0,8192}")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_LINE = 4096
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


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


class HTTPClient:
    """Makes single requests.

    Args:
        timeout: seconds for one request as a whole.
        limit: bytes of the body of an answer.
        ca_file: certificates that are trusted for https in place of the system's.
        proxies: use the proxies of the environment (HTTPS_PROXY, NO_PROXY, …). Off unless told:
            a host in the same network is never asked through a proxy.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        timeout: float = 10.0,
        limit: int = 64 * 1024,
        *,
        ca_file: str | None = None,
        proxies: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = timeout
        self._limit = limit
        self._ca_file = ca_file
        self._proxies = proxies
        self._monotonic = monotonic
        self._tls: ssl.SSLContext | None = None

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        connect_to: tuple[str, int] | None = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> Response:
        """Send one request and read the whole answer, whatever its status.

        Args:
            method: GET, HEAD, POST, PUT or DELETE.
            url: `http://…` or `https://…`; an IPv6 address stands in brackets.
            body: sent with its length; None sends none.
            headers: added to Host, Connection and Accept-Encoding.
            connect_to: address and port to connect to in place of what the URL's name resolves
                to, so that each address of a name can be tried; Host and certificate check keep
                the URL's name.
            timeout: in place of the client's.
            limit: in place of the client's.
        Raises:
            `net/url`, `net/name`, `net/refused`, `net/unreachable`, `net/timeout`, `net/reset`,
            `net/not-http`, `net/too-large`, `net/tls`, `net/proxy`.
        """
        parts = _split(url)
        if method not in _METHODS:
            raise ValueError(f"{method} is not a method that this client sends")
        for name, value in (headers or {}).items():
            if not _FIELD.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name!r} cannot be sent")
        exchange = _Exchange(
            parts,
            timeout=self._timeout if timeout is None else timeout,
            limit=self._limit if limit is None else limit,
            monotonic=self._monotonic,
            connect_to=connect_to,
            proxy=self._proxy_for(parts) if self._proxies and connect_to is None else None,
            tls=self._tls_context if parts.scheme == "https" else None,
        )
        return exchange.run(method, body, headers or {})

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl

            try:
                self._tls = ssl.create_default_context(cafile=self._ca_file)
            except (OSError, ssl.SSLError) as fault:
                detail = f"the certificates in {self._ca_file} cannot be used"
                raise error("net/tls", peer="the server", detail=detail) from fault
        return self._tls

    def _proxy_for(self, parts: SplitResult) -> SplitResult | None:
        from urllib.request import getproxies, proxy_bypass

        proxy = getproxies().get(parts.scheme)
        if not proxy or proxy_bypass(parts.hostname or ""):
            return None
        return _split(proxy if "://" in proxy else f"http://{proxy}")


def _split(url: str) -> SplitResult:
    def bad(detail: str) -> MusterError:
        return error("net/url", url=url[:200], detail=detail)

    if not url.isascii() or not url.isprintable() or " " in url:
        raise bad("it has characters that do not belong there")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise bad("it cannot be taken apart") from fault
    if parts.scheme not in ("http", "https"):
        raise bad("only http and https are offered")
    if parts.username is not None or parts.password is not None:
        raise bad("it holds a user name")
    if not parts.hostname or len(parts.hostname) > 253:
        raise bad("it names no server")
    if port == 0:
        raise bad("the port is 0")
    if parts.fragment:
        raise bad("it has a fragment")
    return parts


def peer_text(host: str, port: int) -> str:
    """`name:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _TooLargeError(Exception):
    """The peer sent more bytes than it may."""


class _Deadline:
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

    def __init__(self, sock: socket.socket, deadline: _Deadline, budget: int) -> None:
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
            raise _TooLargeError
        self._sock.settimeout(self._deadline.remaining())
        got = self._sock.recv_into(view[: min(len(view), self.budget)])
        self.budget -= got
        self.ended = self.ended or got == 0
        return got


class _BoundedSocket:
    """What http.client asks of a socket, with every wait bounded by the deadline."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, budget: int) -> None:
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


class _Exchange:
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
        self._deadline = _Deadline(timeout, monotonic)
        if proxy is not None:
            self._peer = peer_text(cast("str", proxy.hostname), proxy.port or 80)
        elif connect_to is not None:
            self._peer = peer_text(*connect_to)
        else:
            self._peer = peer_text(self._host, self._port)

    def run(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        with self._translated(), contextlib.closing(_Connection(self._host, self._port)) as link:
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

    def _read(self, response: http.client.HTTPResponse, channel: _BoundedSocket) -> Response:
        fields: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            text = value.strip()
            fields[key] = f"{fields[key]}, {text}" if key in fields else text
        self._check_framing(response)
        channel.source.budget = self._limit * _OVERHEAD + HEAD_LIMIT
        pieces: list[bytes] = []
        size = 0
        for piece in _chunks(response.fp) if response.chunked else _plain(response):
            size += len(piece)
            if size > self._limit:
                raise _TooLargeError
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
            raise _TooLargeError

    def _connect(self) -> _BoundedSocket:
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
            return _BoundedSocket(sock, self._deadline, HEAD_LIMIT)
        except BaseException:
            sock.close()
            raise

    def _tunnel(self, sock: socket.socket) -> None:
        target = peer_text(self._host, self._port)
        channel = _BoundedSocket(sock, self._deadline, HEAD_LIMIT)
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

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except MusterError:
            raise
        except Exception as fault:
            known = self._translate(fault)
            if known is None:
                raise
            raise known from fault

    def _translate(self, fault: Exception) -> MusterError | None:
        peer = self._peer
        if isinstance(fault, TimeoutError):
            return error("net/timeout", peer=peer, seconds=f"{self._deadline.seconds:g}")
        if isinstance(fault, _TooLargeError | http.client.LineTooLong):
            return error("net/too-large", peer=peer, limit=self._limit)
        if isinstance(fault, socket.gaierror):
            return error("net/name", name=self._dialled())
        if isinstance(fault, UnicodeError):
            # A name whose labels no DNS can hold fails in the codec.
            return error("net/name", name=self._dialled())
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
        peer = self._peer
        if self._tls is not None:
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

    def _dialled(self) -> str:
        if self._proxy is not None:
            return cast("str", self._proxy.hostname)
        return self._connect_to[0] if self._connect_to else self._host


def _plain(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The pieces of a body that has a length or ends with the connection."""
    while piece := response.read1(_CHUNK):
        yield piece
    if response.length:
        # http.client takes an end before the announced length for a good one.
        raise http.client.IncompleteRead(b"", response.length)


def _chunks(source: io.BufferedIOBase) -> Iterator[bytes]:
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
