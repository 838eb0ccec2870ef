"""Machines come into the inventory, on both databases."""

from __future__ import annotations

from typing import cast

import pytest
from tests.manager.conftest import NOW, inventory

from muster.core.errors import MusterError
from muster.manager import look
from muster.manager.act.find import BY_HAND, add_machine, discover
from muster.manager.model import Listed
from muster.manager.open import OpenManager
from muster.testing.clock import ManualClock


def test_an_inventory_that_is_read_twice_changes_nothing(manager: OpenManager) -> None:
    hosts = inventory(Listed("pc1", "10.0.0.1", 2222, "ops", ("a", "b")), "pc2")
    preview = look.preview(manager, hosts, "hosts.csv")
    assert (preview.changed, preview.added, preview.preview) == (False, ("pc1", "pc2"), True)
    assert not look.machines(manager, (), 10).machines
    first = discover(manager, hosts, "hosts.csv")
    assert (first.changed, first.added) == (True, ("pc1", "pc2"))
    cast(ManualClock, manager.clock).pass_time(60)
    again = discover(manager, hosts, "hosts.csv")
    assert (again.changed, again.added, again.updated) == (False, (), ())
    machine = look.machines(manager, ("pc1",), 10).machines[0]
    assert (machine.address, machine.port, machine.account) == ("10.0.0.1", 2222, "ops")
    assert (machine.groups, machine.sources) == (("a", "b"), ("hosts.csv",))
    assert (machine.added_at, machine.last_listed_at) == (NOW, NOW + 60)
    assert [row.event for row in look.audit(manager, 10).entries] == ["manager:inventory:read"]


def test_a_machine_that_is_listed_no_more_stays_and_is_named(manager: OpenManager) -> None:
    discover(manager, inventory("pc1", "pc2"), "hosts.csv")
    outcome = discover(manager, inventory("pc2"), "hosts.csv")
    assert (outcome.changed, outcome.unlisted) == (False, ("pc1",))
    assert look.machines(manager, (), 10).total == 2


def test_two_inventories_say_different_things_of_one_machine(manager: OpenManager) -> None:
    discover(manager, inventory(Listed("pc1", "10.0.0.1", groups=("a",))), "one")
    outcome = discover(manager, inventory(Listed("pc1", account="ops", groups=("b",))), "two")
    assert outcome.updated == ("pc1",)
    (machine,) = look.machines(manager, (), 10).machines
    assert (machine.address, machine.account) == ("10.0.0.1", "ops")
    assert (machine.groups, machine.sources) == (("a", "b"), ("one", "two"))
    discover(manager, inventory(Listed("pc1", groups=("c",))), "one")
    assert look.machines(manager, (), 10).machines[0].groups == ("b", "c")


def test_a_machine_by_hand_says_nothing_of_others(manager: OpenManager) -> None:
    assert add_machine(manager, Listed("pc1"), ("pilot",)).added == ("pc1",)
    second = add_machine(manager, Listed("pc2"))
    assert (second.added, second.unlisted, second.source) == (("pc2",), (), BY_HAND)
    assert not add_machine(manager, Listed("pc1"), ("pilot",)).changed
    assert add_machine(manager, Listed("pc1", port=2222), ("late",)).updated == ("pc1",)
    (machine,) = look.machines(manager, ("pc1",), 10).machines
    assert (machine.port, machine.tags) == (2222, ("late", "pilot"))


def test_what_cannot_be_a_source_or_a_tag_writes_nothing(manager: OpenManager) -> None:
    with pytest.raises(MusterError):
        discover(manager, inventory("pc1"), "\x1b[31m")
    with pytest.raises(MusterError):
        add_machine(manager, Listed("pc1"), ("two words",))
    assert not look.machines(manager, (), 10).machines


def test_five_thousand_machines_are_read_and_found(manager: OpenManager) -> None:
    hosts = inventory(*(Listed(f"pc{n}", groups=(f"g{n % 7}",)) for n in range(5_000)))
    assert len(discover(manager, hosts, "all").added) == 5_000
    assert not discover(manager, hosts, "all").changed
    listing = look.machines(manager, ("group=g3", "!pc1*"), 5)
    assert len(listing.machines) == 5
    assert listing.total == sum(n % 7 == 3 and not str(n).startswith("1") for n in range(5_000))
