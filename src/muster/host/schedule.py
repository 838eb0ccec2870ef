"""When a host asks its publishers for news. Pure: spans and dice come in, an instant goes out.

Decides how hosts spread out, and how one that gets no answer asks less often. Refuses to know how a
publisher is asked (`muster.host.follow`).
"""

from __future__ import annotations

from muster.core.clock import Dice

FIRST = 5 * 60
"""Within this many seconds after its start a host asks for the first time."""
AGAIN = 15 * 60
"""Seconds after which it asks again where it got no answer; twice as long each time."""
_JITTER = 10  # one tenth of a wait is left to chance
_DOUBLINGS = 12


def first(now: int, dice: Dice) -> int:
    """When a host that starts asks: not all hosts of a site at once."""
    return now + dice.below(FIRST)


def following(now: int, interval: int, failures: int, dice: Dice) -> int:
    """When it asks next.

    Args:
        now: Unix seconds of the answer, or of the failure.
        interval: seconds between two askings, as set.
        failures: askings in a row that got no answer, 0 after one that did.
    """
    wait = interval
    if failures:
        wait = min(interval, AGAIN << min(failures - 1, _DOUBLINGS))
    return now + wait - dice.below(max(1, wait // _JITTER))
