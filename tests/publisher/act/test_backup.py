"""Backup and restore over SQLite and PostgreSQL, and a publisher that lives in PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.publisher.conftest import Machine, Shop
from tests.publisher.engineer import Engineer, open_engineer

from muster.core.audit import Event
from muster.core.errors import MusterError
from muster.core.keys import Kind, ProductKey
from muster.lease import strict
from muster.publisher import backup_file, results, tables
from muster.publisher.act import backup
from muster.publisher.act.setup import NewPublisher, init_publisher
from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.publisher.chain import Head, row_hash
from muster.publisher.office import Office
from muster.publisher.pools import MachineActivation
from muster.publisher.service import PublisherService, open_service
from muster.publisher.store import KEYS_FOLDER, Store, open_store
from muster.system.linefile import LineFile


def code(act: Callable[[], object]) -> str:
    with pytest.raises(MusterError) as caught:
        act()
    assert caught.value.fix
    return caught.value.code


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the restored publisher lies: "" is the file in its store."""
    if request.param == "sqlite":
        return ""
    found: str = request.getfixturevalue("postgres_url")
    return found


class Restored:
    """Another store with the same key files, filled from a backup."""

    def __init__(self, shop: Shop, folder: Path, url: str) -> None:
        folder.mkdir()
        shutil.copytree(shop.folder / KEYS_FOLDER, folder / KEYS_FOLDER)
        self._shop = replace(shop, folder=folder, opened=[])
        self._url = url
        self.store = open_store(folder, shop.clock.now(), create=True, url=url)
        shop.opened.append(_Closing(self.store))  # type: ignore[arg-type]  # it only closes

    def fill(
        self, path: Path, head: Head | None = None, *, accept_loss: bool = False
    ) -> results.Restored:
        with LineFile(path) as file:
            return backup.restore(self._office(), file, head=head, accept_loss=accept_loss)

    def resume(self, head: Head | None = None, *, accept_loss: bool = False) -> results.Resumed:
        return backup.resume(self._office(), head=head, accept_loss=accept_loss)

    def _office(self) -> Office:
        shop = self._shop
        return Office(shop.folder, self.store, shop.vault(), shop.clock, shop.dice, "test")

    @contextlib.contextmanager
    def service(self) -> Iterator[PublisherService]:
        vault = self._shop.vault()
        service = open_service(self._shop.folder, vault, self._shop.clock, self._url)
        with contextlib.closing(service):
            yield service

    def admin(self) -> Engineer:
        shop = self._shop
        return open_engineer(shop.folder, shop.vault(), shop.clock, shop.dice, "test", self._url)


class _Closing:
    def __init__(self, store: Store) -> None:
        self.close = store.close


def draw(service: PublisherService, machine: Machine) -> str:
    (row,) = service.activate_batch([machine.digits()]).rows
    if isinstance(row, MusterError):
        raise row
    assert isinstance(row, MachineActivation)
    return row.grant.confirmation


def filled(shop: Shop) -> tuple[ProductKey, list[Machine]]:
    """A publisher with a pool of 5, two of it drawn, a host, and a revocation."""
    admin = shop.admin()
    key = admin.issue_pool_keys(Kind.MAK, "client-volume", 5)[0].key
    machines = shop.machines(key, 6)
    service = shop.service()
    for one in machines[:2]:
        draw(service, one)
    host = shop.host(admin.issue_host_keys("server-c")[0].key)
    service.activate_host(host.digits(), "http")
    admin.revoke_key(admin.issue_host_keys("server-b")[0].issued.key_id.text)
    return key, machines


def save(shop: Shop, path: Path) -> Head:
    """Back up; the audit head of the backup."""
    return Head.parse(backup.write_backup(shop.admin(), path).audit_head)


