"""What the connections of one listener share: their crowd, turns at the application, and reading.

Decides in which order whole requests are answered and who may read on, so that whoever sends much
does not keep others waiting. It refuses to know sockets and HTTP.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from muster.net.crowd import Crowd

if TYPE_CHECKING:
    from muster.net.connection import Connection

ASGI = Callable[..., Any]

AT_WORK = 256
"""Requests that the application answers at once; more wait for their turn, one a connection."""
BODY_LIMIT = 1024 * 1024
"""Bytes of a body for an application that does not say how many it takes."""
READ_BYTES = 64 * 1024
"""Bytes that are read at once."""
_BULK = 8
"""Connections that send much and are read in one turn of the loop."""


class Serving:
    """What the connections of one listener share."""

    def __init__(self, app: ASGI, crowd: Crowd, *, tls: bool = False) -> None:
        self.app = app
        self.crowd = crowd
        self.tls = tls
        self.stopping = False
        self.loop = asyncio.get_running_loop()
        self.open: set[Connection] = set()
        """Connections whose socket is open, those that are being closed included."""
        self.empty = asyncio.Event()
        self.empty.set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._turns: deque[Connection] = deque()
        self._bulk: deque[Connection] = deque()
        self._read_into = bytearray(READ_BYTES)
        self._date = (-math.inf, b"")
        self._is_prompt: Callable[[str, bytes], bool] | None = getattr(app, "is_prompt", None)
        self._limit: Callable[[str, bytes], int] | None = getattr(app, "body_limit", None)

    def limit(self, method: str, path: bytes) -> int:
        """Bytes that the application takes as the body of such a request."""
        return BODY_LIMIT if self._limit is None else self._limit(method, path)

    def date(self) -> bytes:
        """The Date field, of this second."""
        now = self.loop.time()
        if now - self._date[0] > 0.5:
            self._date = (now, formatdate(usegmt=True).encode())
        return self._date[1]

    def buffer(self) -> bytearray:
        """Where bytes are read to; what is in it is taken out before anybody else reads."""
        # A proactor loop fills it later, while others read.
        return bytearray(READ_BYTES) if sys.platform == "win32" else self._read_into

    def turn(self, connection: Connection) -> None:
        """Have a whole request answered, when its turn comes; at once where nothing is waited for
        [whether a server is well is asked when many wait]."""
        if len(self.tasks) >= AT_WORK and not self._at_once(connection):
            self._turns.append(connection)
        else:
            self._start(connection)

    def _at_once(self, connection: Connection) -> bool:
        if self._is_prompt is None:
            return False
        return self._is_prompt(*connection.asked())

    def _start(self, connection: Connection) -> None:
        task = self.loop.create_task(connection.answer())
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        while self._turns and len(self.tasks) < AT_WORK:
            connection = self._turns.popleft()
            if not connection.is_gone:
                self._start(connection)

    def later(self, connection: Connection) -> None:
        """Let a connection that sends much read on when others had their turn."""
        if not self._bulk:
            self.loop.call_soon(self._read_on)
        self._bulk.append(connection)

    def _read_on(self) -> None:
        for _ in range(min(_BULK, len(self._bulk))):
            self._bulk.popleft().read_on()
        if self._bulk:
            self.loop.call_soon(self._read_on)

    def closed(self, connection: Connection) -> None:
        """A socket is closed."""
        self.open.discard(connection)
        if not self.open:
            self.empty.set()
