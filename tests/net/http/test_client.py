"""The HTTP client: every peer gets a bounded time and a bounded size, every fault a name."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.errors import MusterError
from muster.net import http
from muster.net.http import HTTPClient, Response
from muster.net.router import Router
from muster.net.serve import ThreadServer

OK = b"HTTP/1.1 200 OK\r\n"


class Peer:
    """A server that does with each connection what a function says."""

    def __init__(self, script: Callable[[socket.socket], None], address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self._script = script
        self._done = threading.Event()
        self.requests: list[bytes] = []
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{http.peer_text(address, self.port)}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link:
            try:
                self.requests.append(read_request(link))
                self._script(link)
            except OSError:
                pass

    def close(self) -> None:
        self._done.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def read_request(link: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += link.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serve() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def make(script: bytes | Callable[[socket.socket], None], address: str = "127.0.0.1") -> Peer:
        if isinstance(script, bytes):
            data = script
            peers.append(Peer(lambda link: link.sendall(data), address))
        else:
            peers.append(Peer(script, address))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


def fault_of(url: str, client: HTTPClient | None = None, **kwargs: object) -> MusterError:
    chosen = client or HTTPClient(timeout=5)
    with pytest.raises(MusterError) as caught:
        chosen.request("GET", url, **kwargs)  # type: ignore[arg-type]
    return caught.value


def test_one_request(serve: Callable[..., Peer]) -> None:
    peer = serve(OK + b"Content-Length: 5\r\nX-A: 1\r\nx-a:  2 \r\n\r\nhello")
    answer = HTTPClient().request("GET", peer.url + "/a%20b?c=d", headers={"Accept": "x/y"})
    assert answer == Response(200, {"content-length": "5", "x-a": "1, 2"}, b"hello")
    assert peer.requests == [
        b"GET /a%20b?c=d HTTP/1.1\r\n"
        b"Host: 127.0.0.1:" + str(peer.port).encode() + b"\r\n"
        b"Connection: close\r\nAccept-Encoding: identity\r\nAccept: x/y\r\n\r\n"
    ]


def test_post_sends_the_body(serve: Callable[..., Peer]) -> None:
    peer = serve(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}")
    answer = HTTPClient().request("POST", peer.url, b"body", {"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (409, b"{}")
    assert b"GET" not in peer.requests[0]
    assert peer.requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert peer.requests[0].endswith(b"Content-Length: 4\r\n\r\nbody")


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\nT: 1\r\n\r\n",
        OK + b"\r\nabcdef",
        OK + b"Content-Length: 6\r\n\r\nabcdefMORE",
        b"HTTP/1.0 200 OK\r\n\r\nabcdef",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 6\r\n\r\nabcdef",
    ],
)
def test_forms_of_a_body(serve: Callable[..., Peer], answer: bytes) -> None:
    assert HTTPClient().request("GET", serve(answer).url).body == b"abcdef"


def test_head_and_empty_answers(serve: Callable[..., Peer]) -> None:
    peer = serve(OK + b"Content-Length: 1000000\r\n\r\n")
    assert HTTPClient(limit=10).request("HEAD", peer.url).body == b""
    peer = serve(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")
    assert HTTPClient().request("GET", peer.url).headers["etag"] == "x"
    peer = serve(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert HTTPClient().request("GET", peer.url).status == 204


def test_redirects_are_not_followed(serve: Callable[..., Peer]) -> None:
    peer = serve(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n")
    answer = HTTPClient().request("GET", peer.url)
    assert (answer.status, answer.headers["location"]) == (302, "http://x/")
    assert len(peer.requests) == 1


def test_ipv6(serve: Callable[..., Peer]) -> None:
    try:
        peer = serve(OK + b"Content-Length: 0\r\n\r\n", "::1")
    except OSError:
        pytest.skip("this system has no IPv6 loopback")
    assert peer.url.startswith("http://[::1]:")
    assert HTTPClient().request("GET", peer.url).status == 200
    assert f"Host: [::1]:{peer.port}".encode() in peer.requests[0]


def test_each_address_of_a_name_can_be_tried(serve: Callable[..., Peer]) -> None:
    peer = serve(OK + b"Content-Length: 0\r\n\r\n")
    client = HTTPClient(timeout=5)
    url = "http://no-such-name.invalid:16880/"
    assert client.request("GET", url, connect_to=("127.0.0.1", peer.port)).status == 200
    assert b"Host: no-such-name.invalid:16880\r\n" in peer.requests[0]


def test_a_name_with_a_dead_address_first(serve: Callable[..., Peer]) -> None:
    """localhost has ::1 and 127.0.0.1 on most systems; the peer listens only on the second."""
    peer = serve(OK + b"Content-Length: 0\r\n\r\n")
    assert HTTPClient().request("GET", f"http://localhost:{peer.port}/").status == 200


# Time.


def drip(pieces: Iterator[bytes]) -> Callable[[socket.socket], None]:
    def script(link: socket.socket) -> None:
        for piece in pieces:
            link.sendall(piece)
            time.sleep(0.05)

    return script


@pytest.mark.parametrize(
    "pieces",
    [
        itertools.repeat(b"H"),
        itertools.chain([OK], itertools.repeat(b"X: y\r\n")),
        itertools.chain([OK + b"X: "], itertools.repeat(b"y")),
        itertools.chain([OK + b"Content-Length: 9000\r\n\r\n"], itertools.repeat(b"z")),
        itertools.chain(
            [OK + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"1\r\nz\r\n")
        ),
        itertools.chain([OK + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"0")),
        itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "headers", "header", "body", "chunks", "size", "continue"],
)
def test_a_peer_that_drips_gets_the_time_once(
    serve: Callable[..., Peer], pieces: Iterator[bytes]
) -> None:
    peer = serve(drip(pieces))
    started = time.monotonic()
    fault = fault_of(peer.url, HTTPClient(timeout=0.6))
    assert fault.code == "net/timeout"
    assert fault.what == f"127.0.0.1:{peer.port} did not answer within 0.6 seconds."
    assert time.monotonic() - started > 0.5


def test_silence(serve: Callable[..., Peer]) -> None:
    release = threading.Event()
    peer = serve(lambda _: release.wait(20) and None)
    assert fault_of(peer.url, HTTPClient(timeout=0.3)).code == "net/timeout"
    release.set()


def test_a_peer_that_does_not_read() -> None:
    """A listener whose connections nobody accepts takes some bytes, and then none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(MusterError) as caught:
            HTTPClient(timeout=0.5).request("POST", url, b"x" * 50_000_000)
    assert caught.value.code == "net/timeout"


