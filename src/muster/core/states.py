"""Licence states of a client and what moves between them: one table that anyone can audit.

Decides the next state from the state and an event, and nothing else. Refuses to know times (the
client's schedule raises GRACE_ENDED and LEASE_LAPSED when they are due), licences (they were
verified before their event is raised) and what a product does with a state.
Obeys docs/spec/10-licence-states.md; docs/states.md with its diagram is generated from here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from muster.core.values import dataclass


class LicenceState(enum.IntEnum):
    """The seven states by the numbers that administrators know."""

    UNLICENSED = 0
    LICENSED = 1
    INITIAL_GRACE = 2
    TOLERANCE_GRACE = 3
    NON_GENUINE_GRACE = 4
    NOTIFICATION = 5
    EXTENDED_GRACE = 6

    @property
    def text(self) -> str:
        """The state as `slmgr /dlv` words it, such as "Initial grace period"."""
        return STATES[self].text


@dataclass(frozen=True, slots=True)
class StateRow:
    """What is said of a state: `text` as slmgr words it, `wmi` as WMI names it, its meaning."""

    text: str
    wmi: str
    meaning: str


STATES: Mapping[LicenceState, StateRow] = MappingProxyType(
    {
        LicenceState.UNLICENSED: StateRow(
            "Unlicensed",
            "Unlicensed",
            "No licence and no grace period: not set up, no key, or released.",
        ),
        LicenceState.LICENSED: StateRow(
            "Licensed", "Licensed", "A valid lease, or a permanent licence."
        ),
        LicenceState.INITIAL_GRACE: StateRow(
            "Initial grace period", "OOBGrace", "Not activated yet; in the first grace period."
        ),
        LicenceState.TOLERANCE_GRACE: StateRow(
            "Additional grace period",
            "OOTGrace",
            "The lease lapsed, the hardware changed or the licence was revoked; in a grace period.",
        ),
        LicenceState.NON_GENUINE_GRACE: StateRow(
            "Non-genuine grace period",
            "NonGenuineGrace",
            "A licence that was valid no longer verifies; in a grace period.",
        ),
        LicenceState.NOTIFICATION: StateRow(
            "Notification", "Notification", "The grace period is over; the product tells its user."
        ),
        LicenceState.EXTENDED_GRACE: StateRow(
            "Extended grace period", "ExtendedGrace", "An evaluation runs."
        ),
    }
)
"""Every state with its words."""

GRACES = frozenset(
    {
        LicenceState.INITIAL_GRACE,
        LicenceState.TOLERANCE_GRACE,
        LicenceState.NON_GENUINE_GRACE,
        LicenceState.EXTENDED_GRACE,
    }
)
"""States with a deadline after which GRACE_ENDED is due."""


class LicenceEvent(enum.Enum):
    """What can happen to a machine's licence for one product; the value says it in a sentence."""

    PRODUCT_ADDED = "The product was set up on this machine; its initial grace starts."
    KEY_INSTALLED = "A product key was installed."
    LEASE_ACCEPTED = "A lease was verified."
    ACTIVATION_ACCEPTED = "A permanent licence (MAK or retail) was verified."
    EVALUATION_ACCEPTED = "An evaluation licence was verified."
    LEASE_LAPSED = "The lease ended and nothing renewed it."
    GRACE_ENDED = "The grace period or the evaluation has ended."
    HARDWARE_CHANGED = "The licence is for another machine now."
    GRANT_REVOKED = "The publisher revoked the activation."
    VALIDATION_FAILED = (
        "The stored licence no longer verifies: one of its signing keys was withdrawn."
    )
    CLOCK_BEHIND = "The licence has an end, and the clock is too far behind to judge it."
    CLOCK_UNSET = "The clock is not set, and the lease was valid when the time was last known."
    LICENCE_RELEASED = "The licence was given back."
    KEY_REMOVED = "The product key was uninstalled."
    REARMED = "The grace period was restarted, with a new CMID."


# One row an event, one column a state (0 to 6), each cell the next state. A cell that repeats its
# column is "stays": every pair is decided here, none is left to chance.
_ROWS: Mapping[LicenceEvent, tuple[int, int, int, int, int, int, int]] = {
    # from                             0  1  2  3  4  5  6
    LicenceEvent.PRODUCT_ADDED:       (2, 1, 2, 3, 4, 5, 6),
    LicenceEvent.KEY_INSTALLED:       (2, 1, 2, 3, 4, 5, 6),
    LicenceEvent.LEASE_ACCEPTED:      (1, 1, 1, 1, 1, 1, 1),
    LicenceEvent.ACTIVATION_ACCEPTED: (1, 1, 1, 1, 1, 1, 1),
    LicenceEvent.EVALUATION_ACCEPTED: (6, 1, 6, 6, 6, 6, 6),
    LicenceEvent.LEASE_LAPSED:        (0, 3, 2, 3, 4, 5, 6),
    LicenceEvent.GRACE_ENDED:         (0, 1, 5, 5, 5, 5, 5),
    LicenceEvent.HARDWARE_CHANGED:    (0, 3, 2, 3, 4, 5, 3),
    LicenceEvent.GRANT_REVOKED:       (0, 3, 2, 3, 4, 5, 3),
    LicenceEvent.VALIDATION_FAILED:   (0, 4, 2, 3, 4, 5, 4),
    LicenceEvent.CLOCK_BEHIND:        (0, 5, 2, 3, 4, 5, 5),
    LicenceEvent.CLOCK_UNSET:         (0, 3, 2, 3, 4, 5, 5),
    LicenceEvent.LICENCE_RELEASED:    (0, 0, 2, 3, 4, 5, 6),
    LicenceEvent.KEY_REMOVED:         (0, 0, 0, 0, 0, 0, 0),
    LicenceEvent.REARMED:             (0, 2, 2, 2, 2, 2, 2),
}  # fmt: skip

TRANSITIONS: Mapping[tuple[LicenceState, LicenceEvent], LicenceState] = MappingProxyType(
    {
        (state, event): LicenceState(row[state])
        for event, row in _ROWS.items()
        for state in LicenceState
    }
)
"""The next state of every pair of state and event."""


def step(state: LicenceState, event: LicenceEvent) -> LicenceState:
    """The state after an event. Raises nothing: every pair has a row.

    Source: docs/spec/10-licence-states.md, section 10.3.
    """
    return TRANSITIONS[state, event]


def diagram() -> str:
    """The transitions that change something, as the text of a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += [f"    s{state.value}: {state.value} {state.text}" for state in LicenceState]
    lines.append("    [*] --> s0")
    for state in LicenceState:
        for target in LicenceState:
            events = [
                event.name
                for event in LicenceEvent
                if state is not target and TRANSITIONS[state, event] is target
            ]
            if events:
                lines.append(f"    s{state.value} --> s{target.value}: {', '.join(events)}")
    return "\n".join(lines) + "\n"
