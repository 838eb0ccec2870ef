"""The reader of the HTTP client: any bytes end in an answer or in one error of the catalogue."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.net.http import HTTPClient, Response
from muster.net.http.faults import Faults
from muster.net.http.framing import Deadline, Wire, read_body, read_head

LIMIT = 200
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CODES = {"net/not-http", "net/reset", "net/too-large"}


def read(pieces: Sequence[bytes], method: str = "GET") -> Response | str:
    """What the reader makes of an answer that comes in these pieces: an answer, or the code."""
    # Packets keep their borders, so that a piece is what one receive gets.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.closing(ours), contextlib.closing(theirs):

        def send() -> None:
            with contextlib.suppress(OSError):
                for piece in pieces:
                    for at in range(0, len(piece), 32_768):
                        theirs.sendall(piece[at : at + 32_768])
            theirs.close()

        writer = threading.Thread(target=send)
        writer.start()
        try:
            with Faults("192.0.2.1:16880", "192.0.2.1", 5.0, LIMIT, None).translated():
                wire = Wire(ours, Deadline(5.0, time.monotonic))
                head = read_head(wire)
                body = read_body(wire, head, LIMIT, expected=method != "HEAD")
                return Response(head.status, head.headers, body)
        except MusterError as fault:
            assert fault.what
            assert fault.what.isprintable()
            assert fault.why
            assert fault.fix
            return fault.code
        finally:
            ours.close()
            writer.join(10)


# What was seen, and its kind.


def length(value: bytes, body: bytes = b"ab") -> bytes:
    return OK + b"Content-Length:" + value + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (length(b" " + b"9" * 5_000), "net/too-large"),
        (length(b" " + b"1" * 5_000), "net/too-large"),
        (length(b" \x1c2"), "net/not-http"),
        (length(b" 2\x1d"), "net/not-http"),
        (length(b" 2\x0b"), "net/not-http"),
        (length(b" \x0c2"), "net/not-http"),
        (length(b" 2\x00"), "net/not-http"),
        (length(b" 2\r"), "net/not-http"),
        (length(b" 2\x85"), "net/not-http"),
        (length(b" \xa02"), "net/not-http"),
        (length(b" +2"), "net/not-http"),
        (length(b" -2"), "net/not-http"),
        (length(b" 2_0"), "net/not-http"),
        (length(b" 0x2"), "net/not-http"),
        (length(b" 2.0"), "net/not-http"),
        (length(b" 2e0"), "net/not-http"),
        (length(b" 2 2"), "net/not-http"),
        (length(b" 2,2"), "net/not-http"),
        (length(b" 2;"), "net/not-http"),
        (length(b""), "net/not-http"),
        (length(b" \xb2"), "net/not-http"),
        (length(" \uff12".encode()), "net/not-http"),
        (length(" \u0662".encode()), "net/not-http"),
        (length(b" 2\r\nContent-Length: 3"), "net/not-http"),
        (length(b" 2\r\nContent-Length: 2"), "net/not-http"),
        (length(b" 2\r\n\t2"), "net/not-http"),
        (length(b" 2\r\nTransfer-Encoding: chunked"), "net/not-http"),
        (OK + b"Content-Length : 2\r\n\r\nab", "net/not-http"),
        (OK + b" Content-Length: 2\r\n\r\nab", "net/not-http"),
        (OK + b": 2\r\n\r\nab", "net/not-http"),
        (OK + b"Content-Length\r\n\r\nab", "net/not-http"),
        (OK + b"X: \x00\r\n\r\n", "net/not-http"),
        (OK + b"X: a\rb\r\n\r\n", "net/not-http"),
        (OK + b"X\xe4: b\r\n\r\n", "net/not-http"),
        (OK + b"Transfer-Encoding: \x1cchunked\r\n\r\n0\r\n\r\n", "net/not-http"),
        (OK + "Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n".encode(), "net/not-http"),
        (OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "net/not-http"),
        (OK + b"Transfer-Encoding: identity\r\n\r\nab", "net/not-http"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b"\x1c2\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b"2\x0b\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b" 2\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b"+2\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b"0_2\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + "\uff12\r\nab\r\n0\r\n\r\n".encode(), "net/not-http"),
        (CHUNKED + b";x\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b"2;\x00\r\nab\r\n0\r\n\r\n", "net/not-http"),
        (CHUNKED + b"f" * 4_000 + b"\r\n", "net/not-http"),
        (CHUNKED + b"0" * 5_000 + b"\r\n\r\n", "net/too-large"),
        (CHUNKED + b"1;" + b"x" * 4_090 + b"\r\na\r\n", "net/reset"),
        (CHUNKED + b"2\r\nabX", "net/not-http"),
        (CHUNKED + b"2\r\nab\rX", "net/not-http"),
        (CHUNKED + b"0\r\nX\r\n\r\n", "net/not-http"),
        (CHUNKED + b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n", "net/too-large"),
        (CHUNKED + b"0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "net/too-large"),
        (CHUNKED + (b"1;" + b"x" * 4_000 + b"\r\na\r\n") * 100, "net/too-large"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", "net/not-http"),
        (OK + b"Content-Encoding: br\r\n\r\nab", "net/not-http"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 5_000, "net/too-large"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 5_000, "net/too-large"),
        (b"HTTP/1.1 100\r\n" + b"X: y\r\n" * 20_000, "net/too-large"),
        (b"HTTP/1.1 20\xb2 OK\r\n\r\n", "net/not-http"),
        ("HTTP/1.1 ２００ OK\r\n\r\n".encode(), "net/not-http"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1 600 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1 000 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1 +20 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1\x0b200 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1\x1c200\x1dOK\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", "net/not-http"),
        (b"HTTP/1.1 200 O\rK\r\n\r\n", "net/not-http"),
        (b" HTTP/1.1 200 OK\r\n\r\n", "net/not-http"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "net/not-http"),
        (b"http/1.1 200 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/11.1 200 OK\r\n\r\n", "net/not-http"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "net/not-http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "net/not-http"),
    ],
)
def test_bytes_that_are_refused(answer: bytes, code: str) -> None:
    assert read([answer]) == code


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (length(b"2"), b"ab"),
        (length(b" \t2\t "), b"ab"),
        (length(b" 00002"), b"ab"),
        (length(b" " + b"0" * 5_000 + b"2"), b"ab"),
        (length(b"2\r\nX: a\r\n b\r\n\tc"), b"ab"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (b"HTTP/1.1 200 Gut gem\xe4cht\r\nX: \xff\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab", b"ab"),
        (OK + b'Transfer-Encoding: CHUNKED\r\n\r\n2\t; a="b"\r\nab\r\n000\r\n\r\n', b"ab"),
        (CHUNKED + b"1\na\n01\nb\n0\n\n", b"ab"),
        (CHUNKED + b"2\r\nab\r\n0\r\nContent-Length: 900\r\n\r\nmore", b"ab"),
        (b"HTTP/1.1 103 x\r\nContent-Length: 9\r\n\r\n" + length(b"2"), b"ab"),
        (b"HTTP/1.1 204 x\r\nContent-Length: 9\r\n\r\n", b""),
        (b"HTTP/1.1 304 x\r\nContent-Encoding: gzip\r\n\r\n", b""),
        (OK + b"Content-Encoding: identity\r\n\r\nab", b"ab"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", b""),
        (OK + b"\r\n" + b"x" * LIMIT, b"x" * LIMIT),
    ],
)
def test_bytes_that_are_taken(answer: bytes, body: bytes) -> None:
    # As a host that writes each header by itself sends it, and as one that writes all at once.
    size = 1 if len(answer) < 1_000 else 1_000
    for one in ([answer], [answer[at : at + size] for at in range(0, len(answer), size)]):
        found = read(one)
        assert isinstance(found, Response)
        assert found.body == body


def test_an_answer_to_head_has_no_body() -> None:
    found = read([OK + b"Content-Length: 999999999\r\n\r\n"], "HEAD")
    assert isinstance(found, Response)
    assert found.body == b""
    assert read([OK + b"Content-Length: \x1c2\r\n\r\n"], "HEAD") == "net/not-http"


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sun, 31 Dec 2016 23:59:60 GMT", 1483228800),
        ("Sun, 06 Nov 1994 08:49:61 GMT", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Sun, 06 Nov " + "9" * 5_000 + " 08:49:37 GMT", None),
        ("Sun, ０6 Nov 1994 08:49:37 GMT", None),
        ("06 Nov 1994 08:49:37 +9999999999", None),
        ("now", None),
        ("", None),
    ],
)
def test_the_clock_of_a_peer(date: str, seconds: int | None) -> None:
    assert Response(200, {"date": date}, b"").date == seconds
    assert Response(200, {}, b"").date is None


def test_a_tunnel_that_says_more_than_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a proxy sends before the handshake would be lost, or taken for the server's."""
    for answer in (OK + b"\r\nmore", b"HTTP/1.1 200 \x00\r\n\r\n", b"ICY 200 OK\r\n\r\n"):
        with peer(answer) as port:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            monkeypatch.setenv("no_proxy", "")
            monkeypatch.setenv("NO_PROXY", "")
            with pytest.raises(MusterError) as caught:
                HTTPClient(timeout=5, proxies=True).request("GET", "https://publisher.invalid/")
        assert caught.value.code == "net/proxy"


