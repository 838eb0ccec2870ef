"""Serving on real sockets: bounds of connections, and a stop that answers what it accepted."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.host.processes import eventually

from muster.core.errors import MusterError
from muster.net import connection
from muster.net.certificate import Certificate
from muster.net.http import HTTPClient
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.net.serve import ThreadServer, bind, url_of
from muster.system.clock import SystemClock
from muster.wire.routes import KIB, Route

POST = Route("post", "POST", "/v1/things", "", request_limit=64 * KIB, answer_limit=16 * KIB * KIB)
GET = Route("get", "GET", "/v1/things", "", answer_limit=16 * KIB * KIB)
JSON = {"Content-Type": "application/json"}


def echo(request: Request) -> Answer:
    return Answer(200, request.body)


def router(handler: Callable[[Request], Answer] = echo) -> Router:
    return Router([BoundRoute(POST, handler), BoundRoute(GET, lambda _: Answer(200, b"got"))])


@pytest.fixture
def server() -> Iterator[ThreadServer]:
    with ThreadServer(router()) as found:
        yield found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short times, so that a test need not wait long for a peer that is late."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connection, "FRESH_SECONDS", 0.3)
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "KEEP_ALIVE_SECONDS", 1)


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


def read_answer(link: socket.socket) -> bytes:
    """One answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(
        (
            int(one.split(b":")[1])
            for one in head.split(b"\r\n")
            if one.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < size:
        body += link.recv(65536)
    return head + b"\r\n\r\n" + body


def test_answers(server: ThreadServer) -> None:
    answer = HTTPClient().request("POST", server.url + "/v1/things", b"{}", JSON)
    assert (answer.status, answer.body) == (200, b"{}")
    assert "server" not in answer.headers
    assert HTTPClient().request("HEAD", server.url + "/v1/things").headers["content-length"] == "3"


def test_keep_alive_and_pipelining(server: ThreadServer) -> None:
    with connect(server) as link:
        one = b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        for n in range(3):
            link.sendall(one + b"Content-Length: 2\r\n\r\n%02d" % n)
            assert read_answer(link).endswith(b"%02d" % n)
        link.sendall(b"".join(one + b"Content-Length: 2\r\n\r\n%02d" % n for n in range(50)))
        data = b""
        while data.count(b"HTTP/1.1 200") < 50 or not data.endswith(b"49"):
            data += link.recv(65536)
        assert [data.find(b"\r\n\r\n%02d" % n) > 0 for n in range(50)] == [True] * 50


def test_many_pipelined_bodies_do_not_look_like_a_long_head(server: ThreadServer) -> None:
    body = b"x" * 30_000
    one = (
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 30000\r\n\r\n" + body
    )
    with connect(server) as link:
        sender = threading.Thread(target=link.sendall, args=(one * 20,), daemon=True)
        sender.start()
        data = b""
        while data.count(body) < 20:
            piece = link.recv(1 << 20)
            assert piece
            data += piece
        sender.join()
    assert data.count(b"HTTP/1.1 200 OK") == 20


def test_a_request_in_single_bytes(server: ThreadServer) -> None:
    with connect(server) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n":
            link.sendall(bytes([byte]))
        assert read_answer(link).endswith(b"got")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 20_000,
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000,
        b"GET /v1/things HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 17_000 + b"\r\n\r\n",
    ],
)
def test_heads_are_bounded(server: ThreadServer, head: bytes) -> None:
    with connect(server) as link:
        link.sendall(head)
        assert b" 431 " in read_all(link)


def test_a_long_head_after_a_good_request(server: ThreadServer) -> None:
    with connect(server) as link:
        link.sendall(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(link).endswith(b"got")
        link.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 40_000)
        assert b" 431 " in read_all(link)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100,
        b"SSH-2.0-x\r\n\r\n",
        b"POST /v1/things HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n",
        b"POST /v1/things HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /v1/things HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/things HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        b"POST /v1/things HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /v1/things HTTP/1.1\r\n X: folded\r\n\r\n",
        b"GET /v1/things HTTP/1.1\r\nX\x00Y: z\r\n\r\n",
        b"GET /v1/things HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_not_http_or_could_smuggle(server: ThreadServer, request_bytes: bytes) -> None:
    with connect(server) as link:
        link.sendall(request_bytes)
        data = read_all(link)
    assert data.startswith(b"HTTP/1.1 400 ")
    assert data.count(b"HTTP/1.1") == 1
    assert HTTPClient().request("GET", server.url + "/v1/things").status == 200


