"""Runs ASGI applications under uvicorn on sockets that are bound before it starts.

Decides how connections are bounded (head size, time for a head, idle time, number) and how a
server stops: it takes no new connection, answers what it accepted, and ends. It refuses to know
what the applications do. uvicorn is imported on use; only servers need it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from muster.core.errors import error
from muster.net.accepting import let_in_the_last
from muster.net.door import RETRY_AFTER_SECONDS
from muster.net.http import HTTPClient, peer_text
from muster.wire.problem import encode_problem
from muster.wire.routes import PROBLEM

if TYPE_CHECKING:
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ASGI = Callable[..., Any]
BACKLOG = 2048
HEAD_LIMIT = 16 * 1024
"""Bytes of request line and headers."""
HEAD_SECONDS = 10.0
"""Time for a head to arrive, from the connection or from its first byte."""
KEEP_ALIVE_SECONDS = 15
CONNECTIONS = 4000
"""Connections of one listener at once. One more takes the place of the one that has been idle for
longest [whoever opens connections and says nothing must not lock others out]; where all are at
work it is answered by 503."""
_SPARE_FILES = 128
"""Descriptors that connections leave to the database, to files and to questions of our own."""
WRITE_SECONDS = 30.0
"""Time for a peer to read what waits for it."""
GRACE_SECONDS = 20
"""How long a stop waits for answers that are under way."""
FRESH_SECONDS = 1.0
"""How long a stop waits for the first request of a connection that was accepted just before."""


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificate chain and key, as PEM files."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and the socket where it is served."""

    app: ASGI
    sock: socket.socket
    tls: TLS | None = None
    connections: int = CONNECTIONS


def bind(address: str, port: int) -> socket.socket:
    """A listening socket; from here on connections wait until the server runs.

    Args:
        address: an IPv4 or IPv6 address; `::` takes both families where the system allows.
        port: 0 takes a free one.
    Raises: `net/address`, `net/port-taken`, `net/port-denied`.
    """
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    except ValueError:
        raise error("net/address", address=ascii(address)[1:-1][:80]) from None
    try:
        # Named as TCP, because asyncio sets TCP_NODELAY only then: an answer of two writes would
        # otherwise wait for the peer's delayed acknowledgement on a kept connection.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError:
        raise error("net/address", address=address) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            both = 0 if address == "::" else 1
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, both)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as fault:
        sock.close()
        code = getattr(fault, "errno", None)
        if code == errno.EADDRINUSE:
            raise error("net/port-taken", address=address, port=port) from fault
        if code in (errno.EACCES, errno.EPERM):
            raise error("net/port-denied", address=address, port=port) from fault
        raise error("net/address", address=address) from fault
    return sock


def url_of(sock: socket.socket, *, tls: bool = False) -> str:
    """`http://address:port` of a bound socket; any address is named as loopback."""
    address, port = sock.getsockname()[:2]
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - read, not bound
    return f"{'https' if tls else 'http'}://{peer_text(address, port)}"


