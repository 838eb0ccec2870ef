"""Collects the machines of an inventory: each once, checked, within bounds.

Decides what a machine must be called, and what is made of a line that says it wrongly: the line is
skipped, with the reason, and the others are taken.
"""

from __future__ import annotations

from muster.core.catalogue import error
from muster.manager.model import Inventory, Listed, Skipped
from muster.manager.names import is_account, is_word, machine_name, port_number, shown

MACHINES = 100_000
"""More than these one inventory does not have."""
GROUPS = 64
"""More than these one machine is not in."""
SKIPPED = 1_000
"""Of what is skipped, so much is told."""


class Collector:
    """The machines of one inventory.

    Args:
        path: the inventory, for errors.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._machines: dict[str, Listed] = {}
        self._skipped: list[Skipped] = []

    def skip(self, line: int, text: str, reason: str) -> None:
        """Say that a part was not taken, and why."""
        if len(self._skipped) < SKIPPED:
            self._skipped.append(Skipped(line, shown(text), reason))

    def take(
        self,
        name: str,
        *,
        address: str = "",
        port: str = "",
        account: str = "",
        groups: tuple[str, ...] = (),
        line: int = 0,
    ) -> None:
        """Take a machine, or skip it where what is said of it cannot be so.

        Raises: `manager/inventory` where there are more than `MACHINES`.
        """
        known, number = machine_name(name), port_number(port)
        where = "" if not address else machine_name(address)
        if known is None:
            reason = "its name is neither a DNS name nor an IP address"
        elif where is None:
            reason = f"its address {shown(address)} is none"
        elif number is None:
            reason = f"its port {shown(port)} is none"
        elif not is_account(account):
            reason = "its account has signs that no account has"
        elif known in self._machines and groups == self._machines[known].groups:
            first = self._machines[known].line
            reason = f"it is listed already, in line {first}" if first else "it is listed already"
        else:
            self._add(Listed(known, where, number, account, self._groups(groups, line), line))
            return
        self.skip(line, name, reason)

    def _add(self, machine: Listed) -> None:
        before = self._machines.get(machine.name)
        if before is not None:
            # Spreadsheets have a line for each group of a machine.
            groups = tuple(dict.fromkeys((*before.groups, *machine.groups)))[:GROUPS]
            machine = Listed(
                machine.name,
                before.address or machine.address,
                before.port or machine.port,
                before.account or machine.account,
                groups,
                before.line,
            )
        elif len(self._machines) == MACHINES:
            detail = f"it lists more than {MACHINES} machines"
            raise error("manager/inventory", path=self._path, detail=detail)
        self._machines[machine.name] = machine

    def _groups(self, names: tuple[str, ...], line: int) -> tuple[str, ...]:
        good = tuple(dict.fromkeys(name for name in names if is_word(name)))
        for name in names:
            if not is_word(name):
                self.skip(line, name, "no group can be called so")
        return good[:GROUPS]

    def inventory(self) -> Inventory:
        """What was collected, in the order of the inventory."""
        return Inventory(tuple(self._machines.values()), tuple(self._skipped))


def typed(name: str, *, address: str = "", port: int = 0, account: str = "") -> Listed:
    """A machine that somebody typed, judged as a line of an inventory is.

    Raises: `manager/machine`.
    """
    collector = Collector("")
    collector.take(name, address=address, port=str(port or ""), account=account)
    inventory = collector.inventory()
    if inventory.skipped:
        skipped = inventory.skipped[0]
        raise error("manager/machine", name=skipped.text, detail=skipped.reason)
    return inventory.machines[0]
