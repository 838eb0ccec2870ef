"""The store: cut at every byte, put back, copied, full, locked; nobody is licensed by any of it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client.discovery import Address
from muster.client.disk import SystemDisk
from muster.client.judge import Verdict
from muster.client.model import (
    Aside,
    CatalogueMark,
    Failure,
    Identity,
    Memory,
    Note,
    ProductRecord,
)
from muster.client.requests import KEPT_NEWEST, Requests, Secrets
from muster.client.store import Disk, Store, publishers
from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.states import LicenceState
from muster.testing.world import MemoryDisk, World, WorldMachine

PRODUCT = "desktop-pro"
PUBLISHER = "abcdefghijklmnop"
ROOT = Path("/store")
SAMPLED = 97
"""At each byte the store is loaded; at each of these steps the licence is judged too."""
FILES = ("state.json", "trust.json", "catalogue.json", "secrets.json")


def activated(world: World | None = None, name: str = "pc-1") -> tuple[World, WorldMachine]:
    """A world with a machine that holds a licence, a trust line and a catalogue."""
    if world is None:
        world = World()
        host = world.host()
        world.publisher.rotate()
        host.regrant()
        world.advertise([host])
    machine = world.machine(name)
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    assert machine.client.activate()[0].renewed
    return world, machine


def folder(world: World) -> Path:
    return ROOT / world.publisher.publisher


def verdict(machine: WorldMachine) -> Verdict:
    return machine.client.status(PRODUCT).verdict


def code(machine: WorldMachine) -> str:
    """Why the machine is not licensed; it must not be."""
    found = verdict(machine)
    assert not found.licensed
    assert found.licence is None
    assert found.fault is not None
    assert found.fault.fix
    return found.fault.code


def warnings(machine: WorldMachine) -> list[str]:
    return [one.code for one in verdict(machine).warnings]


def test_the_files_of_an_activated_machine() -> None:
    world, machine = activated()
    assert {path.name for path in machine.disk.files} >= set(FILES)
    state = machine.disk.files[folder(world) / "state.json"].partition(b"\n")[2]
    assert b"system-uuid" not in state
    facts = [value.encode() for name, value in machine.facts.items() if name != "cpu-model"]
    everything = b"".join(machine.disk.files.values())
    assert not [one for one in facts if one in everything]


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_at_any_byte_is_noticed_and_the_generation_before_is_used(name: str) -> None:
    world, machine = activated()
    path = folder(world) / name
    backup = path.with_name(name + ".bak")
    whole = machine.disk.files[path]
    machine.disk.files[backup] = whole
    store = Store(ROOT, world.publisher.publisher, machine.disk)
    before = store.load()
    assert before is not None
    for place in range(len(whole)):
        machine.disk.files[path] = whole[:place]
        if name == "secrets.json":
            assert len(store.secrets().seeds) == 1
            continue
        loaded = store.load()
        assert loaded is not None
        assert loaded.memory == before.memory
        assert [one.code for one in loaded.warnings] == ["client/store-recovered"]
        if place % SAMPLED == 0:
            assert verdict(machine).licensed
            assert warnings(machine) == ["client/store-recovered"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("state.json", "client/store-damaged"),
        ("trust.json", "client/trust-older"),
        ("catalogue.json", "client/catalogue-older"),
    ],
)
def test_a_file_cut_at_any_byte_without_a_generation_before_licenses_nobody(
    name: str, expected: str
) -> None:
    world, machine = activated()
    path = folder(world) / name
    machine.disk.files.pop(path.with_name(name + ".bak"), None)
    whole = machine.disk.files[path]
    store = Store(ROOT, world.publisher.publisher, machine.disk)
    for place in range(len(whole)):
        machine.disk.files[path] = whole[:place]
        if name == "state.json":
            with pytest.raises(MusterError) as caught:
                store.load()
            assert caught.value.code == expected
        else:
            loaded = store.load()
            assert loaded is not None
            assert loaded.memory.trust == () or name != "trust.json"
            assert loaded.memory.catalogue == "" or name != "catalogue.json"
            assert [one.code for one in loaded.warnings] == ["client/store-lost"]
        if place % SAMPLED == 0:
            assert code(machine) == expected
    del machine.disk.files[path]
    assert code(machine) == expected


@given(st.sampled_from(FILES), st.integers(0, 2**20), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed(name: str, place: int, change: int) -> None:
    world, machine = WORLD_AND_MACHINE
    path = folder(world) / name
    disk = machine.disk.copy()
    whole = disk.files[path]
    place %= len(whole)
    disk.files[path] = bytes([*whole[:place], whole[place] ^ change, *whole[place + 1 :]])
    disk.files.pop(path.with_name(name + ".bak"), None)
    store = Store(ROOT, world.publisher.publisher, disk)
    if name == "secrets.json":
        assert store.secrets() == Secrets()
    elif name == "state.json":
        with pytest.raises(MusterError) as caught:
            store.load()
        assert caught.value.code == "client/store-damaged"
    else:
        loaded = store.load()
        assert loaded is not None
        assert [one.code for one in loaded.warnings] == ["client/store-lost"]


@given(st.sampled_from(FILES), st.binary(max_size=400))
def test_any_bytes_in_a_file_give_one_of_the_documented_errors(name: str, data: bytes) -> None:
    world, machine = WORLD_AND_MACHINE
    disk = machine.disk.copy()
    path = folder(world) / name
    disk.files[path] = data
    disk.files[path.with_name(name + ".bak")] = data[::-1]
    machine_of_it = world.machine("pc-1", disk=disk)
    found = verdict(machine_of_it)
    if name != "secrets.json":
        assert not found.licensed


def test_a_damaged_file_is_kept_and_the_good_generation_stays_the_backup() -> None:
    world, machine = activated()
    path = folder(world) / "state.json"
    good = machine.disk.files[path.with_name("state.json.bak")]
    machine.disk.files[path] = b"cut"
    assert "client/store-recovered" in warnings(machine)
    results = machine.client.activate()
    assert results[0].renewed
    assert "client/store-recovered" in [one.code for one in results[0].warnings]
    assert machine.disk.files[path.with_name("state.json.damaged")] == b"cut"
    # It was the backup while the try was prepared, and what was saved then is the backup now.
    kept = machine.disk.files[path.with_name("state.json.bak")]
    generations = [json.loads(one.partition(b"\n")[0])["generation"] for one in (good, kept)]
    assert generations[1] == generations[0] + 1
    assert warnings(machine) == []


def test_adding_the_product_again_begins_a_damaged_store_anew_and_keeps_what_was_there() -> None:
    world, machine = activated()
    path = folder(world) / "state.json"
    machine.disk.files[path] = b"cut"
    machine.disk.files[path.with_name("state.json.bak")] = b"cut too"
    with pytest.raises(MusterError) as caught:
        machine.client.activate()
    assert caught.value.code == "client/store-damaged"
    added = machine.client.add_product(world.publisher.descriptor(PRODUCT))
    assert added.changed
    assert [one.code for one in added.warnings] == ["client/store-damaged"]
    assert machine.disk.files[path.with_name("state.json.damaged")] == b"cut"
    assert machine.disk.files[path.with_name("state.json.bak.damaged")] == b"cut too"
    assert machine.client.activate()[0].renewed


def test_a_file_of_a_newer_program_is_left_alone() -> None:
    world, machine = activated()
    path = folder(world) / "state.json"
    head, _, body = machine.disk.files[path].partition(b"\n")
    newer = json.dumps({**json.loads(head), "v": 2}).encode() + b"\n" + body
    machine.disk.files[path] = newer
    assert code(machine) == "client/store-newer"
    for change in (machine.client.activate, machine.client.release):
        with pytest.raises(MusterError) as caught:
            change()
        assert caught.value.code == "client/store-newer"
    assert machine.disk.files[path] == newer


def test_one_file_in_the_place_of_another_is_noticed() -> None:
    world, machine = activated()
    trust, catalogue = folder(world) / "trust.json", folder(world) / "catalogue.json"
    machine.disk.files[catalogue] = machine.disk.files[trust]
    machine.disk.files.pop(catalogue.with_name("catalogue.json.bak"), None)
    assert code(machine) == "client/catalogue-older"


# Put back, copied, invented.


def test_an_older_catalogue_put_back_licenses_nobody_until_a_host_gives_the_newer_one() -> None:
    world, machine = activated()
    path = folder(world) / "catalogue.json"
    older = machine.disk.files[path]
    world.publisher.publish()
    assert machine.client.activate()[0].renewed
    machine.disk.files[path] = older
    assert code(machine) == "client/catalogue-older"
    assert machine.client.activate(typed=False)[0].renewed is False  # too soon after the last try
    world.clock.pass_time(15 * 60)
    assert machine.client.activate(typed=False)[0].renewed
    assert verdict(machine).licensed


def test_an_older_trust_put_back_licenses_nobody_until_a_host_gives_the_newer_one() -> None:
    world, machine = activated()
    path = folder(world) / "trust.json"
    older = machine.disk.files[path]
    world.publisher.rotate()
    assert machine.client.activate()[0].renewed
    machine.disk.files[path] = older
    assert code(machine) == "client/trust-older"
    assert machine.client.activate()[0].renewed
    assert verdict(machine).licensed


def test_a_store_from_another_machine_licenses_nobody_here_and_still_does_there() -> None:
    world, there = activated()
    here = world.machine("pc-2", disk=there.disk.copy())
    assert code(here) == "client/other-machine"
    assert verdict(there).licensed
    results = here.client.activate()
    assert results[0].renewed
    assert [one.code for one in results[0].warnings] == ["client/new-identity"]
    assert verdict(here).licensed
    cmids = {machine.client.status(PRODUCT).identity for machine in (here, there)}
    assert len({one.cmid for one in cmids if one is not None}) == 2


def test_the_licence_of_another_machine_put_into_this_store_licenses_nobody() -> None:
    world, there = activated()
    _, here = activated(world, "pc-2")
    place = Store(ROOT, world.publisher.publisher, here.disk)
    other = Store(ROOT, world.publisher.publisher, there.disk).load()
    own = place.load()
    assert own is not None
    assert other is not None
    stolen = other.memory.products[PRODUCT]
    with place.lock():
        place.save(own.memory.with_product(stolen))
    assert code(here) == "licence/machine"


def test_a_store_that_says_licensed_without_a_licence_says_nothing() -> None:
    world = World()
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    place = Store(ROOT, world.publisher.publisher, machine.disk)
    loaded = place.load()
    assert loaded is not None
    record = loaded.memory.products[PRODUCT]
    from dataclasses import replace

    with place.lock():
        place.save(loaded.memory.with_product(replace(record, state=LicenceState.LICENSED)))
    assert code(machine) == "client/not-activated"
    assert verdict(machine).state is LicenceState.UNLICENSED


def test_marks_of_a_key_that_trust_withdrew_are_forgotten() -> None:
    world, machine = activated()
    place = Store(ROOT, world.publisher.publisher, machine.disk)
    loaded = place.load()
    assert loaded is not None
    from dataclasses import replace

    # A thief's catalogue of a fast-forwarded version, signed by a key that is gone since.
    mark = CatalogueMark(2**53 - 1, "A" * 43)
    with place.lock():
        place.save(replace(loaded.memory, catalogue_mark=mark))
    assert verdict(machine).licensed


# Disks and locks.


def test_a_full_disk_keeps_the_last_good_licence_and_tells() -> None:
    world, machine = activated()
    before = {path: data for path, data in machine.disk.files.items() if path.name in FILES}
    world.clock.pass_time(8 * DAY)
    machine.disk.room = sum(len(data) for data in machine.disk.files.values()) + 10
    results = machine.client.activate()
    assert not results[0].renewed
    assert results[0].fault is not None
    assert results[0].fault.code == "file/full"
    assert verdict(machine).licensed
    assert machine.disk.files[folder(world) / "state.json"] == before[folder(world) / "state.json"]
    machine.disk.room = None
    assert machine.client.activate(typed=False)[0].renewed


def test_a_store_that_is_being_written_is_not_written_by_another() -> None:
    world, machine = activated()
    with machine.disk.lock(folder(world) / "lock"), pytest.raises(MusterError) as caught:
        machine.client.activate()
    assert caught.value.code == "file/busy"


def test_a_descriptor_that_others_could_write_is_no_anchor() -> None:
    world, machine = activated()
    machine.disk.untrusted.add(folder(world) / "anchors" / f"{PRODUCT}.json")
    with pytest.raises(MusterError) as caught:
        machine.client.statuses()
    assert caught.value.code == "file/anchor"


def test_the_store_keeps_the_newest_requests() -> None:
    world, machine = activated()
    place = Store(ROOT, world.publisher.publisher, machine.disk)
    loaded = place.load()
    assert loaded is not None
    (first,) = loaded.memory.requests.newest
    seeds = place.secrets()
    for _ in range(KEPT_NEWEST):
        assert machine.client.activate()[0].renewed
    loaded = place.load()
    assert loaded is not None
    assert len(loaded.memory.requests.newest) == KEPT_NEWEST
    assert first not in loaded.memory.requests.line
    assert place.secrets() == seeds


# On a real disk.


SECRETS = Secrets({"01234567-89ab-8cde-8f01-23456789abcd": bytes(range(32))})


def everything() -> Memory:
    """A memory in which every member is set."""
    failure = Failure.of(error("net/refused", peer="kms1"), 5)
    record = ProductRecord(
        product=PRODUCT,
        added=1,
        key="2-1-4",
        masked="XXXXX-XXXXX-XXXXX-XXXXX-BBBBB",
        state=LicenceState.TOLERANCE_GRACE,
        since=2,
        licence='{"v":1}',
        nonce="A" * 22,
        last_good=Address("2001:db8::1", 16880),
        last_ip="2001:db8::1",
        last_contact=3,
        last_attempt=4,
        next_attempt=5,
        failures=6,
        failure=failure,
        aside=(Aside(Address("kms2", 1), 9),),
        count=7,
        need=25,
    )
    identity = Identity(
        mode="explicit",
        cmid="01234567-89ab-8cde-8f01-23456789abcd",
        salt=bytes(range(32)),
        store_random=bytes(32),
        given="Rechner „7“",
        made_on=("u0123456789abcdef",),
        boot="b",
        changed=8,
    )
    return Memory(
        publisher=PUBLISHER,
        identity=identity,
        products={PRODUCT: record},
        trust=("a.b.c", "d.e.f"),
        trust_marks={"0" * 64: 3, "f" * 64: 2},
        catalogue="g.h.i",
        catalogue_mark=CatalogueMark(4, "A" * 43, 10),
        clock_mark=11,
        first_added={PRODUCT: 1, "gone": 2},
        requests=Requests(("A" * 8, "B-_" + "0" * 5), "A" * 8, 12, (("h.example:1", "A" * 8),)),
        history=(Note(1, Event.CLIENT_PRODUCT_ADD, PRODUCT, "detail"),),
    )


@pytest.fixture(params=["memory", "real"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store on either disk: both keep one contract."""
    disk: Disk = MemoryDisk() if request.param == "memory" else SystemDisk(0.05)
    return Store(tmp_path, PUBLISHER, disk)


