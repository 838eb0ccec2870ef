"""Which machines are meant, and what an inventory says of them: what acts and looks share.

Each function reads one state of the store.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.db.engine import Reader
from muster.manager import rules
from muster.manager.filters import read_filter
from muster.manager.model import Inventory, Machine
from muster.manager.results import Discovered
from muster.manager.tables import filters as filter_table
from muster.manager.tables import machines as machine_table


def selected(reader: Reader, terms: Sequence[str]) -> list[Machine]:
    """The machines that a filter finds in one state of the store, by name.

    Raises: as `read_filter`.
    """
    test = read_filter(terms, filter_table.terms(reader))
    return [machine for machine in machine_table.all_machines(reader) if test(machine)]


def compare(
    reader: Reader, inventory: Inventory, source: str, tags: Sequence[str] = ()
) -> rules.Reading:
    """What an inventory says, with tags for its machines, beside what is known in one state of the
    store."""
    known = {machine.name: machine for machine in machine_table.all_machines(reader)}
    groups = machine_table.groups_of_source(reader, source)
    return rules.read(known, groups, inventory.machines, tags)


def discovered(
    reading: rules.Reading, inventory: Inventory, source: str, *, preview: bool = False
) -> Discovered:
    """What is told of an inventory that was read."""
    return Discovered(
        not preview and bool(reading.added or reading.changed),
        source,
        len(inventory.machines),
        tuple(item.name for item in reading.added),
        tuple(item.name for item in reading.changed),
        reading.gone,
        inventory.skipped,
        preview,
    )