@contextlib.contextmanager
def peer(answer: bytes) -> Iterator[int]:
    """The port of a server that answers one connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with contextlib.suppress(OSError):
                link, _ = listener.accept()
                with link:
                    link.recv(65536)
                    link.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


# Any bytes.

ODD = st.sampled_from(
    [b"\x1c", b"\x1d", b"\x0b", b"\x0c", b"\x00", b"\r", b"\n", b"\t", b" ", b"\xa0", b"\x85",
     b"+", b"-", b"_", b"0", b"2", b"9" * 30, b"\xb2", "２".encode(), b";", b",", b":", b"\xff"]
)  # fmt: skip
NUMBER = st.lists(ODD | st.integers(0, 300).map(lambda n: b"%d" % n), min_size=1, max_size=3).map(
    b"".join
)
NAME = st.sampled_from(
    [b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"X", b"content-length", b"Date"]
)
VALUE = NUMBER | st.sampled_from([b"chunked", b"gzip", b"identity", b"2", b""])
FIELD = st.tuples(NAME, st.sampled_from([b": ", b":", b" : ", b":\t"]), VALUE).map(b"".join)
STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 100 C", b"HTTP/1.0 404 N", b"HTTP/1.1 204 x", b"HTTP/1.1 101 x"]
) | st.tuples(st.just(b"HTTP/1.1 "), NUMBER).map(b"".join)
BODY = st.lists(
    st.tuples(NUMBER, st.just(b"\r\n"), st.binary(max_size=20), st.just(b"\r\n")).map(b"".join)
    | st.just(b"2\r\nab\r\n")
    | st.just(b"0\r\n\r\n"),
    max_size=4,
).map(b"".join) | st.binary(max_size=300)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers that are nearly right: good parts in any number, then some bytes changed."""
    heads = draw(st.lists(st.tuples(STATUS, st.lists(FIELD, max_size=4)), min_size=1, max_size=3))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"]))
    data = bytearray()
    for status, fields in heads:
        data += end.join([status, *fields, b"", b""])
    data += draw(BODY)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(ODD | st.binary(max_size=3))
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