def test_a_full_backlog() -> None:
    """A server that is too busy to accept: the kernel drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        assert fault_of(f"http://127.0.0.1:{address[1]}/", HTTPClient(timeout=0.4)).code == (
            "net/timeout"
        )
        for one in waiting:
            one.close()


def test_the_clock_is_given(serve: Callable[..., Peer]) -> None:
    peer = serve(OK + b"Content-Length: 0\r\n\r\n")
    ticks = itertools.count(0, 100)
    client = HTTPClient(timeout=50, monotonic=lambda: float(next(ticks)))
    assert fault_of(peer.url, client).code == "net/timeout"


def test_a_resolver_that_hangs_is_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(TimeoutError):
        http.bounded(lambda: release.wait(30), 0.05)
    release.set()
    assert http.bounded(lambda: 5, 5) == 5
    with pytest.raises(ZeroDivisionError):
        http.bounded(lambda: 1 // 0, 5)


# Size.


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 101\r\n\r\n" + b"x" * 101,
        OK + b"Content-Length: 99999999999999999999\r\n\r\n",
        OK + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        OK + b"\r\n" + b"x" * 101,
        OK + b"Transfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 101 + b"0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n" + b"x" * 200_000,
        OK + b"X: y\r\n" * 101 + b"\r\n",
        OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        OK + (b"X: " + b"y" * 1000 + b"\r\n") * 90 + b"\r\n",
        b"HTTP/1.1 " + b"2" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
)
def test_too_much(serve: Callable[..., Peer], answer: bytes) -> None:
    assert fault_of(serve(answer).url, HTTPClient(timeout=5, limit=100)).code == "net/too-large"


def test_exactly_the_limit(serve: Callable[..., Peer]) -> None:
    peer = serve(OK + b"Content-Length: 100\r\n\r\n" + b"x" * 100)
    assert len(HTTPClient(limit=100).request("GET", peer.url).body) == 100
    assert fault_of(peer.url, limit=99).code == "net/too-large"
    assert len(HTTPClient(limit=1).request("GET", peer.url, limit=100).body) == 100
    chunks = b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"
    peer = serve(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert len(HTTPClient(limit=5000).request("GET", peer.url).body) == 5000


def test_an_endless_head_costs_little(serve: Callable[..., Peer]) -> None:
    sent = 0

    def script(link: socket.socket) -> None:
        nonlocal sent
        while True:
            sent += link.send(b"X" * 65536)

    assert fault_of(serve(script).url).code in {"net/too-large", "net/not-http"}
    assert sent < 10_000_000


# Faults in the middle.


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP",
        OK,
        OK + b"Content-Le",
        OK + b"Content-Length: 10\r\n\r\n",
        OK + b"Content-Length: 10\r\n\r\n123456789",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
)
@pytest.mark.parametrize("hard", [False, True], ids=["close", "reset"])
def test_an_answer_that_breaks_off(serve: Callable[..., Peer], answer: bytes, hard: bool) -> None:
    def script(link: socket.socket) -> None:
        link.sendall(answer)
        if hard:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    fault = fault_of(serve(script).url)
    # Four letters may be the begin of any protocol.
    assert fault.code == "net/reset" or (fault.code == "net/not-http" and answer == b"HTTP")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example.test ESMTP\r\n",
        b"\x00" * 100 + b"\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/3.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        OK + b"Content-Length: -5\r\n\r\nabc",
        OK + b"Content-Length: 5, 5\r\n\r\nabcde",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        OK + b"Content-Length: five\r\n\r\nabcdef",
        OK + b"Content-Length: \x1c2\r\n\r\nab",
        OK + b"Content-Length: 2\x1d\r\n\r\nab",
        OK + b"Content-Length: +2\r\n\r\nab",
        OK + b"Content-Length: 2_0\r\n\r\nab",
        OK + "Content-Length: ٣\r\n\r\nabc".encode(),
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1111111111111111\r\n",
    ],
)
def test_what_is_not_http(serve: Callable[..., Peer], answer: bytes) -> None:
    assert fault_of(serve(answer).url).code == "net/not-http"


def test_an_answer_before_the_request_was_read() -> None:
    """A server answers 413 and closes while the client still sends: the answer counts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def script() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                link.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
                link.shutdown(socket.SHUT_WR)
                while link.recv(1_000_000):
                    pass

        thread = threading.Thread(target=script, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        answer = HTTPClient(timeout=10).request("POST", url, b"x" * 5_000_000)
        assert (answer.status, answer.body) == (413, b"no")
        thread.join(10)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fault = fault_of(f"http://127.0.0.1:{port}/")
    assert fault.code == "net/refused"
    assert f"127.0.0.1:{port}" in fault.what
    # A multicast address, to which nobody can connect.
    assert fault_of("http://224.0.0.1/", HTTPClient(timeout=2)).code == "net/unreachable"


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "-", "x" * 64 + ".test"])
def test_names_that_do_not_resolve(name: str) -> None:
    fault = fault_of(f"http://{name}/", HTTPClient(timeout=20))
    assert fault.code == "net/name"
    assert name in fault.what


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://user:pw@host/",
        "http://host:0/",
        "http://host:99999/",
        "http://host:x/",
        "http://[::1/",
        "http://host/ space",
        "http://host/\r\nX: y",
        "http://hóst/",
        "http://host/#fragment",
        "http://" + "x" * 300 + "/",
        "javascript:alert(1)",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    assert fault_of(url).code == "net/url"


