"""Remove a machine from a host: an administrator's release (docs/spec/06-counting.md)."""

from __future__ import annotations

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.identity import check_uuid
from muster.db.engine import Transaction
from muster.host import count
from muster.host.open import OpenHost
from muster.host.results import MachineRemoval
from muster.host.tables import audit, ledger
from muster.host.view import publisher_id

_PUBLISHERS = 1024
"""More publishers than this no machine asks for at one host."""


def remove_machine(host: OpenHost, cmid: str, publisher: str | None = None) -> MachineRemoval:
    """Give back the leases of a machine, its place in the counts, and the memory of its hardware.

    Args:
        cmid: the machine's, in any case.
        publisher: only what it has from this one; an id or a label.
    Raises: `host/unknown-machine`, `host/unknown-publisher`; as `check_uuid`.
    """
    now = host.clock.now()
    with host.database.transaction() as tx:
        chosen = None if publisher is None else publisher_id(host.view(tx), publisher)
        name = check_uuid(cmid.lower())
        machines = [
            machine
            for machine in ledger.machines(tx, _PUBLISHERS, name)
            if chosen in (None, machine.publisher)
        ]
        if not machines:
            raise error("host/unknown-machine", cmid=name)
        given_back = 0
        for machine in machines:
            number = _remove(tx, machine.publisher, name, now)
            if number:
                detail = f"{number} leases and counts released"
                event, whose = Event.HOST_MACHINE_REMOVE, machine.publisher
                audit.write(tx, now, host.actor, event, whose, name, detail)
            given_back += number
    return MachineRemoval(given_back > 0, name, given_back)


def _remove(tx: Transaction, publisher: str, cmid: str, now: int) -> int:
    changed = 0
    for lease in ledger.leases(tx, publisher, cmid).values():
        if not lease.released_at:
            ledger.release_lease(tx, publisher, cmid, lease.product, now)
            changed += 1
    for application, row in ledger.applications_of(tx, publisher, cmid).items():
        if row.last_seen > row.released:
            ledger.put_seen(tx, publisher, application, cmid, count.released(row, now))
            changed += 1
    ledger.forget_machine(tx, publisher, cmid, now)
    return changed
