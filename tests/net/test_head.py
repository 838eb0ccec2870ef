"""What is a request and what is not: read from bytes, without sockets."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.house.growth import growth

from muster.core.errors import MusterError
from muster.net.head import HEAD_LIMIT, Chunks, find_end, read_head

START = b"POST /v1/things HTTP/1.1\r\nHost: host-1:16880\r\n"


def head(*lines: bytes, start: bytes = START) -> bytes:
    return start + b"".join(one + b"\r\n" for one in lines) + b"\r\n"


def code_of(data: bytes) -> str:
    """The code with which a head is refused, or ""."""
    try:
        end = find_end(bytearray(data), 0)
        assert end == len(data)
        read_head(data)
    except MusterError as refusal:
        return refusal.code
    return ""


def test_a_head() -> None:
    found = read_head(
        b"POST /v1/a%20b?x=1?2 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nX-A:  b c \t\r\nx-a:\r\n"
        b"Content-Length: 007\r\nExpect: 100-Continue\r\n\r\n"
    )
    assert (found.method, found.target, found.query) == ("POST", b"/v1/a%20b", b"x=1?2")
    assert found.fields[1:3] == [(b"x-a", b"b c"), (b"x-a", b"")]
    assert (found.length, found.keep_alive, found.expects) == (7, True, True)
    old = read_head(b"GET / HTTP/1.0\r\n\r\n")
    assert (old.length, old.keep_alive, old.version) == (0, False, "1.0")
    assert not read_head(head(b"Connection: x, CLOSE")).keep_alive
    assert read_head(head(b"Transfer-Encoding: Chunked")).length is None


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://host-1:16880/v1/a?b", b"/v1/a"),
        (b"HTTP://HOST-1:16880", b"/"),
        (b"http://host-1:16880?b", b"/"),
        (b"*", b"*"),
    ],
)
def test_other_forms_of_a_target(target: bytes, path: bytes) -> None:
    assert read_head(head(start=START.replace(b"/v1/things", target))).target == path


REFUSED = [
    # Hosts.
    b"GET / HTTP/1.1\r\n\r\n",
    head(b"Host: host-2"),
    head(b"Host: host-1:16880"),
    head(b"hOST: x"),
    b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n",
    # Versions and request lines.
    head(start=START.replace(b"HTTP/1.1", b"HTTP/2.0")),
    head(start=START.replace(b"HTTP/1.1", b"HTTP/1.9")),
    head(start=START.replace(b"HTTP/1.1", b"HTTP/1.2")),
    head(start=START.replace(b"HTTP/1.1", b"HTTP/0.9")),
    head(start=START.replace(b"HTTP/1.1", b"HTTP/3")),
    head(start=START.replace(b"HTTP/1.1", b"http/1.1")),
    head(start=START.replace(b"HTTP/1.1", b"HTTP/1.1 ")),
    head(start=START.replace(b"HTTP/1.1", b"HTTP/1.10")),
    head(start=START.replace(b"HTTP/1.1", b"")),
    head(start=START.replace(b" /v1", b"  /v1")),
    head(start=START.replace(b" /v1", b"\t/v1")),
    head(start=START.replace(b"POST ", b" POST ")),
    b"PRI * HTTP/2.0\r\n\r\n",
    b"GET /\r\n\r\n",
    # Targets.
    head(start=START.replace(b"/v1/things", b"http://other/v1/things")),
    head(start=START.replace(b"/v1/things", b"http://host-1/v1/things")),
    head(start=START.replace(b"/v1/things", b"http://host-1:16880@evil/")),
    head(start=START.replace(b"/v1/things", b"ftp://host-1:16880/")),
    head(start=START.replace(b"/v1/things", b"v1/things")),
    head(start=START.replace(b"/v1/things", b"/v1#things")),
    head(start=START.replace(b"/v1/things", b"/v1/\xff")),
    b"CONNECT host-1:16880 HTTP/1.1\r\nHost: host-1:16880\r\n\r\n",
    b"GET http:/// HTTP/1.1\r\nHost:\r\n\r\n",
    # Lengths.
    head(b"Content-Length: 3", b"Content-Length: 3"),
    head(b"Content-Length: 3", b"Content-Length: 4"),
    head(b"Content-Length: 3, 3"),
    head(b"Content-Length: +5"),
    head(b"Content-Length: -5"),
    head(b"Content-Length: 5_0"),
    head(b"Content-Length: 0x5"),
    head(b"Content-Length: 5.0"),
    head(b"Content-Length: 5 0"),
    head(b"Content-Length:"),
    head(b"Content-Length: \xb2"),
    head(b"Content-Length: " + b"9" * 5000),
    head(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    # Codings.
    head(b"Transfer-Encoding: gzip"),
    head(b"Transfer-Encoding: gzip, chunked"),
    head(b"Transfer-Encoding: chunked, chunked"),
    head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    head(b"Transfer-Encoding: identity"),
    head(b"Transfer-Encoding: xchunked"),
    head(b"Transfer-Encoding: chunked;q=1"),
    head(b"Transfer-Encoding:"),
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    # Lines.
    head(b"X : y"),
    head(b"X\t: y"),
    head(b" X: y"),
    head(b"X: y", b" folded"),
    head(b"X: y", b"\tfolded"),
    head(b": y"),
    head(b"X"),
    head(b"X: y\nZ: w"),
    head(b"X: y\rZ: w"),
    head(b"X: y\r"),
    head(b"X: \x00"),
    head(b"X\x00: y"),
    head(b"X: \x7f"),
    head(b"X: \x0b"),
    head(b"X(: y"),
    head(b"X\xc3\xa4: y"),
]


@pytest.mark.parametrize("data", REFUSED)
def test_what_is_no_request(data: bytes) -> None:
    assert code_of(data) == "wire/bad-request"


def test_a_head_is_bounded() -> None:
    assert code_of(head(*[b"X: y"] * 98)) == ""
    assert code_of(head(*[b"X: y"] * 100)) == "wire/head-too-large"
    room = HEAD_LIMIT - len(head(b"X: "))
    assert code_of(head(b"X: " + b"y" * room)) == ""
    assert code_of(head(b"X: " + b"y" * (room + 1))) == "wire/head-too-large"


LONG_HEADS = {
    "method": b"%sb\xff /v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "target": b"GET /%sb\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "target with a host": b"GET http://%sb\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "version": b"GET / HTTP/1.1%sb\xff\r\nHost: x\r\n\r\n",
    "name": head(b"X%sb\xff"),
    "value": head(b"X:%sb"),
    "host": b"GET / HTTP/1.1\r\nHost: %sb\xff\r\n\r\n",
    "host in brackets": b"GET / HTTP/1.1\r\nHost: [%sb\xff\r\n\r\n",
    "length": head(b"Content-Length: %sb\xff"),
    "coding": head(b"Transfer-Encoding: %sb\xff"),
    "connection": head(b"Connection: %sb\xff"),
}
LONG_CHUNKS = {
    "size": b"%sb\xff\r\n",
    "extension": b"1;%s\x00\r\na\r\n",
    "trailer": b"0\r\nX%sb\xff\r\n\r\n",
}


def filled(fill: bytes, length: int) -> bytes:
    return fill * (length // len(fill))


@pytest.mark.parametrize("fill", [b" ", b"\t", b"a", b"0", b"a ", b",", b";", b":", b"\xff"])
@pytest.mark.parametrize("place", [*LONG_HEADS, *LONG_CHUNKS])
def test_no_head_takes_long(place: str, fill: bytes) -> None:
    """No expression goes over the bytes again and again, wherever many stand that do not fit."""
    in_head = place in LONG_HEADS

    def read(filling: bytes) -> None:
        if in_head:
            code_of(LONG_HEADS[place].replace(b"%s", filling))
        else:
            with suppress(MusterError):
                dechunk(LONG_CHUNKS[place].replace(b"%s", filling))

    short = 1_400 if in_head else 20
    assert growth(read, filled(fill, short), filled(fill, 10 * short)) < 5


@given(st.binary(max_size=300), st.data())
def test_any_bytes_are_a_head_or_refused(data: bytes, draw: st.DataObject) -> None:
    """Whatever comes, in whatever pieces: the same as in one piece, and no other error."""
    for start in (b"", START):
        whole = start + data + b"\r\n\r\n"
        cut = draw.draw(st.integers(0, len(whole)))
        try:
            end = find_end(bytearray(whole), 0)
            found = read_head(whole[:end])
        except MusterError as refusal:
            assert refusal.code == "wire/bad-request"
        else:
            assert found.target.startswith(b"/") or found.target == b"*"
            seen = find_end(bytearray(whole[:cut]), 0)
            assert find_end(bytearray(whole), 0 if seen >= 0 else cut) == end


def dechunk(data: bytes, step: int = 1_000_000) -> tuple[bytes, bytes]:
    """Body and rest of a chunked body that arrives in pieces. Raises where it is not whole."""
    reader, buffer, body = Chunks(), bytearray(), bytearray()
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        if reader.feed(buffer, body):
            return bytes(body), bytes(buffer) + data[start + step :]
    raise EOFError


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_chunks(step: int) -> None:
    data = b'3\r\nabc\r\n0A;x="y"\r\n0123456789\r\n00\r\nX: y\r\nZ:\r\n\r\nGET'
    assert dechunk(data, step) == (b"abc0123456789", b"GET")
    assert dechunk(b"0\r\n\r\n", step) == (b"", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1_0\r\n",
        b" 1\r\na\r\n",
        b"1 \r\na\r\n",
        b"123456789\r\n",
        b"1\na\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"1\r\na0\r\n\r\n",
        b"1;\x00\r\na\r\n",
        b"1;" + b"x" * 300,
        b"0\r\nX\r\n\r\n",
        b"0\r\n X: y\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\nX: " + b"y" * 2000,
        b"0\r\n" + b"a:\r\n" * 5000,
        b"1;xxxxxxxxxxxxxxxxxxxx\r\na\r\n" * 500,
        b"1\r\na\r\n" * 5000,
    ],
)
@pytest.mark.parametrize("step", [1, 4096])
def test_what_is_no_chunk(data: bytes, step: int) -> None:
    with pytest.raises(MusterError) as caught:
        dechunk(data, step)
    assert caught.value.code == "wire/bad-request"


@given(st.lists(st.binary(min_size=64, max_size=2000), max_size=40), st.integers(1, 5000))
def test_honest_chunks_are_never_too_much_frame(pieces: list[bytes], step: int) -> None:
    data = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
    assert dechunk(data, step) == (b"".join(pieces), b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_chunks_or_refused(data: bytes) -> None:
    try:
        dechunk(data, 3)
    except MusterError as refusal:
        assert refusal.code == "wire/bad-request"
    except EOFError:
        pass
