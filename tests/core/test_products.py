"""Day numbers (docs/spec/03-trust-and-catalogue.md): day 0 is 2026-01-01."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from muster.core.products import DAY, day_of, day_start


def test_day_zero() -> None:
    assert day_start(0) == int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    assert day_of(day_start(0)) == 0
    assert day_of(day_start(0) - 1) == -1


@given(st.integers(0, 65_535), st.integers(0, DAY - 1))
def test_days_and_instants(day: int, second: int) -> None:
    assert day_of(day_start(day) + second) == day
