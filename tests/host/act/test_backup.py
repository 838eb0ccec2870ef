"""A host that goes back in time, or takes another state of itself: counts, seats and lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.host.conftest import START, Machine, World, leased, limited, refused

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.host import backup_file, look
from muster.host.act import backup
from muster.host.keyring import KeyRing
from muster.host.model import Machine as MachineRow
from muster.host.open import OpenHost
from muster.host.service import HostService
from muster.host.store import open_store
from muster.host.tables import audit, ledger, tallies
from muster.system.entropy import SeededDice
from muster.system.linefile import LineFile


def code(act: Callable[[], object]) -> str:
    with pytest.raises(MusterError) as caught:
        act()
    assert caught.value.fix
    return caught.value.code


def another(world: World, folder: Path) -> World:
    """Another store of the host with the same key files."""
    folder.mkdir()
    database = open_store(folder, world.clock.now(), create=True)
    opened = replace(world.opened, folder=folder, database=database)
    service = HostService(database, world.keyring, world.clock, SeededDice("other"))
    return replace(world, folder=folder, database=database, opened=opened, service=service)


def put(world: World, path: Path, act: Callable[..., object]) -> None:
    with LineFile(path) as file:
        act(world.opened, file, backup_file.read(file), {})


def restored(world: World, path: Path, folder: Path) -> World:
    """The host on a store that was filled from a backup."""
    there = another(world, folder)
    put(there, path, backup.restore)
    there.restart()
    return there


def count(world: World) -> int:
    return sum(row.count for row in look.applications(world.opened))


def duplicates(world: World) -> int:
    with world.database.snapshot() as reader:
        return sum(row.duplicates for row in ledger.machines(reader, 1000))


def test_a_backup_comes_back_whole(host: World, tmp_path: Path) -> None:
    host.fill(range(30))
    written = backup.write_backup(host.opened, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert (written.keys, written.made_at) == ((), host.clock.now())
    there = restored(host, tmp_path / "backup", tmp_path / "again")
    assert count(there) == 30
    leased(there.ask(3))
    with there.database.snapshot() as reader:
        assert audit.rows(reader, 1)[0].event == "host:store:restore"
    assert code(lambda: put(there, tmp_path / "backup", backup.restore)) == "backup/not-empty"
    assert code(lambda: backup.write_backup(host.opened, tmp_path / "backup")) == "backup/exists"


def test_a_host_that_goes_back_takes_no_honest_machine_for_a_clone(
    host: World, tmp_path: Path
) -> None:
    """The machines asked on since, and one was found to be two shortly before."""
    host.fill(range(30))
    clone = replace(Machine(1), seed="")
    host.clock.jump(DAY)
    host.ask(1)
    host.send(replace(clone, turn=7).request(host.id, "desktop-pro", host.clock.now()), clone.key)
    host.clock.jump(60)
    host.ask(1)  # the first came back: forked from now on
    backup.write_backup(host.opened, tmp_path / "backup")
    for _ in range(3):
        host.clock.jump(DAY)
        host.fill(range(30))
    there = restored(host, tmp_path / "backup", tmp_path / "again")
    told = duplicates(there)
    there.clock.jump(60)
    for number in range(30):
        leased(there.ask(number))
    changed = there.machine(2).fingerprint
    assert changed
    assert duplicates(there) == told
    there.clock.jump(DAY)
    for number in range(30):
        leased(there.ask(number))
    assert duplicates(there) == told


def test_hardware_that_changed_since_the_backup_is_no_clones(host: World, tmp_path: Path) -> None:
    host.fill(range(30))
    backup.write_backup(host.opened, tmp_path / "backup")
    there = restored(host, tmp_path / "backup", tmp_path / "again")
    there.clock.jump(DAY)
    there.turns[2] += 2
    machine = there.machine(2)
    other = replace(machine, seed="new disk, new board").fingerprint
    asked = machine.request(there.id, "desktop-pro", there.clock.now(), fingerprint=other)
    leased(there.send(asked, machine.key))
    assert duplicates(there) == 0


def test_a_recorded_request_stays_old_after_a_restore(host: World, tmp_path: Path) -> None:
    host.fill(range(30))
    recorded = host.arrival(host.machine(5)).request
    host.clock.jump(600)
    host.ask(5)
    backup.write_backup(host.opened, tmp_path / "backup")
    there = restored(host, tmp_path / "backup", tmp_path / "again")
    assert refused(there.send(recorded, Machine(99).key)) == "host/request-old"


def test_a_merge_lowers_nothing(host: World, tmp_path: Path) -> None:
    host.fill(range(30))
    backup.write_backup(host.opened, tmp_path / "backup")
    before = {row.cmid: row.last_seen for row in machines(host)}
    host.clock.jump(DAY)
    host.fill(range(10))
    later = {row.cmid: row.last_seen for row in machines(host)}
    put(host, tmp_path / "backup", backup.merge)
    host.restart()
    assert {row.cmid: row.last_seen for row in machines(host)} == later != before
    with host.database.snapshot() as reader:
        known = ledger.known_machine(reader, host.id, Machine(3).cmid)
        assert known is not None
        assert known.line.nonce == host.machine(3).nonce, "its line went on"
    host.clock.jump(60)
    for number in range(30):
        leased(host.ask(number))
    assert duplicates(host) == 0


def machines(world: World) -> list[MachineRow]:
    with world.database.snapshot() as reader:
        return ledger.machines(reader, 1000)


def test_a_merge_brings_what_was_lost(host: World, tmp_path: Path) -> None:
    """The database was an older copy; the backup knows machines and later requests."""
    host.fill(range(20))
    backup.write_backup(host.opened, tmp_path / "older")
    host.clock.jump(DAY)
    host.fill(range(15, 30))
    backup.write_backup(host.opened, tmp_path / "newer")
    there = restored(host, tmp_path / "older", tmp_path / "again")
    assert count(there) == 20
    put(there, tmp_path / "newer", backup.merge)
    assert count(there) == 30
    there.restart()
    there.clock.jump(DAY)
    for number in range(30):
        leased(there.ask(number))
    assert duplicates(there) == 0


def test_seats_that_were_given_back_stay_given_back(world: World, tmp_path: Path) -> None:
    limited(world, 2)
    bundle = leased(world.ask(1, "tiny")).bundle
    leased(world.ask(2, "tiny"))
    backup.write_backup(world.opened, tmp_path / "backup")
    world.clock.jump(60)
    machine = world.machine(1)
    world.send(machine.release(bundle, world.clock.now()), machine.key)
    leased(world.ask(3, "tiny"))
    put(world, tmp_path / "backup", backup.merge)
    world.restart()
    assert refused(world.ask(4, "tiny")) == "host/limit-reached"
    with world.database.snapshot() as reader:
        (row,) = ledger.leases(reader, world.id, Machine(1).cmid).values()
    assert row.released_at


def test_rows_from_the_future_are_passed_over(host: World, tmp_path: Path) -> None:
    host.fill(range(3))
    host.clock.jump(40 * DAY)
    host.fill(range(3, 6))
    backup.write_backup(host.opened, tmp_path / "backup")
    with host.database.transaction() as tx:
        tx.execute("DELETE FROM sighting WHERE last_seen > ?", (START + DAY,))
        tallies.recount(tx)
    host.clock.jump(-40 * DAY)
    with LineFile(tmp_path / "backup") as file:
        done = backup.merge(host.opened, file, backup_file.read(file), {})
    assert done.skipped >= 6
    assert count(host) == 3


def test_a_backup_of_another_host_is_not_merged(
    host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.fill(range(3))
    backup.write_backup(host.opened, tmp_path / "backup")
    there = another(host, tmp_path / "other")
    ring = KeyRing(tmp_path / "other" / "keys")
    opened: OpenHost = replace(there.opened, keyring=ring, dice=SeededDice("other"))
    from muster.host.act import updates

    updates.add_publisher(opened, host.publisher.file())
    there = replace(there, opened=opened)
    assert code(lambda: put(there, tmp_path / "backup", backup.merge)) == "backup/other-host"


def test_keys_are_sealed_and_never_overwritten(host: World, tmp_path: Path) -> None:
    written = backup.write_backup(host.opened, tmp_path / "backup", lambda: "correct horse")
    assert written.keys == (host.id,)
    with LineFile(tmp_path / "backup") as file:
        held = backup_file.read(file)
    key = host.keyring.load(host.id)
    assert key is not None

    def opened(ring: KeyRing, phrase: str = "correct horse") -> object:
        return backup.open_keys(ring, tmp_path / "backup", held, lambda: phrase)

    empty = KeyRing(tmp_path / "empty")
    assert opened(empty) == {host.id: key.raw}
    assert opened(host.keyring) == {}, "it is there already"
    assert code(lambda: opened(empty, "wrong")) == "keyfile/passphrase"
    other = KeyRing(tmp_path / "others")
    other.put(host.id, bytes(range(32)))
    assert code(lambda: opened(other)) == "backup/key-differs"
