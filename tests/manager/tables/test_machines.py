"""The inventory's rows, on both databases."""

from __future__ import annotations

from tests.manager.conftest import NOW

from muster.manager.model import Listed
from muster.manager.open import OpenManager
from muster.manager.tables import machines


def test_what_is_written_is_read(manager: OpenManager) -> None:
    one, two = Listed("b", "10.0.0.1", 22, "ops", ("y", "x")), Listed("a")
    with manager.database.transaction() as tx:
        machines.add(tx, [one, two], NOW)
        machines.list_by(tx, "first", ["a", "b"], [one], NOW)
        machines.list_by(tx, "second", ["b"], [Listed("b", groups=("x",))], NOW + 5)
        machines.tag(tx, ["b", "a"], "t")
        machines.tag(tx, ["b"], "t")
        machines.untag(tx, ["a"], "t")
    with manager.snapshot() as reader:
        first, second = machines.all_machines(reader)
        said = machines.groups_of_source(reader, "first")
        assert {name: set(groups) for name, groups in said.items()} == {"a": set(), "b": {"x", "y"}}
        assert machines.groups_of_source(reader, "second") == {"b": ("x",)}
        assert machines.groups_of_source(reader, "none") == {}
    assert (first.name, first.last_listed_at, first.tags) == ("a", NOW, ())
    assert (second.groups, second.tags, second.sources) == (("x", "y"), ("t",), ("first", "second"))
    assert second.last_listed_at == NOW + 5


def test_what_is_not_said_is_not_changed(manager: OpenManager) -> None:
    with manager.database.transaction() as tx:
        machines.add(tx, [Listed("a", "10.0.0.1", 22, "ops")], NOW)
        machines.change(tx, [Listed("a")])
    with manager.snapshot() as reader:
        (machine,) = machines.all_machines(reader)
    assert (machine.address, machine.port, machine.account) == ("10.0.0.1", 22, "ops")
    with manager.database.transaction() as tx:
        machines.change(tx, [Listed("a", "10.0.0.2", 23, "root")])
        machines.remove(tx, [])
    with manager.snapshot() as reader:
        (machine,) = machines.all_machines(reader)
    assert (machine.address, machine.port, machine.account) == ("10.0.0.2", 23, "root")


def test_nothing_is_left_of_a_removed_machine(manager: OpenManager) -> None:
    with manager.database.transaction() as tx:
        machines.add(tx, [Listed("a"), Listed("b")], NOW)
        machines.list_by(tx, "s", ["a", "b"], [Listed("a", groups=("g",))], NOW)
        machines.tag(tx, ["a"], "t")
        first = machines.all_machines(tx)[0]
        machines.remove(tx, [first.id])
        for table in ("machine", "machine_source", "machine_group", "machine_tag"):
            row = tx.one(f"SELECT count(*) FROM {table}")
            assert row is not None
            assert row[0] == (1 if table in ("machine", "machine_source") else 0), table