def test_what_is_saved_is_loaded(place: Store) -> None:
    assert place.load() is None
    with place.lock():
        place.save(everything(), SECRETS)
    loaded = place.load()
    assert loaded is not None
    assert loaded.memory == everything()
    assert loaded.warnings == ()
    assert place.secrets() == SECRETS


def test_saving_the_same_again_writes_nothing(place: Store) -> None:
    with place.lock():
        place.save(everything())
        first = place.load()
        place.save(everything())
        second = place.load()
    assert first is not None
    assert second is not None
    assert first.generation == second.generation == 1


def test_a_lock_is_held_against_others(place: Store) -> None:
    with place.lock(), pytest.raises(MusterError) as caught, place.lock():
        pass
    assert caught.value.code == "file/busy"


def test_anchors_are_listed_and_removed(place: Store) -> None:
    place.add_anchor(PRODUCT, b"one")
    place.add_anchor("another", b"two")
    assert place.products() == ["another", PRODUCT]
    assert place.anchor(PRODUCT) == b"one"
    place.remove_anchor("another")
    assert place.products() == [PRODUCT]
    for name in ("another", "../state"):
        with pytest.raises(MusterError) as caught:
            place.anchor(name)
        assert caught.value.code == "client/not-added"


def test_rights_of_the_files(tmp_path: Path) -> None:
    store = Store(tmp_path, PUBLISHER, SystemDisk())
    with store.lock():
        store.save(everything(), SECRETS)
        store.add_anchor(PRODUCT, b"{}")
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in store.folder.rglob("*") if path.is_file()
    }
    assert modes == {
        "state.json": 0o644,
        "trust.json": 0o644,
        "catalogue.json": 0o644,
        "secrets.json": 0o600,
        "lock": 0o600,
        f"{PRODUCT}.json": 0o644,
    }
    assert publishers(tmp_path, SystemDisk()) == [PUBLISHER]


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    disk = SystemDisk(30)
    first = Store(tmp_path, PUBLISHER, disk)
    with first.lock():
        first.save(everything())

    def write(name: str) -> None:
        store = Store(tmp_path, PUBLISHER, disk)
        for number in range(10):
            with store.lock():
                loaded = store.load()
                assert loaded is not None
                record = ProductRecord(product=f"{name}{number}", added=1)
                store.save(loaded.memory.with_product(record))

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    loaded = first.load()
    assert loaded is not None
    assert len(loaded.memory.products) == 21


