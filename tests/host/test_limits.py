"""Networks and new machines: decided by address alone."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.host.limits import SOURCES, NewMachines, network_refused
from muster.net.peers import plain_address


def test_networks() -> None:
    allowed = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))
    assert network_refused("10.1.2.3", allowed) is None
    assert network_refused("::ffff:10.1.2.3", allowed) is None
    assert network_refused("2001:db8::1%eth0", allowed) is None
    assert network_refused("192.0.2.1", ()) is None
    for address in ("192.0.2.1", "::1", "", "rubbish"):
        refusal = network_refused(address, allowed)
        assert refusal is not None
        assert (refusal.code, refusal.row.http) == ("host/network-not-allowed", 403)


def test_addresses_have_one_form() -> None:
    assert plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_address("2001:DB8:0::1") == "2001:db8::1"
    assert plain_address("x" * 500) == "x" * 64


def test_a_source_is_an_address_or_a_64_bit_network() -> None:
    limiter = NewMachines()
    assert limiter.take("2001:db8::1", 1, 0.0) is None
    assert limiter.take("2001:db8::ffff:1", 1, 0.0) is not None
    assert limiter.take("2001:db8:0:1::1", 1, 0.0) is None


def test_no_rate_is_no_bound() -> None:
    limiter = NewMachines()
    assert all(limiter.take("192.0.2.1", 0, 0.0) is None for _ in range(10_000))


@given(st.integers(1, 1000), st.lists(st.floats(0, 600), max_size=300))
def test_never_more_than_an_hours_worth_and_what_flows_in(rate: int, gaps: list[float]) -> None:
    limiter, now, taken = NewMachines(), 0.0, 0
    for gap in gaps:
        now += gap
        taken += limiter.take("192.0.2.1", rate, now) is None
    assert taken <= rate + now * rate / 3600.0 + 1e-6


def test_the_hint_is_long_enough() -> None:
    limiter = NewMachines()
    for _ in range(7):
        assert limiter.take("192.0.2.1", 7, 0.0) is None
    refusal = limiter.take("192.0.2.1", 7, 0.0)
    assert isinstance(refusal, MusterError)
    assert limiter.take("192.0.2.1", 7, float(refusal.params["retry_after"])) is None


def test_the_memory_is_bounded() -> None:
    limiter = NewMachines()
    for number in range(SOURCES + 100):
        limiter.take(str(ipaddress.ip_address(number)), 5, 0.0)
    assert len(limiter._buckets) == SOURCES


def test_machines_that_were_not_counted_use_up_nothing() -> None:
    limiter = NewMachines()
    limiter.keep()
    assert [limiter.take("192.0.2.1", 2, 0.0) for _ in range(2)] == [None, None]
    limiter.undo()
    assert [limiter.take("192.0.2.1", 2, 0.0) for _ in range(2)] == [None, None]
    limiter.keep()
    assert limiter.take("192.0.2.1", 2, 0.0) is not None
    limiter.undo()
    assert limiter.take("192.0.2.1", 2, 0.0) is not None, "what was counted stays"
