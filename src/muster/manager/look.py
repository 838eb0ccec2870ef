"""What administrators are told of a fleet, as records.

Each public function is one question: it reads one snapshot of the store and returns a frozen
record of `muster.manager.results`.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.manager import rules
from muster.manager.filters import read_filter
from muster.manager.model import Inventory
from muster.manager.open import OpenManager
from muster.manager.results import (
    AuditList,
    Discovered,
    FilterList,
    FilterStatus,
    MachineList,
    MachineStatus,
)
from muster.manager.selection import compare, discovered, selected
from muster.manager.tables import audit as audit_table
from muster.manager.tables import filters as filter_table
from muster.manager.tables import machines as machine_table


def machines(manager: OpenManager, terms: Sequence[str], limit: int) -> MachineList:
    """The machines that a filter finds, by name. Raises: as `read_filter`."""
    with manager.snapshot() as reader:
        found = selected(reader, terms)
    return MachineList(tuple(map(MachineStatus.of, found[:limit])), len(found))


def filters(manager: OpenManager) -> FilterList:
    """The saved filters, and how many machines each finds."""
    with manager.snapshot() as reader:
        saved = filter_table.rows(reader)
        known = machine_table.all_machines(reader)
    terms = {row.name: row.terms for row in saved}
    tests = [(row, read_filter([f"@{row.name}"], terms)) for row in saved]
    return FilterList(
        tuple(
            FilterStatus(row.name, row.terms, sum(map(test, known)), row.saved_at)
            for row, test in tests
        )
    )


def preview(manager: OpenManager, inventory: Inventory, source: str) -> Discovered:
    """What reading an inventory would change; nothing is written."""
    with manager.snapshot() as reader:
        reading = compare(reader, inventory, source)
    return discovered(reading, inventory, source, preview=True)


def first_preview(inventory: Inventory, source: str) -> Discovered:
    """What reading an inventory would make of a manager that knows nothing yet."""
    return discovered(rules.read({}, {}, inventory.machines), inventory, source, preview=True)


def audit(manager: OpenManager, limit: int) -> AuditList:
    """The newest entries of the audit, newest first."""
    with manager.snapshot() as reader:
        return AuditList(tuple(audit_table.rows(reader, limit)))
