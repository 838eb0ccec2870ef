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
SOON = 60
"""A request for what only newer news can hold is followed by an asking within these seconds."""
PAUSE = 30 * 60
"""Seconds from one asking to the next that requests bring about."""
_JITTER = 10  # one tenth of a wait is left to chance
_DOUBLINGS = 12


def first(now: int, interval: int, dice: Dice) -> int:
    """When a host that starts asks: not all hosts of a site at once."""
    return now + dice.below(max(1, min(FIRST, interval)))


def restarted(now: int, interval: int, next_at: int, failures: int, dice: Dice) -> int:
    """When a host that starts asks a publisher that it asked before: when that is due, and no more
    often for starting often; soon where it got no answer [somebody may have repaired the way].

    Args:
        next_at: when it was to ask next.
        failures: askings in a row that got no answer.
    """
    soon = first(now, interval, dice)
    return soon if failures else max(soon, next_at)


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


def hinted(now: int, asked_at: int, next_at: int, dice: Dice) -> int:
    """When it asks next where a request named what only newer news can hold.

    Anybody can send such requests: they bring one asking about in `PAUSE`, spread over hosts.

    Args:
        now: Unix seconds.
        asked_at: when it asked last.
        next_at: when it asks next as things are; never later than that.
    """
    return min(next_at, max(now, asked_at + PAUSE) + dice.below(SOON))
