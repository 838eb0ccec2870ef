"""Strangers who mean harm: each attack is a program of its own, bounded in time and connections.

    python strangers.py ATTACK PORT PATH SECONDS [SOURCE]

Prints `ready` when it is under way, and at the end the bytes that it sent. Everything goes to
loopback. `ATTACKS` names them; the tests and `make bench` read it. A stranger stays on a connection
until the server ends it: whoever is answered meanwhile has not waited for strangers to leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LINES = b"Host: x\r\nContent-Type: application/json\r\n"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attack:
    """What one stranger does on each of its connections, again and again.

    `pieces` of a path are sent one after the other as fast as the server takes them; then the
    connection is held for `hold` seconds without reading, or until the server ends it.
    """

    title: str
    connections: int
    pieces: Callable[[str], Iterator[bytes]]
    hold: float = 3600.0
    pause: float = 0.0
    """Seconds between two pieces."""
    reads: bool = False
    half: bool = False
    """Close our side after the last piece."""


def _post(path: str, *lines: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\n".encode() + LINES
    return head + "".join(f"{one}\r\n" for one in lines).encode() + b"\r\n"


def _chunked(path: str) -> bytes:
    return _post(path, "Transfer-Encoding: chunked")


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def _then(first: bytes, piece: bytes, size: int) -> Iterator[bytes]:
    yield first
    yield from itertools.repeat(piece, size // len(piece))


ATTACKS: dict[str, Attack] = {
    "trailers": Attack(
        "30 MB of trailers", 1,
        lambda path: _then(_chunked(path) + b"0\r\n", b"a:\r\n" * 16384, 30 * MIB),
    ),
    "many-trailers": Attack(
        "30 MB of trailers on each of 100 connections", 100,
        lambda path: _then(_chunked(path) + b"0\r\n", b"a:\r\n" * 16384, 30 * MIB),
    ),
    "extensions": Attack(
        "30 MB of chunk extensions", 4,
        lambda path: _then(_chunked(path), (b"1;" + b"x" * 200 + b"\r\n1\r\n") * 300, 30 * MIB),
    ),
    "extension": Attack(
        "one chunk extension of 30 MB", 4,
        lambda path: _then(_chunked(path) + b"1;", b"x" * 65536, 30 * MIB),
    ),
    "chunks": Attack(
        "chunks of one byte", 4,
        lambda path: _then(_chunked(path), b"1\r\n \r\n" * 8192, 30 * MIB),
    ),
    "pipeline": Attack(
        "25 MB of pipelined requests, answers not read", 4,
        lambda _: _then(b"", _get("/healthz") * 1000, 25 * MIB),
    ),
    "pipeline-read": Attack(
        "25 MB of pipelined requests, answers read", 4,
        lambda _: _then(b"", _get("/healthz") * 1000, 25 * MIB), reads=True,
    ),
    "pipelines": Attack(
        "1,000 connections that pipeline", 1000, lambda _: _then(b"", _get("/healthz") * 1000, MIB)
    ),
    "pipelined-posts": Attack(
        "pipelined posts", 4,
        lambda path: _then(b"", (_post(path, "Content-Length: 2") + b"{}") * 500, 25 * MIB),
        reads=True,
    ),
    "rudy": Attack(
        "4,000 heads without bodies", 4000, lambda path: iter([_post(path, "Content-Length: 100")])
    ),
    "slow-continue": Attack(
        "4,000 heads that expect 100-continue", 4000,
        lambda path: iter([_post(path, "Content-Length: 100", "Expect: 100-continue")]),
    ),
    "slow-heads": Attack(
        "4,000 heads without an end", 4000, lambda path: iter([_post(path)[:-2]])
    ),
    "dripping-bodies": Attack(
        "2,000 bodies of a byte a second", 2000,
        lambda path: _then(_post(path, "Content-Length: 100"), b"x", 99), pause=1.0,
    ),
    "silent": Attack("4,000 connections that say nothing", 4000, lambda _: iter([])),
    "batches": Attack(
        "800 bodies of 2 MiB without their last byte", 800,
        lambda path: _then(
            _post(path, f"Content-Length: {2 * MIB}"), b" " * 65535, 2 * MIB - 65536
        ),
    ),
    "chunked-batches": Attack(
        "800 chunked bodies of 2 MiB without an end", 800,
        lambda path: _then(
            _chunked(path), b"8000\r\n" + b" " * 32768 + b"\r\n", 2 * MIB - 65536
        ),
    ),
    "line": Attack(
        "a header line without end", 100,
        lambda _: _then(b"GET / HTTP/1.1\r\nX: ", b"y" * 4096, MIB),
    ),
    "fields": Attack(
        "header fields without end", 100,
        lambda _: _then(b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 500, MIB),
    ),
    "deaf": Attack(
        "400 peers that never read their answers", 400,
        lambda _: _then(b"", _get("/openapi.json") * 10, 20_000),
    ),
    "half-closed": Attack(
        "1,000 peers that close their side", 1000,
        lambda _: iter([_get("/openapi.json") * 20]), half=True,
    ),
    "upgrades": Attack(
        "requests for an upgrade", 100,
        lambda _: _then(
            b"", _get("/healthz")[:-2] + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", 50_000
        ),
    ),
}  # fmt: skip


class _Stranger:
    def __init__(self, attack: Attack, port: int, path: str, seconds: float, source: str) -> None:
        self.attack, self.path = attack, path
        self.address = ("127.0.0.1", port)
        self.source = source
        self.end = time.monotonic() + seconds
        self.sent = 0
        self.open = 0

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._again()) for _ in range(self.attack.connections)]
        begun = time.monotonic()
        while self.open < self.attack.connections * 0.5 and time.monotonic() < begun + 2:
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await asyncio.gather(*tasks)
        print(self.sent, flush=True)

    async def _again(self) -> None:
        while time.monotonic() < self.end:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(max(0.1, self.end - time.monotonic())):
                    await self._once()
            await asyncio.sleep(0.01)

    async def _once(self) -> None:
        loop = asyncio.get_running_loop()
        link = socket.socket()
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.open += 1
        reading = None
        try:
            if self.source:
                link.bind((self.source, 0))
            await loop.sock_connect(link, self.address)
            if self.attack.reads:
                reading = asyncio.create_task(self._read(link))
            for piece in self.attack.pieces(self.path):
                await loop.sock_sendall(link, piece)
                self.sent += len(piece)
                if self.attack.pause:
                    await asyncio.sleep(self.attack.pause)
            if self.attack.half:
                link.shutdown(socket.SHUT_WR)
            begun = time.monotonic()
            # Nothing is read: the end is seen by looking whether the kernel has ended it.
            while time.monotonic() < begun + self.attack.hold and not _is_over(link):
                await asyncio.sleep(0.25)
        finally:
            self.open -= 1
            if reading is not None:
                reading.cancel()
            link.close()

    async def _read(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while await asyncio.get_running_loop().sock_recv(link, 65536):
                pass


def _is_over(link: socket.socket) -> bool:
    """Whether the connection has left the state ESTABLISHED."""
    return link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) not in (
        b"\x01",
        b"\x04",
        b"\x05",
    )


def main(name: str, port: str, path: str, seconds: str, source: str = "") -> None:
    """Run one attack."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    asyncio.run(_Stranger(ATTACKS[name], int(port), path, float(seconds), source).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
