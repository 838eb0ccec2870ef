"""What the children of a keeper do, each by the acts and looks of the client."""

from __future__ import annotations

from typing import Any

import pytest
from tests.agent.conftest import PRODUCT, Machine

from muster.agent import tasks
from muster.client.act import keys, products, settings
from muster.core.errors import MusterError
from muster.testing.tiny_host import Misbehaviour

pytestmark = pytest.mark.real


def place(machine: Machine, **more: Any) -> tasks.Place:
    return tasks.Place(machine.store, machine.facts, **more)


def set_up(machine: Machine) -> None:
    products.add_product(machine.parts, machine.descriptor)
    settings.set_host(machine.parts, machine.served.address.text)


def test_a_machine_without_products_has_nothing_to_do(machine: Machine) -> None:
    outcome = tasks.plan(place(machine))
    assert outcome["products"] == []
    assert outcome["run"]["error"] is None


def test_a_plan_asks_nobody(machine: Machine) -> None:
    set_up(machine)
    (product,) = tasks.plan(place(machine))["products"]
    assert product["due"]
    assert not product["licensed"]
    keys.uninstall_key(machine.parts)
    (product,) = tasks.plan(place(machine))["products"]
    assert (product["next_attempt"], product["due"]) == (None, False)


def test_what_is_due_is_tried_and_one_that_fails_keeps_no_other(machine: Machine) -> None:
    set_up(machine)
    broken = machine.name.replace(PRODUCT, "gone")
    outcome = tasks.keep(place(machine), [broken, machine.name])
    (product,) = outcome["products"]
    assert product["licensed"]
    assert not product["due"]
    assert outcome["run"]["error"]["code"] == "client/not-added"
    # What is not due is not tried.
    machine.served.host.misbehaviour = Misbehaviour.SILENT
    assert tasks.keep(place(machine), [machine.name])["products"] == [product]


def test_a_wish_tells_what_it_brought(machine: Machine) -> None:
    outcome = tasks.wish(place(machine), None)
    assert outcome["error"]["code"] == "client/no-product"
    set_up(machine)
    outcome = tasks.wish(place(machine), machine.name)
    assert outcome["activations"]["changed"]
    assert outcome["products"][0]["licensed"]


def test_facts_are_written_before_anything_is_asked(machine: Machine) -> None:
    file = machine.folder / "run" / "facts.json"
    tasks.plan(place(machine, writes_facts=file))
    assert file.stat().st_mode & 0o777 == 0o644
    # A file that cannot be written keeps nobody from looking.
    blocked = machine.facts / "facts.json"
    assert tasks.plan(place(machine, writes_facts=blocked))["products"] == []


def test_settings_that_are_wrong_are_told(machine: Machine) -> None:
    machine.store.mkdir()
    (machine.store / "client.toml").write_text("[client\n")
    with pytest.raises(MusterError):
        tasks.plan(place(machine))
