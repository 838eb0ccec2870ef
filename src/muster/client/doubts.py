"""Which hosts are asked after all others, because they gave no lease lately. Pure.

Decides how long a doubt holds and when it ends. Refuses to know why a host gave nothing: silence,
rubbish and lies cost the same time. Obeys docs/spec/07-discovery.md, section 7.3.
"""

from __future__ import annotations

from muster.client.discovery import Address
from muster.client.model import MAX_DOUBTS, Doubt

FIRST = 3600
"""Seconds for which the first doubt holds; each further one twice as long."""
LONGEST = 4 * 3600
"""Seconds for which a doubt holds at most."""


def doubted(doubts: tuple[Doubt, ...], address: Address, now: int) -> tuple[Doubt, ...]:
    """The doubts after a host gave no lease; the oldest ones fall out."""
    times = 1 + max((doubt.times for doubt in doubts if doubt.address == address), default=0)
    span = min(FIRST << min(times - 1, 8), LONGEST)
    return (*trusted(doubts, address), Doubt(address, now + span, times))[-MAX_DOUBTS:]


def trusted(doubts: tuple[Doubt, ...], address: Address) -> tuple[Doubt, ...]:
    """The doubts after a host did its work."""
    return tuple(doubt for doubt in doubts if doubt.address != address)


def standing(doubts: tuple[Doubt, ...], now: int) -> frozenset[Address]:
    """The hosts whose doubt holds; one further ahead than any was set by another clock."""
    return frozenset(doubt.address for doubt in doubts if now < doubt.until <= now + LONGEST)
