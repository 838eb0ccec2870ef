"""DNS servers as they are met: old, broken, lying. Each question ends in records or one error."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.net.dns import MAX_RECORDS, SRV, Resolver, srv_records
from muster.net.dnswire import GarbageError, RefusedError, decode, make_query, understand
from muster.net.resolvconf import check_name
from muster.testing.nanodns import bind_both

NAME = "_muster._tcp.example.test"
ONE = (SRV(0, 0, 16880, "h.example.test", 60),)

Script = Callable[[dns.message.Message, str], bytes | None]
"""What a server sends to a question that came over udp or tcp; None is silence."""


class Server:
    """A DNS server that answers as a function says; `asked` has "udp", "udp+edns" and "tcp"."""

    def __init__(self, script: Script, *, tcp: bool = True) -> None:
        self._script = script
        self._udp, self._tcp = bind_both("127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._udp.getsockname()[1]}"
        self.asked: list[str] = []
        jobs = [self._over_udp, self._over_tcp] if tcp else [self._over_udp]
        self._threads = [threading.Thread(target=one, daemon=True) for one in jobs]
        if not tcp:
            self._tcp.close()

    def __enter__(self) -> Server:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._udp.sendto(b"", self._udp.getsockname())
        with contextlib.suppress(OSError):
            self._tcp.shutdown(socket.SHUT_RDWR)
        for one in self._threads:
            one.join(10)
        self._udp.close()
        self._tcp.close()

    def _over_udp(self) -> None:
        while True:
            data, peer = self._udp.recvfrom(65535)
            if not data:
                return
            query = dns.message.from_wire(data)
            self.asked.append("udp+edns" if query.edns >= 0 else "udp")
            answer = self._script(query, self.asked[-1])
            if answer is not None:
                self._udp.sendto(answer, peer)

    def _over_tcp(self) -> None:
        while True:
            try:
                link, _ = self._tcp.accept()
            except OSError:
                return
            with link, contextlib.suppress(OSError, struct.error):
                (size,) = struct.unpack("!H", link.recv(2))
                query = dns.message.from_wire(link.recv(size))
                self.asked.append("tcp")
                answer = self._script(query, "tcp")
                if answer is not None:
                    link.sendall(struct.pack("!H", len(answer)) + answer)


def records(*texts: str, name: str = NAME, kind: str = "SRV", ttl: int = 60) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name + ".", ttl, "IN", kind, list(texts))


GOOD = records("0 0 16880 h.example.test.")


def answer(query: dns.message.Message, *rrsets: dns.rrset.RRset) -> dns.message.Message:
    made = dns.message.make_response(query)
    made.answer.extend(rrsets)
    return made


def bare(query: dns.message.Message, code: int, *, question: bool = False) -> bytes:
    """An answer of a code without EDNS, as servers of the last century give it."""
    head = struct.pack("!HHHHHH", query.id, 0x8180 | code, int(question), 0, 0, 0)
    if not question:
        return head
    name = query.question[0].name.to_wire()
    assert name is not None
    return head + name + struct.pack("!HH", query.question[0].rdtype, 1)


def srv(server: Server, timeout: float = 2) -> tuple[SRV, ...] | str:
    try:
        return Resolver([server.address], timeout=timeout).srv(NAME)
    except MusterError as fault:
        assert fault.what.isprintable()
        return fault.code


# Servers and boxes on the way that do not know EDNS, or TCP.


def badvers(query: dns.message.Message) -> bytes:
    made = dns.message.make_response(query)
    made.use_edns(0)
    made.set_rcode(dns.rcode.BADVERS)
    return made.to_wire()


REFUSALS: dict[str, Callable[[dns.message.Message], bytes | None]] = {
    "formerr": lambda query: bare(query, dns.rcode.FORMERR),
    "formerr with the question": lambda query: bare(query, dns.rcode.FORMERR, question=True),
    "notimp": lambda query: bare(query, dns.rcode.NOTIMP),
    "servfail": lambda query: bare(query, dns.rcode.SERVFAIL, question=True),
    "refused": lambda query: bare(query, dns.rcode.REFUSED, question=True),
    "badvers": badvers,
    "nothing": lambda query: None,
    "rubbish": lambda query: b"\xff" * 20,
    "two bytes": lambda query: query.to_wire()[:2],
}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("tcp", [True, False])
def test_a_server_without_edns(kind: str, tcp: bool) -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        if query.edns >= 0:
            return REFUSALS[kind](query)
        return answer(query, GOOD).to_wire()

    with Server(script, tcp=tcp) as server:
        assert srv(server) == ONE
        assert server.asked == ["udp"]


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_long_answer_of_a_server_without_edns_comes_by_tcp(kind: str) -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        if query.edns >= 0:
            return REFUSALS[kind](query)
        made = answer(query, records(*(f"{n} 0 16880 h{n}.example.test." for n in range(40))))
        size = 65535 if over == "tcp" else 512
        return made.to_wire(max_size=size, prefer_truncation=True)

    with Server(script) as server:
        assert len(srv(server)) == 40
        assert server.asked == ["udp", "tcp"]


@pytest.mark.parametrize("broken", ["closed", "silent", "rubbish", "other", "cut"])
def test_a_long_answer_where_tcp_is_blocked_comes_with_edns(broken: str) -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        made = answer(query, records(*(f"{n} 0 16880 h{n}.example.test." for n in range(20))))
        if over == "tcp":
            if broken == "other":
                made.id ^= 1
                return made.to_wire()
            return {"silent": None, "rubbish": b"\xff" * 40, "cut": made.to_wire()[:99]}[broken]
        return made.to_wire(max_size=1232 if query.edns >= 0 else 512, prefer_truncation=True)

    with Server(script, tcp=broken != "closed") as server:
        assert len(srv(server, 4)) == 20
        assert server.asked[-1] == "udp+edns"


# Lies.


def test_answers_to_other_questions_are_ignored() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        other = make_query("_muster._tcp.example.net", "SRV")
        other.id = query.id
        lies = [answer(other, GOOD), answer(query, GOOD), answer(query, GOOD), answer(query, GOOD)]
        lies[1].id ^= 1
        lies[2].question = []
        lies[3].flags &= ~dns.flags.QR
        for lie in lies:
            server._udp.sendto(lie.to_wire(), ("127.0.0.1", 9))
        return lies[len(server.asked) % 4].to_wire()

    with Server(script) as server:
        assert srv(server, 1) == "net/dns-timeout"


def test_case_means_nothing() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        loud = records("0 0 16880 H.Example.TEST.", name=NAME.upper())
        made = answer(query, loud)
        made.question[0].name = dns.name.from_text(NAME.title())
        return made.to_wire()

    with Server(script) as server:
        assert srv(server) == ONE


def alias(owner: str, target: str) -> dns.rrset.RRset:
    return records(target, name=owner, kind="CNAME")


def test_aliases_in_one_answer_and_over_several() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        asked = query.question[0].name.to_text(omit_final_dot=True)
        if asked == NAME:
            return answer(query, alias(NAME, "a.test."), alias("a.test", "b.test.")).to_wire()
        return answer(query, records("0 0 16880 h.example.test.", name=asked)).to_wire()

    with Server(script) as server:
        assert srv(server) == ONE


@pytest.mark.parametrize("whole", [True, False])
def test_aliases_without_end(whole: bool) -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        asked = query.question[0].name.to_text(omit_final_dot=True)
        if not whole:
            return answer(query, alias(asked, f"x{len(server.asked)}.test.")).to_wire()
        return answer(query, alias(asked, "a.test."), alias("a.test", asked + ".")).to_wire()

    with Server(script) as server:
        assert srv(server) in ((), "net/dns-garbage")
        assert len(server.asked) <= 4


def test_an_alias_to_no_name() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        return answer(query, alias(NAME, r"a\032b.test.")).to_wire()

    with Server(script) as server:
        assert srv(server) == ()


def test_a_pointer_that_points_to_itself() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        head = struct.pack("!HHHHHH", query.id, 0x8180, 1, 1, 0, 0)
        asked = query.to_wire()[12:]
        here = 0xC000 | (12 + len(asked))
        loop = struct.pack("!HHHIH", here, dns.rdatatype.SRV, 1, 60, 0)
        return head + asked + loop

    with Server(script) as server:
        assert srv(server, 1) == "net/dns-timeout"


def test_thousands_of_records() -> None:
    many = records(*(f"{n} 0 16880 h{n}.example.test." for n in range(1500)))

    def script(query: dns.message.Message, over: str) -> bytes | None:
        size = 65535 if over == "tcp" else 512
        return answer(query, many).to_wire(max_size=size, prefer_truncation=True)

    with Server(script) as server:
        found = srv(server, 4)
    assert len(found) == MAX_RECORDS
    assert isinstance(found, tuple)
    assert [one.priority for one in found] == list(range(MAX_RECORDS))


def test_an_answer_that_is_cut_over_tcp_too() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        made = answer(query)
        made.flags |= dns.flags.TC
        return made.to_wire()

    with Server(script) as server:
        assert srv(server, 1) == "net/dns-garbage"


def test_what_stands_beside_the_answer_is_not_read() -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        made = answer(query, GOOD)
        made.additional.append(records("192.0.2.66", name="h.example.test", kind="A"))
        made.additional.append(records("0 0 16880 evil.example.", name=NAME))
        made.authority.append(records("0 0 16880 evil.example.", name=NAME))
        if query.question[0].rdtype == dns.rdatatype.A:
            made.answer = [records("192.0.2.1", name="h.example.test", kind="A")]
        return made.to_wire()

    with Server(script) as server:
        assert srv(server) == ONE
        assert Resolver([server.address], timeout=2).addresses("h.example.test") == ("192.0.2.1",)


@pytest.mark.parametrize("aaaa", [dns.rcode.SERVFAIL, dns.rcode.NOTIMP, None])
def test_a_server_that_knows_no_ipv6(aaaa: int | None) -> None:
    def script(query: dns.message.Message, over: str) -> bytes | None:
        if query.question[0].rdtype == dns.rdatatype.AAAA:
            return None if aaaa is None else bare(query, aaaa)
        return answer(query, records("192.0.2.1", name="h.example.test", kind="A")).to_wire()

    with Server(script) as server:
        assert Resolver([server.address], timeout=2).addresses("h.example.test") == ("192.0.2.1",)


# Any bytes.

QUERY = make_query(NAME, "SRV")
QUERY.id = 4711


def wires() -> list[bytes]:
    """Good answers of many kinds, to be changed."""
    many = records(*(f"{n} 5 16880 h{n}.example.test." for n in range(5)))
    opt = answer(QUERY, GOOD)
    opt.use_edns(0, options=[dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")])
    kinds = [
        records('"text"', kind="TXT"),
        records("192.0.2.1", kind="A"),
        records("1 . alpn=h2 ipv4hint=192.0.2.1", kind="HTTPS"),
        records("51 30 12.748 N 0 7 39.612 W 0.00m", kind="LOC"),
        records("1:192.168.32.0/21", kind="APL"),
        records("10 100 \"S\" \"SIP+D2U\" \"!^.*$!sip:x@example.test!\" _sip._udp.example.test.",
                kind="NAPTR"),
    ]  # fmt: skip
    missing = answer(QUERY)
    missing.set_rcode(dns.rcode.NXDOMAIN)
    missing.authority.append(
        records("ns.example.test. a.example.test. 1 2 3 4 5", name="example.test", kind="SOA")
    )
    chain = answer(QUERY, alias(NAME, "a.test."), records("1 2 3 x.test.", name="a.test"))
    made = [answer(QUERY, GOOD), answer(QUERY, many), opt, answer(QUERY, *kinds), missing, chain]
    return [one.to_wire() for one in made] + [bare(QUERY, dns.rcode.FORMERR)]


WIRES = wires()


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(WIRES)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        if draw(st.booleans()):
            data[at : at + 1] = draw(st.binary(max_size=2))
        else:
            piece = draw(st.sampled_from([b"\xc0\x0c", b"\xff\xff", b"\0\0", b"\0!\0\1", b"\x3f"]))
            data[at : at + len(piece)] = piece
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


def check(wire: bytes) -> None:
    try:
        found = understand(decode(QUERY, wire))
    except (GarbageError, RefusedError) as fault:
        assert str(fault).isprintable()
        assert str(fault)
        return
    if found.records is None:
        return
    assert found.records.rdtype == dns.rdatatype.SRV
    for one in srv_records(found.records):
        assert check_name(one.target) == one.target
        assert 0 < one.port < 65536


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: WIRES[0][:40] + tail))
def test_any_bytes(wire: bytes) -> None:
    check(wire)


@given(changed())
def test_any_answer_that_is_nearly_right(wire: bytes) -> None:
    check(wire)


@given(
    st.integers(0, 260).filter(lambda kind: kind not in (41, 249, 250)),
    st.binary(max_size=60),
)
def test_any_record_data(kind: int, data: bytes) -> None:
    """Records of every type, also those that nobody asked for."""
    head = struct.pack("!HHHHHH", QUERY.id, 0x8180, 1, 2, 0, 0)
    question = QUERY.to_wire()[12:]
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", one, 1, 60, len(data)) + data
        for one in (kind, dns.rdatatype.SRV)
    )
    check(head + question + records)
