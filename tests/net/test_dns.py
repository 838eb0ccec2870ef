"""Asking DNS: real servers on loopback, well behaved and hostile."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from dns import flags as dns_flags
from dns.message import from_wire, make_response
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.net import dns, resolvconf
from muster.net.dns import SRV, Resolver
from muster.testing.nanodns import NanoDNS, Trouble

NAME = "_muster._tcp.example.test"


@pytest.fixture
def zone() -> Iterator[NanoDNS]:
    with NanoDNS("example.test") as server:
        yield server


def resolver(*zones: NanoDNS, timeout: float = 4) -> Resolver:
    return Resolver([one.server for one in zones], timeout=timeout)


def code_of(found: Resolver, name: str = NAME) -> str:
    with pytest.raises(MusterError) as caught:
        found.srv(name)
    return caught.value.code


def test_srv(zone: NanoDNS) -> None:
    zone.add(NAME, "SRV", "10 5 16880 Host-A.Example.Test.", ttl=77)
    zone.add(NAME, "SRV", "0 0 443 b.other.test.", ttl=77)
    assert resolver(zone).srv("_Muster._TCP.example.test.") == (
        SRV(0, 0, 443, "b.other.test", 77),
        SRV(10, 5, 16880, "host-a.example.test", 77),
    )


def test_nothing_there(zone: NanoDNS) -> None:
    assert resolver(zone).srv(NAME) == ()
    zone.add(NAME, "TXT", '"only text"')
    assert resolver(zone).srv(NAME) == ()
    assert resolver(zone).addresses("nobody.example.test") == ()


def test_records_that_say_not_here_or_cannot_be_used(zone: NanoDNS) -> None:
    zone.add(NAME, "SRV", "0 0 16880 .")
    zone.add(NAME, "SRV", "0 0 0 a.example.test.")
    zone.add(NAME, "SRV", r"0 0 16880 a\032b.example.test.")
    zone.add(NAME, "SRV", r"0 0 16880 a\@b\:80.example.test.")
    zone.add(NAME, "SRV", "0 0 16880 -x.example.test.")
    assert resolver(zone).srv(NAME) == ()
    zone.add(NAME, "SRV", "0 0 16880 good_name-1.example.test.", ttl=0)
    assert resolver(zone).srv(NAME) == (SRV(0, 0, 16880, "good_name-1.example.test", 0),)


def test_many_records_come_over_tcp_and_are_bounded(zone: NanoDNS) -> None:
    for n in range(200):
        zone.add(NAME, "SRV", f"{n} 0 16880 host{n:03}.example.test.")
    found = resolver(zone).srv(NAME)
    assert len(found) == 200
    assert {one.over for one in zone.asked} == {"udp", "tcp"}
    for n in range(200, 900):
        zone.add(NAME, "SRV", f"{n} 0 16880 host{n:03}.example.test.")
    found = resolver(zone).srv(NAME)
    assert [one.priority for one in found] == list(range(256))


def test_aliases(zone: NanoDNS) -> None:
    zone.add(NAME, "CNAME", "real.example.test.")
    zone.add("real.example.test", "SRV", "0 0 16880 alias.example.test.")
    zone.add("alias.example.test", "CNAME", "host.example.test.")
    zone.add("host.example.test", "A", "192.0.2.7")
    found = resolver(zone)
    (one,) = found.srv(NAME)
    assert one.target == "alias.example.test"
    assert found.addresses(one.target) == ("192.0.2.7",)


def test_a_loop_of_aliases_ends(zone: NanoDNS) -> None:
    zone.add("a.example.test", "CNAME", "b.example.test.")
    zone.add("b.example.test", "CNAME", "a.example.test.")
    try:
        assert resolver(zone).addresses("a.example.test") == ()
    except MusterError as fault:
        assert fault.code in {"net/dns-garbage", "net/dns-failed"}


def test_addresses(zone: NanoDNS) -> None:
    zone.add("h.example.test", "AAAA", "2001:db8::1")
    zone.add("h.example.test", "A", "192.0.2.1")
    zone.add("h.example.test", "A", "192.0.2.2")
    found = resolver(zone)
    assert set(found.addresses("h.example.test")[:2]) == {"192.0.2.1", "192.0.2.2"}
    assert found.addresses("h.example.test")[2] == "2001:db8::1"
    assert found.addresses("192.0.2.9") == ("192.0.2.9",)
    assert found.addresses("2001:DB8::9") == ("2001:db8::9",)
    for n in range(50):
        zone.add("many.example.test", "A", f"192.0.2.{n}")
    assert len(found.addresses("many.example.test")) == 16


def test_addresses_by_the_system() -> None:
    assert "127.0.0.1" in Resolver().addresses("localhost")


def test_zone_of(zone: NanoDNS) -> None:
    assert resolver(zone).zone_of("_acme._sub._muster._tcp.deep.example.test") == (
        "example.test",
        "ns.example.test",
    )


# Faults.


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble.SERVFAIL, "net/dns-failed"),
        (Trouble.REFUSED, "net/dns-refused"),
        (Trouble.NOTAUTH, "net/dns-failed"),
        (Trouble.SILENCE, "net/dns-timeout"),
        (Trouble.HANG_UP, "net/dns-timeout"),
        # Over UDP nobody knows who sent the rubbish, so it is not believed: as if silent.
        (Trouble.GARBAGE, "net/dns-timeout"),
        (Trouble.WRONG_ID, "net/dns-timeout"),
    ],
)
def test_troubles(zone: NanoDNS, trouble: Trouble, code: str) -> None:
    zone.add(NAME, "SRV", "0 0 16880 a.example.test.")
    zone.trouble(trouble, NAME)
    assert code_of(resolver(zone, timeout=1)) == code
    zone.trouble(None, NAME)
    assert len(resolver(zone).srv(NAME)) == 1


def test_the_next_server_is_asked(zone: NanoDNS) -> None:
    zone.add(NAME, "SRV", "0 0 16880 a.example.test.")
    for trouble in (Trouble.SERVFAIL, Trouble.REFUSED, Trouble.SILENCE, Trouble.GARBAGE):
        with NanoDNS("example.test") as bad:
            bad.trouble(trouble)
            assert len(resolver(bad, zone).srv(NAME)) == 1, trouble


def test_two_servers_that_fail_in_two_ways(zone: NanoDNS) -> None:
    zone.trouble(Trouble.SILENCE)
    with NanoDNS("example.test") as bad:
        bad.trouble(Trouble.SERVFAIL)
        assert code_of(resolver(zone, bad, timeout=1.5)) == "net/dns-failed"


def test_a_server_that_lies_over_tcp(zone: NanoDNS) -> None:
    """Truncated over UDP, rubbish over TCP: there the sender is known."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.create_server(("127.0.0.1", 0))
    udp.bind(tcp.getsockname())

    def answer_udp() -> None:
        for _ in itertools.count():
            data, peer = udp.recvfrom(4096)
            if not data:
                return
            answer = make_response(from_wire(data))
            answer.flags |= dns_flags.TC
            udp.sendto(answer.to_wire(), peer)

    def answer_tcp() -> None:
        while True:
            try:
                link, _ = tcp.accept()
            except OSError:
                return
            with link:
                link.recv(4096)
                link.sendall(struct.pack("!H", 40) + b"\xff" * 40)

    threads = [threading.Thread(target=one, daemon=True) for one in (answer_udp, answer_tcp)]
    for one in threads:
        one.start()
    address = f"127.0.0.1:{tcp.getsockname()[1]}"
    assert code_of(Resolver([address], timeout=2)) == "net/dns-garbage"
    udp.sendto(b"", udp.getsockname())
    tcp.shutdown(socket.SHUT_RDWR)
    for one in threads:
        one.join(5)
    udp.close()
    tcp.close()


