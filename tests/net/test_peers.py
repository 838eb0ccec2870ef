"""Who asks: the kernel's word, or that of a proxy that is trusted, and nobody else's."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.net.peers import Source, networks, source_of

PROXIES = networks(["127.0.0.1/32", "::1/128", "10.9.0.0/16", "2001:db8:9::/48"])


def xff(text: str) -> dict[str, str]:
    return {"x-forwarded-for": text}


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        (xff("192.0.2.7"), "192.0.2.7"),
        (xff("198.51.100.1, 192.0.2.7"), "192.0.2.7"),
        (xff("198.51.100.1,192.0.2.7 , 10.9.1.1"), "192.0.2.7"),
        (xff("192.0.2.7:51034"), "192.0.2.7"),
        (xff("[2001:db8::7]:443"), "2001:db8::7"),
        (xff("2001:DB8:0::7"), "2001:db8::7"),
        (xff("::ffff:192.0.2.7"), "192.0.2.7"),
        (xff("rubbish, 192.0.2.7"), "192.0.2.7"),
        # Nothing but proxies: the one that is furthest away asks for itself.
        (xff("10.9.3.3, 10.9.1.1"), "10.9.3.3"),
        ({"forwarded": "for=192.0.2.7;proto=https;by=10.9.1.1"}, "192.0.2.7"),
        ({"forwarded": 'for=198.51.100.1, For="[2001:db8::7]:443"'}, "2001:db8::7"),
        ({"forwarded": 'for="192.0.2.7:80";host="a,b;for=1.2.3.4"'}, "192.0.2.7"),
        # What one proxy writes goes before what another may have passed on.
        ({**xff("192.0.2.7"), "forwarded": "for=198.51.100.1"}, "192.0.2.7"),
    ],
)
def test_a_trusted_proxy_says_for_whom_it_asks(headers: dict[str, str], address: str) -> None:
    assert source_of("127.0.0.1", headers, PROXIES) == Source(address)


@pytest.mark.parametrize(
    "headers",
    [
        xff("rubbish"),
        xff(""),
        xff(","),
        xff("192.0.2.7,"),
        xff("192.0.2.7, unknown"),
        xff("192.0.2.7, 10.9.1.1, _hidden"),
        xff("999.1.1.1"),
        xff("1.2.3"),
        xff("192.0.2.7:port"),
        xff("[192.0.2.7"),
        xff("9" * 10_000),
        xff(", ".join(["10.9.0.1"] * 200)),
        {"forwarded": "for=unknown"},
        {"forwarded": "by=192.0.2.7"},
        {"forwarded": "for=192.0.2.7;for=192.0.2.8"},
        {"forwarded": 'for="192.0.2.7'},
        {"forwarded": '"' * 9_999},
    ],
)
def test_what_cannot_be_read_is_the_proxy_itself(headers: dict[str, str]) -> None:
    assert source_of("127.0.0.1", headers, PROXIES) == Source("127.0.0.1")


def test_nobody_else_is_believed() -> None:
    headers = xff("198.51.100.1") | {"forwarded": "for=198.51.100.1"}
    assert source_of("192.0.2.7", headers, PROXIES) == Source("192.0.2.7")
    assert source_of("192.0.2.7", headers, ()) == Source("192.0.2.7")
    assert source_of("127.0.0.1", headers, ()) == Source("127.0.0.1", shared=True)
    assert source_of("", headers, PROXIES) == Source("")


def test_any_number_of_people_stand_behind_loopback_and_a_silent_proxy() -> None:
    for peer in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
        assert source_of(peer, {}, ()).shared
    assert source_of("10.9.1.1", {}, PROXIES).shared
    assert not source_of("10.8.1.1", {}, PROXIES).shared
    # A peer of loopback that names somebody asks for him, also behind a proxy that is trusted.
    assert source_of("127.0.0.1", xff("127.0.0.9"), PROXIES) == Source("127.0.0.9")


def test_a_source_is_an_address_or_a_64_bit_network() -> None:
    first, second = (
        source_of("::1", xff(f"2001:db8:1:2::{one}"), PROXIES).key for one in ("1", "ffff")
    )
    assert first == second == "2001:db8:1:2::/64"
    assert source_of("127.0.0.1", xff("192.0.2.7"), PROXIES).key == "192.0.2.7"


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=60) | st.text(min_size=65))
def test_any_header_gives_an_address(one: str, other: str, peer: str) -> None:
    for headers in (xff(one), {"forwarded": other}, xff(one) | {"forwarded": other}):
        for asked in ("127.0.0.1", "192.0.2.7", peer):
            found = source_of(asked, headers, PROXIES)
            assert len(found.address) <= 64
            if asked != peer:
                ipaddress.ip_address(found.address)
            assert len(found.key) <= 64
