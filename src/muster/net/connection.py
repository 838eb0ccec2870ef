"""One connection of a server: from bytes to a request, and from an answer to bytes.

Decides when a request is whole and only then hands it to the application, so that a slow stranger
holds a few bytes and no task. One request of a connection is under way at a time; while it is,
nothing more is read. Every wait for the peer has an end, and the crowd (`muster.net.crowd`) may
end it sooner. Whatever is refused is a problem document, and so is what was refused before it was
a request. It refuses to know what the application does.

Long, because a connection is one state machine, whose states are read together.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import math
from collections.abc import Iterable, MutableMapping
from typing import Any, cast
from urllib.parse import unquote

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.net import answers
from muster.net.head import Chunks, Head, find_end, read_head
from muster.net.serving import READ_BYTES, Serving

Message = MutableMapping[str, Any]

HEAD_SECONDS = 10.0
"""Time for a head to arrive, from the connection or from its first byte."""
BODY_SECONDS = 10.0
"""Time for a body to arrive, from the end of its head."""
KEEP_ALIVE_SECONDS = 15.0
WRITE_SECONDS = 30.0
"""Time for a peer to read what waits for it."""
FRESH_SECONDS = 1.0
"""How long a stop waits for the first byte of a request on a connection accepted just before."""
UNFINISHED_SECONDS = 5.0
"""How long a stop waits for the rest of a request."""
LINGER_SECONDS = 2.0
LINGER_BYTES, LINGER_BODY_BYTES = 256 * 1024, 4 * 1024 * 1024
"""What is thrown away of a peer that goes on sending what was refused, the second of a body that is
too large [bytes that nobody reads make the kernel reset the connection, and the reset can overtake
the answer]."""
_PIECE = 64 * 1024
_BURST = 64 * 1024
"""Bytes after which a connection that sends much lets others go first."""
_READ = 4 * 1024

_log = logging.getLogger("muster.net.serve")


class _State(enum.Enum):
    """What a connection waits for."""

    IDLE = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    WORK = enum.auto()
    """The application."""
    WRITE = enum.auto()
    """The peer, to read its answer."""
    LINGER = enum.auto()
    """The peer, to end what was refused."""
    CLOSING = enum.auto()
    GONE = enum.auto()


class Connection(asyncio.BufferedProtocol):
    """The protocol of one accepted socket."""

    __slots__ = (
        "_body", "_buffer", "_burst", "_changed", "_chunks", "_deadline", "_ended", "_given",
        "_head", "_keep", "_lingered", "_out", "_paused", "_reading", "_seen", "_serving",
        "_start", "_state", "_timer", "_transport", "_unread", "_used", "_view", "client",
        "is_made", "is_welcome", "opening",
    )  # fmt: skip

    def __init__(self, serving: Serving, client: tuple[str, int]) -> None:
        self.client = client
        self.opening: asyncio.Task[Any] | None = None
        """Who makes the transport; with TLS that takes a while."""
        self.is_made = False
        """Whether asyncio has taken over the socket, and closes it."""
        self.is_welcome = True
        self._serving = serving
        self._transport: asyncio.Transport | None = None
        self._state = _State.IDLE
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._changed: asyncio.Future[None] | None = None
        # What has arrived and is not read yet; how much of it was looked at for the end of a head.
        self._buffer = bytearray()
        self._seen = 0
        self._view = memoryview(b"")
        self._reading = True
        self._ended = False
        # The request that arrives or is under way, and whether the application was given its body.
        self._head: Head | None = None
        self._chunks: Chunks | None = None
        self._body = bytearray()
        self._unread = False
        self._given = False
        # The answer: its head until it is sent, what waits to be written, and what comes after.
        self._start: bytes | None = None
        self._out: list[memoryview] = []
        self._paused = False
        self._keep = True
        self._used = False
        self._lingered = 0
        self._burst = 0
        serving.open.add(self)
        serving.empty.clear()

    # What the crowd and the server ask.

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._state in (_State.CLOSING, _State.GONE)

    def make(self) -> Connection:
        """Itself, for asyncio, which has taken over the socket from here on."""
        self.is_made = True
        return self

    def displace(self) -> None:
        """End at once to make room; a peer that is sending is told, if that costs nothing."""
        transport, state = self._transport, self._state
        self._leave()
        if transport is None:
            self._cancel()
        elif state in (_State.HEAD, _State.BODY) and not self._paused:
            transport.write(self._problem(answers.busy()))
            transport.close()
            self._until(LINGER_SECONDS)
        else:
            transport.abort()

    def stop(self) -> None:
        """The server stops: end when idle, otherwise after the answer that is on its way."""
        if self._state is _State.IDLE and self._used and not self._buffer:
            self._close()
        elif self._state is _State.IDLE:
            self._sooner(FRESH_SECONDS)
        elif self._state in (_State.HEAD, _State.BODY):
            self._sooner(UNFINISHED_SECONDS)

    def abort(self) -> None:
        """End at once."""
        transport = self._transport
        self._leave()
        if transport is None:
            self._cancel()
        else:
            transport.abort()

    def _cancel(self) -> None:
        # Without TLS the transport comes in a moment, and is closed then.
        if self.opening is not None and self._serving.tls:
            self.opening.cancel()

    def closed(self) -> None:
        """The socket is closed; also called where no transport could be made."""
        self._leave()
        self._state = _State.GONE
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._serving.closed(self)

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.is_gone:
            self._transport.abort()
            return
        # Told of every byte that the kernel does not take: what waits here is counted.
        self._transport.set_write_buffer_limits(high=1, low=0)
        if not self.is_welcome:
            self._refuse(answers.busy())
            return
        self._until(FRESH_SECONDS if self._serving.stopping else HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed()

    def get_buffer(self, sizehint: int) -> memoryview:
        # Little at a time where more is not expected: what follows a request is kept meanwhile.
        size = READ_BYTES if self._state is _State.LINGER else _READ
        if self._state is _State.BODY and self._head is not None:
            left = self._head.length
            left = READ_BYTES // 4 if left is None else left - len(self._body)
            size = min(max(_READ, left), READ_BYTES)
        self._view = memoryview(self._serving.buffer())[:size]
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        if self._state is _State.LINGER:
            self._lingered += nbytes
            if self._lingered > (LINGER_BODY_BYTES if self._unread else LINGER_BYTES):
                self._close()
        elif not self.is_gone:
            self._buffer += self._view[:nbytes]
            self._advance()
        self._burst += nbytes
        if self._burst >= _BURST and self._reading and not self.is_gone:
            self._burst = 0
            self._pause_reading()
            self._serving.later(self)

    def read_on(self) -> None:
        """Go on reading, where there is something to wait for."""
        if self._state not in (_State.WORK, _State.WRITE) and not self.is_gone:
            self._resume_reading()

    def eof_received(self) -> bool:
        self._ended = True
        if self._state in (_State.WORK, _State.WRITE) and not self._serving.tls:
            return True  # The peer asks no more; it reads its answer.
        self._close()
        return False

    def pause_writing(self) -> None:
        self._paused = True
        self._sooner(WRITE_SECONDS)

    def resume_writing(self) -> None:
        self._paused = False
        self._tell()
        if self._state in (_State.WORK, _State.WRITE):
            self._deadline = math.inf
            self._flush()

    # Reading.

    def _advance(self) -> None:
        """Go on with what has arrived, to the next moment of waiting."""
        try:
            if self._state is _State.IDLE and self._buffer:
                self._state = _State.HEAD
                if self._used:
                    self._until(HEAD_SECONDS)
            if self._state is _State.HEAD:
                self._read_head()
            if self._state is _State.BODY:
                self._read_body()
        except MusterError as refusal:
            self._refuse(refusal)
            return
        if self._state in (_State.WORK, _State.WRITE):
            if self._buffer:
                self._pause_reading()
        elif self._ended:
            self._close()
        self._count()

    def _next(self) -> None:
        """Read the request that had come before the one before it was answered."""
        if self._state is _State.IDLE:
            self._advance()
        self.read_on()

    def _pause_reading(self) -> None:
        if self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading and self._transport is not None and not self._ended:
            self._reading = True
            self._transport.resume_reading()

    def _read_head(self) -> None:
        if self._buffer.startswith(b"\r\n"):
            # Some clients send an empty line after a body.
            del self._buffer[:2]
            self._seen = 0
            if not self._buffer:
                self._state = _State.IDLE
                return
        end = find_end(self._buffer, self._seen)
        if end < 0:
            self._seen = len(self._buffer)
            return
        self._seen = 0
        self._head = head = read_head(bytes(self._buffer[:end]))
        del self._buffer[:end]
        self._keep = head.keep_alive
        self._chunks = Chunks() if head.length is None else None
        if head.length == 0:
            self._work()
        elif (head.length or 0) > self._limit(head):
            # The application refuses it by its head.
            self._work(unread=True)
        else:
            self._state = _State.BODY
            self._until(BODY_SECONDS)
            if head.expects and not self._buffer and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_body(self) -> None:
        head = self._head
        assert head is not None
        if self._chunks is not None:
            if self._chunks.feed(self._buffer, self._body):
                self._work()
            elif len(self._body) > self._limit(head):
                self._work(unread=True)
            return
        assert head.length is not None
        piece = self._buffer[: head.length - len(self._body)]
        del self._buffer[: len(piece)]
        self._body += piece
        if len(self._body) == head.length:
            self._work()

    def _limit(self, head: Head) -> int:
        return self._serving.limit(head.method, head.target)

    def _count(self) -> None:
        """Tell the crowd what is held."""
        if self.is_gone:
            return
        loose, kept = len(self._buffer) + sum(map(len, self._out)), len(self._body)
        if self._paused and self._transport is not None:
            loose += self._transport.get_write_buffer_size()
        if self._state is _State.WORK:
            self._serving.crowd.hold(self, loose, kept)
        else:
            self._serving.crowd.hold(self, loose + kept)

    # Answering.

    def _work(self, *, unread: bool = False) -> None:
        self._unread = unread
        self._keep = self._keep and not unread
        self._given = False
        self._start = None
        self._chunks = None
        self._state = _State.WORK
        self._deadline = math.inf
        self._serving.crowd.work(self)
        self._serving.turn(self)

    def asked(self) -> tuple[str, bytes]:
        """Method and target of the request that is under way."""
        assert self._head is not None
        return self._head.method, self._head.target

    async def answer(self) -> None:
        """Have the application answer the request that is under way."""
        if self._state is not _State.WORK:
            return
        try:
            await self._serving.app(self._scope(), self._receive, self._send)
        except Exception:  # noqa: BLE001 - any defect of an application ends here, logged
            _log.exception("a defect while answering")
        if self._state is _State.WORK:
            if self._start is None:
                self._refuse(error("wire/internal"))
            else:
                self.abort()  # What is there of the answer cannot be taken back.

    def _scope(self) -> Message:
        head, transport = self._head, self._transport
        assert head is not None
        path = head.target.decode("ascii")
        name = None if transport is None else transport.get_extra_info("sockname")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": head.version,
            "method": head.method,
            "scheme": "https" if self._serving.tls else "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.target,
            "query_string": head.query,
            "root_path": "",
            "headers": head.fields,
            "client": self.client,
            "server": tuple(name[:2]) if name else None,
        }

    async def _receive(self) -> Message:
        if not self._given and self._state is _State.WORK:
            self._given = True
            body = bytes(self._body)
            return {"type": "http.request", "body": body, "more_body": self._unread}
        while self._state is _State.WORK and not self._unread:
            await self._wait()
        return {"type": "http.disconnect"}

    async def _wait(self) -> None:
        if self._changed is None or self._changed.done():
            self._changed = self._serving.loop.create_future()
        await self._changed

    def _tell(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _send(self, message: Message) -> None:
        head = self._head
        if self._state is not _State.WORK or head is None:
            return
        if message["type"] == "http.response.start":
            self._start = self._status(message["status"], message.get("headers", ()))
            return
        if self._start is None:
            raise RuntimeError("an answer's body came before its status")
        body: bytes = b"" if head.method == "HEAD" else message.get("body", b"")
        start, self._start = self._start, b""
        if len(body) < _PIECE:
            self._out.append(memoryview(start + body))
        else:
            self._out += [memoryview(start), memoryview(body)]
        if message.get("more_body", False):
            self._flush()
            while self._paused and self._state is _State.WORK:
                await self._wait()
        else:
            self._state = _State.WRITE
            self._body = bytearray()
            self._tell()
            self._flush()

    def _status(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
        keep = self._keep and not self._serving.stopping
        text, self._keep = answers.start(status, fields, self._serving.date(), keep=keep)
        return text

    def _flush(self) -> None:
        """Give the kernel what it takes; when all of an answer is out, go on."""
        transport = self._transport
        if transport is None or self.is_gone:
            return
        while self._out and not self._paused:
            piece = self._out[0]
            transport.write(piece[:_PIECE])
            if len(piece) > _PIECE:
                self._out[0] = piece[_PIECE:]
            else:
                del self._out[0]
        if self._state is not _State.WRITE:
            self._count()
        elif self._paused:
            self._serving.crowd.wait(self)
            self._count()
        else:
            self._answered()

    def _answered(self) -> None:
        """The answer is out: wait for the next request, or end."""
        self._used = True
        if not self._keep or (self._ended and not self._buffer):
            if self._unread or self._buffer:
                self._linger()
            else:
                self._close()
            return
        self._head = None
        self._state = _State.IDLE
        self._serving.crowd.wait(self)
        self._count()
        if self.is_gone:
            return
        self._until(KEEP_ALIVE_SECONDS)
        if self._buffer:
            self._serving.loop.call_soon(self._next)  # When others had their turn.
        else:
            self._resume_reading()

    # Ending.

    def _refuse(self, refusal: MusterError) -> None:
        """Answer what is no request, or none that the application answers, and end."""
        if self._transport is not None and not self.is_gone:
            self._transport.write(self._problem(refusal))
            self._linger()

    def _problem(self, refusal: MusterError) -> bytes:
        self._keep = False
        return answers.refused(refusal, self._serving.date())

    def _linger(self) -> None:
        """Say that nothing more comes, and throw away what the peer still sends."""
        assert self._transport is not None
        self._state = _State.LINGER
        self._head = self._chunks = None
        self._buffer, self._body = bytearray(), bytearray()
        self._serving.crowd.wait(self)
        self._count()
        if self.is_gone:
            return
        self._until(LINGER_SECONDS)
        if self._ended:
            self._close()
            return
        self._resume_reading()
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # The peer has gone.
                self._transport.write_eof()

    def _close(self) -> None:
        """End when what is written is out."""
        transport = self._transport
        self._leave()
        if transport is not None:
            transport.close()
            self._until(LINGER_SECONDS)

    def _leave(self) -> None:
        """Hold no place and no bytes any more."""
        self._serving.crowd.leave(self)
        self._state = _State.CLOSING
        self._head = self._chunks = None
        self._buffer, self._body, self._out = bytearray(), bytearray(), []
        self._tell()

    def _until(self, seconds: float) -> None:
        """Wait no longer than this for what the connection waits for now."""
        self._deadline = self._serving.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._serving.loop.call_at(self._deadline, self._late)

    def _sooner(self, seconds: float) -> None:
        if self._serving.loop.time() + seconds < self._deadline:
            self._until(seconds)

    def _late(self) -> None:
        self._timer = None
        if self._deadline == math.inf:
            return
        if self._deadline > self._serving.loop.time():
            self._timer = self._serving.loop.call_at(self._deadline, self._late)
        elif self._state is _State.IDLE:
            self._close()
        elif self._state not in (_State.HEAD, _State.BODY) or self._paused:
            self.abort()
        elif self._serving.stopping:
            self._refuse(answers.busy())
        else:
            seconds = HEAD_SECONDS if self._state is _State.HEAD else BODY_SECONDS
            self._refuse(error("wire/slow", seconds=f"{seconds:g}"))
