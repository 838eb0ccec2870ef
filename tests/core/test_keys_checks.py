"""Exhaustive proof of the check symbol (docs/spec/01-identities.md, section 1.4.3).

The proof has two halves. The scheme, written here as a plain sum of one contribution per place,
catches every single error and every neighbour swap: all of them are tried. And the code computes
that sum: for every symbol at every place alone, and for drawn keys.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.core.keys import ALPHABET, Kind, check_symbol, make_product_key, parse_product_key

# Powers of α in GF(8) with x³ + x + 1, worked out by hand: 1, α, α², α+1, α²+α, α²+α+1, α²+1.
POWERS = [1, 2, 4, 3, 6, 7, 5]
LOGS = {value: power for power, value in enumerate(POWERS)}


def contribution(place: int, value: int) -> tuple[int, int]:
    """What a symbol adds at a place (0 = check symbol): αⁱ·a and 2ⁱ·b."""
    a, b = value // 3, value % 3
    in_eight = POWERS[(LOGS[a] + place) % 7] if a else 0
    return in_eight, (b * 2**place) % 3


def total(symbols: list[int]) -> tuple[int, int]:
    in_eight, in_three = 0, 0
    for place, value in enumerate(reversed(symbols)):
        a, b = contribution(place, value)
        in_eight, in_three = in_eight ^ a, (in_three + b) % 3
    return in_eight, in_three


def test_every_single_wrong_symbol_changes_the_sum() -> None:
    """25 places, 24 symbols, 23 wrong ones each: no two contributions of a place are equal."""
    tried = 0
    for place in range(25):
        for right, wrong in itertools.permutations(range(24), 2):
            assert contribution(place, right) != contribution(place, wrong)
            tried += 1
    assert tried == 25 * 24 * 23


def test_every_swap_of_neighbours_changes_the_sum() -> None:
    tried = 0
    for place in range(24):
        for left, right in itertools.permutations(range(24), 2):
            (a1, b1), (a2, b2) = contribution(place + 1, left), contribution(place, right)
            (c1, d1), (c2, d2) = contribution(place + 1, right), contribution(place, left)
            assert (a1 ^ a2, (b1 + b2) % 3) != (c1 ^ c2, (d1 + d2) % 3)
            tried += 1
    assert tried == 24 * 24 * 23


def test_the_code_computes_the_sum_for_every_symbol_at_every_place() -> None:
    for place in range(1, 25):
        for value in range(24):
            symbols = [0] * 24
            symbols[24 - place] = value
            assert total([*symbols, check_symbol(symbols)]) == (0, 0)


@given(st.lists(st.integers(0, 23), min_size=24, max_size=24))
def test_the_code_computes_the_sum_for_any_symbols(symbols: list[int]) -> None:
    """And there is one check symbol only."""
    found = check_symbol(symbols)
    assert [value for value in range(24) if total([*symbols, value]) == (0, 0)] == [found]


KEYS = [
    make_product_key(bytes([number]) * 32, kind, 9_973 * number % 65_536, group, serial).text
    for number, kind, group, serial in [
        (0, Kind.HOST, 0, 0),
        (1, Kind.MAK, 1023, 24**5 - 1),
        (2, Kind.SETUP, 512, 4_242_424),
        (3, Kind.RETAIL, 77, 1),
    ]
]


def code_of(text: str) -> str:
    with pytest.raises(MusterError) as caught:
        parse_product_key(text)
    return caught.value.code


@pytest.mark.parametrize("text", KEYS)
def test_every_single_wrong_symbol_of_real_keys_is_refused(text: str) -> None:
    plain = text.replace("-", "")
    for place, symbol in enumerate(plain):
        for wrong in ALPHABET.replace(symbol, ""):
            assert code_of(plain[:place] + wrong + plain[place + 1 :]) == "key/check"


@pytest.mark.parametrize("text", KEYS)
def test_every_swap_of_neighbours_of_real_keys_is_refused(text: str) -> None:
    plain = text.replace("-", "")
    for place in range(24):
        left, right = plain[place], plain[place + 1]
        if left != right:
            swapped = plain[:place] + right + left + plain[place + 2 :]
            assert code_of(swapped) == "key/check"


def test_a_check_symbol_needs_24_symbols() -> None:
    with pytest.raises(ValueError, match="24 symbols"):
        check_symbol([0] * 23)