def test_too_large_bodies_are_answered_and_closed(server: ThreadServer) -> None:
    url = server.url + "/v1/things"
    for size in (64 * KIB + 1, 1_000_000, 3_000_000):
        answer = HTTPClient(timeout=20).request("POST", url, b"x" * size, JSON)
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
    with connect(server) as link:
        link.sendall(
            b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 3
        )
        assert b" 413 " in read_answer(link)
        assert read_all(link) == b""


def test_expect_continue(server: ThreadServer) -> None:
    head = b"POST /v1/things HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: "
    with connect(server) as link:
        link.sendall(head + b"application/json\r\nContent-Length: 2\r\n\r\n")
        assert link.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"{}")
        assert read_answer(link).endswith(b"{}")
    with connect(server) as link:
        link.sendall(head + b"application/json\r\nContent-Length: 9999999\r\n\r\n")
        assert b" 413 " in read_answer(link)


@pytest.mark.usefixtures("quick")
def test_connections_that_say_nothing_are_closed(server: ThreadServer) -> None:
    links = [connect(server) for _ in range(20)]
    assert [read_all(one) for one in links] == [b""] * 20
    for one in links:
        one.close()


def test_idle_connections_make_room_for_new_ones() -> None:
    """Whoever opens connections and says nothing cuts off himself, not the machines."""
    with contextlib.ExitStack() as open_ends, ThreadServer(router(), connections=20) as server:
        waiting = server_connections(server)
        for _ in range(100):
            open_ends.enter_context(connect(server))
        for _ in range(50):
            answer = HTTPClient(timeout=20).request("GET", server.url + "/v1/things")
            assert answer.body == b"got"
        # Clients that keep their connection between requests are idle too, the newest stay.
        kept = open_ends.enter_context(connect(server))
        for _ in range(3):
            kept.sendall(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(kept).endswith(b"got")
        # Asked of the kernel, which lists the last ones that were cut a moment longer.
        assert eventually(lambda: waiting() <= 20)


FEW_FILES = """
import resource, sys
from muster.db.open import open_database
from muster.net.router import Answer, BoundRoute, Router
from muster.net.serve import Listener, bind, serve_forever, url_of
from muster.wire.routes import Route
resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))
def look(request):
    with open_database(sys.argv[1], create=True) as db:
        return Answer(200, str(db.one("SELECT 7")[0]).encode())
sock = bind("127.0.0.1", 0)
listener = Listener(Router([BoundRoute(Route("look", "GET", "/", ""), look)]), sock)
serve_forever([listener], ready=lambda: print(url_of(sock), flush=True))
"""


@pytest.mark.real
def test_idle_connections_do_not_use_up_the_files(tmp_path: Path) -> None:
    """A process that may open 160 files, and 400 connections that say nothing."""
    child = subprocess.Popen(
        [sys.executable, "-c", FEW_FILES, str(tmp_path / "x.db")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    links = [socket.create_connection(address, timeout=20) for _ in range(400)]
    for _ in range(10):
        assert HTTPClient(timeout=20).request("GET", url).body == b"7"
    for one in links:
        one.close()
    child.terminate()
    assert child.wait(30) == 0
    child.stdout.close()


def test_all_connections_at_work() -> None:
    entered, release = threading.Semaphore(0), threading.Event()

    def slow(request: Request) -> Answer:
        entered.release()
        assert release.wait(30)
        return Answer(200, b"done")

    post = (
        b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    with ThreadServer(router(slow), connections=4) as server:
        links = [connect(server) for _ in range(4)]
        for one in links:
            one.sendall(post)
            assert entered.acquire(timeout=20)
        answer = HTTPClient(timeout=20).request("GET", server.url + "/v1/things")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert b"wire/unavailable" in answer.body
        release.set()
        for one in links:
            assert read_answer(one).endswith(b"done")
        # All four wait for another request now, so that there is room again.
        assert HTTPClient(timeout=20).request("GET", server.url + "/v1/things").body == b"got"
        for one in links:
            one.close()


@pytest.mark.usefixtures("quick")
def test_heads_that_drip_are_refused(server: ThreadServer) -> None:
    with connect(server) as link:
        link.sendall(b"GET / HTTP/1.1\r\n")
        data = b""
        end = time.monotonic() + 60
        link.settimeout(0.05)
        while b"408" not in data and time.monotonic() < end:
            try:
                link.sendall(b"X: y\r\n")
                data += link.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
    assert b" 408 " in data


@pytest.mark.usefixtures("quick")
def test_idle_connections_are_closed(server: ThreadServer) -> None:
    with connect(server) as link:
        link.sendall(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(link).endswith(b"got")
        assert read_all(link) == b""


@pytest.mark.usefixtures("quick")
def test_a_peer_that_does_not_read_is_cut() -> None:
    big = Router([BoundRoute(GET, lambda _: Answer(200, b"x" * 12_000_000))])
    with ThreadServer(big) as server:
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(20)
        link.connect((server.address, server.port))
        link.sendall(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n")
        state = server_connections(server)
        end = time.monotonic() + 15
        while state() and time.monotonic() < end:
            time.sleep(0.05)
        assert not state()
        link.close()


def server_connections(server: ThreadServer) -> Callable[[], int]:
    """How many connections of this process belong to the server's port."""

    def count() -> int:
        found = 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if int(words[1].split(":")[1], 16) == server.port and words[3] == "01":
                found += 1
        return found

    return count


# Stopping.


def test_stop_answers_what_is_under_way() -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(request: Request) -> Answer:
        entered.set()
        assert release.wait(20)
        return Answer(200, b"done")

    server = ThreadServer(router(slow)).start()
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(
            HTTPClient(timeout=30).request("POST", server.url + "/v1/things", b"", JSON).body
        )

    thread = threading.Thread(target=ask)
    thread.start()
    assert entered.wait(20)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    while can_connect(server):
        time.sleep(0.02)
    release.set()
    stopping.join(20)
    thread.join(20)
    assert answers == [b"done"]


def can_connect(server: ThreadServer) -> bool:
    try:
        connect(server).close()
    except OSError:
        return False
    return True


def test_stop_answers_a_request_that_is_on_its_way() -> None:
    server = ThreadServer(router()).start()
    fresh, half = connect(server), connect(server)
    half.sendall(b"GET /v1/things HTTP/1.1\r\nHo")
    # A connection that was used and is idle is closed at once.
    idle = connect(server)
    idle.sendall(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n")
    assert read_answer(idle).endswith(b"got")
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert read_all(idle) == b""
    half.sendall(b"st: x\r\n\r\n")
    fresh.sendall(b"GET /v1/things HTTP/1.1\r\nHost: x\r\n\r\n")
    for link in (half, fresh):
        data = read_all(link)
        assert data.endswith(b"got")
        assert b"connection: close" in data
        link.close()
    stopping.join(20)
    assert not stopping.is_alive()
    idle.close()


def test_no_request_is_lost_while_stopping() -> None:
    """Clients ask without pause while the server stops: each request gets a whole answer, or its
    connection is refused; none is cut after the kernel accepted it."""
    server = ThreadServer(router()).start()
    whole, refused, broken = [0], [0], [0]
    stop = threading.Event()

    def ask() -> None:
        client = HTTPClient(timeout=20)
        while not stop.is_set():
            try:
                client.request("POST", server.url + "/v1/things", b"{}", JSON)
                whole[0] += 1
            except MusterError as fault:
                if fault.code == "net/refused":
                    refused[0] += 1
                    return
                broken[0] += 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for one in threads:
        one.start()
    while whole[0] < 50:
        time.sleep(0.01)
    server.stop()
    for one in threads:
        one.join(30)
    stop.set()
    assert (refused[0], broken[0]) == (6, 0)


def test_what_waits_to_be_accepted_is_answered_before_the_end() -> None:
    """More than a server lets in at once: the kernel accepted them while its loop was held, and a
    stop finds them all in the queue."""
    entered, release = threading.Event(), threading.Event()

    async def hold(request: Request) -> Answer:
        entered.set()
        release.wait(30)  # on the loop, so that nobody is accepted
        return Answer(200, b"held")

    routes = [BoundRoute(POST, hold), BoundRoute(GET, lambda _: Answer(200, b""))]
    server = ThreadServer(Router(routes))
    head = b"/v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with server, connect(server) as first, contextlib.ExitStack() as stack:
        first.sendall(b"POST " + head + b"Content-Type: application/json\r\n\r\n")
        assert entered.wait(20)
        links = [stack.enter_context(connect(server)) for _ in range(300)]
        for link in links:
            link.sendall(b"GET " + head + b"\r\n")
        stop = threading.Thread(target=server.stop)
        stop.start()
        release.set()
        answers = [read_all(link)[:15] for link in (first, *links)]
        stop.join(30)
    assert set(answers) == {b"HTTP/1.1 200 OK"}


def test_stop_is_bounded() -> None:
    entered, release = threading.Event(), threading.Event()

    def stuck(request: Request) -> Answer:
        entered.set()
        release.wait(60)
        return Answer(200, b"")

    server = ThreadServer(router(stuck), grace_seconds=1).start()
    with connect(server) as link:
        link.sendall(
            b"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        assert entered.wait(20)
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        # The peer is given up while its request is still stuck.
        assert read_all(link) == b""
        assert not release.is_set()
        release.set()
        stopping.join(60)
        assert not stopping.is_alive()


SERVICE = """
import os, time
from muster.net.router import Answer, BoundRoute, Router
from muster.net.serve import Listener, bind, serve_forever, url_of
from muster.wire.routes import Route
def slow(request):
    os.write(1, b"entered\\n")
    time.sleep(0.5)
    return Answer(200, b"done")
route = Route("slow", "GET", "/", "")
socks = [bind("127.0.0.1", 0), bind("127.0.0.1", 0)]
listeners = [Listener(Router([BoundRoute(route, slow)]), one) for one in socks]
serve_forever(listeners, ready=lambda: print(*map(url_of, socks), flush=True))
print("stopped", flush=True)
"""


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_service_stops_by_signal_and_answers_first(number: signal.Signals) -> None:
    child = subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    urls = child.stdout.readline().split()
    assert len(urls) == 2
    bodies: list[bytes] = []

    def ask(url: str) -> None:
        bodies.append(HTTPClient(timeout=20).request("GET", url).body)

    threads = [threading.Thread(target=ask, args=(url,)) for url in urls]
    for one in threads:
        one.start()
    assert [child.stdout.readline() for _ in urls] == ["entered\n"] * 2
    child.send_signal(number)
    for one in threads:
        one.join(20)
    assert bodies == [b"done", b"done"]
    assert child.wait(20) == 0
    assert child.stdout.read() == "stopped\n"
    child.stdout.close()


@pytest.mark.real
def test_a_service_under_nohup_outlives_its_terminal() -> None:
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    command = [sys.executable, "-c", ignored + SERVICE]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    url = child.stdout.readline().split()[0]
    child.send_signal(signal.SIGHUP)
    assert HTTPClient(timeout=20).request("GET", url).body == b"done"
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 0
    child.stdout.close()


# Sockets.


def test_answers_do_not_wait_for_acknowledgements() -> None:
    # asyncio sets TCP_NODELAY on accepted connections only where the socket is named as TCP.
    with bind("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_bind_says_what_is_wrong() -> None:
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(MusterError) as caught:
            bind("127.0.0.1", port)
        assert caught.value.code == "net/port-taken"
        assert str(port) in caught.value.what
    for address in ("192.0.2.1", "not-an-address", "2001:db8::1", ""):
        with pytest.raises(MusterError) as caught:
            bind(address, 0)
        assert caught.value.code == "net/address"
    with pytest.raises(MusterError) as caught:
        bind("127.0.0.1", 70_000)
    assert caught.value.code == "net/address"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: becomes another user")
def test_a_port_that_this_user_may_not_use() -> None:
    program = (
        "import os; from muster.net.serve import bind\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: bind('127.0.0.1', 81)\n"
        "except Exception as fault: print(fault.code)\n"
    )
    limit = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
    if int(limit) <= 81:
        pytest.skip("this system gives low ports to everybody")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "net/port-denied\n"


def test_urls() -> None:
    with bind("0.0.0.0", 0) as sock:
        assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
        assert url_of(sock, tls=True).startswith("https://")
    try:
        with bind("::", 0) as sock:
            port = sock.getsockname()[1]
            assert url_of(sock) == f"http://[::1]:{port}"
            socket.create_connection(("127.0.0.1", port)).close()
    except (MusterError, OSError):
        pytest.skip("this system has no IPv6")


def test_ipv6() -> None:
    try:
        server = ThreadServer(router(), address="::1")
    except MusterError:
        pytest.skip("this system has no IPv6")
    with server:
        assert HTTPClient().request("GET", server.url + "/v1/things").body == b"got"


def test_tls(certificate: Path) -> None:
    tls = Certificate(
        str(certificate / "cert.pem"), str(certificate / "key.pem"), SystemClock().now
    )
    with ThreadServer(router(), tls=tls) as server:
        client = HTTPClient(timeout=20, ca_file=tls.certificate)
        assert client.request("GET", server.url + "/v1/things").body == b"got"
        context = ssl.create_default_context(cafile=tls.certificate)
        with (
            socket.create_connection((server.address, server.port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as link,
        ):
            link.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 40_000)
            assert b" 431 " in link.recv(1000)