class Servers:
    """Several listeners on one event loop, started and stopped together."""

    def __init__(
        self, listeners: Sequence[Listener], *, grace_seconds: int = GRACE_SECONDS
    ) -> None:
        self._listeners = tuple(listeners)
        self._grace_seconds = grace_seconds
        self._servers: list[uvicorn.Server] = []

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` is set, then answer what was accepted and end.

        Args:
            stop: set by a signal handler or by whoever ends the service.
            ready: called once when all listeners accept.
        """
        most = _room() // max(1, len(self._listeners))
        self._servers = [
            _make_server(one, min(one.connections, most), self._grace_seconds)
            for one in self._listeners
        ]
        tasks = [
            asyncio.create_task(server.serve(sockets=[one.sock]))
            for server, one in zip(self._servers, self._listeners, strict=True)
        ]
        waiting = asyncio.create_task(stop.wait())
        try:
            started = asyncio.create_task(self._started())
            await asyncio.wait([started, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                ready()
            else:
                started.cancel()
            await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            for server in self._servers:
                server.should_exit = True
            await asyncio.gather(*tasks)
            for one in self._listeners:
                close = getattr(one.app, "close", None)
                if close is not None:
                    await asyncio.to_thread(close)

    async def _started(self) -> None:
        while not all(server.started for server in self._servers):
            await asyncio.sleep(0.005)


def _room() -> int:
    """How many connections this process may have, after raising its limit of open files."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else max(8, soft - _SPARE_FILES)


def serve_forever(
    listeners: Sequence[Listener],
    *,
    ready: Callable[[], None] = lambda: None,
    grace_seconds: int = GRACE_SECONDS,
) -> None:
    """Serve in this thread until SIGTERM or SIGINT, then stop gracefully and return.

    Must be called in the main thread. A second signal does not hurry the stop; it is bounded by
    `grace_seconds`.
    """

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        with _signals(loop, stop):
            await Servers(listeners, grace_seconds=grace_seconds).run(stop, ready)

    asyncio.run(main())


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {one: signal.getsignal(one) for one in numbers}
    for one in numbers:
        signal.signal(one, lambda *_: loop.call_soon_threadsafe(stop.set))
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class ThreadServer:
    """Serves in a thread: for tests, for the demo, and for programs that have their own loop.

    ```
    with ThreadServer(Door(...)) as server:
        client.request("GET", server.url + "/healthz")
    ```
    """

    def __init__(
        self,
        app: ASGI,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: TLS | None = None,
        grace_seconds: int = GRACE_SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        self._listener = Listener(app, bind(address, port), tls, connections)
        self._tls = tls
        self._grace_seconds = grace_seconds
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="muster-server", daemon=True)
        self.url = url_of(self._listener.sock, tls=tls is not None)
        self.port = int(self._listener.sock.getsockname()[1])
        self.address = address

    def start(self) -> ThreadServer:
        """Start, and return when an HTTP request was answered (when TLS: when it accepts)."""
        self._thread.start()
        if not self._ready.wait(30):
            raise RuntimeError("the server did not start")
        if self._failed is not None:
            raise RuntimeError("the server did not start") from self._failed
        if self._tls is None:
            HTTPClient(timeout=30, limit=1024 * 1024).request("GET", self.url + "/healthz")
        return self

    def stop(self) -> None:
        """Stop gracefully; returns when the last answer is out. Idempotent."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(self._grace_seconds + 30)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as fault:  # noqa: BLE001 - handed to whoever starts or stops
            self._failed = fault
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        servers = Servers([self._listener], grace_seconds=self._grace_seconds)
        await servers.run(self._stop, self._ready.set)

    def __enter__(self) -> ThreadServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _State:
    """What the connections of one server share with it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.stopping = False
        self.idle: dict[HttpToolsProtocol, None] = {}
        """Connections without a request under way, the one idle for longest first."""


def _make_server(listener: Listener, most: int, grace_seconds: int) -> uvicorn.Server:
    import uvicorn

    state = _State(most)

    class Server(uvicorn.Server):
        """A uvicorn server that leaves signals to us."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            state.stopping = True
            await asyncio.gather(*(let_in_the_last(one) for one in sockets or ()))
            await super().shutdown(sockets)

    config = uvicorn.Config(
        listener.app,
        http=_protocol(state),
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
        ssl_certfile=listener.tls.certificate if listener.tls else None,
        ssl_keyfile=listener.tls.key if listener.tls else None,
    )
    return Server(config)


def _protocol(state: _State) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with bounds that it lacks: number of connections, size and time of a head,
    time of a peer that does not read, and a stop that waits for a request which is on its way."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base

    class Bounded(Base):
        _head_bytes = 0
        """Bytes of a head that is not whole yet."""
        _heads = 0
        """Heads that were whole."""
        _in_head = True
        _head_timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > state.most and not self._make_room():
                self._refuse(_busy())
                return
            state.idle[self] = None
            # A connection that the kernel accepted just before a stop is answered too.
            self._start_head_timer(FRESH_SECONDS if state.stopping else HEAD_SECONDS)

        def connection_lost(self, exc: Exception | None) -> None:
            state.idle.pop(self, None)
            self._stop_head_timer()
            self._stop_write_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if not self._in_head:
                super().data_received(data)
                return
            if self._head_timer is None:
                self._start_head_timer(HEAD_SECONDS)
            room = HEAD_LIMIT - self._head_bytes
            heads = self._heads
            self._head_bytes += min(room, len(data))
            super().data_received(data[:room])
            if self.transport.is_closing() or len(data) <= room:
                return
            if self._heads == heads:
                self._refuse(_empty(431, b"Request Header Fields Too Large"))
                return
            # A head ended within the piece; what follows is body or the next head.
            self._head_bytes = 0
            self.data_received(data[room:])

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._head_bytes = 0
            self._heads += 1
            self._stop_head_timer()
            state.idle.pop(self, None)
            super().on_headers_complete()
            if state.stopping:
                self.cycle.keep_alive = False

        def on_message_complete(self) -> None:
            self._in_head = True
            super().on_message_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.response_complete and not self.transport.is_closing():
                state.idle[self] = None

        def _make_room(self) -> bool:
            """Cut the connection that has been idle for longest; whether there was one."""
            for oldest in state.idle:
                del state.idle[oldest]
                oldest.transport.abort()
                return True
            return False

        def shutdown(self) -> None:
            if self._heads and not self._head_bytes:
                super().shutdown()
                return
            # Accepted, and its request is on its way: it is answered, then we close.
            if self.cycle is not None:
                self.cycle.keep_alive = False
            self._stop_head_timer()
            self._start_head_timer(FRESH_SECONDS)

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._write_timer is None:
                self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

        def resume_writing(self) -> None:
            self._stop_write_timer()
            super().resume_writing()

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            # Closing waits for a peer that never reads what is left; not for ever.
            if self._write_timer is None:
                self._write_timer = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

        def _unsupported_upgrade_warning(self) -> None:
            """Nothing: whoever asks for an upgrade gets a plain answer, and no line in the log."""

        def _start_head_timer(self, seconds: float) -> None:
            self._head_timer = self.loop.call_later(seconds, self._head_is_late)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _stop_write_timer(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

        def _head_is_late(self) -> None:
            self._head_timer = None
            if self.transport.is_closing():
                return
            if self._head_bytes:
                self._refuse(_empty(408, b"Request Timeout"))
            elif self.cycle is None or self.cycle.response_complete:
                self.transport.close()

        def _refuse(self, answer: bytes) -> None:
            self.transport.write(answer)
            self.transport.close()

    return Bounded


def _empty(status: int, reason: bytes) -> bytes:
    """An answer to what is not a request yet."""
    return b"HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % (status, reason)


def _busy() -> bytes:
    """The answer 503 where all connections are at work."""
    status, body = encode_problem(error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS))
    return (
        b"HTTP/1.1 %d Service Unavailable\r\nconnection: close\r\nretry-after: %d\r\n"
        b"content-type: %s\r\ncontent-length: %d\r\n\r\n%s"
        % (status, RETRY_AFTER_SECONDS, PROBLEM.encode(), len(body), body)
    )
