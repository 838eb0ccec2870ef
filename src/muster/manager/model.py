"""What a manager knows of machines: records of its tables, and of inventories that are read.

Refuses to know where they are kept and how they are shown.
"""

from __future__ import annotations

from muster.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """What an inventory says of a machine.

    `name` is canonical (`muster.manager.names`); `address` a name or an IP address, "" for the name
    itself; `port` of SSH, 0 for the usual one; `account` to log in as, "" for whoever asks; `line`
    of the inventory, 0 where it has none.
    """

    name: str
    address: str = ""
    port: int = 0
    account: str = ""
    groups: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part of an inventory that was not taken: `text` as it is written, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was read of an inventory; each machine once, by name."""

    machines: tuple[Listed, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the inventory; `groups` by all sources, `sources` those that list it.

    `last_listed_at` is when an inventory last did.
    """

    id: int
    name: str
    address: str
    port: int
    account: str
    added_at: int
    last_listed_at: int
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A filter under a name; `terms` as they were typed."""

    name: str
    terms: str
    saved_at: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit; `sudo` who became root, where somebody did."""

    at: int
    event: str
    subject: str
    detail: str
    actor: str
    sudo: str
