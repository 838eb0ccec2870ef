"""What acts and looks of a manager return: frozen records, whose fields are the members of
`--json`.

Decides the names that programs read. Refuses to know how a record comes about and how it is worded.
"""

from __future__ import annotations

from muster.core.records import Instant
from muster.core.values import dataclass
from muster.manager.model import AuditRow, Machine, Skipped


@dataclass(frozen=True, slots=True)
class Discovered:
    """What became of an inventory: how many machines it lists, and names of those that were added,
    changed, and not listed any more (they stay); what was skipped, and why.

    `source` is the inventory; `preview` tells that nothing was written.
    """

    changed: bool
    source: str
    machines: int
    added: tuple[str, ...]
    updated: tuple[str, ...]
    unlisted: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    preview: bool = False


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """A machine of the inventory; see `muster.manager.model.Machine`."""

    name: str
    address: str
    port: int
    account: str
    groups: tuple[str, ...]
    tags: tuple[str, ...]
    sources: tuple[str, ...]
    added_at: Instant
    last_listed_at: Instant

    @classmethod
    def of(cls, machine: Machine) -> MachineStatus:
        """What is told of a machine."""
        return cls(
            machine.name,
            machine.address,
            machine.port,
            machine.account,
            machine.groups,
            machine.tags,
            machine.sources,
            machine.added_at,
            machine.last_listed_at,
        )


@dataclass(frozen=True, slots=True)
class MachineList:
    """Machines that a filter finds, by name; `total` counts those beyond the limit too."""

    machines: tuple[MachineStatus, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Selected:
    """What was done to machines that a filter finds: how many it finds, and names of those that
    were changed."""

    changed: bool
    found: int
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterStatus:
    """A saved filter, and how many machines it finds now."""

    name: str
    terms: str
    machines: int
    saved_at: Instant


@dataclass(frozen=True, slots=True)
class FilterList:
    """All saved filters, by name."""

    filters: tuple[FilterStatus, ...]


@dataclass(frozen=True, slots=True)
class FilterChange:
    """What became of a saved filter."""

    changed: bool
    name: str
    terms: str


@dataclass(frozen=True, slots=True)
class AuditList:
    """The newest entries of the audit, newest first."""

    entries: tuple[AuditRow, ...]
