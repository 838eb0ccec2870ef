"""Machines are tagged and removed by filters, on both databases."""

from __future__ import annotations

import pytest
from tests.manager.conftest import inventory

from muster.core.errors import MusterError
from muster.manager import look
from muster.manager.act.find import discover
from muster.manager.act.machines import remove_machines, tag
from muster.manager.model import Listed
from muster.manager.open import OpenManager


@pytest.fixture
def fleet(manager: OpenManager) -> OpenManager:
    discover(manager, inventory(Listed("pc1", groups=("a",)), "pc2", "pc3"), "hosts.csv")
    return manager


def test_a_tag_comes_and_goes_once(fleet: OpenManager) -> None:
    done = tag(fleet, "pilot", ("pc1", "!group=b"))
    assert (done.changed, done.found, done.machines) == (True, 1, ("pc1",))
    assert tag(fleet, "pilot", ("*",)).machines == ("pc2", "pc3")
    again = tag(fleet, "pilot", ("*",))
    assert (again.changed, again.found, again.machines) == (False, 3, ())
    assert tag(fleet, "pilot", ("pc2",), remove=True).machines == ("pc2",)
    assert not tag(fleet, "pilot", ("pc2",), remove=True).changed
    assert [one.name for one in look.machines(fleet, ("tag=pilot",), 9).machines] == ["pc1", "pc3"]
    events = [row.event for row in look.audit(fleet, 10).entries]
    assert events[:3] == ["manager:machine:untag", "manager:machine:tag", "manager:machine:tag"]


def test_an_inventory_that_is_read_again_leaves_tags(fleet: OpenManager) -> None:
    tag(fleet, "pilot", ("pc1",))
    discover(fleet, inventory(Listed("pc1", "10.0.0.1")), "hosts.csv")
    assert look.machines(fleet, ("pc1",), 9).machines[0].tags == ("pilot",)


def test_a_removed_machine_is_forgotten_whole(fleet: OpenManager) -> None:
    tag(fleet, "pilot", ("pc1",))
    assert remove_machines(fleet, ("pc1",)).machines == ("pc1",)
    assert not remove_machines(fleet, ("pc1",)).changed
    assert discover(fleet, inventory("pc1"), "hosts.csv").added == ("pc1",)
    (machine,) = look.machines(fleet, ("pc1",), 9).machines
    assert (machine.tags, machine.groups) == ((), ())


@pytest.mark.parametrize("terms", [(), ("",), ("  ",)])
def test_no_terms_are_not_every_machine(fleet: OpenManager, terms: tuple[str, ...]) -> None:
    with pytest.raises(MusterError) as refused:
        remove_machines(fleet, terms)
    assert refused.value.code == "manager/no-terms"
    with pytest.raises(MusterError) as refused:
        tag(fleet, "x", terms)
    assert refused.value.code == "manager/no-terms"
    assert look.machines(fleet, (), 9).total == 3
