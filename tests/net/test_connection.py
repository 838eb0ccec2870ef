"""Connections on real sockets: what strangers send is refused with a problem, and costs little."""

from __future__ import annotations

import json
import logging
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from muster.net import connection
from muster.net.crowd import HELD_BYTES
from muster.net.http import HTTPClient
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.net.serve import Listener, Servers, ThreadServer, bind
from muster.wire.problem import decode_problem
from muster.wire.routes import KIB, PROBLEM, Route

POST = Route("post", "POST", "/v1/things", "", request_limit=64 * KIB)
LARGE = Route("large", "POST", "/v1/large", "", request_limit=2 * KIB * KIB)
GET = Route("get", "GET", "/v1/things", "", answer_limit=16 * KIB * KIB)
JSON = {"Content-Type": "application/json"}
START = b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ASK = b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n"


def echo(request: Request) -> Answer:
    return Answer(200, request.body or b"none")


def router() -> Router:
    got = BoundRoute(GET, lambda _: Answer(200, b"got"))
    return Router([BoundRoute(POST, echo), BoundRoute(LARGE, echo), got])


@pytest.fixture
def server() -> Iterator[ThreadServer]:
    with ThreadServer(router()) as found:
        yield found


def connect(server: ThreadServer) -> socket.socket:
    return socket.create_connection((server.address, server.port), timeout=20)


