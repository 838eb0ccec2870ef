"""What is told of a machine."""

from __future__ import annotations

from muster.core.records import encode
from muster.manager.model import Machine
from muster.manager.results import MachineStatus


def test_all_of_a_machine_is_told_but_its_number() -> None:
    machine = Machine(7, "a", "10.0.0.1", 22, "ops", 100, 200, ("g",), ("t",), ("s",))
    assert encode(MachineStatus.of(machine)) == {
        "name": "a",
        "address": "10.0.0.1",
        "port": 22,
        "account": "ops",
        "groups": ["g"],
        "tags": ["t"],
        "sources": ["s"],
        "added_at": 100,
        "last_listed_at": 200,
    }
