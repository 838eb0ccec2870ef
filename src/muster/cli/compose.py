"""The composition root: the only file that names concrete classes.

Commands ask here for a clock, dice, a service or a driver; nothing is made at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muster.core.clock import Clock, Dice


def clock() -> Clock:
    """The machine's clock."""
    from muster.system.clock import SystemClock

    return SystemClock()


def dice() -> Dice:
    """The machine's dice, from the operating system's entropy."""
    from muster.system.entropy import SystemDice

    return SystemDice()