def test_headers_cannot_be_smuggled() -> None:
    client = HTTPClient()
    for name, value in (("X", "a\r\nY: b"), ("X\r\nY", "b"), ("X Y", "b"), ("X", "ü")):
        with pytest.raises(ValueError, match="header"):
            client.request("GET", "http://127.0.0.1:1/", headers={name: value})
    with pytest.raises(ValueError, match="method"):
        client.request("BREW", "http://127.0.0.1:1/")


# TLS.


@pytest.fixture
def tls_peer(certificate: Path) -> Iterator[int]:
    """The port of a TLS server that answers each connection with `hi`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            try:
                with link, context.wrap_socket(link, server_side=True) as secure:
                    read_request(secure)
                    secure.sendall(OK + b"Content-Length: 2\r\n\r\nhi")
                    secure.unwrap()
            except (OSError, ssl.SSLError):
                continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def test_tls(tls_peer: int, certificate: Path) -> None:
    client = HTTPClient(timeout=10, ca_file=str(certificate / "cert.pem"))
    assert client.request("GET", f"https://127.0.0.1:{tls_peer}/").body == b"hi"
    assert client.request("GET", f"https://localhost:{tls_peer}/").body == b"hi"
    answer = client.request("GET", "https://localhost:1/", connect_to=("127.0.0.1", tls_peer))
    assert answer.body == b"hi"


def test_tls_that_is_not_trusted(tls_peer: int, certificate: Path, tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{tls_peer}/"
    fault = fault_of(url)
    assert fault.code == "net/tls-authority"
    assert "self-signed" in fault.what
    client = HTTPClient(timeout=10, ca_file=str(certificate / "cert.pem"))
    fault = fault_of("https://other.test:1/", client, connect_to=("127.0.0.1", tls_peer))
    assert fault.code == "net/tls-name"
    with ThreadServer(Router([])) as plain:
        # https to a port that speaks http.
        assert fault_of(plain.url.replace("http:", "https:"), client).code == "net/tls-plain"
    # http to a port that speaks TLS.
    assert fault_of(f"http://127.0.0.1:{tls_peer}/").code == "net/tls-wanted"
    (tmp_path / "none.pem").write_text("nothing")
    bad = HTTPClient(ca_file=str(tmp_path / "none.pem"))
    assert fault_of(url, bad).code == "net/ca-file"


def test_a_tls_handshake_that_drips(serve: Callable[..., Peer], certificate: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def script() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                # A record of 16 KiB that begins well and comes byte by byte.
                link.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
                while not stop.wait(0.05):
                    try:
                        link.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=script, daemon=True)
        thread.start()
        client = HTTPClient(timeout=0.6, ca_file=str(certificate / "cert.pem"))
        fault = fault_of(f"https://127.0.0.1:{listener.getsockname()[1]}/", client)
        assert fault.code == "net/timeout"
        assert thread.is_alive(), "the record was still coming"
        stop.set()
        thread.join(10)


# Proxies.


def test_proxies_only_when_told(
    serve: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(OK + b"Content-Length: 5\r\n\r\nproxy")
    peer = serve(OK + b"Content-Length: 4\r\n\r\npeer")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert HTTPClient().request("GET", peer.url).body == b"peer"
    told = HTTPClient(proxies=True)
    assert told.request("GET", "http://publisher.invalid/v1?a=b").body == b"proxy"
    assert proxy.requests[0].startswith(b"GET http://publisher.invalid:80/v1?a=b HTTP/1.1\r\n")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert told.request("GET", peer.url).body == b"peer"
    assert told.request("GET", peer.url, connect_to=("127.0.0.1", peer.port)).body == b"peer"


def test_https_through_a_proxy(
    tls_peer: int,
    certificate: Path,
    serve: Callable[..., Peer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tunnel(link: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", tls_peer)) as onward:
            link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

            def pump(source: socket.socket, sink: socket.socket) -> None:
                with contextlib.suppress(OSError):
                    while piece := source.recv(65536):
                        sink.sendall(piece)
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)

            back = threading.Thread(target=pump, args=(onward, link), daemon=True)
            back.start()
            pump(link, onward)
            back.join(10)

    proxy = serve(tunnel)
    monkeypatch.setenv("https_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = HTTPClient(timeout=10, ca_file=str(certificate / "cert.pem"), proxies=True)
    assert client.request("GET", f"https://localhost:{tls_peer}/").body == b"hi"
    assert proxy.requests[0].startswith(f"CONNECT localhost:{tls_peer} HTTP/1.1\r\n".encode())
    refusing = serve(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("https_proxy", refusing.url)
    fault = fault_of(f"https://localhost:{tls_peer}/", client)
    assert fault.code == "net/proxy-login"
    assert "407" in fault.what


@examples(60)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(lambda tail: OK + tail),
        st.binary(max_size=200).map(lambda tail: OK + b"Content-Length: 3\r\n" + tail),
        st.binary(max_size=200).map(lambda tail: OK + b"Transfer-Encoding: chunked\r\n\r\n" + tail),
    )
)
def test_any_bytes_give_an_answer_or_an_error_of_the_catalogue(answer: bytes) -> None:
    peer = Peer(lambda link: link.sendall(answer))
    try:
        HTTPClient(timeout=5, limit=100).request("GET", peer.url)
    except MusterError as fault:
        assert fault.code in {"net/not-http", "net/reset", "net/too-large"}
    finally:
        peer.close()