def read_all(link: socket.socket) -> bytes:
    data = b""
    try:
        while piece := link.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def problem(answer: bytes) -> dict[str, Any]:
    """The one problem document that an answer is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert fields["content-type"] == PROBLEM
    assert fields["connection"] == "close"
    assert int(fields["content-length"]) == len(body)
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == int(head.split(b" ")[1])
    assert decode_problem(found["status"], body, "x").code == found["code"]
    return found


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\n\r\n",
        b"GET /v1/things HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /v1/things HTTP/1.9\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://other/v1/things HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/things HTTP/1.1\nHost: x\n\n",
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nX: y\r\n folded\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        START + b"Content-Length: +2\r\n\r\n{}",
        START + b"Content-Length: 0_2\r\n\r\n{}",
        START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:\r\n" * 5000,
        START + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 5000,
        START + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 5000,
    ],
)
def test_what_is_no_request_is_told_so(server: ThreadServer, request_bytes: bytes) -> None:
    """Once, by a problem document; and what comes after it on the connection is not looked at."""
    with connect(server) as link:
        link.sendall(request_bytes)
        link.sendall(ASK)
        found = problem(read_all(link))
    assert (found["status"], found["code"]) == (400, "wire/bad-request")
    assert HTTPClient().request("GET", server.url + "/v1/things").body == b"got"


def test_trailers_and_extensions_of_honest_senders_are_dropped(server: ThreadServer) -> None:
    with connect(server) as link:
        link.sendall(
            START + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nDigest: x\r\n\r\n" + ASK
        )
        link.shutdown(socket.SHUT_WR)
        data = read_all(link)
    assert data.count(b"HTTP/1.1 200 OK") == 2
    assert b"{}" in data
    assert data.endswith(b"got")


def test_long_heads_are_told_so(server: ThreadServer) -> None:
    for head in (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000, ASK[:-2] + b"X: y\r\n" * 200 + b"\r\n"):
        with connect(server) as link:
            link.sendall(head)
            assert problem(read_all(link))["code"] == "wire/head-too-large"


@pytest.mark.parametrize(
    ("sent", "name"),
    [(START, "HEAD_SECONDS"), (START + b"Content-Length: 5\r\n\r\n{}", "BODY_SECONDS")],
)
def test_what_comes_slowly_is_told_so(
    sent: bytes, name: str, monkeypatch: pytest.MonkeyPatch, server: ThreadServer
) -> None:
    monkeypatch.setattr(connection, name, 0.3)
    with connect(server) as link:
        link.sendall(ASK)
        link.recv(1000)
        link.sendall(sent)
        found = problem(read_all(link))
    assert (found["status"], found["code"]) == (408, "wire/slow")


def test_a_peer_that_closed_its_side_gets_its_answers(server: ThreadServer) -> None:
    with connect(server) as link:
        link.sendall(ASK * 3)
        link.shutdown(socket.SHUT_WR)
        assert read_all(link).count(b"got") == 3
    with connect(server) as link:
        link.sendall(ASK + START)
        link.shutdown(socket.SHUT_WR)
        assert read_all(link).count(b"HTTP/1.1") == 1


def test_a_peer_that_closed_its_side_is_answered_when_its_answer_comes_late() -> None:
    """The server learns that nothing more comes while it is at work."""
    entered, release = threading.Event(), threading.Event()

    def late(request: Request) -> Answer:
        entered.set()
        assert release.wait(30)
        return Answer(200, b"got")

    routes = [BoundRoute(GET, late), BoundRoute(POST, echo)]
    with ThreadServer(Router(routes)) as server, connect(server) as link:
        link.sendall(ASK)
        assert entered.wait(20)
        link.shutdown(socket.SHUT_WR)
        # Who is answered now was let in after that end had come.
        for _ in range(3):
            found = HTTPClient().request("POST", server.url + "/v1/things", b"{}", JSON)
            assert found.body == b"{}"
        release.set()
        assert read_all(link).endswith(b"got")


def test_an_upgrade_is_answered_plainly(server: ThreadServer) -> None:
    for name in (b"websocket", b"h2c", b"TLS/1.0"):
        with connect(server) as link:
            link.sendall(ASK[:-2] + b"Connection: upgrade\r\nUpgrade: " + name + b"\r\n\r\n")
            link.sendall(ASK)
            link.shutdown(socket.SHUT_WR)
            assert read_all(link).count(b"got") == 2


def test_empty_lines_between_requests(server: ThreadServer) -> None:
    with connect(server) as link:
        link.sendall(START + b"Content-Length: 2\r\n\r\n{}\r\n" + ASK + b"\r\n")
        link.shutdown(socket.SHUT_WR)
        data = read_all(link)
    assert data.count(b"HTTP/1.1 200 OK") == 2


def test_a_pipeline_is_answered_one_by_one() -> None:
    """While one is under way, the next is not begun and hardly anything is read."""
    entered, release, under_way = threading.Semaphore(0), threading.Semaphore(0), [0, 0]

    def slow(request: Request) -> Answer:
        under_way[0] += 1
        under_way[1] = max(under_way)
        entered.release()
        assert release.acquire(timeout=30)
        under_way[0] -= 1
        return Answer(200, b"got")

    with ThreadServer(Router([BoundRoute(GET, slow)])) as server, connect(server) as link:
        link.setblocking(False)
        request, sent = ASK[:-2] + b"X: " + b"y" * 900 + b"\r\n\r\n", 0
        assert entered.acquire(timeout=20) if not link.send(request * 3) else True
        assert entered.acquire(timeout=20)
        end = time.monotonic() + 20
        # What the kernel holds for both sides is bounded; the server itself takes no more.
        quiet = 0
        while quiet < 20 and time.monotonic() < end:
            try:
                sent += link.send(request * 100)
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.01)
        assert quiet == 20
        assert sent < 24 * KIB * KIB
        assert under_way == [1, 1]
        release.release(10**6)


def test_slow_bodies_make_room_like_idle_connections() -> None:
    with ThreadServer(router(), connections=20) as server, ExitStack() as stack:
        for kind in (START, START + b"Content-Length: 5\r\n\r\n", b""):
            for _ in range(40):
                link = stack.enter_context(connect(server))
                link.sendall(kind)
            answer = HTTPClient(timeout=20).request("GET", server.url + "/v1/things")
            assert answer.body == b"got"


def test_bodies_in_flight_are_bounded(server: ThreadServer) -> None:
    """Who holds most is told that there is no room; who holds little is not touched."""
    size = 2 * KIB * KIB
    head = START.replace(b"/v1/things", b"/v1/large") + b"Content-Length: %d\r\n\r\n" % size
    with ExitStack() as stack:
        small = stack.enter_context(connect(server))
        small.sendall(START + b"Content-Length: 5\r\n\r\n123")
        links = [stack.enter_context(connect(server)) for _ in range(HELD_BYTES // size + 6)]
        for link in links:
            try:
                link.sendall(head + b"x" * (size - 1))
            except OSError:
                continue
        told: set[socket.socket] = set()
        end = time.monotonic() + 20
        while len(told) < 6 and time.monotonic() < end:
            # Only who was displaced has anything to read.
            for link in select.select([one for one in links if one not in told], [], [], 0.2)[0]:
                answer = read_all(link)
                assert not answer or problem(answer)["code"] == "wire/unavailable"
                told.add(link)
        assert len(told) >= 6
        small.sendall(b"45")
        assert small.recv(1000).endswith(b"12345")
        assert HTTPClient().request("POST", server.url + "/v1/things", b"{}", JSON).body == b"{}"


def test_answers_that_nobody_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their bytes: nobody is cut for the time that he takes."""
    monkeypatch.setattr(connection, "WRITE_SECONDS", 600.0)
    body = b"x" * 4_000_000
    big = Router([BoundRoute(GET, lambda _: Answer(200, bytes(bytearray(body))))])
    with ThreadServer(big) as server, ExitStack() as stack:
        links = []
        for _ in range(30):
            link = stack.enter_context(closing(socket.socket()))
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(20)
            link.connect((server.address, server.port))
            link.sendall(ASK[:-2] + b"Connection: close\r\n\r\n")
            links.append(link)
        # An honest one reads, and is served beside them.
        for _ in range(3):
            answer = HTTPClient(timeout=20, limit=8 * KIB * KIB).request(
                "GET", server.url + "/v1/things"
            )
            assert answer.body == body
        cut = 0
        for link in links:
            got = len(read_all(link)) if cut < 3 else 0
            cut += 0 < got < len(body)
        assert cut >= 3


