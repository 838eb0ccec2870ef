"""Take machines into the inventory: from files that list them, and by hand."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.values import replace
from muster.db.engine import Transaction
from muster.manager.model import Inventory, Listed
from muster.manager.names import check_source, check_tag
from muster.manager.open import OpenManager
from muster.manager.results import Discovered
from muster.manager.rules import Reading
from muster.manager.selection import compare, discovered
from muster.manager.tables import audit, machines

BY_HAND = "by hand"
"""The source of machines that somebody typed."""


def discover(manager: OpenManager, inventory: Inventory, source: str) -> Discovered:
    """Take the machines that an inventory lists; what it does not list any more stays.

    Args:
        inventory: what was read of it.
        source: what it is called: the same inventory is known again by this.
    Raises: `manager/source`.
    """
    check_source(source)
    with manager.database.transaction() as tx:
        reading = compare(tx, inventory, source)
        _take(manager, tx, reading, inventory, source)
    return discovered(reading, inventory, source)


def add_machine(manager: OpenManager, machine: Listed, tags: Sequence[str] = ()) -> Discovered:
    """Take a machine that somebody typed, or change how it is reached.

    Args:
        tags: what it is tagged with; no tag is taken away.
    Raises: `manager/tag`.
    """
    for tag in tags:
        check_tag(tag)
    inventory = Inventory((machine,))
    with manager.database.transaction() as tx:
        # Whoever types one machine does not say that the others are gone.
        reading = replace(compare(tx, inventory, BY_HAND, tags), gone=())
        _take(manager, tx, reading, inventory, BY_HAND)
        for tag in tags:
            machines.tag(tx, [machine.name], tag)
    return discovered(reading, inventory, BY_HAND)


def _take(
    manager: OpenManager, tx: Transaction, reading: Reading, inventory: Inventory, source: str
) -> None:
    now = manager.clock.now()
    machines.add(tx, reading.added, now)
    machines.change(tx, reading.changed)
    names = [item.name for item in inventory.machines]
    machines.list_by(tx, source, names, reading.added + reading.changed, now)
    if reading.added or reading.changed:
        detail = f"{len(reading.added)} added, {len(reading.changed)} changed"
        audit.write(tx, now, manager.actor, Event.INVENTORY_READ, source, detail)
