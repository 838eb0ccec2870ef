"""Which machines are meant."""

from __future__ import annotations

from tests.manager.conftest import NOW, inventory

from muster.manager import selection
from muster.manager.model import Listed
from muster.manager.open import OpenManager
from muster.manager.tables import filters, machines


def test_saved_filters_of_the_same_state_count(manager: OpenManager) -> None:
    with manager.database.transaction() as tx:
        machines.add(tx, [Listed("a"), Listed("b")], NOW)
        filters.save(tx, "one", "a", NOW)
        assert [one.name for one in selection.selected(tx, ("@one",))] == ["a"]
        assert [one.name for one in selection.selected(tx, ())] == ["a", "b"]


def test_an_inventory_is_compared_by_what_its_source_said(manager: OpenManager) -> None:
    hosts = inventory(Listed("a", groups=("g",)), "b")
    with manager.database.transaction() as tx:
        machines.add(tx, hosts.machines, NOW)
        machines.list_by(tx, "s", ["a", "b"], hosts.machines, NOW)
        assert len(selection.compare(tx, hosts, "s").same) == 2
        assert len(selection.compare(tx, hosts, "other").changed) == 2
        assert selection.compare(tx, inventory("b"), "s").gone == ("a",)
        told = selection.discovered(selection.compare(tx, hosts, "other"), hosts, "other")
    assert (told.changed, told.updated, told.machines) == (True, ("a", "b"), 2)
