"""Tag machines that a filter finds, and remove them from the inventory."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.manager.names import check_tag
from muster.manager.open import OpenManager
from muster.manager.results import Selected
from muster.manager.selection import selected
from muster.manager.tables import audit, machines


def tag(manager: OpenManager, name: str, terms: Sequence[str], *, remove: bool = False) -> Selected:
    """Give a tag to the machines that a filter finds, or take it from them.

    Raises: `manager/tag`, `manager/no-terms`; as `read_filter`.
    """
    check_tag(name)
    _some(terms)
    now = manager.clock.now()
    with manager.database.transaction() as tx:
        found = selected(tx, terms)
        meant = [machine for machine in found if (name in machine.tags) is remove]
        write = machines.untag if remove else machines.tag
        write(tx, [machine.name for machine in meant], name)
        if meant:
            event = Event.MACHINES_UNTAG if remove else Event.MACHINES_TAG
            detail = f"{len(meant)} machines: {' '.join(terms)}"
            audit.write(tx, now, manager.actor, event, name, detail)
    return Selected(bool(meant), len(found), tuple(machine.name for machine in meant))


def remove_machines(manager: OpenManager, terms: Sequence[str]) -> Selected:
    """Remove the machines that a filter finds from the inventory, with all that is known of them.

    Raises: `manager/no-terms`; as `read_filter`.
    """
    _some(terms)
    now = manager.clock.now()
    with manager.database.transaction() as tx:
        found = selected(tx, terms)
        machines.remove(tx, [machine.id for machine in found])
        if found:
            detail = f"{len(found)} machines removed"
            audit.write(tx, now, manager.actor, Event.MACHINES_REMOVE, " ".join(terms), detail)
    names = tuple(machine.name for machine in found)
    return Selected(bool(found), len(found), names)


def _some(terms: Sequence[str]) -> None:
    """No term would mean every machine, which nobody types by accident as `*`."""
    if not " ".join(terms).split():
        raise error("manager/no-terms")
