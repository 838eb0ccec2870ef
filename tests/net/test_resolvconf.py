"""resolv.conf is read as glibc reads it, and no content of it raises."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client.discovery import left_out, suffixes
from muster.net import dns, resolvconf
from muster.net.dns import Resolver
from muster.net.resolvconf import LOOPBACK, ResolvConf, parse
from muster.testing.nanodns import NanoDNS

GOOD = b"nameserver 192.0.2.1\n"


@pytest.mark.parametrize(
    ("data", "servers"),
    [
        (b"nameserver 8.8.4.4,\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 127.0.0.1,\nsearch corp.example\n", (LOOPBACK,)),
        (b"", (LOOPBACK,)),
        (b"search corp.example\n", (LOOPBACK,)),
        (b"nameserver\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver \t \n" + GOOD, ("192.0.2.1",)),
        (b"nameserver\t192.0.2.9 # the first\n", ("192.0.2.9",)),
        (b"nameserver 192.0.2.9 192.0.2.8\n", ("192.0.2.9",)),
        (b" nameserver 192.0.2.9\n" + GOOD, ("192.0.2.1",)),
        (b"Nameserver 192.0.2.9\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver:192.0.2.9\n" + GOOD, ("192.0.2.1",)),
        (b"nameservers 192.0.2.9\n" + GOOD, ("192.0.2.1",)),
        (b"# nameserver 192.0.2.9\n;nameserver 192.0.2.8\n" + GOOD, ("192.0.2.1",)),
        (b"#\n;\n\n\x00\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 192.0.2.9\x00,\n", ("192.0.2.9",)),
        (b"nameserver \x00192.0.2.9\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 192.0.2.9\r\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 192.0.2.9:53\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver [2001:db8::1]\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver dns.example\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 192.0.2.256\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver " + "１92.0.2.9".encode() + b"\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver \xff\xfe\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver " + b"9" * 10_000 + b"\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 127.1\n", ("127.0.0.1",)),
        (b"nameserver 0x7f.0.0.2\n", ("127.0.0.2",)),
        (b"nameserver 2001:DB8::1\n", ("2001:db8::1",)),
        (b"nameserver fe80::1%eth0\n", ("fe80::1%eth0",)),
        (b"nameserver fe80::1%2\n", ("fe80::1%2",)),
        (b"nameserver fe80::1%\n", ("fe80::1",)),
        (b"nameserver fe80::1%" + b"9" * 5_000 + b"\n", ("fe80::1",)),
        (b"nameserver 2001:db8::1%eth0\n", ("2001:db8::1",)),
        (b"nameserver ::1%a/b\n", ("::1",)),
        (b"options edns0 timeout:x ndots:" + b"9" * 5_000 + b" rotate\n" + GOOD, ("192.0.2.1",)),
        (b"sortlist 130.155.160.0/255.255.240.0\nrubbish\n" + GOOD, ("192.0.2.1",)),
        (b"nameserver 192.0.2.9", ("192.0.2.9",)),
        (
            b"".join(b"nameserver 192.0.2.%d\n" % n for n in range(1, 9)),
            ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
        ),
        (b"x" * 70_000 + b"\n" + GOOD, (LOOPBACK,)),
        (GOOD + b"#" * (65_536 - len(GOOD) - 22) + b"\nnameserver 192.0.2.22\n", ("192.0.2.1",)),
    ],
)
def test_servers(data: bytes, servers: tuple[str, ...]) -> None:
    assert parse(data).servers == servers


@pytest.mark.parametrize(
    ("data", "suffixes"),
    [
        (b"search a.example b.example\n", ("a.example", "b.example")),
        (b"search\ta.example\t \tb.example \t\n", ("a.example", "b.example")),
        (b"domain a.example b.example\n", ("a.example",)),
        (b"domain a.example\nsearch b.example c.example\n", ("b.example", "c.example")),
        (b"search b.example c.example\ndomain a.example\n", ("a.example",)),
        (b"search a.example\nsearch b.example\n", ("b.example",)),
        (b"search a.example\nsearch\ndomain \t\n", ("a.example",)),
        (b" search a.example\nsearchb.example\n", ()),
        (b"search a.example\x00 b.example\n", ("a.example",)),
        (b"search " + b" ".join(b"d%d.example" % n for n in range(40)), None),
    ],
)
def test_the_search_list(data: bytes, suffixes: tuple[str, ...] | None) -> None:
    wanted = tuple(f"d{n}.example" for n in range(40)) if suffixes is None else suffixes
    assert parse(data).suffixes == wanted


def test_the_case_ninth_suffix(tmp_path: Path) -> None:
    """The suffix of the site stands behind eight others: libc once read six, we once read eight."""
    conf = tmp_path / "ninth-suffix.conf"
    eight = [f"d{number}.example" for number in range(1, 9)]
    conf.write_text(f"nameserver 127.0.0.1\nsearch {' '.join(eight)} corp.example\n")
    found = resolvconf.read(conf)
    assert found == ResolvConf(("127.0.0.1",), (*eight, "corp.example"))
    # A machine asks them all, in their order.
    assert suffixes((), found.suffixes) == found.suffixes
    assert left_out((), found.suffixes) == ()


def test_files_that_cannot_be_read_name_nobody(tmp_path: Path) -> None:
    nothing = ResolvConf((LOOPBACK,), ())
    assert resolvconf.read(tmp_path / "missing") == nothing
    assert resolvconf.read(tmp_path) == nothing
    os.mkfifo(tmp_path / "pipe")
    assert resolvconf.read(tmp_path / "pipe") == nothing
    assert resolvconf.read(Path("/dev/zero")) == nothing
    (tmp_path / "loop").symlink_to("loop")
    assert resolvconf.read(tmp_path / "loop") == nothing
    (tmp_path / "huge").write_bytes(GOOD + b"search a.example\n" + b"#\n" * 10_000_000)
    assert resolvconf.read(tmp_path / "huge") == ResolvConf(("192.0.2.1",), ("a.example",))


def test_a_resolver_asks_past_a_bad_line(tmp_path: Path) -> None:
    """The line that once ended `activate()` with a ValueError."""
    conf = tmp_path / "resolv.conf"
    try:
        zone = NanoDNS("example.test", address="127.0.0.77", port=53)
    except PermissionError:
        pytest.skip("only root may listen at port 53")
    with zone:
        zone.add("_muster._tcp.example.test", "SRV", "0 0 16880 h.example.test.")
        conf.write_text(f"nameserver 8.8.4.4,\nnameserver {zone.address}\n")
        assert len(Resolver(resolv_conf=conf).srv("_muster._tcp.example.test")) == 1


WORD = st.sampled_from(
    ["nameserver", "search", "domain", "options", "#", ";", "sortlist", "1.2.3.4", "::1",
     "fe80::1%", "a.example", ",", "%", "\x00", "\r", "\x1c", "\x85", "0x7f.1", "9" * 50, ".",
     "..", "é"]
)  # fmt: skip
LINE = st.lists(WORD | st.text(max_size=5), max_size=5).flatmap(
    lambda words: st.sampled_from([" ", "\t", "", "  "]).map(lambda mark: mark.join(words))
)
FILE = st.lists(LINE, max_size=6).map("\n".join).map(str.encode) | st.binary(max_size=200)


@given(FILE)
def test_any_file_names_servers_that_can_be_dialled(data: bytes) -> None:
    found = parse(data)
    assert 1 <= len(found.servers) <= resolvconf.MAX_SERVERS
    for server in found.servers:
        assert dns.parse_server(server) == (server, 53)
        host, _, scope = server.partition("%")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        assert socket.inet_pton(family, host)
        assert scope.isascii()


@given(FILE)
def test_any_file_gives_suffixes_that_are_names(data: bytes) -> None:
    for one in parse(data).suffixes:
        assert not set(one) & set(" \t\n\x00")
