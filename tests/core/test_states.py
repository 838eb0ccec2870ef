"""The table of licence states (docs/spec/10-licence-states.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.states import (
    GRACES,
    STATES,
    TRANSITIONS,
    LicenceEvent,
    LicenceState,
    diagram,
    step,
)

S, E = LicenceState, LicenceEvent
GOOD = {E.LEASE_ACCEPTED: S.LICENSED, E.ACTIVATION_ACCEPTED: S.LICENSED}
LOSSES = (
    E.LEASE_LAPSED,
    E.HARDWARE_CHANGED,
    E.GRANT_REVOKED,
    E.VALIDATION_FAILED,
    E.CLOCK_BEHIND,
    E.CLOCK_UNSET,
    E.LICENCE_RELEASED,
    E.KEY_REMOVED,
)


def test_the_numbers_and_words_are_those_of_the_field() -> None:
    assert [(state.value, state.text) for state in LicenceState] == [
        (0, "Unlicensed"),
        (1, "Licensed"),
        (2, "Initial grace period"),
        (3, "Additional grace period"),
        (4, "Non-genuine grace period"),
        (5, "Notification"),
        (6, "Extended grace period"),
    ]
    assert set(STATES) == set(LicenceState)


def test_every_pair_has_a_row() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in S for event in E}
    for (state, event), target in TRANSITIONS.items():
        assert step(state, event) is target


@pytest.mark.parametrize("state", S)
def test_a_verified_licence_licenses_from_everywhere(state: LicenceState) -> None:
    for event, target in GOOD.items():
        assert step(state, event) is target


@pytest.mark.parametrize("state", S)
def test_an_evaluation_never_takes_a_licence_away(state: LicenceState) -> None:
    wanted = S.LICENSED if state is S.LICENSED else S.EXTENDED_GRACE
    assert step(state, E.EVALUATION_ACCEPTED) is wanted


@pytest.mark.parametrize("state", S)
def test_graces_end_in_notification(state: LicenceState) -> None:
    wanted = S.NOTIFICATION if state in GRACES else state
    assert step(state, E.GRACE_ENDED) is wanted


@pytest.mark.parametrize("state", [S.INITIAL_GRACE, S.TOLERANCE_GRACE, S.NON_GENUINE_GRACE])
def test_no_loss_gains_a_second_grace(state: LicenceState) -> None:
    for event in LOSSES:
        assert step(state, event) in {state, S.UNLICENSED}


@pytest.mark.parametrize("state", S)
def test_a_key_taken_out_leaves_nothing(state: LicenceState) -> None:
    assert step(state, E.KEY_REMOVED) is S.UNLICENSED


@pytest.mark.parametrize("state", S)
def test_a_new_key_disturbs_nothing(state: LicenceState) -> None:
    for event in (E.KEY_INSTALLED, E.PRODUCT_ADDED):
        assert step(state, event) is (S.INITIAL_GRACE if state is S.UNLICENSED else state)


@pytest.mark.parametrize(
    ("start", "events", "end"),
    [
        # A machine's life with a host: 0-2-1, renewals, 1-3 at the lapse, back, then silence.
        (S.UNLICENSED, [E.PRODUCT_ADDED, E.LEASE_ACCEPTED, E.LEASE_ACCEPTED], S.LICENSED),
        (S.LICENSED, [E.LEASE_LAPSED, E.LEASE_ACCEPTED], S.LICENSED),
        (S.LICENSED, [E.LEASE_LAPSED, E.GRACE_ENDED], S.NOTIFICATION),
        (S.NOTIFICATION, [E.LEASE_ACCEPTED], S.LICENSED),
        # Never activated: 2-5, as in the field.
        (S.UNLICENSED, [E.PRODUCT_ADDED, E.GRACE_ENDED], S.NOTIFICATION),
        # A MAK: hardware changes, 30 days, notification, activated again.
        (S.INITIAL_GRACE, [E.ACTIVATION_ACCEPTED, E.HARDWARE_CHANGED], S.TOLERANCE_GRACE),
        (S.TOLERANCE_GRACE, [E.GRACE_ENDED, E.ACTIVATION_ACCEPTED], S.LICENSED),
        (S.LICENSED, [E.GRANT_REVOKED, E.GRACE_ENDED], S.NOTIFICATION),
        # An evaluation while it runs, then 5; converted in time.
        (S.INITIAL_GRACE, [E.EVALUATION_ACCEPTED, E.GRACE_ENDED], S.NOTIFICATION),
        (S.INITIAL_GRACE, [E.EVALUATION_ACCEPTED, E.LEASE_ACCEPTED], S.LICENSED),
        # A key withdrawn from trust.
        (S.LICENSED, [E.VALIDATION_FAILED, E.GRACE_ENDED], S.NOTIFICATION),
        # A clock that was turned back mends by itself.
        (S.LICENSED, [E.CLOCK_BEHIND, E.LEASE_ACCEPTED], S.LICENSED),
        # A board without a battery starts in 1970, and its clock is set later.
        (S.LICENSED, [E.CLOCK_UNSET, E.LEASE_ACCEPTED], S.LICENSED),
        (S.LICENSED, [E.LEASE_LAPSED, E.GRACE_ENDED, E.CLOCK_UNSET], S.NOTIFICATION),
        # Rearmed for an image.
        (S.LICENSED, [E.REARMED], S.INITIAL_GRACE),
        (S.LICENSED, [E.LICENCE_RELEASED, E.LEASE_ACCEPTED], S.LICENSED),
    ],
)
def test_lives(start: LicenceState, events: list[LicenceEvent], end: LicenceState) -> None:
    state = start
    for event in events:
        state = step(state, event)
    assert state is end


@given(st.lists(st.sampled_from(list(E))))
def test_only_a_verified_licence_ever_licenses(events: list[LicenceEvent]) -> None:
    state = S.UNLICENSED
    verified = False
    for event in events:
        state = step(state, event)
        verified = verified or event in GOOD
        if state is S.LICENSED:
            assert verified


def test_the_page_shows_the_next_state_of_every_pair() -> None:
    page = (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8")
    rows = re.findall(r"^\| ([A-Z_]+) \|((?: [0-6]? ?\|){7})$", page, re.MULTILINE)
    shown = {
        (state, E[name]): S(int(cell)) if cell.strip() else state
        for name, cells in rows
        for state, cell in zip(S, cells.split("|"), strict=False)
    }
    assert len(rows) == len(E)
    assert shown == TRANSITIONS
    assert diagram() in page


def test_the_diagram_shows_every_change_and_nothing_else() -> None:
    shown = set()
    for line in diagram().splitlines():
        arrow = re.fullmatch(r"    s(\d) --> s(\d): (.+)", line)
        if arrow:
            for event in arrow[3].split(", "):
                shown.add((int(arrow[1]), event, int(arrow[2])))
    assert shown == {
        (state.value, event.name, target.value)
        for (state, event), target in TRANSITIONS.items()
        if state is not target
    }
