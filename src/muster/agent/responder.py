"""The process that answers connections, as long as anybody asks.

Decides the bounds of connections and of time, and speaks HTTP/1.1 over the two sockets; what is
answered is `muster.agent.api`. It is started by the keeper with the first connection, and ends
when nobody has asked for a while: what it verified meanwhile is given back to the system whole.
Obeys docs/spec/14-agent.md, section 14.2.
"""

from __future__ import annotations

import contextlib
import json
import logging
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from muster.agent.api import AgentAPI, Asker
from muster.agent.told import ToldError, decode
from muster.client.agent_results import AgentActivation
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.net.head import Chunks, Head, bad, find_end, read_head
from muster.wire import agent as wire
from muster.wire.problem import PHRASES, encode_problem
from muster.wire.routes import JSON, PROBLEM

CONNECTIONS, OF_ONE_USER = 64, 16
"""Connections at once, in all and of one user id."""
REQUESTS = 100
"""Requests on one connection."""
REQUEST_SECONDS, IDLE_SECONDS = 5.0, 10.0
"""For a request to arrive; for the next one to begin, and for the responder to stay without any."""
STOP_SECONDS = 5.0
"""For answers that are under way when the agent stops."""
ACTIVATE_SECONDS = 85.0
_RETRY_SECONDS = 5
_log = logging.getLogger("muster.agent.responder")


