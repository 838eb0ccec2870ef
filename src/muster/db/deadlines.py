"""Bounds on how long a connection waits for a server that keeps silent.

Decides nothing about statements. A server that was stopped, or whose address moved, leaves its
established connections without a word; the kernel takes minutes to notice, and never notices a
process that stands still. So whoever waits says for how long, and one thread cuts the connection
when the time is over: the wait then ends with the driver's own error.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Protocol


class Wire(Protocol):
    """A connection that has a socket."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


class Deadlines:
    """The waits of the connections of one database. Safe for several threads.

    Args:
        monotonic: seconds that never jump.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._condition = threading.Condition()
        self._numbers = itertools.count()
        self._waits: dict[int, tuple[float, Wire]] = {}
        self._sockets: weakref.WeakKeyDictionary[Wire, socket.socket] = weakref.WeakKeyDictionary()
        self._cut: weakref.WeakSet[Wire] = weakref.WeakSet()
        self._next = float("inf")
        self._thread: threading.Thread | None = None
        self._closed = False

    def adopt(self, connection: Wire) -> None:
        """Take care of a new connection.

        A descriptor of its own is kept [the number of the connection's own may belong to something
        else by the time it is cut].
        """
        sock = socket.socket(fileno=os.dup(connection.fileno()))
        weakref.finalize(connection, sock.close)
        with self._condition:
            self._sockets[connection] = sock

    @contextlib.contextmanager
    def within(self, connection: Wire, seconds: float) -> Iterator[None]:
        """Cut the connection when the block takes longer than this."""
        end = self._monotonic() + seconds
        number = next(self._numbers)
        with self._condition:
            self._waits[number] = (end, connection)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="db-deadlines", daemon=True)
                self._thread.start()
            elif end < self._next:
                self._condition.notify()
        try:
            yield
        finally:
            with self._condition:
                del self._waits[number]

    def was_cut(self, connection: Wire) -> bool:
        """Whether this connection was cut for its silence."""
        with self._condition:
            return connection in self._cut

    def close(self) -> None:
        """End the thread; what still waits is cut."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def _run(self) -> None:
        with self._condition:
            while True:
                now = self._monotonic()
                for end, connection in list(self._waits.values()):
                    if end <= now or self._closed:
                        self._cut_off(connection)
                if self._closed:
                    return
                pending = [end for end, one in self._waits.values() if one not in self._cut]
                self._next = min(pending, default=float("inf"))
                self._condition.wait(None if not pending else max(0.0, self._next - now))

    def _cut_off(self, connection: Wire) -> None:
        sock = self._sockets.get(connection)
        if sock is not None and connection not in self._cut:
            self._cut.add(connection)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
