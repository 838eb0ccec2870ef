"""The order of hosts: RFC 2782, labels first, bounds on hostile zones (07-discovery.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client.discovery import (
    MAX_CANDIDATES,
    Address,
    Record,
    Source,
    SRVAnswer,
    names,
    order,
    parse_address,
    rfc2782,
    suffixes,
)
from muster.core.errors import MusterError
from muster.system.entropy import SeededDice

DRAWS = 10_000


def records(*weights: int, priority: int = 0) -> list[Record]:
    return [
        Record(priority, weight, 16880, f"h{place}.test") for place, weight in enumerate(weights)
    ]


def chi_square(seen: Sequence[int], expected: Sequence[float]) -> float:
    return sum((one - two) ** 2 / two for one, two in zip(seen, expected, strict=True))


def first_picks(listed: Sequence[Record], seed: int) -> list[int]:
    dice = SeededDice(seed)
    picks = Counter(rfc2782(listed, dice)[0].target for _ in range(DRAWS))
    return [picks[record.target] for record in listed]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_first_picks_follow_the_weights_over_10000_draws(seed: int) -> None:
    weights = (10, 75, 25, 40)
    total = sum(weights) + 1
    # A random number from 0 to the sum: 0 falls to whichever record stands first, by chance.
    expected = [(weight + 1 / len(weights)) / total * DRAWS for weight in weights]
    # 16.27 is passed once in a thousand honest runs with 3 degrees of freedom.
    assert chi_square(first_picks(records(*weights), seed), expected) < 16.27


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_second_picks_follow_the_weights_that_are_left(seed: int) -> None:
    listed = records(1000, 30, 60)
    dice = SeededDice(seed)
    picks: Counter[str] = Counter()
    for _ in range(DRAWS):
        ordered = rfc2782(listed, dice)
        if ordered[0].target == "h0.test":
            picks[ordered[1].target] += 1
    runs = sum(picks.values())
    expected = [(30 + 0.5) / 91 * runs, (60 + 0.5) / 91 * runs]
    assert chi_square([picks["h1.test"], picks["h2.test"]], expected) < 10.83


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weight_0_is_seldom_first_and_never_left_out(seed: int) -> None:
    listed = records(0, 99, 0)
    seen = first_picks(listed, seed)
    # One number of the hundred, 0, falls to a record of weight 0; chance decides which.
    assert chi_square(seen, [DRAWS / 200, DRAWS * 0.99, DRAWS / 200]) < 13.82
    assert all(len(rfc2782(listed, SeededDice(n))) == 3 for n in range(50))


def test_all_weights_0_share_the_load() -> None:
    seen = first_picks(records(0, 0, 0, 0), 7)
    assert chi_square(seen, [DRAWS / 4] * 4) < 16.27


def test_lower_priority_always_comes_first() -> None:
    listed = [*records(65535, 65535, priority=10), *records(0, 0, priority=2)]
    for seed in range(200):
        ordered = rfc2782(listed, SeededDice(seed))
        assert [one.priority for one in ordered] == [2, 2, 10, 10]


def test_the_same_dice_give_the_same_order() -> None:
    listed = records(*range(40))
    assert rfc2782(listed, SeededDice(5)) == rfc2782(listed, SeededDice(5))
    assert rfc2782(listed, SeededDice(5)) != rfc2782(listed, SeededDice(6))


def record(target: str, priority: int = 0, port: int = 16880) -> Record:
    return Record(priority, 0, port, target)


def test_hosts_of_the_label_come_before_the_general_ones_over_all_suffixes() -> None:
    found = [
        SRVAnswer("a.test", (), (record("general-a.test"), record("label-b.test"))),
        SRVAnswer("b.test", (record("label-b.test", 9),), (record("general-b.test"),)),
    ]
    ordered = order(found, SeededDice(1))
    assert [one.address.host for one in ordered] == [
        "label-b.test",
        "general-a.test",
        "general-b.test",
    ]
    assert [one.source for one in ordered] == [Source.LABEL, Source.GENERAL, Source.GENERAL]
    assert [one.domain for one in ordered] == ["b.test", "a.test", "b.test"]


def test_a_host_is_tried_once_however_often_a_zone_names_it() -> None:
    many = tuple(Record(n, n, 16880, "H.Test.") for n in range(200))
    ordered = order(
        [SRVAnswer("a.test", many, many), SRVAnswer("b.test", many, many)], SeededDice(1)
    )
    assert [one.address for one in ordered] == [Address("h.test", 16880)]


def test_the_same_name_at_another_port_is_another_host() -> None:
    listed = (record("h.test", 0, 1), record("h.test", 1, 2))
    assert len(order([SRVAnswer("a.test", listed, ())], SeededDice(1))) == 2


def test_a_zone_of_200_records_is_bounded_and_every_host_gets_its_turn() -> None:
    many = tuple(record(f"h{n}.test") for n in range(200))
    seen: set[str] = set()
    for seed in range(200):
        ordered = order([SRVAnswer("a.test", (), many)], SeededDice(seed))
        assert len(ordered) == MAX_CANDIDATES
        seen |= {one.address.host for one in ordered}
    assert len(seen) == 200


def test_hosts_that_were_tried_or_set_aside_are_left_out() -> None:
    listed = (record("h1.test"), record("h2.test"))
    passed = {Address("h1.test", 16880)}
    ordered = order([SRVAnswer("a.test", listed, listed)], SeededDice(1), passed=passed)
    assert [one.address.host for one in ordered] == ["h2.test"]


def test_records_that_say_not_here_are_left_out() -> None:
    listed = (Record(0, 0, 16880, "."), Record(0, 0, 0, "h.test"), Record(0, 0, 70000, "h.test"))
    assert order([SRVAnswer("a.test", listed, ())], SeededDice(1)) == ()


@given(
    st.lists(
        st.builds(
            Record,
            st.integers(0, 65535),
            st.integers(0, 65535),
            st.integers(-1, 70000),
            st.text(max_size=12),
        ),
        max_size=64,
    ),
    st.integers(0, 1000),
)
def test_any_records_give_a_bounded_order_without_repeats(listed: list[Record], seed: int) -> None:
    ordered = order([SRVAnswer("a.test", tuple(listed), tuple(listed))], SeededDice(seed))
    addresses = [one.address for one in ordered]
    assert len(addresses) == len(set(addresses)) <= MAX_CANDIDATES
    assert sorted(rfc2782(listed, SeededDice(seed)), key=repr) == sorted(listed, key=repr)


def test_names_of_a_suffix() -> None:
    asked = names("contoso", "Corp.Test.")
    assert asked.label == "_contoso._sub._muster._tcp.corp.test"
    assert asked.general == "_muster._tcp.corp.test"


def test_chosen_suffixes_turn_the_systems_off() -> None:
    assert suffixes(("A.test.", "a.test"), ("b.test",)) == ("a.test",)
    assert suffixes((), ("b.test", "c.test")) == ("b.test", "c.test")
    assert suffixes((), ()) == ()
    assert len(suffixes((), [f"d{n}.test" for n in range(100)])) == 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KMS1.corp.test", "kms1.corp.test:16880"),
        ("kms1:1700", "kms1:1700"),
        ("192.0.2.7", "192.0.2.7:16880"),
        ("192.0.2.7:1", "192.0.2.7:1"),
        ("[2001:DB8::1]:99", "[2001:db8::1]:99"),
        ("2001:db8::1", "[2001:db8::1]:16880"),
    ],
)
def test_addresses_are_read_as_typed(text: str, expected: str) -> None:
    assert parse_address(text).text == expected


@pytest.mark.parametrize("text", ["", ":1", "a b", "kms1:0", "kms1:65536", "kms1:x", "[::1", "a/b"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(MusterError) as caught:
        parse_address(text)
    assert caught.value.code == "settings/host"
