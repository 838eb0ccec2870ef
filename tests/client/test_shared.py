"""A container is licensed by what its node's agent shows, as far as its descriptor verifies it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from muster.client import evidence, shared
from muster.client.act import keys, leases
from muster.client.judge import Verdict
from muster.core.errors import MusterError
from muster.core.products import DAY, Revocation, day_of
from muster.core.records import encode
from muster.core.states import LicenceState
from muster.lease.descriptor import read_descriptor
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import World, WorldMachine

PRODUCT = "desktop-pro"


@pytest.fixture
def world() -> World:
    world = World()
    world.advertise([world.host()])
    return world


def node(world: World, mode: str = "node") -> WorldMachine:
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(PRODUCT), identity=mode)
    leases.activate(machine.client.parts)
    return machine


def shown(machine: WorldMachine) -> dict[str, Any]:
    return dict(encode(evidence.evidence(machine.client.parts, PRODUCT)))


def judged(world: World, told: Mapping[str, Any]) -> Verdict:
    descriptor = read_descriptor(world.publisher.descriptor(PRODUCT))
    return shared.verdict_of(descriptor, told, world.clock.now())


def why(world: World, told: Mapping[str, Any]) -> str:
    verdict = judged(world, told)
    assert not verdict.licensed
    return "" if verdict.fault is None else verdict.fault.code


def test_a_node_shares_its_lease_until_it_ends(world: World) -> None:
    machine = node(world)
    told = shown(machine)
    assert judged(world, told).licensed
    assert judged(world, told).until == machine.client.status().verdict.until
    world.clock.pass_time(400 * DAY)
    assert why(world, told) == "licence/expired"
    assert judged(world, told).state in (LicenceState.TOLERANCE_GRACE, LicenceState.NOTIFICATION)


def test_another_mode_is_not_shared(world: World) -> None:
    with pytest.raises(MusterError) as caught:
        judged(world, shown(node(world, "machine")))
    assert caught.value.code == "client/not-shared"
    # An agent that says the wrong mode is found out by the lease.
    told = {**shown(node(world, "machine")), "identity": "node"}
    assert why(world, told) == "licence/machine"


def test_nothing_is_believed_that_is_not_signed(world: World) -> None:
    machine, other = node(world), node(world)
    told, others = shown(machine), shown(other)
    altered = told["licence"].replace('"lease":"', '"lease":"x')
    assert why(world, {**told, "licence": altered}).startswith("licence/")
    assert why(world, {**told, "licence": None}) == "client/not-activated"
    assert why(world, {**told, "fingerprint": others["fingerprint"]}) == "licence/fingerprint"
    assert why(world, {**told, "cmid": others["cmid"]}) == "licence/machine"
    # Trust and catalogue of a stranger count for nothing.
    stranger = TinyPublisher("stranger", now=world.clock.now())
    assert judged(world, {**told, "catalogue": stranger.file().catalogue}).licensed


@pytest.mark.parametrize(
    "change",
    [
        {"state": 99},
        {"added_at": -1},
        {"cmid": "x"},
        {"trust": ["x"]},
        {"licence": 5},
        {"fingerprint": ["x"]},
        {"identity": "root"},
    ],
)
def test_what_is_no_evidence_is_refused(world: World, change: dict[str, Any]) -> None:
    with pytest.raises(MusterError) as caught:
        judged(world, {**shown(node(world)), **change})
    assert caught.value.code == "wire/bad-answer"


def test_an_activation_is_shared_with_its_binding_until_it_is_revoked(world: World) -> None:
    machine = node(world)
    parts = machine.client.parts
    keys.install_key(parts, world.publisher.machine_key("desktop").text)
    spoken = machine.client.installation_id().installation_id
    machine.client.confirm(world.publisher.confirm(spoken).confirmation_id)
    told = shown(machine)
    verdict = judged(world, told)
    assert verdict.licence is not None
    assert verdict.licence.kind == "mak"
    assert why(world, {**told, "binding": "0" * 25}) == "licence/machine"
    assert why(world, {**told, "binding": None}) == "licence/machine"
    day = day_of(world.clock.now())
    world.publisher.now = world.clock.now()
    world.publisher.publish(revocations=[Revocation(jti=None, key=verdict.licence.key, at=day)])
    machine.client.import_publisher_file(world.publisher.file().encode())
    assert why(world, shown(machine)) == "licence/revoked"