def test_a_source_is_bounded() -> None:
    """As from another machine: this machine's own addresses are bounded only in all."""
    sock = bind("0.0.0.0", 0)
    port = sock.getsockname()[1]
    own = _own_address()
    if own is None:
        sock.close()
        pytest.skip("this machine has no address but loopback")
    with _Running(Listener(router(), sock, per_source=5)), ExitStack() as stack:
        links = [
            stack.enter_context(socket.create_connection((own, port), timeout=20))
            for _ in range(12)
        ]
        for link in links[:7]:
            assert read_all(link) == b""
        for link in links[7:]:
            link.sendall(ASK)
            assert link.recv(1000).endswith(b"got")


def _own_address() -> str | None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


class _Running:
    """A listener that serves in a thread."""

    def __init__(self, listener: Listener) -> None:
        import asyncio

        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        ready = threading.Event()
        work = Servers([listener]).run(self._stop, ready.set)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(work,))
        self._thread.start()
        assert ready.wait(20)

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()


def test_a_slow_stranger_does_not_hold_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNFINISHED_SECONDS", 0.5)
    monkeypatch.setattr(connection, "FRESH_SECONDS", 0.5)
    server = ThreadServer(router(), grace_seconds=3600).start()
    with ExitStack() as stack:
        links = [stack.enter_context(connect(server)) for _ in range(3)]
        links[1].sendall(START)
        links[2].sendall(START + b"Content-Length: 5\r\n\r\n{}")
        # It ends while the strangers still hold their connections, and an hour before it must.
        server.stop()
        assert read_all(links[0]) == b""
        for link in links[1:]:
            assert problem(read_all(link))["code"] == "wire/unavailable"


def test_a_defect_of_an_application_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    async def silent(scope: object, receive: object, send: object) -> None:
        pass

    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("the password is swordfish")

    for app in (silent, broken):
        with (
            caplog.at_level(logging.CRITICAL),
            _Running(Listener(app, sock := bind("127.0.0.1", 0))),
            socket.create_connection(sock.getsockname(), timeout=20) as link,
        ):
            link.sendall(ASK)
            answer = read_all(link)
        assert problem(answer)["code"] == "wire/internal"
        assert b"swordfish" not in answer
