"""Servers that answer what a test tells them, as anybody on the path to a host could."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Stranger:
    """Answers every request on a port of 127.0.0.1 with one status and one body.

    `heads` holds the first line and the headers of each request, in their order.
    """

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}
        self.heads: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

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
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                fields = {name.lower(): value for name, value in self.headers.items()}
                stranger.heads.append((self.requestline, fields))
                self.close_connection = True
                self.send_response(stranger.status)
                for name, value in stranger.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(stranger.body)))
                self.end_headers()
                self.wfile.write(stranger.body)

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def do_CONNECT(self) -> None:
                self.answer()

            def log_message(self, *_: Any) -> None:
                """Nothing: a test that fails says enough."""

        return Handler
