"""Counting: which machines count, and how rows of them behave (docs/spec/06-counting.md, 6.1).

Decides what a row of the count means, how rows merge, when a clock may be believed. Refuses to
know tables, products and requests. All times are Unix seconds of the host's clock, spans seconds.

A row is one machine of one application: (publisher, application, cmid) with two times. Both times
only ever grow, so that rows from several hosts could be joined in any order with the same result.
"""

from __future__ import annotations

from muster.core.products import COUNT_WINDOW, DAY, SKEW
from muster.core.values import dataclass, replace

PURGE_AFTER = 90 * DAY
"""Rows that nobody touched for this long are deleted, when the clock may be believed."""
STEADY = 24 * 3600
"""A clock that did not jump for this long, in monotonic seconds, may be believed."""
JUMP = 300
"""A wall clock that leaves the monotonic one by more than this, in seconds, has jumped."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The two times of a row: when the machine was last seen, and when it was last released."""

    last_seen: int
    released: int = 0


NEVER = Seen(0, 0)
"""The row of a machine that was never seen; it does not count."""


def counts(row: Seen, now: int) -> bool:
    """Whether the machine counts: seen after its release, and within the last 30 days."""
    return row.last_seen > row.released and row.last_seen > now - COUNT_WINDOW


def sighted(row: Seen, now: int) -> Seen:
    """The row after the machine was seen.

    `last_seen` is max(old, now). A machine that asks in the very second of its release is seen
    after it, so it counts.
    """
    seen = max(row.last_seen, now)
    return replace(row, last_seen=seen if seen > row.released else row.released + 1)


def released(row: Seen, now: int) -> Seen:
    """The row after a release: it does not count, whatever the two clocks say."""
    return replace(row, released=max(row.released, row.last_seen, now))


def merge(seen: Seen, other: Seen) -> Seen:
    """Join two rows of the same machine: both times by maximum (commutative, associative,
    idempotent)."""
    return Seen(max(seen.last_seen, other.last_seen), max(seen.released, other.released))


def acceptable(row: Seen, now: int) -> bool:
    """Whether a row that another host offers may be merged: neither time is in the future."""
    return max(row.last_seen, row.released) <= now + SKEW


def ahead(row: Seen, now: int) -> bool:
    """Whether a time of the row is more than 4 hours ahead: a jumped clock wrote it."""
    return max(row.last_seen, row.released) > now + SKEW


def clamp_future(row: Seen, now: int) -> Seen:
    """A row that is ahead, set to now; whether the machine counts stays as it was."""
    if not ahead(row, now):
        return row
    if row.last_seen > row.released:
        return Seen(min(row.last_seen, now), min(row.released, now - 1))
    return Seen(min(row.last_seen, now), min(row.released, now))


def purgeable(row: Seen, now: int) -> bool:
    """Whether nobody touched the row for 90 days."""
    return max(row.last_seen, row.released) < now - PURGE_AFTER


def shown(count: int, need: int) -> int:
    """The count that a machine is shown: at most twice its threshold, so that the size of a fleet
    stays with its administrator."""
    return min(count, 2 * need)


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """What is known of the host's clock since the process started.

    `base` is wall minus monotonic time at the start of the steady span, `since` the monotonic
    time of that start; `before` the base that held before a jump which is not repaired yet, or
    None; `returned` whether the newest jump led back to where the clock was.
    """

    base: float
    since: float
    before: float | None = None
    returned: bool = False


def watch(known: ClockWatch | None, now: int, monotonic: float) -> ClockWatch:
    """Look at both clocks again; the same object means that nothing jumped.

    Args:
        known: what was known, None at the start of the process.
        now: wall clock, Unix seconds.
        monotonic: a clock that never jumps, in seconds.
    """
    offset = now - monotonic
    if known is None:
        return ClockWatch(base=offset, since=monotonic)
    if abs(offset - known.base) <= JUMP:
        return known
    before = known.base if known.before is None else known.before
    if abs(offset - before) <= SKEW:
        return ClockWatch(base=offset, since=monotonic, returned=True)
    return ClockWatch(base=offset, since=monotonic, before=before)


def steady(known: ClockWatch, monotonic: float) -> bool:
    """Whether the clock did not jump for 24 hours of monotonic time."""
    return monotonic - known.since >= STEADY


def may_purge(known: ClockWatch, now: int, monotonic: float, floor: int) -> bool:
    """Whether old rows may be deleted [a jump of 40 days must not erase the fleet].

    `floor` is the newest signed date that this host holds: a clock before it is wrong.
    """
    return now >= floor and steady(known, monotonic)


def may_clamp(known: ClockWatch, now: int, monotonic: float, floor: int) -> bool:
    """Whether rows that are ahead may be set to now: the clock came back from a jump, or it has
    been steady for a day. Until then they stay: it may be *now* that is wrong."""
    return now >= floor and (known.returned or steady(known, monotonic))
