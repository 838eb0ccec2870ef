"""A manager's store, open."""

from __future__ import annotations

from tests.manager.conftest import NOW

from muster.manager.model import Listed
from muster.manager.open import OpenManager
from muster.manager.tables import machines


def test_a_snapshot_is_one_state(manager: OpenManager) -> None:
    with manager.snapshot() as reader:
        assert machines.all_machines(reader) == []
        with manager.database.transaction() as tx:
            machines.add(tx, [Listed("a")], NOW)
        assert machines.all_machines(reader) == []
    with manager.snapshot() as reader:
        assert len(machines.all_machines(reader)) == 1
