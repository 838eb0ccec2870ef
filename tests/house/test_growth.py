"""The measure of growth tells a straight line from a square."""

from __future__ import annotations

import re

from tests.house.growth import PIECES, growth

SMALL, LARGE = "a" * 2_000, "a" * 2_000 * PIECES


def test_a_straight_line_grows_by_itself() -> None:
    assert growth(lambda text: text.count("b"), SMALL, LARGE) < 2


def test_a_square_is_seen() -> None:
    behind = re.compile("a+b")
    assert growth(behind.search, SMALL, LARGE) > 4
