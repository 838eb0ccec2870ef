"""One-time licences outlive what happens to a machine: one draw, whatever can be read when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.system.trees import lay_out, recorded, with_files, with_new_kernel

from muster.client.service import Client
from muster.client.store import Store
from muster.core.ids import parse_installation_id
from muster.core.keys import Kind
from muster.core.states import LicenceState
from muster.system.hardware import read_hardware
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import PUBLISHER_URL, World, WorldMachine, machine_facts

PRODUCT = "desktop-pro"
CARD, OTHER = "8c:16:45:0a:0b:0c", "00:1b:21:0a:0b:0d"
USER = {"permanent-macs": CARD, "machine-id": "ab" * 16, "disk-serial": "S4EWNX0R112233"}
UUID = "421f245c-7fa8-60fa-6af6-a46351ced0eb"
TURNED = "5c241f42-a87f-fa60-6af6-a46351ced0eb"


@pytest.fixture
def world() -> World:
    return World()


def ready(world: World, facts: dict[str, str]) -> WorldMachine:
    machine = world.machine(facts=dict(facts))
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK, 0).text)
    return machine


def drawn(client: Client) -> str:
    """What the publisher draws by: the same binding takes nothing from the pool again."""
    return parse_installation_id(client.installation_id().installation_id).binding


def online(client: Client) -> None:
    (found,) = client.activate(PRODUCT, publisher_url=PUBLISHER_URL)
    assert found.fault is None


def licensed(client: Client) -> bool:
    return client.status(PRODUCT).verdict.licensed


def why(client: Client) -> str:
    problem = client.status(PRODUCT).verdict.fault
    return "" if problem is None else problem.code


CHANGES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "root writes the facts file": (USER, {**USER, "system-uuid": UUID, "board-serial": "L1HF65E"}),
    "a lower card is added": (USER, {**USER, "permanent-macs": f"{OTHER},{CARD}"}),
    "a dock is plugged in": (USER, {**USER, "permanent-macs": f"00:e0:4c:68:01:9f,{CARD}"}),
    "the disk is exchanged": (USER, {**USER, "disk-serial": "BTWA723400J2800G"}),
    "a new installation": (USER, {**USER, "machine-id": "cd" * 16}),
    "the other byte order": ({**USER, "system-uuid": UUID}, {**USER, "system-uuid": TURNED}),
    "the card is exchanged": (
        {**USER, "system-uuid": UUID},
        {**USER, "system-uuid": UUID, "permanent-macs": OTHER},
    ),
    "a fact where there was none": ({"disk-serial": "S4EWNX0R112233"}, USER),
    "WSL2 starts": (
        {"disk-serial": "naa.60022480b3c0a1e2f4d51a6e9d0c7b11"},
        {"disk-serial": "naa.60022480b3c0a1e2f4d51a6e9d0c7b11"},
    ),
    "the card of a guest changes": (
        {"permanent-macs": "00:15:5d:7c:41:01"},
        {"permanent-macs": "00:15:5d:7c:41:02"},
    ),
}


@pytest.mark.parametrize("before", [True, False], ids=["activated", "the answer was lost"])
@pytest.mark.parametrize("change", CHANGES)
def test_harmless_changes_draw_nothing_and_end_nothing(
    world: World, change: str, before: bool
) -> None:
    old, new = CHANGES[change]
    machine = ready(world, old)
    first = drawn(machine.client)
    if before:
        online(machine.client)
        assert licensed(machine.client)
    machine.facts.clear()
    machine.facts.update(new)
    assert drawn(machine.client) == first
    if before:
        assert licensed(machine.client)
    online(machine.client)
    assert licensed(machine.client)
    assert drawn(machine.client) == first


@pytest.mark.parametrize(
    "change", ["root writes the facts file", "a lower card is added", "a dock is plugged in"]
)
def test_a_licence_is_found_again_where_the_store_does_not_say_what_bound_it(
    world: World, change: str
) -> None:
    """As in a store of before, or where the reply came by a file to a store made anew."""
    old, new = CHANGES[change]
    machine = ready(world, old)
    online(machine.client)
    place = Store(machine.client.root, world.publisher.publisher, machine.disk)
    loaded = place.load()
    assert loaded is not None
    place.save(replace(loaded.memory, bound={}))
    machine.facts.clear()
    machine.facts.update(new)
    assert licensed(machine.client)


@pytest.mark.parametrize("hidden", [(), ("product_uuid", "board_serial")], ids=["root", "user"])
def test_new_kernel_draws_nothing_and_ends_nothing(
    world: World, tmp_path: Path, hidden: tuple[str, ...]
) -> None:
    """The machine starts with another kernel: boot id, release and names of cards are others."""
    reading = with_files(recorded("laptop-thinkpad"), **dict.fromkeys(hidden, ""))
    machine = ready(world, read_hardware(lay_out(tmp_path / "before", reading)))
    first = drawn(machine.client)
    online(machine.client)
    facts = read_hardware(lay_out(tmp_path / "after", with_new_kernel(reading)))
    again = world.machine("pc-1", disk=machine.disk, facts=facts, boot="boot-2")
    assert licensed(again.client)
    assert drawn(again.client) == first
    online(again.client)
    assert licensed(again.client)
    assert drawn(again.client) == first


def test_a_change_of_mode_ends_no_licence(world: World) -> None:
    for facts in ({**USER, "system-uuid": UUID}, {"system-uuid": UUID}):
        machine = ready(World(), facts)
        first = drawn(machine.client)
        online(machine.client)
        machine.client.set_identity("device")
        assert licensed(machine.client)
        assert drawn(machine.client) == first


def test_a_change_of_mode_ends_no_licence_that_is_bound_to_the_store(world: World) -> None:
    """Drawn by a user who read nothing that lasts; root reads more, and changes the mode."""
    guest = {"permanent-macs": "52:54:00:5e:0a:01"}
    machine = ready(world, guest)
    first = drawn(machine.client)
    online(machine.client)
    machine.facts["system-uuid"] = UUID
    machine.client.set_identity("device")
    assert licensed(machine.client)
    assert drawn(machine.client) == first


def test_a_store_on_another_machine_is_not_licensed(world: World) -> None:
    machine = ready(world, {**USER, "system-uuid": UUID})
    first = drawn(machine.client)
    online(machine.client)
    other = world.machine("pc-2", disk=machine.disk, facts=machine_facts("pc-2"))
    assert not licensed(other.client)
    assert why(other.client) == "licence/machine"
    assert drawn(other.client) != first


def test_a_fact_that_this_user_cannot_read_is_told_with_the_command_that_mends_it(
    world: World,
) -> None:
    machine = ready(world, {**USER, "system-uuid": UUID})
    online(machine.client)
    user = world.machine("pc-1", disk=machine.disk, facts=USER)
    verdict = user.client.status(PRODUCT).verdict
    assert not verdict.licensed
    assert verdict.state is LicenceState.TOLERANCE_GRACE
    assert verdict.fault is not None
    assert verdict.fault.code == "client/fact-unreadable"
    assert "system-uuid" in verdict.fault.what
    assert "muster client facts --write" in verdict.fault.fix
    elsewhere = {**USER, "system-uuid": TURNED[::-1].replace("-", "")[:8] + TURNED[8:]}
    other = world.machine("pc-3", disk=machine.disk, facts=elsewhere)
    assert why(other.client) == "licence/machine"


def test_a_machine_without_a_lasting_fact_says_so_before_it_draws(world: World) -> None:
    machine = ready(world, {"permanent-macs": "52:54:00:5e:0a:01"})
    assert machine.client.not_lasting().products == (PRODUCT,)
    assert not machine.client.installation_id().survives_reinstall
    (found,) = machine.client.activate(PRODUCT, publisher_url=PUBLISHER_URL)
    assert "client/not-lasting" in [one.code for one in found.warnings]
    assert machine.client.not_lasting().products == (), "it is drawn"
    lasting = ready(World(), USER)
    assert lasting.client.not_lasting().products == ()
    (found,) = lasting.client.activate(PRODUCT, publisher_url=PUBLISHER_URL)
    assert found.warnings == ()


def test_what_is_remembered_is_no_authority(world: World) -> None:
    """A store that says another fact for a key licenses nobody else."""
    machine = ready(world, {**USER, "system-uuid": UUID})
    online(machine.client)
    folder = next(path.parent for path in machine.disk.files if path.name == "state.json")
    text = machine.disk.files[folder / "state.json"]
    assert b'"fact":"system-uuid"' in text
    assert UUID.encode() not in text
    assert isinstance(world.publisher, TinyPublisher)
    copy = world.machine("pc-2", disk=machine.disk, facts={"disk-serial": "BTWA723400J2800G"})
    assert not licensed(copy.client)
