"""What SECURITY.md and docs/client.md say of the store, where no other test asks it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.client.test_facade import PRODUCT, Place
from tests.client.test_store import PUBLISHER, everything

from muster.client.disk import SystemDisk
from muster.client.model import Memory
from muster.client.settings import change
from muster.client.store import Store
from muster.testing.loopback import LoopbackHost
from muster.testing.world import World


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with LoopbackHost() as served:
        yield Place(tmp_path, served, monkeypatch)


@pytest.mark.real
def test_a_store_that_was_deleted_starts_the_machine_anew(place: Place) -> None:
    assert place.activate().licensed
    shutil.rmtree(place.store)
    gone = place.look()
    assert not gone.licensed
    assert gone.why is not None
    assert gone.why.code == "client/not-added"
    assert place.activate().licensed
    _, first, _, second = place.served.host.asked
    assert first.cmid != second.cmid
    assert not set(first.fingerprint) & set(second.fingerprint)


@pytest.mark.real
def test_an_older_licence_that_is_put_back_and_still_valid_is_valid(
    place: Place, tmp_path: Path
) -> None:
    assert place.activate().licensed
    before = tmp_path / "yesterday"
    shutil.copytree(place.store, before)
    older = place.look()
    assert place.activate().licensed
    shutil.rmtree(place.store)
    shutil.copytree(before, place.store)
    assert place.look() == older


def test_only_the_owner_reads_what_makes_installation_ids_and_settings_are_for_all(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path, PUBLISHER, SystemDisk())
    memory: Memory = everything()
    record = replace(memory.products[PRODUCT], key="1-2-3")
    with store.lock():
        store.save(
            memory.with_product(record).salted("1-2-3", bytes(32)), proofs={"1-2-3": bytes(32)}
        )
    assert (store.folder / "proofs.json").stat().st_mode & 0o777 == 0o600
    assert store.proofs() == {"1-2-3": bytes(32)}
    loaded = store.load()
    assert loaded is not None
    assert loaded.memory.salts == {"1-2-3": bytes(32)}
    with store.lock():
        store.save(replace(loaded.memory, products={}))
    assert not list(store.folder.glob("proofs.json*")), "it goes with the key, backups too"
    assert change(tmp_path, "", "host", "127.0.0.1:1")
    (written,) = tmp_path.rglob("client.toml")
    assert written.stat().st_mode & 0o777 == 0o644


def test_a_proof_file_that_is_damaged_is_asked_for_by_its_key() -> None:
    world = World()
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    key = world.publisher.machine_key("desktop")
    machine.client.install_key(key.text)
    shown = machine.client.installation_id().installation_id
    (path,) = [one for one in machine.disk.files if one.name == "proofs.json"]
    machine.disk.files[path] = machine.disk.files[path][:-5]
    with pytest.raises(Exception, match="client/no-proof-key"):
        machine.client.installation_id()
    assert machine.client.install_key(key.text).changed
    assert machine.client.installation_id().installation_id == shown
