"""A small host on a real socket of this machine, honest or rude, for tests of clients.

It serves the host of `muster.testing.world` over HTTP, each request on a thread. Moods that a
transport has to stand are played on the socket itself: silence, rubbish, endless bodies, bodies
that break off, redirections.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from muster.client.discovery import Address
from muster.core.products import DAY
from muster.system.clock import SystemClock
from muster.testing.tiny_host import Misbehaviour, TinyHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.routes import (
    ACTIVATE,
    HOST_CATALOGUE,
    HOST_TRUST,
    JSON,
    PROBLEM,
    PUBLISHERS,
    RELEASE,
    Route,
)

_ROUTES = (ACTIVATE, RELEASE, PUBLISHERS, HOST_CATALOGUE, HOST_TRUST)


class LoopbackHost:
    """A host of a publisher in memory, listening on 127.0.0.1.

    ```
    with LoopbackHost() as served:
        served.host.misbehaviour = Misbehaviour.SILENT
    ```
    `host` and `publisher` may be changed while it serves.
    """

    def __init__(self, publisher: TinyPublisher | None = None, *, crowd: int = 100) -> None:
        clock = SystemClock()
        self.publisher = publisher or TinyPublisher("contoso", now=clock.now() - 10 * DAY)
        self.host = TinyHost(self.publisher, clock, "loopback")
        for application in ("os", "office"):
            self.host.crowd(crowd, application)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address("127.0.0.1", int(self._server.server_address[1]))

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and let go whoever waits in silence."""
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                served._answer(self)

            def do_GET(self) -> None:
                served._answer(self)

            def log_message(self, *_: Any) -> None:
                """Nothing: a test that fails says enough."""

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        request.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            match self.host.misbehaviour:
                case Misbehaviour.SILENT:
                    self._stop.wait(30)
                case Misbehaviour.REFUSING:
                    request.connection.shutdown(socket.SHUT_RDWR)
                case Misbehaviour.RUBBISH:
                    request.wfile.write(b"\x00\xff no HTTP at all \r\n" * 100)
                case Misbehaviour.HUGE:
                    self._huge(request)
                case Misbehaviour.REDIRECT:
                    self._send(request, 302, b"", {"Location": "http://127.0.0.1:9/"})
                case _:
                    self._honest(request, body)

    def _honest(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        route = _route(request.command, request.path)
        if route is None:
            self._send(request, 404, b"", {})
            return
        with self._lock:
            reply = self.host.moody(route, request.path, body)
        kind = JSON if reply.status == 200 else PROBLEM
        self._send(request, reply.status, reply.body, {"Content-Type": kind})

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _huge(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not self._stop.is_set():
            request.wfile.write(b"x" * 65536)


def _route(method: str, path: str) -> Route | None:
    """The route of a path, or None."""
    for route in _ROUTES:
        parts, wanted = path.split("/"), route.path.split("/")
        fits = len(parts) == len(wanted) and all(
            part == two or two.startswith("{") for part, two in zip(parts, wanted, strict=True)
        )
        if fits and method == route.method:
            return route
    return None
