"""Runs ASGI applications on sockets that are bound before it starts.

Decides how connections are accepted and how a server stops: it takes no new connection, answers
what the kernel has accepted, and ends within a time. A socket that was handed over stays open at
whoever handed it over, so what waits there is left to the next process. What a connection may send
and hold is decided by `muster.net.connection` and `muster.net.crowd`. It refuses to know what the
applications do.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import math
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from muster.core.catalogue import error
from muster.core.values import dataclass
from muster.net.accepting import let_in_the_last
from muster.net.certificate import Certificate
from muster.net.connection import HEAD_SECONDS, Connection
from muster.net.crowd import CONNECTIONS, HELD_BYTES, PER_SOURCE, Crowd
from muster.net.greeting import greeted
from muster.net.http import HTTPClient, peer_text
from muster.net.peers import Network, source_of
from muster.net.serving import ASGI, Serving

BACKLOG = 2048
GRACE_SECONDS = 20.0
"""How long a stop waits for answers that are under way."""
TLS_CONNECTIONS = 1000
"""Connections where TLS is spoken: each may fill a buffer of 256 KiB [asyncio's]."""
_SPARE_FILES = 128
"""Descriptors that connections leave to the database, to files and to questions of our own."""
_UNWELCOME = 64
"""Connections beyond the bound that are told so at once; more are closed without a word."""
_ACCEPT_AT_ONCE = 32
_PAUSE_SECONDS = 0.05
_TOLD_SECONDS = 60.0
"""How often a shortage is logged."""
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = logging.getLogger("muster.net.serve")


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and the socket where it is served.

    `connections` at once, `per_source` of one source (0: no bound), `held` bytes for all of them;
    `shared`: networks whose addresses many stand behind, so that no bound of one source holds;
    `handed_over`: the service manager keeps the socket open too, and hands it to the next process.
    """

    app: ASGI
    sock: socket.socket
    tls: Certificate | None = None
    connections: int = CONNECTIONS
    per_source: int = PER_SOURCE
    held: int = HELD_BYTES
    shared: Sequence[Network] = ()
    handed_over: bool = False


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Who is told what becomes of a server, and when: the service manager.

    `stopping` when no new connection is taken any more; `alive` every `alive_seconds` (0: never) by
    the loop that answers; `reload` at SIGHUP, in a thread of its own, one at a time, where None
    SIGHUP is a stop.
    """

    stopping: Callable[[], None] = lambda: None
    alive: Callable[[], None] = lambda: None
    alive_seconds: float = 0.0
    reload: Callable[[], None] | None = None


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
        self,
        listeners: Sequence[Listener],
        *,
        grace_seconds: float = GRACE_SECONDS,
        lifecycle: Lifecycle | None = None,
    ) -> None:
        self._listeners = tuple(listeners)
        self._grace_seconds = grace_seconds
        self._lifecycle = lifecycle or Lifecycle()

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` is set, then answer what was accepted and end.

        Args:
            stop: set by a signal handler or by whoever ends the service.
            ready: called once when all listeners accept.
        """
        room, wanted = _room(), sum(bound.connections for bound in self._listeners)
        servers = [
            _Server(bound, max(1, min(bound.connections, room * bound.connections // wanted)))
            for bound in self._listeners
        ]
        accepting = [asyncio.create_task(server.accept()) for server in servers]
        waiting = asyncio.create_task(stop.wait())
        living = asyncio.create_task(self._live())
        try:
            ready()
            await asyncio.wait([waiting, *accepting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            self._lifecycle.stopping()
            await asyncio.gather(
                *(
                    server.stop(task, self._grace_seconds)
                    for server, task in zip(servers, accepting, strict=True)
                )
            )
            for listener in self._listeners:
                close = getattr(listener.app, "close", None)
                if close is not None:
                    close()
            living.cancel()

    async def _live(self) -> None:
        while self._lifecycle.alive_seconds > 0:
            self._lifecycle.alive()
            await asyncio.sleep(self._lifecycle.alive_seconds)


class _Server:
    """One listener: accepts, and stops."""

    def __init__(self, listener: Listener, most: int) -> None:
        self._sock = listener.sock
        self._sock.setblocking(False)
        self._shared = tuple(listener.shared)
        self._certificate = listener.tls
        self._most = most if listener.tls is None else min(most, TLS_CONNECTIONS)
        self._handed_over, self._leaving = listener.handed_over, asyncio.Event()
        crowd = Crowd(self._most, listener.per_source, listener.held)
        self._serving = Serving(listener.app, crowd, tls=listener.tls is not None)
        self._opening: set[asyncio.Task[None]] = set()
        self._told_at = -math.inf

    async def accept(self) -> None:
        """Take connections until cancelled, or until `_leave`."""
        loop = asyncio.get_running_loop()
        while not self._leaving.is_set():
            try:
                for _ in range(_ACCEPT_AT_ONCE):
                    sock, client = await loop.sock_accept(self._sock)
                    self._take(sock, client)
                    if self._leaving.is_set():
                        return
            except OSError as fault:
                await self._cannot_accept(fault)
            await asyncio.sleep(0)

    async def _cannot_accept(self, fault: OSError) -> None:
        """Who was about to come has gone, or the system is short of descriptors or memory."""
        if fault.errno in _SHORT:
            now = asyncio.get_running_loop().time()
            if now - self._told_at > _TOLD_SECONDS:
                self._told_at = now
                _log.warning("no connection can be taken: %s", fault.strerror)
            self._serving.crowd.oldest()
        await asyncio.sleep(_PAUSE_SECONDS)

    def _take(self, sock: socket.socket, client: tuple[str, int]) -> None:
        serving = self._serving
        sock.setblocking(False)
        connection = Connection(serving, (str(client[0]), int(client[1])))
        source = source_of(connection.client[0], {}, self._shared)
        connection.is_welcome = serving.crowd.enter(connection, "" if source.shared else source.key)
        if not connection.is_welcome and len(serving.open) > self._most + _UNWELCOME:
            sock.close()
            connection.closed()
            return
        connection.opening = task = asyncio.create_task(self._open(connection, sock))
        self._opening.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._opening.discard(task)
            connection.opening = None
            if not connection.is_made:
                sock.close()
            if not connection.is_made or task.cancelled() or task.exception() is not None:
                connection.closed()

        task.add_done_callback(ended)

    async def _open(self, connection: Connection, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        # Gone again, or no TLS: nobody is there who could be told.
        with contextlib.suppress(OSError):
            if self._certificate is None:
                await loop.connect_accepted_socket(connection.make, sock)
            else:
                await greeted(connection.make, sock, self._certificate, HEAD_SECONDS)
            return
        connection.closed()

    async def stop(self, accepting: asyncio.Task[None], grace_seconds: float) -> None:
        """Let in whom the kernel has accepted, answer everybody, and end within the time."""
        serving = self._serving
        end = serving.loop.time() + grace_seconds
        serving.stopping = True
        if self._handed_over:
            await self._leave(accepting)
        else:
            if not accepting.done():
                await let_in_the_last(self._sock)
            accepting.cancel()
            await asyncio.wait([accepting])
            with contextlib.suppress(OSError):
                while sys.platform != "win32":
                    self._take(*self._sock.accept())
        self._sock.close()
        for connection in list(serving.open):
            connection.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await serving.empty.wait()
                await asyncio.gather(*serving.tasks)
        for connection in list(serving.open):
            connection.abort()
        for task in (*serving.tasks, *self._opening):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await serving.empty.wait()

    async def _leave(self, accepting: asyncio.Task[None]) -> None:
        """Accept no more of a socket that others keep open, and lose nobody who was accepted: a
        filter on it, or an empty queue, would be the next process's too."""
        self._leaving.set()
        self._serving.loop.remove_reader(self._sock.fileno())
        # Whoever was accepted in this turn is taken in the next; then it waits for nobody.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        accepting.cancel()
        await asyncio.wait([accepting])


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
    grace_seconds: float = GRACE_SECONDS,
    lifecycle: Lifecycle | None = None,
) -> None:
    """Serve in this thread until SIGTERM, SIGINT or SIGHUP, then stop gracefully and return.

    SIGHUP is a terminal that was closed; where it is ignored, as by nohup, it stays so. Where
    `lifecycle` knows how to reload, SIGHUP asks for that.

    Must be called in the main thread. A second signal does not hurry the stop; it is bounded by
    `grace_seconds`.
    """

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        life = lifecycle or Lifecycle()
        with _signals(loop, stop, life.reload):
            await Servers(listeners, grace_seconds=grace_seconds, lifecycle=life).run(stop, ready)

    asyncio.run(main())


@contextlib.contextmanager
def _signals(
    loop: asyncio.AbstractEventLoop, stop: asyncio.Event, reload: Callable[[], None] | None
) -> Iterator[None]:
    acts: dict[int, Callable[[], None]] = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set}
    if sys.platform != "win32":
        if reload is not None:
            acts[signal.SIGHUP] = _Reloading(reload).wanted
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            acts[signal.SIGHUP] = stop.set
    before = {signal_number: signal.getsignal(signal_number) for signal_number in acts}
    for signal_number in acts:
        signal.signal(signal_number, lambda number, _frame: loop.call_soon_threadsafe(acts[number]))
    try:
        yield
    finally:
        for signal_number, handler in before.items():
            signal.signal(signal_number, handler)


class _Reloading:
    """Reloads in a thread, one after the other: what is asked for meanwhile is one more."""

    def __init__(self, reload: Callable[[], None]) -> None:
        self._reload = reload
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def wanted(self) -> None:
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._again:
            self._again = False
            await asyncio.to_thread(self._reload)


class ThreadServer:
    """Serves in a thread: for tests, for the demo, and for programs that have their own loop.

    ```
    with ThreadServer(Router(...)) as server:
        client.request("GET", server.url + "/healthz")
    ```
    """

    def __init__(
        self,
        app: ASGI,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: Certificate | None = None,
        grace_seconds: float = GRACE_SECONDS,
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
