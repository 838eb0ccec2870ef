"""Lines that strangers may cause: bounded whoever asks, and nobody's are lost without a word."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from muster.core.trickle import SOURCES, Held, Pace, Trickle

SOURCE, TOTAL = Pace(3, 1), Pace(10, 5)


PAUSES = st.just(0.0) | st.floats(0, 1) | st.floats(0, 90)


@given(st.lists(st.tuples(st.integers(0, 8), PAUSES), max_size=300))
@example([(number % 9, 0.0) for number in range(100)])
@example([(0, 1.0) for _ in range(100)])
@example([(0, 0.0), (0, 0.0), (0, 0.5178889099106979), (0, 3.8661910286371928)])
def test_no_more_than_at_once_and_what_flows_in(asked: list[tuple[int, float]]) -> None:
    trickle, now, told = Trickle(SOURCE, TOTAL), 0.0, 0
    written = dict.fromkeys(range(9), 0)
    for source, pause in asked:
        now += pause
        written[source] += trickle.take(str(source), now)
        held = trickle.held(now)
        told += 0 if held is None else held.number
        minutes = now / 60
        assert written[source] <= SOURCE.at_once + minutes * SOURCE.a_minute + 1e-6
        assert sum(written.values()) <= TOTAL.at_once + minutes * TOTAL.a_minute + 1e-6
    held = trickle.held(now + 61)  # a second for what sums of fractions lose
    told += 0 if held is None else held.number
    assert sum(written.values()) + told == len(asked)


def test_what_is_held_is_told_once_and_not_before_its_minute() -> None:
    trickle = Trickle(SOURCE, TOTAL)
    assert [trickle.take("a", 0.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert not trickle.due(59.0)
    assert trickle.held(59.0) is None
    assert trickle.due(60.0)
    assert trickle.held(60.0) == Held(2, ("a",))
    assert trickle.held(1000.0) is None


def test_one_source_uses_up_its_own_alone() -> None:
    trickle = Trickle(SOURCE, TOTAL)
    for _ in range(1000):
        trickle.take("a", 0.0)
    assert trickle.take("b", 0.0)


def test_whose_they_were() -> None:
    assert Held(5, ("192.0.2.7",)).whose == "192.0.2.7"
    assert Held(5, ("a", "b")).whose == "2 sources"
    trickle = Trickle(Pace(0, 0), TOTAL)
    for number in range(1000):
        trickle.take(str(number), 0.0)
    held = trickle.held(60.0)
    assert held is not None
    assert (held.number, held.whose) == (1000, "64 or more sources")


def test_the_memory_is_bounded() -> None:
    trickle = Trickle(SOURCE, TOTAL)
    for number in range(SOURCES + 100):
        trickle.take(str(number), 0.0)
    assert len(trickle._sources) == SOURCES == 4096


def test_what_was_not_written_after_all_is_let_through_again() -> None:
    trickle = Trickle(Pace(2, 1), Pace(100, 1))
    trickle.keep()
    assert [trickle.take("a", 0.0) for _ in range(3)] == [True, True, False]
    trickle.undo()
    assert not trickle.due(1000.0), "what was held back was not told either"
    assert [trickle.take("a", 0.0) for _ in range(3)] == [True, True, False]
    trickle.keep()
    assert trickle.held(1000.0) == Held(1, ("a",))
    trickle.undo()
    assert trickle.held(1000.0) == Held(1, ("a",)), "the line that told it was not written"
    assert trickle.take("a", 0.0) is False


def test_where_nothing_was_asked_for_there_is_nothing_to_undo() -> None:
    trickle = Trickle(SOURCE, TOTAL)
    trickle.undo()
    assert not trickle.due(1000.0)
    assert trickle.take("a", 1000.0)


def test_the_longest_unheard_is_forgotten_first() -> None:
    trickle = Trickle(Pace(1, 0), Pace(10_000, 0))
    for number in range(SOURCES):
        assert trickle.take(str(number), 0.0)
    assert not trickle.take("0", 0.0)
    assert trickle.take("another", 0.0)
    assert not trickle.take("0", 0.0)
    assert trickle.take("1", 0.0)


def test_what_flows_in_is_written_again_up_to_what_may_be_at_once() -> None:
    trickle = Trickle(SOURCE, Pace(1000, 0))

    def written(now: float) -> int:
        return sum(trickle.take("a", now) for _ in range(10))

    assert [written(now) for now in (50.0, 109.0, 110.0, 230.0, 231.0)] == [3, 0, 1, 2, 0]
    assert written(10_000.0) == 3
    assert written(9_000.0) == 0
    assert written(10_060.0) == 1


def test_a_minute_is_counted_from_the_first_that_is_held() -> None:
    trickle = Trickle(Pace(0, 0), TOTAL)
    for now in (1000.0, 1030.0, 1059.0):
        trickle.take("a", now)
    assert not trickle.due(1059.9)
    assert trickle.held(1060.0) == Held(3, ("a",))
    trickle.take("a", 1070.0)
    assert not trickle.due(1129.0)
    assert trickle.held(1130.0) == Held(1, ("a",))
