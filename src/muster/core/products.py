"""Products, key groups and what a catalogue says of them (docs/spec/03-trust-and-catalogue.md).

Frozen records; ids are unique inside one publisher. Periods are whole seconds.
"""

from __future__ import annotations

from muster.core.values import dataclass

DAY = 86_400
"""Seconds of a day."""
DAY_ZERO = 20_454
"""Day 0 of grants, retirements and revocations, in days since 1970-01-01: 2026-01-01."""
COUNT_WINDOW = 30 * DAY
"""A machine counts for this long after it was last seen, in seconds."""
SKEW = 4 * 3600
"""Clocks of host and client may differ by this many seconds."""


def day_start(day: int) -> int:
    """Unix seconds of 00:00 UTC of a day number (day 0 = 2026-01-01)."""
    return (DAY_ZERO + day) * DAY


def day_of(now: int) -> int:
    """Day number of an instant in Unix seconds; negative before 2026-01-01."""
    return now // DAY - DAY_ZERO


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A key group record; fixed for ever, a changed group is a new group.

    `number` 0 to 1023; `covers` the sorted ids of the groups whose products a key of this group
    licenses, its own included; `max_lease` seconds; `terms` "required" or "none".
    """

    number: int
    id: str
    covers: tuple[str, ...]
    max_lease: int
    terms: str = "none"


@dataclass(frozen=True, slots=True)
class Periods:
    """Time spans of a product in seconds."""

    lease: int = 180 * DAY
    renew_after: int = 7 * DAY
    retry_after: int = 120 * 60
    initial_grace: int = 30 * DAY
    tolerance_grace: int = 30 * DAY


@dataclass(frozen=True, slots=True)
class Application:
    """What is counted together: desktops and servers share one application, office has its own."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Product:
    """One product as catalogue and descriptor give it.

    `need` is the count from which hosts answer with a lease; it belongs to the id and never
    changes. `channel` is "volume", "evaluation" or "retail". `identity` lists the identity modes
    that it allows. `setup_key` is the product key that makes a machine a client of hosts.
    """

    id: str
    application: str
    group: str
    need: int
    name: str
    edition: str
    channel: str
    spans: Periods
    identity: tuple[str, ...]
    features: tuple[str, ...]
    setup_key: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """Whether `source` (a product id) may become `target`: "allowed", "unsupported" or "refused".

    `way` tells the supported way where the answer is not "allowed". `until` is set where it was
    allowed before: licences by it that were issued up to that instant run to their own end.
    """

    source: str
    target: str
    rule: str
    way: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revoked grant (`jti`) or product key (`key`, as key id text), since day `at`."""

    jti: str | None
    key: str | None
    at: int