def test_a_backup_comes_back_whole_on_either_database(shop: Shop, tmp_path: Path, url: str) -> None:
    key, machines = filled(shop)
    spoken = draw(shop.service(), machines[0])
    made = save(shop, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    there = Restored(shop, tmp_path / "again", url)
    done = there.fill(tmp_path / "backup", made)
    assert (done.waiting, done.lost) == (False, False)
    with there.admin() as admin:
        assert admin.trust() == shop.admin().trust()
        assert admin.catalogue() == shop.admin().catalogue()
        assert admin.keys() == shop.admin().keys()
        assert admin.hosts() == shop.admin().hosts()
        assert admin.machines() == shop.admin().machines()
        events = [one.event for one in admin.audit(made.seq, 100)]
        assert events == ["publisher:store:restore", "publisher:store:resume"]
        admin.check_audit()
    with there.service() as service:
        assert draw(service, machines[0]) == spoken
        draw(service, machines[2])
    with there.admin() as admin:
        assert admin.find_key(key.text).left == 2


def test_draws_wait_until_the_head_is_given_or_the_loss_accepted(
    shop: Shop, tmp_path: Path, url: str
) -> None:
    key, machines = filled(shop)
    earlier = shop.admin().check_audit()
    save(shop, tmp_path / "backup")
    draw(shop.service(), machines[2])  # what the backup does not know
    later = shop.admin().check_audit()
    there = Restored(shop, tmp_path / "again", url)
    assert there.fill(tmp_path / "backup").waiting
    with there.service() as service:
        draw(service, machines[0])
        host_key = shop.admin().issue_host_keys("server-c")[0].key
        for act in (
            lambda: draw(service, machines[3]),
            lambda: draw(service, machines[2]),
        ):
            assert code(act) == "publisher/restored"
        del host_key
        assert code(lambda: there.resume(later)) == "backup/head"
        assert code(lambda: there.resume(earlier)) == "backup/head-older"
        mistyped = Head(earlier.seq, "0" * 64)
        assert code(lambda: there.resume(mistyped)) == "backup/head-foreign"
        assert code(lambda: draw(service, machines[3])) == "publisher/restored"
        assert there.resume().waiting
        done = there.resume(accept_loss=True)
        assert (done.changed, done.waiting, done.lost) == (True, False, True)
        assert there.resume().changed is False
        draw(service, machines[3])
    with there.admin() as admin:
        assert admin.find_key(key.text).left == 2
        rows = [one for one in admin.audit(0, 1000) if one.event == "publisher:store:resume"]
        assert [one.detail for one in rows] == ['{"lost":true}']


def test_a_backup_made_while_draws_wait_does_not_end_the_wait(
    shop: Shop, tmp_path: Path, url: str
) -> None:
    _, machines = filled(shop)
    first = save(shop, tmp_path / "first")
    waiting = Restored(shop, tmp_path / "waiting", "")
    assert waiting.fill(tmp_path / "first").waiting
    with waiting.admin() as admin:
        second = Head.parse(backup.write_backup(admin, tmp_path / "second").audit_head)
    there = Restored(shop, tmp_path / "again", url)
    assert there.fill(tmp_path / "second", second).waiting, "the first is not vouched for"
    with there.service() as service:
        assert code(lambda: draw(service, machines[3])) == "publisher/restored"
        assert code(lambda: there.resume(second)) == "backup/head"
        assert there.resume(first).waiting is False
        draw(service, machines[3])


def test_rows_that_break_a_rule_are_told_with_a_right_sum_too(
    shop: Shop, tmp_path: Path, url: str
) -> None:
    filled(shop)
    save(shop, tmp_path / "backup")
    lines = (tmp_path / "backup").read_bytes().splitlines(keepends=True)[:-1]
    there = Restored(shop, tmp_path / "again", url)
    twice = [*lines, lines[-1]]
    holed = [one.replace(b'"name":"Contoso"', b'"name":null') for one in lines]
    headed = [lines[0].replace(b'"publisher":"', b'"publisher":"x'), *lines[1:]]
    for bad in (twice, holed, headed):
        assert bad != lines
        body = b"".join(bad)
        sums: strict.JSONObject = {"rows": len(bad) - 1, "sha256": hashlib.sha256(body).hexdigest()}
        (tmp_path / "bad").write_bytes(body + strict.canonical(sums) + b"\n")
        assert code(lambda: there.fill(tmp_path / "bad")) == "backup/damaged"
    with there.store.view() as reader:
        assert tables.documents.publisher(reader) is None


def forged(path: Path, change: Callable[[list[Any]], object], out: Path) -> None:
    """The lines of a backup, changed, with a right sum at the end."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()[:-1]]
    change(lines)
    body = b"".join(strict.canonical(line) + b"\n" for line in lines)
    sums: strict.JSONObject = {"rows": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    out.write_bytes(body + strict.canonical(sums) + b"\n")


def rows_of(lines: list[Any], table: str) -> list[Any]:
    return [line["row"] for line in lines if line.get("table") == table]


def test_pools_and_draws_that_were_forged_never_come_with_the_genuine_head(
    shop: Shop, tmp_path: Path, url: str
) -> None:
    filled(shop)
    genuine = save(shop, tmp_path / "backup")
    there = Restored(shop, tmp_path / "again", url)

    def pool(lines: list[Any]) -> None:
        rows_of(lines, "product_key")[0]["pool"] += 1000

    def draw_less(lines: list[Any]) -> None:
        rows_of(lines, "product_key")[0]["drawn"] = 0
        lines[:] = [line for line in lines if line.get("table") != "machine_grant"]

    def covering(lines: list[Any]) -> None:
        """The row that covers is made right, and with it the hash."""
        pool(lines)
        row = rows_of(lines, "audit")[-1]
        rest = [strict.canonical(x) + b"\n" for x in lines[1:] if x["table"] != "audit"]
        detail = json.loads(row["detail"]) | {"sha256": hashlib.sha256(b"".join(rest)).hexdigest()}
        row["detail"] = strict.canonical(detail).decode()
        before = rows_of(lines, "audit")[-2]["hash"]
        names = ("seq", "at", "actor", "event", "subject", "detail")
        row["hash"] = row_hash(before, *(row[name] for name in names))

    def without(lines: list[Any]) -> None:
        """The row that covers is left out."""
        pool(lines)
        lines.pop()

    bad = tmp_path / "bad"
    for change in (pool, draw_less):
        forged(tmp_path / "backup", change, bad)
        assert code(lambda: there.fill(bad, genuine)) == "backup/damaged"
        assert code(lambda: there.fill(bad, accept_loss=True)) == "backup/damaged"
    forged(tmp_path / "backup", covering, bad)
    assert code(lambda: there.fill(bad, genuine)) == "backup/head-foreign"
    forged(tmp_path / "backup", without, bad)
    end = Head.parse(json.loads((tmp_path / "backup").read_bytes().splitlines()[0])["audit_head"])
    assert code(lambda: there.fill(bad, genuine)) == "backup/head"
    assert code(lambda: there.fill(bad, end)) == "backup/uncovered"
    assert there.fill(tmp_path / "backup", genuine).waiting is False


def test_what_happens_while_a_backup_is_written_is_not_covered(
    shop: Shop, tmp_path: Path, url: str
) -> None:
    """The rows of the log are in the file, the draws that they tell of are not."""
    _, machines = filled(shop)
    with shop.admin() as office, (tmp_path / "backup").open("wb") as out:
        writer = backup_file.Writer(out, office.publisher.id, shop.clock.now())
        with office.view() as reader:
            contents = writer.tables(reader)
        draw(shop.service(), machines[2])
        with office.edit() as tx:
            event = Event.PUBLISHER_BACKUP
            detail = contents.detail
            tables.audit.write(tx, shop.clock.now(), "test", event, office.publisher.id, detail)
            head = tables.audit.head(tx)
            writer.end(tables.audit.all_rows(tx, contents.head.seq))
    there = Restored(shop, tmp_path / "again", url)
    assert code(lambda: there.fill(tmp_path / "backup", head)) == "backup/uncovered"
    assert there.fill(tmp_path / "backup", head, accept_loss=True).lost


def test_nobody_leads_a_backup_elsewhere(shop: Shop, tmp_path: Path) -> None:
    """The owner of the folder exchanges what has the name while it is written, whenever that is."""
    folder, target = tmp_path / "theirs", tmp_path / "target"
    folder.mkdir()
    target.write_bytes(b"of somebody else")
    started, stop = threading.Event(), threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for entry in list(folder.iterdir()):
                with contextlib.suppress(OSError):
                    if not entry.is_symlink():
                        entry.unlink()
                        entry.symlink_to(target)
            started.set()

    watch = threading.Thread(target=exchange)
    watch.start()
    try:
        started.wait(60)
        for number in range(8):
            with contextlib.suppress(MusterError):
                save(shop, folder / f"backup-{number}")
    finally:
        stop.set()
        watch.join()
    assert target.read_bytes() == b"of somebody else"


def test_hosts_wait_too(shop: Shop, tmp_path: Path, url: str) -> None:
    host_key = shop.admin().issue_host_keys("server-c")[0].key
    known, new = shop.host(host_key), shop.host(host_key)
    grant = shop.service().activate_host(known.digits(), "http").answer.grant
    made = save(shop, tmp_path / "backup")
    there = Restored(shop, tmp_path / "again", url)
    there.fill(tmp_path / "backup")
    with there.service() as service:
        assert service.activate_host(known.digits(), "http").answer.grant == grant
        assert code(lambda: service.activate_host(new.digits(), "http")) == "publisher/restored"
        there.resume(made)
        service.activate_host(new.digits(), "http")


def test_a_restore_fills_only_what_is_empty(shop: Shop, tmp_path: Path, url: str) -> None:
    filled(shop)
    made = save(shop, tmp_path / "backup")
    there = Restored(shop, tmp_path / "again", url)
    there.fill(tmp_path / "backup", made)
    assert code(lambda: there.fill(tmp_path / "backup", made)) == "backup/not-empty"
    assert code(lambda: save(shop, tmp_path / "backup")) == "backup/exists"


def test_a_backup_that_is_not_whole_fills_nothing(shop: Shop, tmp_path: Path) -> None:
    filled(shop)
    save(shop, tmp_path / "backup")
    data = (tmp_path / "backup").read_bytes()
    lines = data.splitlines(keepends=True)
    there = Restored(shop, tmp_path / "again", "")
    spoilt = {
        "cut": data[: len(data) // 2],
        "without its end": b"".join(lines[:-1]),
        "without a row": b"".join([*lines[:4], *lines[5:]]),
        "two rows swapped": b"".join([*lines[:4], lines[5], lines[4], *lines[6:]]),
        "a number changed": data.replace(b'"pool":5', b'"pool":9', 1),
        "something behind": data + lines[1],
        "nothing": b"",
        "rubbish": b"\x00\xff" * 100,
    }
    assert all(one != data for one in spoilt.values())
    for how, bad in spoilt.items():
        path = tmp_path / "bad"
        path.write_bytes(bad)
        assert code(lambda path=path: there.fill(path)) == "backup/damaged", how  # type: ignore[misc]
        with there.store.view() as reader:
            assert tables.documents.publisher(reader) is None
    there.fill(tmp_path / "backup", accept_loss=True)


# A publisher whose tables lie in PostgreSQL from its first day.


def test_a_publisher_in_postgresql(shop: Shop, tmp_path: Path, postgres_url: str) -> None:
    folder = tmp_path / "other"
    vault = replace(shop, folder=folder).vault()

    def init(label: str) -> bool:
        content = parse_catalogue_file(sample()).content
        wanted = NewPublisher(label, "Fabrikam", content, tmp_path / "fabrikam.key")
        return init_publisher(
            folder, vault, wanted, shop.clock, shop.dice, "test", postgres_url
        ).changed

    assert init("fabrikam") is True
    assert init("fabrikam") is False
    assert code(lambda: init("another")) == "publisher/other"
    assert not (folder / "publisher.db").exists()
    admin = open_engineer(folder, vault, shop.clock, shop.dice, "test", postgres_url)
    with (
        admin,
        contextlib.closing(open_service(folder, vault, shop.clock, postgres_url)) as service,
    ):
        key = admin.issue_pool_keys(Kind.MAK, "client-volume", 3)[0].key
        machines = [
            replace(one, publisher=admin.publisher.id)
            for one in replace(shop, folder=folder).machines_of(key, admin.publisher.id, 4)
        ]
        for one in machines[:3]:
            draw(service, one)
        assert code(lambda: draw(service, machines[3])) == "publisher/pool-used-up"
        assert admin.rotate(["grant"]).trust.version == 2
        assert admin.find_key(key.text).left == 0
        admin.check_audit()
        assert service.known().counts["pool_drawn"] == 3


def test_a_backup_into_a_folder_that_is_not_there_says_so(shop: Shop) -> None:
    missing = shop.folder / "nowhere" / "backup"
    assert code(lambda: save(shop, missing)) == "file/missing"
    assert not missing.parent.exists()


@pytest.mark.real
def test_a_backup_onto_a_full_disk_says_so_and_leaves_no_file(shop: Shop, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k,mode=0700", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this system does not let us mount")
    try:
        assert code(lambda: save(shop, small / "backup")) == "file/full"
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.parametrize("now", [-1, -(2**63), 2**53, 2**63])
def test_a_clock_that_no_file_can_hold_is_named(shop: Shop, tmp_path: Path, now: int) -> None:
    """Such a clock once ended a backup, and a restore, with an error of Python."""
    saved, good = tmp_path / "backup", shop.clock.now()
    save(shop, saved)
    with shop.admin() as admin:
        shop.clock.seconds = now
        new = tmp_path / "new"
        assert code(lambda: backup.write_backup(admin, new)) == "publisher/clock"
        assert not new.exists()
        shop.clock.seconds = good
    there = Restored(shop, tmp_path / "again", "")
    shop.clock.seconds = now
    assert code(lambda: there.fill(saved)) == "publisher/clock"
    shop.clock.seconds = good
    assert there.fill(saved).waiting
