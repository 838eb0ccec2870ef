"""What a machine tells others of its licences, and when each product asks next."""

from __future__ import annotations

import pytest

from muster.client import evidence, schedule
from muster.client.act import identity, keys, leases
from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.core.products import DAY
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import World, WorldMachine

DESKTOP, OFFICE = "desktop-pro", "office-suite"


@pytest.fixture
def world() -> World:
    world = World()
    world.advertise([world.host()])
    return world


def leased(world: World) -> WorldMachine:
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    leases.activate(machine.client.parts)
    return machine


def why(machine: WorldMachine, descriptor: bytes) -> str:
    told = evidence.judged(machine.client.parts, descriptor)
    assert told.licensed == (told.why is None)
    return "" if told.why is None else told.why.code


def test_a_verdict_is_that_of_the_descriptor_that_was_sent(world: World) -> None:
    machine = leased(world)
    descriptor = world.publisher.descriptor(DESKTOP)
    told = evidence.judged(machine.client.parts, descriptor)
    assert (told.licensed, told.kind, told.identity) == (True, "lease", "machine")
    assert told.until is not None
    stranger = TinyPublisher("stranger", now=world.clock.now())
    assert why(machine, stranger.descriptor(DESKTOP)) == "client/not-added"
    assert why(machine, world.publisher.descriptor(OFFICE)) == "client/not-added"
    world.clock.pass_time(400 * DAY)
    assert why(machine, descriptor) == "licence/expired"
    with pytest.raises(MusterError):
        evidence.judged(machine.client.parts, b"{}")


def test_a_copied_store_licenses_nobody(world: World) -> None:
    machine = leased(world)
    copy = world.machine("pc-2", disk=machine.disk.copy())
    assert why(copy, world.publisher.descriptor(DESKTOP)) == "client/other-machine"


def test_evidence_of_a_lease_and_of_an_activation(world: World) -> None:
    machine = leased(world)
    parts = machine.client.parts
    told = evidence.evidence(parts, DESKTOP)
    assert told.licence
    assert told.nonce
    assert told.binding is None
    # No fact of the machine is in it, only commitments under a salt that is not.
    facts = [fact.value for fact in parts.facts()]
    assert not any(value in repr(told) for value in facts)
    keys.install_key(parts, world.publisher.machine_key("desktop").text)
    spoken = machine.client.installation_id().installation_id
    machine.client.confirm(world.publisher.confirm(spoken).confirmation_id)
    told = evidence.evidence(parts, DESKTOP)
    assert told.binding is not None
    assert not any(value in repr(told) for value in facts)


def next_of(machine: WorldMachine) -> tuple[int | None, bool]:
    (coming,) = evidence.upcoming(machine.client.parts)
    return coming.product.next_attempt, coming.due


def test_what_comes_next(world: World) -> None:
    machine = world.machine()
    parts = machine.client.parts
    assert evidence.upcoming(parts) == []
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert next_of(machine) == (0, True)
    leases.activate(parts)
    instant, due = next_of(machine)
    assert instant is not None
    assert not due
    world.clock.pass_time(instant - world.clock.now())
    assert next_of(machine) == (instant, True)
    # A lease that is worth nothing is not waited out, and not asked for at each moment either.
    leases.activate(parts)
    world.clock.pass_time(300 * DAY)
    leases.activate(parts)
    identity.reset_clock_mark(parts)
    keys.uninstall_key(parts)
    assert next_of(machine) == (None, False)


def test_what_lost_its_licence_is_tried_soon(world: World) -> None:
    machine = leased(world)
    copy = world.machine("pc-2", disk=machine.disk.copy())
    instant, due = next_of(copy)
    assert instant is not None
    assert instant <= world.clock.now() + schedule.SHORTEST
    assert not due
    world.clock.pass_time(schedule.SHORTEST)
    assert next_of(copy)[1]


def test_what_is_activated_for_ever_asks_only_a_publisher_that_it_knows(world: World) -> None:
    machine = world.machine()
    parts = machine.client.parts
    machine.client.add_product(world.publisher.descriptor(OFFICE))
    keys.install_key(parts, world.publisher.machine_key("office", Kind.MAK).text)
    assert next_of(machine) == (0, True)
    spoken = machine.client.installation_id().installation_id
    machine.client.confirm(world.publisher.confirm(spoken).confirmation_id)
    assert next_of(machine) == (None, False)
