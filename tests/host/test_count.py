"""Counting as pure functions: any order gives the same count; releases, windows and jumps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from muster.core.products import COUNT_WINDOW, DAY, SKEW
from muster.host import count
from muster.host.count import NEVER, ClockWatch, Seen

NOW = 1_800_000_000
times = st.integers(0, 2**40)
rows = st.builds(Seen, times, times)


@given(rows, rows, rows)
def test_rows_merge_in_any_order(one: Seen, two: Seen, three: Seen) -> None:
    assert count.merge(one, two) == count.merge(two, one)
    assert count.merge(count.merge(one, two), three) == count.merge(one, count.merge(two, three))
    assert count.merge(one, one) == one


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(NOW, NOW + 40 * DAY))), st.randoms())
def test_any_order_of_the_same_machines_gives_the_same_count(
    visits: list[tuple[int, int]], random: object
) -> None:
    def tally(order: list[tuple[int, int]]) -> int:
        book: dict[int, Seen] = {}
        for machine, when in order:
            book[machine] = count.sighted(book.get(machine, NEVER), when)
        return sum(count.counts(row, NOW + 40 * DAY) for row in book.values())

    shuffled = list(visits)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own random
    assert tally(visits) == tally(shuffled)


@given(rows, times)
def test_seen_after_everything_counts(row: Seen, now: int) -> None:
    after = count.sighted(row, now)
    assert after.last_seen >= max(row.last_seen, now)
    assert after.last_seen > after.released
    assert after.released == row.released


@given(rows, times)
def test_released_never_counts_and_seen_again_does(row: Seen, now: int) -> None:
    gone = count.released(row, now)
    assert not count.counts(gone, now)
    assert count.counts(count.sighted(gone, now), now)


def test_the_window_is_thirty_days() -> None:
    row = count.sighted(NEVER, NOW)
    assert count.counts(row, NOW)
    assert count.counts(row, NOW + COUNT_WINDOW - 1)
    assert not count.counts(row, NOW + COUNT_WINDOW)


@given(rows, st.integers(SKEW + 1, 2**40))
def test_mending_keeps_whether_a_machine_counts_and_happens_once(row: Seen, now: int) -> None:
    clamped = count.clamp_future(row, now)
    assert (clamped.last_seen > clamped.released) == (row.last_seen > row.released)
    assert not count.ahead(clamped, now)
    assert count.clamp_future(clamped, now) == clamped
    if not count.ahead(row, now):
        assert clamped == row


@given(rows, times)
def test_rows_of_the_future_are_not_merged(row: Seen, now: int) -> None:
    assert count.acceptable(row, now) == (not count.ahead(row, now))


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_the_shown_count_hides_the_fleet(number: int, need: int) -> None:
    assert count.shown(number, need) == min(number, 2 * need)
    assert (count.shown(number, need) >= need) == (number >= need)


def look(known: ClockWatch | None, *readings: tuple[int, float]) -> ClockWatch:
    for now, monotonic in readings:
        known = count.watch(known, now, monotonic)
    assert known is not None
    return known


def test_a_steady_clock_may_purge_after_a_day() -> None:
    known = look(None, (NOW, 0.0), (NOW + 3600, 3600.0))
    assert not count.may_purge(known, NOW + 3600, 3600.0, 0)
    day = 24 * 3600
    known = look(known, (NOW + day, float(day)))
    assert count.may_purge(known, NOW + day, float(day), 0)
    assert count.may_clamp(known, NOW + day, float(day), 0)


def test_a_jump_starts_the_day_anew() -> None:
    day = 24 * 3600
    known = look(None, (NOW, 0.0), (NOW + 40 * DAY, 60.0), (NOW + 41 * DAY, 60.0 + day - 1))
    assert not count.may_purge(known, NOW + 41 * DAY, 60.0 + day - 1, 0)
    assert not count.may_clamp(known, NOW + 41 * DAY, 60.0 + day - 1, 0)


def test_slow_creeping_is_a_jump_too() -> None:
    known = look(None, (NOW, 0.0))
    for step in range(1, 8):
        known = look(known, (NOW + 60 * step + 60 * step, 60.0 * step))
    assert known.since > 0


def test_coming_back_mends_at_once() -> None:
    known = look(None, (NOW, 0.0), (NOW + 5000 * DAY, 10.0))
    assert not count.may_clamp(known, NOW + 5000 * DAY, 10.0, 0)
    known = look(known, (NOW + 100, 90.0))
    assert known.returned
    assert count.may_clamp(known, NOW + 100, 90.0, 0)
    assert not count.may_purge(known, NOW + 100, 90.0, 0)


def test_a_clock_before_signed_dates_is_not_believed() -> None:
    day = float(24 * 3600)
    known = look(None, (NOW, 0.0), (NOW + int(day), day))
    assert not count.may_purge(known, NOW, day, NOW + 1)
    assert not count.may_clamp(known, NOW, day, NOW + 1)


# The edges.


def test_the_spans_are_those_of_the_chapter() -> None:
    assert (count.PURGE_AFTER, count.STEADY, count.JUMP) == (90 * 86_400, 86_400, 300)
    assert NEVER == Seen(0) == Seen(0, 0)


def test_a_machine_that_asks_in_the_second_of_its_release_is_seen_one_second_after_it() -> None:
    assert count.sighted(Seen(0, NOW), NOW) == Seen(NOW + 1, NOW)


def test_four_hours_ahead_is_not_yet_the_future() -> None:
    for row in (Seen(NOW + SKEW), Seen(0, NOW + SKEW)):
        assert count.acceptable(row, NOW)
        assert not count.ahead(row, NOW)
    for row in (Seen(NOW + SKEW + 1), Seen(0, NOW + SKEW + 1)):
        assert not count.acceptable(row, NOW)
        assert count.ahead(row, NOW)


def test_a_mended_machine_that_counts_was_released_the_second_before() -> None:
    ahead = NOW + SKEW + 10
    assert count.clamp_future(Seen(ahead, ahead - 1), NOW) == Seen(NOW, NOW - 1)
    assert count.clamp_future(Seen(ahead - 1, ahead), NOW) == Seen(NOW, NOW)


def test_a_row_is_kept_for_ninety_days() -> None:
    for row in (Seen(NOW), Seen(0, NOW)):
        assert not count.purgeable(row, NOW)
        assert not count.purgeable(row, NOW + 90 * DAY)
        assert count.purgeable(row, NOW + 90 * DAY + 1)


def test_a_clock_at_a_signed_date_is_believed() -> None:
    known = look(None, (NOW, 0.0))
    assert count.may_purge(known, NOW, 86_400.0, NOW)
    assert count.may_clamp(known, NOW, 86_400.0, NOW)
    assert not count.may_purge(known, NOW, 86_399.0, NOW)


def test_five_minutes_are_no_jump_and_four_hours_beside_the_old_time_are_back() -> None:
    known = look(None, (NOW, 0.0))
    assert look(known, (NOW + 300, 0.0)) is known
    assert look(known, (NOW - 300, 0.0)) is known
    gone = look(known, (NOW + 90 * DAY, 0.0))
    assert gone is not known
    assert not gone.returned
    assert look(gone, (NOW + SKEW, 0.0)).returned
    assert not look(gone, (NOW + SKEW + 1, 0.0)).returned