def check(pieces: Sequence[bytes]) -> None:
    found = read(pieces)
    if isinstance(found, str):
        assert found in CODES
        return
    assert 200 <= found.status <= 599
    assert len(found.body) <= LIMIT
    for name, value in found.headers.items():
        assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name)
        assert re.fullmatch(r"[\t -~\x80-\xff]*", value)
    if "content-length" in found.headers:
        assert re.fullmatch("[0-9]+", found.headers["content-length"])
        if found.status not in (204, 304):
            assert len(found.body) == int(found.headers["content-length"])


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: OK + tail))
def test_any_bytes(answer: bytes) -> None:
    check([answer] if answer else [])


@given(answers())
def test_any_answer_that_is_nearly_right(answer: bytes) -> None:
    check([answer] if answer else [])


GOOD = [
    length(b" 2"),
    OK + b"Date: x\r\n folded\r\n\r\nab",
    CHUNKED + b"2;x\r\nab\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
]


@pytest.mark.parametrize("answer", GOOD)
def test_a_good_answer_that_is_cut_or_spoilt_anywhere(answer: bytes) -> None:
    """Not by chance: every beginning of it, and every byte taken out or made another one."""
    assert isinstance(read([answer]), Response)
    for at in range(1, len(answer)):
        check([answer[:at]])
        for odd in (b"", b"\x1c", b"\x00", b"\r", b"\n", b" ", b"9", b"\xb2", b":"):
            check([answer[:at] + odd + answer[at + 1 :]])


@given(answers(), st.lists(st.integers(0, 400), max_size=20))
@example(CHUNKED + b"2\r\nab\r\n1;x\r\nc\r\n0\r\nX: y\r\n\r\n", [])
@example(b"HTTP/1.1 103 x\r\n\r\n" + length(b" 2"), [])
def test_the_borders_of_packets_mean_nothing(answer: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(one for one in cuts if one < len(answer)), len(answer)})
    pieces = [answer[one:other] for one, other in itertools.pairwise(places)]
    whole = read([answer] if answer else [])
    assert read(pieces) == whole
    assert read([answer[at : at + 1] for at in range(len(answer))]) == whole