WORLD_AND_MACHINE = activated()


def test_what_a_killed_client_left_is_swept_by_the_next_that_writes(tmp_path: Path) -> None:
    store = Store(tmp_path, PUBLISHER, SystemDisk(trust_anchors=True))
    store.add_anchor(PRODUCT, b"{}")
    left = [
        store.folder / ".state.json.0123456789abcdef.tmp",
        store.folder / "anchors" / f".{PRODUCT}.json.0123456789abcdef.tmp",
    ]
    for path in left:
        path.write_bytes(b"half")
    with store.lock():
        assert not any(path.exists() for path in left)
    assert store.products() == [PRODUCT]


class FullAfterAnswers(MemoryDisk):
    """Keeps what is written before a question leaves, and nothing that an answer brings."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.asked: int | None = None

    def write(self, path: Path, data: bytes, mode: int, *, keep_previous: bool) -> None:
        if self.asked is not None and len(self.world.calls) > self.asked:
            raise error("file/full", path=str(path))
        super().write(path, data, mode, keep_previous=keep_previous)


@pytest.mark.parametrize("lost", [1, 3, 8])
def test_a_machine_that_could_not_keep_its_last_answers_releases_its_lease(lost: int) -> None:
    world, _ = activated()
    disk = FullAfterAnswers(world)
    machine = world.machine("pc-2", disk=disk)
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    assert machine.client.activate()[0].renewed
    for _ in range(lost):
        world.clock.pass_time(7 * DAY)
        disk.asked = len(world.calls)
        fault = machine.client.activate()[0].fault
        assert fault is not None
        assert fault.code == "file/full"
    disk.asked = None
    assert machine.client.release().changed