class KeeperLine:
    """The line to the keeper: messages, one JSON object a line. Keeps `muster.agent.api.Keeper`.

    Messages to the keeper: `{"wish": NUMBER, "product": NAME or null, "patient": BOOLEAN}`; from
    it: `{"wish": NUMBER, "outcome": …}`, `{"changed": true}`. Its end is the end of the keeper.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Condition()
        self._numbers = 0
        self._outcomes: dict[int, Mapping[str, Any]] = {}
        self._changes = 0
        self.closed = False

    def fileno(self) -> int:
        """The descriptor that can be read when the keeper says something."""
        return self._sock.fileno()

    def hear(self, buffer: bytearray) -> None:
        """Read what the keeper says; called by one thread."""
        piece = self._sock.recv(1 << 18)
        buffer += piece
        with self._lock:
            self.closed = self.closed or not piece
            while b"\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\n")
                buffer[:] = rest
                message = json.loads(line)
                if "wish" in message:
                    self._outcomes[message["wish"]] = message["outcome"]
                self._changes += 1
            self._lock.notify_all()

    def activate(self, product: str | None, *, patient: bool) -> AgentActivation:
        """Have an activation tried by the keeper."""
        end = time.monotonic() + ACTIVATE_SECONDS
        with self._lock:
            self._numbers += 1
            number = self._numbers
            message = {"wish": number, "product": product, "patient": patient}
            self._sock.sendall(json.dumps(message).encode("ascii") + b"\n")
            while number not in self._outcomes:
                left = end - time.monotonic()
                if self.closed:
                    raise error("agent/stopping")
                if left <= 0:
                    raise error("agent/late", seconds=f"{ACTIVATE_SECONDS:g}")
                self._lock.wait(left)
            outcome = self._outcomes.pop(number)
        if "error" in outcome:
            raise ToldError(outcome["error"])
        return decode(AgentActivation, outcome)

    def wait_change(self, seen: int, seconds: float) -> int:
        """Wait until something changed after `seen`; the count of changes."""
        with self._lock:
            if self._changes == seen and not self.closed and seconds > 0:
                self._lock.wait(seconds)
            if self.closed and seconds > 0:
                raise error("agent/stopping")
            return self._changes


@dataclass(frozen=True, slots=True)
class Limits:
    """What a responder takes; tests make it smaller."""

    connections: int = CONNECTIONS
    of_one_user: int = OF_ONE_USER
    request_seconds: float = REQUEST_SECONDS
    idle_seconds: float = IDLE_SECONDS


class Responder:
    """Answers connections at listening sockets until nobody asks, or the keeper ends.

    Args:
        everybody, for_root: listening sockets that do not block.
        api: answers.
        owner: the user id that is root here besides 0.
        limits: what it takes.
    """

    def __init__(
        self,
        everybody: socket.socket,
        for_root: socket.socket,
        api: AgentAPI,
        owner: int,
        limits: Limits | None = None,
    ) -> None:
        self._sockets = {everybody: False, for_root: True}
        self._api = api
        self._owner = owner
        self._limits = limits or Limits()
        self._lock = threading.Condition()
        self._users: Counter[int] = Counter()
        self._open = 0
        self._stopping = False

    def run(self, line: KeeperLine) -> None:
        """Answer; returns when nobody has asked for a while, or the keeper ended the line."""
        waiting = select.poll()
        handles = {sock.fileno(): sock for sock in self._sockets}
        for handle in (*handles, line.fileno()):
            waiting.register(handle, select.POLLIN)
        buffer = bytearray()
        while not line.closed:
            ready = waiting.poll(self._limits.idle_seconds * 1000)
            with self._lock:
                if not ready and not self._open:
                    return
            for handle, _ in ready:
                if handle == line.fileno():
                    line.hear(buffer)
                else:
                    self._accept(handles[handle])
        self._finish()

    def _finish(self) -> None:
        end = time.monotonic() + STOP_SECONDS
        with self._lock:
            self._stopping = True
            while self._open and time.monotonic() < end:
                self._lock.wait(end - time.monotonic())

    def _accept(self, listening: socket.socket) -> None:
        try:
            sock, _ = listening.accept()
        except OSError:
            return  # it went away again
        user = _user_of(sock)
        at_root = self._sockets[listening]
        if at_root and user not in (0, self._owner):
            sock.close()
            return
        with self._lock:
            full = (
                self._open >= self._limits.connections
                or self._users[user] >= self._limits.of_one_user
            )
            # Root can always ask: at its own socket nobody else takes a place.
            if not full or at_root:
                self._open += 1
                self._users[user] += 1
        if full and not at_root:
            with contextlib.suppress(OSError), sock:
                sock.setblocking(False)
                busy = error("agent/busy", limit=self._limits.connections, retry_after=1)
                sock.send(_refusal(busy, close=True))
            return
        worker = threading.Thread(
            target=self._serve, args=(sock, Asker(user, at_root)), daemon=True
        )
        worker.start()

    def _serve(self, sock: socket.socket, asker: Asker) -> None:
        try:
            with sock:
                self._answer(sock, asker)
        except OSError:
            pass  # whoever asked went away, or was too slow
        except Exception:  # noqa: BLE001 - a defect ends one connection, and is told in the log
            _log.exception("a defect while answering")
        finally:
            with self._lock:
                self._open -= 1
                self._users[asker.user] -= 1
                self._lock.notify_all()

    def _answer(self, sock: socket.socket, asker: Asker) -> None:
        reading = _Reading(sock, self._limits)
        for number in range(REQUESTS):
            close = True
            try:
                head = reading.head()
                if head is None:
                    return
                body = reading.body(head)
                close = not head.keep_alive or number + 1 == REQUESTS or self._stopping
                answer = _response(200, self._api.answer(asker, head, body), JSON, close=close)
            except MusterError as fault:
                answer = _refusal(fault, close=close)
            except OSError:
                raise
            except Exception:  # noqa: BLE001 - any defect of a handler ends here, logged
                _log.exception("a defect while answering")
                close = True
                answer = _refusal(error("wire/internal"), close=True)
            sock.settimeout(self._limits.request_seconds)
            sock.sendall(answer)
            if close:
                return


class _Reading:
    """Requests of one connection, each whole within its time."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self._buffer = bytearray()
        self._end = 0.0

    def head(self) -> Head | None:
        """The next request's head; None where the peer ended the connection between requests."""
        if not self._buffer:
            self._sock.settimeout(self._limits.idle_seconds)
            piece = self._sock.recv(65_536)
            if not piece:
                return None
            self._buffer += piece
        self._end = time.monotonic() + self._limits.request_seconds
        seen = 0
        while True:
            while self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
            end = find_end(self._buffer, seen)
            if end >= 0:
                data = bytes(self._buffer[:end])
                del self._buffer[:end]
                return read_head(data)
            seen = len(self._buffer)
            self._more()

    def body(self, head: Head) -> bytes:
        """The request's body. Raises: `wire/too-large`, `wire/bad-request`."""
        limit = wire.BODY_LIMIT
        if head.length is not None and head.length > limit:
            raise error("wire/too-large", limit=limit)
        if head.expects:
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if head.length is not None:
            while len(self._buffer) < head.length:
                self._more()
            body = bytes(self._buffer[: head.length])
            del self._buffer[: head.length]
            return body
        chunks, whole = Chunks(), bytearray()
        while not chunks.feed(self._buffer, whole):
            if len(whole) > limit:
                raise error("wire/too-large", limit=limit)
            self._more()
        if len(whole) > limit:
            raise error("wire/too-large", limit=limit)
        return bytes(whole)

    def _more(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise error("wire/slow", seconds=f"{self._limits.request_seconds:g}")
        self._sock.settimeout(left)
        try:
            piece = self._sock.recv(65_536)
        except TimeoutError:
            raise error("wire/slow", seconds=f"{self._limits.request_seconds:g}") from None
        if not piece:
            raise bad("it has no end")
        self._buffer += piece


def _user_of(sock: socket.socket) -> int:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", raw)[1]
    return user


def _refusal(fault: MusterError, *, close: bool) -> bytes:
    status, body = encode_problem(fault)
    return _response(status, body, PROBLEM, close=close)


def _response(status: int, body: bytes, media_type: str, *, close: bool) -> bytes:
    head = [
        f"HTTP/1.1 {status} {PHRASES.get(status, 'OK')}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
    ]
    if status == 503:
        head.append(f"Retry-After: {_RETRY_SECONDS}")
    if close:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def run_responder(
    sockets: tuple[socket.socket, socket.socket],
    line: socket.socket,
    make_api: Callable[[KeeperLine], AgentAPI],
    owner: int,
) -> None:
    """Be the responder, in a process of its own, until nobody asks."""
    keeper = KeeperLine(line)
    Responder(*sockets, make_api(keeper), owner).run(keeper)
