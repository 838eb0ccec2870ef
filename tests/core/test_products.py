"""Day numbers (docs/spec/03-trust-and-catalogue.md): day 0 is 2026-01-01."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from muster.core.products import COUNT_WINDOW, DAY, SKEW, Periods, day_of, day_start


def test_day_zero() -> None:
    assert day_start(0) == int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    assert day_of(day_start(0)) == 0
    assert day_of(day_start(0) - 1) == -1


@given(st.integers(0, 65_535), st.integers(0, DAY - 1))
def test_days_and_instants(day: int, second: int) -> None:
    assert day_of(day_start(day) + second) == day


def test_the_spans_that_chapters_and_pages_name() -> None:
    """Of clocks and counting (chapters 5 and 6), and of a product whose publisher names none."""
    assert COUNT_WINDOW == 2_592_000
    assert SKEW == 14_400
    assert Periods() == Periods(
        lease=15_552_000,
        renew_after=604_800,
        retry_after=7_200,
        initial_grace=2_592_000,
        tolerance_grace=2_592_000,
    )