def test_no_server_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    assert code_of(Resolver([address], timeout=1)) in {"net/dns-timeout", "net/dns-failed"}
    assert code_of(Resolver([], timeout=1)) == "net/dns-failed"


# Names and servers.


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..b",
        "-a.test",
        "a-.test",
        "a b.test",
        "a/b",
        "ä.test",
        "x" * 64,
        "a." * 130,
        "a\n",
    ],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(MusterError) as caught:
        resolvconf.check_name(name)
    assert caught.value.code == "net/dns-name"


@given(st.text(max_size=40))
def test_a_name_is_refused_or_plain(text: str) -> None:
    try:
        name = resolvconf.check_name(text)
    except MusterError:
        return
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert resolvconf.check_name(name) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("fe80::1%eth0", ("fe80::1%eth0", 53)),
    ],
)
def test_servers(text: str, expected: tuple[str, int]) -> None:
    assert dns.parse_server(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns.test",
        "192.0.2.1:0",
        "192.0.2.1:x",
        "192.0.2.1:99999",
        "192.0.2.1:00005399999",
        "192.0.2.1:000053" + "9" * 5_000,
        "[::1]53",
        "[::1",
        "1.2.3",
        "fe80::1%",
        "fe80::1%a\0b",
        "fe80::1%" + "9" * 5_000,
        "fe80::1%é",
    ],
)
def test_servers_that_are_none(text: str) -> None:
    with pytest.raises(MusterError) as caught:
        dns.parse_server(text)
    assert caught.value.code == "net/dns-server"


@given(st.text(max_size=40))
def test_any_server_is_read_or_refused(text: str) -> None:
    try:
        address, port = dns.parse_server(text)
    except MusterError as fault:
        assert fault.code == "net/dns-server"
    else:
        assert address
        assert 1 <= port <= 65535


def test_suffixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(socket, "gethostname", lambda: "pc1.Own.Test")
    assert resolvconf.system_suffixes(tmp_path / "missing") == ("own.test",)
    conf.write_text(
        "# x\ndomain old.test\nnameserver 1.1.1.1\nsearch A.test b.test. own.test b/d\n"
    )
    assert resolvconf.system_suffixes(conf) == ("own.test", "a.test", "b.test")
    monkeypatch.setattr(socket, "gethostname", lambda: "pc1")
    conf.write_bytes(b"search \xff\xfe c.test\n")
    assert resolvconf.system_suffixes(conf) == ("c.test",)
