"""The figures that the decisions print are computed here again.

Each test computes a figure and asks that the page says it; a page that is reworded must keep the
figure in the same words, or the test is changed with it.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from muster.core.keys import ALPHABET, KeyId, Kind, check_symbol
from muster.core.products import KeyGroup
from muster.lease import strict
from muster.lease.grant import GrantValues, grant_payload

ROOT = Path(__file__).resolve().parents[2]
ADR = ROOT / "docs" / "adr"


@cache
def page(name: str) -> str:
    """The text of a decision with its line ends turned into spaces."""
    return re.sub(r"\s+", " ", (ADR / name).read_text(encoding="utf-8"))


def says(name: str, *phrases: str) -> None:
    """Ask that a page holds each phrase."""
    for phrase in phrases:
        assert phrase in page(name), f"{name} does not say: {phrase}"


def digits(bits: int) -> int:
    """Decimal digits that hold any number of `bits` bits."""
    return len(str((1 << bits) - 1))


def groups(bits: int) -> int:
    """Groups of five digits of data that hold `bits` bits."""
    return math.ceil(digits(bits) / 5)


def span(seconds: float) -> str:
    """A time as the table writes it."""
    minutes, rest = divmod(math.floor(seconds + 0.5), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def same(draws: int, numbers: int) -> float:
    """The odds that some two of `draws` random numbers below `numbers` are equal."""
    return 1 - math.exp(math.fsum(math.log1p(-taken / numbers) for taken in range(draws)))


FRONT = 2 + 8 + 16 + 6
"""Version, key index, day and term of a confirmation ID, in bits."""
R, S = 256, 253
OPTIONS = {
    "A": FRONT + R + S,
    "B": FRONT + R + S - 20,
    "C": FRONT + 128 + S,
    "D": FRONT + 48 * 8,
    "E": FRONT + 32 * 8,
    "F": FRONT + 64,
    "G": 80,
    "H": 128,
}


@pytest.mark.parametrize("option", OPTIONS)
def test_the_table_of_confirmation_ids(option: str) -> None:
    bits = OPTIONS[option]
    count = groups(bits)
    row = next(
        line
        for line in (ADR / "0001-confirmation-id.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {option} |")
    )
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:8] == [
        str(bits),
        str(count),
        str(6 * count),
        span(1.3 * count),
        span(4.0 * count),
        span(8.0 * count),
    ]


def test_the_length_of_a_confirmation_id() -> None:
    assert digits(R + S) == 154
    assert groups(R + S) == 31
    assert digits(OPTIONS["A"]) == 163
    assert 10 ** (5 * 32) < 1 << OPTIONS["A"] <= 10 ** (5 * 33)
    assert f"{math.log2(10**160):.1f} {math.log2(10**165):.1f}" == "531.5 548.1"
    order = 2**252 + 27742317777372353535851937790883648493
    assert order.bit_length() == S
    says(
        "0001-confirmation-id.md",
        "509 bits that matter (R 256, S 253",
        "154 decimal digits",
        "in 33 groups of 6 digits, 198 digits",
        "541 bits need 163 digits of data, 32 groups hold 160 (531.5 bits) and 33 hold 165 "
        "(548.1 bits)",
        "cost two groups (the signature alone would fill 31)",
        "4.6 digits a second",
    )
    assert f"{6 / 1.3:.1f}" == "4.6"
    assert 33 == 8 * 4 + 1  # rows A to H are full, row I has one group
    assert 2**20 * 0.00013 > 120  # "more than two minutes of one core"
    assert round(100 / 33) == 3  # "complexity for 3 %"


def test_the_digits_fit_one_picture_and_two_messages() -> None:
    # ISO/IEC 18004: version 5, level M has 86 data codewords; numeric mode takes 4 bits of mode,
    # 10 of length and 10 for three digits. Version 4 has 80 at best (level L). A side is 17 + 4v.
    need = 4 + 10 + 10 * (198 // 3)
    assert 80 * 8 < need <= 86 * 8
    assert 17 + 4 * 5 == 37
    assert 160 < 198 <= 2 * 153  # GSM 03.40: parts of a joined message hold 153 characters
    says("0001-confirmation-id.md", "version 5, level M, 37 by 37 modules", "two parts")


def test_the_hardness_of_signatures() -> None:
    # Pollard's rho needs about sqrt(pi/4 · order) group operations.
    assert round(math.log2(math.sqrt(math.pi / 4) * 2**126)) == 126
    says("0001-confirmation-id.md", "about 2^126 steps")


def test_the_numbers_of_the_grant_function() -> None:
    last_day = datetime.date(2026, 1, 1) + datetime.timedelta(days=65535)
    assert last_day.year == 2205
    assert 5 < 63 * 30 / 365.25 < 5.25
    key_id = KeyId(Kind.MAK, 10, 1_234_567)
    group = KeyGroup(10, "office-2010", ("office-2010",), 180 * 86400)
    payload = grant_payload(GrantValues("a" * 16, key_id, "0" * 25, None, 0, 300, group))
    size = len(strict.canonical(payload))
    assert 215 <= size <= 235
    assert 100 <= groups(size * 8) < 120
    assert datetime.date(2026, 1, 1) == datetime.date(1970, 1, 1) + datetime.timedelta(days=20454)
    says(
        "0002-grant-function.md",
        "about 225 bytes",
        "more than 100 groups",
        "to the year 2205",
        "a little over five years",
    )


def test_the_room_of_a_product_key() -> None:
    assert len(ALPHABET) == 24
    assert 24**7 == 4_586_471_424 > 2**31 == 2_147_483_648
    assert 24**12 == 36_520_347_436_056_576 > 2**55
    assert f"{(24**12 / 2**55 - 1) * 100:.1f}" == "1.4"
    assert 24**5 == 7_962_624 < 2**24
    assert f"{math.log2(24**5):.1f}" == "22.9"
    assert round(math.log2(24**24)) == 110
    assert math.ceil((R + S) / math.log2(24)) == 112
    assert set("AEIOU01LNSZ5").isdisjoint(ALPHABET)
    assert set("B8G6") <= set(ALPHABET)
    says(
        "0005-product-key-layout.md",
        "24^7 = 4,586,471,424, which is above 2^31 = 2,147,483,648",
        "24^12 = 36,520,347,436,056,576, which is 1.4 % above 2^55",
        "24^5 = 7,962,624 (22.9 bits)",
        "110 bits of luck",
        "| 112 and more for Ed25519 (509 bits) |",
    )


def test_the_odds_of_forged_and_colliding_keys() -> None:
    year = 365 * 86400
    assert f"{math.log2(1000 * year):.1f}" == "34.9"
    assert f"{2**55 / (1000 * year) / 1e6:.1f}" == "1.1"
    assert round(2**55 / (10 * year) / 1e6) == 114
    for seconds in (0.040, 0.050):
        assert 4e7 < 2**55 * seconds / year < 6e7  # "some fifty million core-years"
    serials = 24**5
    assert same(3322, serials) < 0.5 < same(3323, serials)
    assert f"{same(10_000, serials) * 100:.1f}" == "99.8"
    assert f"{100_000 / serials * 100:.1f}" == "1.3"
    assert same(301, 2**16) < 0.5 < same(302, 2**16)
    says(
        "0005-product-key-layout.md",
        "2^34.9 tries, a chance of 1 in 1.1 million",
        "1 in 114 million",
        "among 3,323 keys",
        "among 10,000 they are 99.8 %",
        "With 100,000 keys issued in one kind and group 1.3 %",
        "Among 302 publishers",
    )


def test_modulo_24_finds_either_single_errors_or_swaps() -> None:
    units = {weight for weight in range(24) if math.gcd(weight, 24) == 1}
    for weight in range(24):
        finds_all = all(weight * wrong % 24 for wrong in range(1, 24))
        assert finds_all == (weight in units)
    assert all(weight % 2 for weight in units)
    assert not any((one - other) % 24 in units for one in units for other in units)


def misses(change: str) -> Fraction:
    """The share of unequal pairs of symbols whose change at one place the check lets pass.

    The scheme is linear, so what stands at the other places does not matter.
    """

    def word(x: int, y: int, z: int) -> int:
        return check_symbol([0] * 10 + [x, y, z] + [0] * 11)

    def pairs() -> Iterator[tuple[int, int]]:
        return ((a, b) for a in range(24) for b in range(24) if a != b)

    if change == "abc to cba":
        passed = [word(a, 5, c) == word(c, 5, a) for a, c in pairs()]
    elif change == "aa to bb":
        passed = [word(a, a, 0) == word(b, b, 0) for a, b in pairs()]
    else:
        passed = [word(a, b, 0) == word(b, a, 0) for a, b in pairs()]
    return Fraction(sum(passed), len(passed))


def test_what_the_check_symbol_lets_pass() -> None:
    assert misses("ab to ba") == 0
    assert misses("abc to cba") == misses("aa to bb") == Fraction(2, 23)
    assert f"{200 / 23:.1f}" == "8.7"
    says("0005-product-key-layout.md", "pass in 2 of 23 cases (8.7 %)")


def test_the_numbers_of_publisher_ids() -> None:
    assert 16 * 5 == 80
    assert 2**16 == 65_536
    assert max(len(part) for part in ("_muster", "_tcp", "_sub", "_" + "a" * 20)) == 21
    says("0004-publisher-ids-and-dns-names.md", "about 2^80", "1 in 65,536", "20 characters are 21")


def test_what_a_machine_keeps_of_a_key_costs_years_to_undo() -> None:
    """One tag in 24 goes with the check symbol of the last group: so many fit and no more."""
    tags, each = 2**55 // 24, 0.05
    years = tags * each / (365.25 * 86_400)
    assert 1.45e15 < tags < 1.55e15
    assert 2.0e6 < years < 2.5e6
    says("0009-salts.md", "1.5 · 10¹⁵ tries of 0.05 s", "some two million years of one core")

    # Tags that differ in one symbol of the tag have different check symbols, so none is favoured.
    head_and_serial = [0] * 7, [3, 1, 4, 1, 5]
    found = {
        check_symbol([*head_and_serial[0], *[0] * 11, last, *head_and_serial[1]])
        for last in range(24)
    }
    assert len(found) == 24
