"""When a machine asks next. Pure: spans and dice come in, an instant goes out.

Decides renewals, retries and how failures spread out. Unsigned answers move no timer outside 15
minutes to 4 hours; lasting intervals come from leases only [anybody on the path could put a fleet
to sleep]. Refuses to know why something failed beyond three kinds. Obeys
docs/spec/07-discovery.md, section 7.5.
"""

from __future__ import annotations

from collections.abc import Iterable

from muster.core.clock import Dice

SHORTEST = 15 * 60
"""The shortest wait between two tries that nobody typed, in seconds."""
LONGEST_UNSIGNED = 4 * 3600
"""The longest wait that an unsigned answer or silence can cause, in seconds."""
LONGEST = 30 * 86_400
"""The longest interval that a lease can set, in seconds."""
BOOTING = 10 * 60
"""Seconds after the start of the machine in which a network that is not up yet is asked soon."""
SOON = 30
"""The shortest wait of a try that failed in that time, in seconds."""
UNREACHED = frozenset(
    {
        "client/no-suffix",
        "net/dns-failed",
        "net/dns-server",
        "net/dns-timeout",
        "net/name",
        "net/proxy-unreachable",
        "net/refused",
        "net/timeout",
        "net/unreachable",
    }
)
"""Errors of a network or a host that is not up yet: nobody has answered anything."""
ASIDE = 4 * 3600
"""A host that does not serve a product is set aside for it this long, in seconds."""
NOTICE_PAUSE = 24 * 3600
"""A machine heeds at most one notice in this span, in seconds."""
FIRST_SPREADS = {
    (True, True): 1800,
    (True, False): 120,
    (False, True): 600,
    (False, False): 10,
}
"""Seconds over which an agent spreads the first try of what is due when it starts, by whether the
machine has just started, and whether a licence runs meanwhile."""
_JITTER = 10  # one tenth of a wait is left to chance


def renewal(renew_at: int, expires: int | None, now: int, dice: Dice) -> int:
    """The instant of the next renewal of a lease.

    Args:
        renew_at: what the lease says.
        expires: its end; a renewal is due before, whatever the lease says.
        now: the local clock.
        dice: spreads the renewals of a fleet over the last tenth of the wait [a thousand
            machines that were installed together do not come back together].
    """
    latest = renew_at if expires is None else min(renew_at, expires - SHORTEST)
    wait = min(max(latest - now, 0), LONGEST)
    return now + max(SHORTEST, wait - _some(wait // _JITTER, dice))


def after_refusal(
    now: int, dice: Dice, *, leased: int | None, default: int, offered: int | None
) -> int:
    """The instant of the next try after a host said no.

    Args:
        leased: the retry interval of the last lease, in seconds, or None where there was none.
        default: the product's own retry interval, in seconds.
        offered: what the unsigned refusal asks for, in seconds, or None; heeded only while there
            is no lease, and only within bounds.
    """
    if leased is not None:
        wait = min(max(leased, SHORTEST), LONGEST)
    else:
        wait = _unsigned(default if offered is None else offered)
    return now + _spread(wait, dice)


def after_silence(now: int, failures: int, dice: Dice, *, leased: int | None, default: int) -> int:
    """The instant of the next try after no host gave a usable answer.

    Waits double from 15 minutes to 4 hours, or to the retry interval of the last lease where
    that is shorter.

    Args:
        failures: how often in a row, this time included; at least 1.
        leased: the retry interval of the last lease, in seconds, or None.
        default: the product's own retry interval, in seconds.
    """
    longest = _unsigned(default if leased is None else leased)
    wait = min(SHORTEST << min(max(failures, 1) - 1, 8), max(longest, SHORTEST))
    return now + _spread(wait, dice)


def soon_after_boot(now: int, uptime: int | None, codes: Iterable[str], dice: Dice) -> int | None:
    """The instant of the next try where the machine has just started and nobody could be reached.

    Half of the time since the start, at least 30 seconds, and up to half longer by dice: so there
    are at most twelve such tries after a start, whatever anybody on the path does [machines that
    power came back to together do not come back together].

    Args:
        uptime: seconds since the machine started, None where that is unknown.
        codes: why each host and each DNS server gave nothing.
    Returns:
        None where the ordinary wait holds: long after a start, or when anybody answered.
    """
    given = set(codes)
    if uptime is None or not 0 <= uptime < BOOTING or not given or not given <= UNREACHED:
        return None
    wait = max(SOON, uptime // 2)
    return now + wait + _some(wait // 2, dice)


def first_try(now: int, *, booted: bool, licensed: bool, dice: Dice) -> int:
    """The instant at which an agent first tries what is due already.

    What was due while a machine was off is due on every machine of a site when its power comes
    back; whoever has a licence that runs can wait for the others.

    Args:
        booted: the machine has just started; else the agent has, or somebody set a product up.
        licensed: a licence runs meanwhile.
    """
    return now + _some(FIRST_SPREADS[booted, licensed], dice)


def is_due(next_attempt: int, now: int, scheduled: int = 0) -> bool:
    """Whether a scheduled try is due.

    A try was scheduled by another clock, and is due, when that happened later than now, and when
    it is further ahead than any interval.

    Args:
        next_attempt: the instant of the try.
        now: the local clock.
        scheduled: the instant at which the try was scheduled, 0 where that is unknown.
    """
    longest = LONGEST + LONGEST // _JITTER
    return now >= next_attempt or now < scheduled or next_attempt - now > longest


def _unsigned(span: int) -> int:
    return min(max(span, SHORTEST), LONGEST_UNSIGNED)


def _spread(wait: int, dice: Dice) -> int:
    """The wait, up to a tenth longer, and not beyond the unsigned bound if it was within it."""
    spread = wait + _some(wait // _JITTER, dice)
    return min(spread, LONGEST_UNSIGNED) if wait <= LONGEST_UNSIGNED else spread


def _some(most: int, dice: Dice) -> int:
    return dice.below(most + 1)
