"""Questions and wishes of a client: a store is loaded once, and what is told has its shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from muster.client import look
from muster.client.act import identity, keys, leases, offline, products, release
from muster.client.stores import Parts
from muster.core.keys import Kind
from muster.core.records import encode, schema
from muster.testing.world import MemoryDisk, World, WorldMachine

DESKTOP, OFFICE = "desktop-pro", "office-suite"


class CountingDisk(MemoryDisk):
    """A disk that counts how often a store is loaded whole: each loading reads its trust."""

    loads = 0

    def read(self, path: Path, limit: int) -> bytes:
        self.loads += path.name == "trust.json"
        return super().read(path, limit)


@pytest.fixture
def world() -> World:
    world = World()
    world.advertise([world.host()])
    return world


def two_products(world: World, disk: MemoryDisk) -> WorldMachine:
    """A machine with a product that asks hosts and one with a key for this machine alone."""
    machine = world.machine(disk=disk)
    for name in (DESKTOP, OFFICE):
        machine.client.add_product(world.publisher.descriptor(name))
    machine.client.install_key(world.publisher.machine_key("office", Kind.MAK).text, OFFICE)
    return machine


def shaped(record: object) -> None:
    jsonschema.validate(encode(record), schema(type(record)), jsonschema.Draft202012Validator)


QUESTIONS: dict[str, Callable[[Parts], object]] = {
    "status": look.status_list,
    "products": look.product_list,
    "one product": lambda parts: look.product_status(parts, OFFICE),
    "licence": lambda parts: look.licence(parts, DESKTOP),
    "identities": look.identities,
    "hosts": look.discovered,
    "history": look.history,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_loads_a_store_once_and_its_json_has_the_shape_of_its_record(
    world: World, name: str
) -> None:
    disk = CountingDisk()
    parts = two_products(world, disk).client.parts
    leases.activate(parts, DESKTOP)
    disk.loads = 0
    shaped(QUESTIONS[name](parts))
    assert disk.loads == 1


def test_what_will_not_last_is_known_by_one_loading(world: World) -> None:
    disk = CountingDisk()
    parts = two_products(world, disk).client.parts
    disk.loads = 0
    look.not_lasting(parts)
    assert disk.loads == 1


def test_a_store_that_changed_meanwhile_is_loaded_again(world: World) -> None:
    """What was unlicensed by the first reading is told as it is by the second."""

    class Overtaken(CountingDisk):
        armed: Callable[[], object] | None = None

        def read(self, path: Path, limit: int) -> bytes:
            data = super().read(path, limit)
            if path.name == "state.json" and self.armed:
                act, self.armed = self.armed, None
                act()
            return data

    disk = Overtaken()
    machine = two_products(world, disk)
    disk.armed = machine.client.activate
    found = {one.product: one.licensed for one in look.status_list(machine.client.parts).products}
    assert found[DESKTOP]


def test_each_wish_tells_whether_it_changed_anything(world: World) -> None:
    parts = world.machine().client.parts
    data = world.publisher.descriptor(DESKTOP)
    setup = world.publisher.catalogue.product(DESKTOP).setup_key
    wishes: list[tuple[Callable[[], object], bool]] = [
        (lambda: products.add_product(parts, data), True),
        (lambda: products.add_product(parts, data), False),
        (lambda: keys.install_key(parts, setup), False),
        (lambda: leases.activate(parts), True),
        (lambda: leases.activate(parts, typed=False), False),
        (lambda: leases.wait(parts, None, 0, lambda _: None), False),
        (lambda: release.release(parts), True),
        (lambda: keys.uninstall_key(parts), True),
        (lambda: keys.uninstall_key(parts), False),
        (lambda: identity.set_identity(parts, "machine"), False),
        (lambda: identity.set_identity(parts, "device"), True),
        (lambda: identity.reset_clock_mark(parts), True),
        (lambda: identity.reset_clock_mark(parts), False),
        (lambda: products.remove_product(parts), True),
    ]
    for number, (wish, changed) in enumerate(wishes):
        record = wish()
        shaped(record)
        assert encode(record)["changed"] is changed, number


def test_each_wish_without_a_network_tells_whether_it_changed_anything(world: World) -> None:
    parts = two_products(world, MemoryDisk()).client.parts
    request = Path("/carried/request.json")
    first = offline.installation_id(parts)
    digits = world.publisher.confirm(first.installation_id).confirmation_id
    reply = world.publisher.reply(first.request).encode()
    news = world.publisher.file().encode()
    wishes: list[tuple[Callable[[], object], bool]] = [
        (lambda: offline.installation_id(parts), False),
        (lambda: offline.write_request(parts, request), True),
        (lambda: offline.write_request(parts, request), False),
        (lambda: offline.accept_reply(parts, reply), True),
        (lambda: offline.confirm(parts, digits), False),
        (lambda: offline.import_publisher_file(parts, news), False),
    ]
    assert first.changed
    for number, (wish, changed) in enumerate(wishes):
        record = wish()
        shaped(record)
        assert encode(record)["changed"] is changed, number


def test_a_try_that_failed_tells_its_error_beside_all_products(world: World) -> None:
    world.hosts.clear()
    parts = two_products(world, MemoryDisk()).client.parts
    found = encode(leases.activate(parts, DESKTOP))
    shaped(leases.activate(parts, DESKTOP))
    assert isinstance(found["error"], dict)
    assert found["changed"] is False
