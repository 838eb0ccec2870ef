"""What is tried next: the schedule's instants, dice for what is due, and never a loop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from muster.agent.agenda import Agenda, Planned
from muster.client import schedule
from muster.system.entropy import SeededDice

NOW = 1_800_000_000
A, B = "publisher/a", "publisher/b"


def agenda(seed: int = 0, *, booted: bool = True) -> Agenda:
    return Agenda(SeededDice(seed), booted=booted)


def due(name: str, *, licensed: bool = False) -> Planned:
    return Planned(name, NOW - 5, due=True, licensed=licensed)


def test_what_asks_nobody_is_not_on_it() -> None:
    held = agenda()
    held.planned([Planned(A, None, due=False, licensed=True)], NOW)
    assert held.next_instant is None
    assert held.due(NOW + schedule.LONGEST) == []


def test_what_is_not_due_is_tried_at_its_instant() -> None:
    held = agenda()
    later = [Planned(A, NOW + 70, due=False, licensed=True), Planned(B, NOW + 9, False, True)]
    held.planned(later, NOW)
    assert held.next_instant == NOW + 9
    assert held.due(NOW + 8) == []
    assert held.due(NOW + 9) == [B]
    assert held.due(NOW + 70) == [A, B]


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_what_is_due_already_is_spread_and_thrown_for_once(
    seed: int, booted: bool, licensed: bool
) -> None:
    held = agenda(seed, booted=booted)
    held.planned([due(A, licensed=licensed)], NOW)
    first = held.next_instant
    assert first is not None
    assert NOW <= first <= NOW + schedule.FIRST_SPREADS[booted, licensed]
    held.planned([due(A, licensed=licensed), due(B)], NOW + 1)
    assert held.instants()[A] == first
    # What comes later is nobody's boot.
    assert held.instants()[B] <= NOW + 1 + schedule.FIRST_SPREADS[False, False]


def test_what_is_due_after_its_try_is_left_alone_for_a_while() -> None:
    held = agenda()
    held.planned([due(A), Planned(B, NOW + 5, due=False, licensed=True)], NOW)
    held.tried([A], [due(A), Planned(B, NOW + 5, due=False, licensed=True)], NOW)
    assert held.instants() == {A: NOW + schedule.SHORTEST, B: NOW + 5}
    # Nor does a change of the store bring it forward.
    held.planned([due(A)], NOW + 1)
    assert held.instants() == {A: NOW + schedule.SHORTEST}


def test_a_product_that_was_removed_is_forgotten() -> None:
    held = agenda()
    held.planned([due(A)], NOW)
    held.planned([], NOW)
    assert held.instants() == {}


def test_an_instant_that_has_passed_meanwhile_is_now() -> None:
    held = agenda()
    held.planned([Planned(A, NOW - 50, due=False, licensed=True)], NOW)
    assert held.due(NOW) == [A]
