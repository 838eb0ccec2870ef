"""Who must go: decided by order, source and bytes, without sockets and times."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.net.crowd import Crowd
from muster.net.peers import source_of


class Guest:
    def __init__(self, crowd: Crowd, name: str) -> None:
        self.crowd, self.name, self.is_here = crowd, name, True

    def displace(self) -> None:
        self.is_here = False
        self.crowd.leave(self)


def enter(crowd: Crowd, name: str, source: str = "") -> Guest:
    guest = Guest(crowd, name)
    guest.is_here = crowd.enter(guest, source)
    return guest


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::1%eth0", "2001:db8:0:1::/64"),
        ("127.0.0.1", ""),
        ("127.9.9.9", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("10.1.2.3", ""),
        ("2001:db8:ff::1", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_sources(address: str, source: str) -> None:
    shared = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:ff::/48"))
    found = source_of(address, {}, shared)
    assert ("" if found.shared else found.key) == source


def test_the_one_that_waits_for_longest_makes_room() -> None:
    crowd = Crowd(3)
    a, b, c = (enter(crowd, one) for one in "abc")
    crowd.work(b)
    crowd.wait(a)  # It was answered, and waits anew.
    d = enter(crowd, "d")
    assert [one.is_here for one in (a, b, c, d)] == [True, True, False, True]
    e, f = enter(crowd, "e"), enter(crowd, "f")
    assert [one.is_here for one in (a, b, d, e, f)] == [False, True, False, True, True]
    for one in (b, e, f):
        crowd.work(one)
    assert not enter(crowd, "g").is_here
    assert len(crowd) == 3


def test_a_source_makes_room_for_itself_only() -> None:
    crowd = Crowd(10, per_source=2)
    other = enter(crowd, "other", "192.0.2.2")
    first, second = enter(crowd, "1", "192.0.2.1"), enter(crowd, "2", "192.0.2.1")
    third = enter(crowd, "3", "192.0.2.1")
    assert [one.is_here for one in (other, first, second, third)] == [True, False, True, True]
    crowd.work(second)
    crowd.work(third)
    assert not enter(crowd, "4", "192.0.2.1").is_here
    # Peers that many stand behind have no bound of their own.
    assert all(enter(crowd, str(number), "").is_here for number in range(7))
    assert Crowd(10, per_source=0).enter(first, "192.0.2.1")


def test_who_holds_most_goes_and_who_holds_little_stays() -> None:
    crowd = Crowd(100, held=10_000)
    small = [enter(crowd, str(number)) for number in range(20)]
    for one in small:
        crowd.hold(one, 100)
    big, bigger = enter(crowd, "big"), enter(crowd, "bigger")
    crowd.hold(big, 3000)
    crowd.hold(bigger, 6000)
    assert not bigger.is_here
    assert big.is_here
    assert all(one.is_here for one in small)
    assert crowd.total_held == 5000
    # A whole request is kept; whoever comes then and holds much goes.
    crowd.hold(big, 0, 7900)
    late = enter(crowd, "late")
    crowd.hold(late, 300)
    assert not late.is_here
    assert big.is_here


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["enter", "leave", "wait", "work", "hold"]),
            st.integers(0, 30),
            st.integers(0, 3000),
            st.sampled_from(["", "a", "b"]),
        ),
        max_size=200,
    )
)
def test_bounds_hold_whatever_happens(steps: list[tuple[str, int, int, str]]) -> None:
    crowd = Crowd(8, per_source=3, held=5000)
    here: dict[int, tuple[Guest, str]] = {}
    for what, number, size, source in steps:
        here = {key: one for key, one in here.items() if one[0].is_here}
        if what == "enter" and number not in here:
            here[number] = (enter(crowd, str(number), source), source)
        elif number in here:
            guest = here[number][0]
            if what == "leave":
                guest.displace()
            elif what == "wait":
                crowd.wait(guest)
            elif what == "work":
                crowd.work(guest)
            elif what == "hold":
                crowd.hold(guest, size)
        here = {key: one for key, one in here.items() if one[0].is_here}
        assert len(crowd) == len(here) <= 8
        assert crowd.total_held <= 5000
        assert all(sum(s == source for _, s in here.values()) <= 3 for source in "ab")
    for guest, _ in here.values():
        guest.displace()
    assert (len(crowd), crowd.total_held) == (0, 0)
