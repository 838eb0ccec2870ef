"""The ranges of characters are what a character class makes of them (1.4.4, 2.5)."""

from __future__ import annotations

import re
import sys

import pytest

from muster.core.characters import BETWEEN, HIDDEN, LINE_ENDS, PASSED_OVER, SPACES, shown

EVERY = "".join(map(chr, range(sys.maxunicode + 1)))


def members(ranges: str) -> set[str]:
    return set(re.findall(f"[{ranges}]", EVERY))


def test_what_is_passed_over_is_the_class() -> None:
    assert members(BETWEEN) == PASSED_OVER


def test_no_digit_or_letter_of_ascii_is_in_any_class() -> None:
    plain = {character for character in EVERY[:128] if character.isalnum()}
    for ranges in (BETWEEN, HIDDEN, SPACES):
        assert not plain & members(ranges)


def test_what_ends_a_line_is_what_python_splits_at() -> None:
    """But for the separators of ASCII, which no mail program takes for an end of a line."""
    ends = {character for character in EVERY if len(f"a{character}b".splitlines()) == 2}
    assert ends - set("\x1c\x1d\x1e") == LINE_ENDS


@pytest.mark.parametrize(
    ("character", "told"),
    [
        ("!", "!"),
        ("~", "~"),
        ("A", "A"),
        (" ", "U+0020"),
        ("\x7f", "U+007F"),
        ("\x00", "U+0000"),
        ("é", "U+00E9"),
        ("😀", "U+1F600"),
    ],
)
def test_a_character_in_a_message(character: str, told: str) -> None:
    assert shown(character) == told
