"""When a machine asks next: unsigned answers move timers only within 15 minutes to 4 hours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from muster.client import schedule
from muster.core.products import DAY
from muster.system.entropy import SeededDice

NOW = 1_795_500_000
SPANS = st.integers(0, 2**53 - 1)
SEEDS = st.integers(0, 10_000)


@given(SPANS, st.none() | SPANS, SEEDS)
def test_a_refusal_without_a_lease_stays_within_15_minutes_to_4_hours(
    default: int, offered: int | None, seed: int
) -> None:
    at = schedule.after_refusal(
        NOW, SeededDice(seed), leased=None, default=default, offered=offered
    )
    assert 15 * 60 <= at - NOW <= 4 * 3600


@given(SPANS, SPANS, SPANS, SEEDS)
def test_what_a_refusal_asks_for_counts_for_nothing_while_a_lease_runs(
    leased: int, default: int, offered: int, seed: int
) -> None:
    dice = SeededDice
    with_offer = schedule.after_refusal(
        NOW, dice(seed), leased=leased, default=default, offered=offered
    )
    without = schedule.after_refusal(NOW, dice(seed), leased=leased, default=default, offered=None)
    assert with_offer == without
    assert 15 * 60 <= with_offer - NOW <= 33 * DAY


@given(st.integers(1, 10_000), st.none() | SPANS, SPANS, SEEDS)
def test_silence_stays_within_15_minutes_to_4_hours(
    failures: int, leased: int | None, default: int, seed: int
) -> None:
    at = schedule.after_silence(NOW, failures, SeededDice(seed), leased=leased, default=default)
    assert 15 * 60 <= at - NOW <= 4 * 3600


def test_waits_after_silence_grow() -> None:
    waits = [
        schedule.after_silence(NOW, n, SeededDice(1), leased=None, default=4 * 3600) - NOW
        for n in (1, 2, 3, 4, 5, 6)
    ]
    assert waits == sorted(waits)
    assert waits[0] < 17 * 60
    assert waits[-1] == 4 * 3600


def test_a_retry_interval_of_a_lease_may_be_longer_than_4_hours() -> None:
    at = schedule.after_refusal(NOW, SeededDice(1), leased=DAY, default=7200, offered=900)
    assert DAY <= at - NOW <= DAY + DAY // 10


@given(SEEDS)
def test_renewals_spread_over_the_last_tenth(seed: int) -> None:
    at = schedule.renewal(NOW + 7 * DAY, NOW + 180 * DAY, NOW, SeededDice(seed))
    assert 7 * DAY * 9 // 10 <= at - NOW <= 7 * DAY


def test_a_renewal_is_due_before_the_lease_ends() -> None:
    at = schedule.renewal(NOW + 30 * DAY, NOW + 10 * DAY, NOW, SeededDice(1))
    assert at < NOW + 10 * DAY


@given(SPANS, SPANS, SEEDS)
def test_renewals_never_come_at_once_nor_later_than_30_days(
    renew_at: int, expires: int, seed: int
) -> None:
    at = schedule.renewal(renew_at, expires, NOW, SeededDice(seed))
    assert 15 * 60 <= at - NOW <= 30 * DAY


def test_a_try_far_ahead_was_scheduled_by_another_clock() -> None:
    assert schedule.is_due(NOW + 400 * DAY, NOW)
    assert not schedule.is_due(NOW + 30 * DAY, NOW)
    assert not schedule.is_due(NOW + 1, NOW)
    assert schedule.is_due(NOW, NOW)
    assert schedule.is_due(0, NOW)
