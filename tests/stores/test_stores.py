"""Stores that an earlier version made are opened by this one: nothing is lost, whoever works with
them meanwhile, and nothing is upgraded below a server of the earlier version.

`made/` holds what `make.sh` made by the Muster before its agent: a host with six machines, a
publisher, the first and the last of the machines, and in `said/` what that version said of them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muster.client import look as client_look
from muster.client.facade import system_parts
from muster.core.errors import MusterError
from muster.core.records import encode
from muster.core.values import replace
from muster.db.migrate import load_migrations
from muster.host import look as host_look
from muster.host import store as host_store
from muster.host.keyring import KeyRing
from muster.host.open import OpenHost
from muster.publisher import look as publisher_look
from muster.publisher import store as publisher_store
from muster.publisher.office import Office
from muster.publisher.store import KEYS_FOLDER
from muster.publisher.vault import Vault
from muster.system.entropy import SeededDice
from muster.system.keyfile import DEFAULT_KDF
from muster.testing.clock import ManualClock

MADE = Path(__file__).with_name("made")
OF_THE_MOMENT = {"listening", "process", "serving", "store", "time", "trusted_time"}
"""What of a description is no matter of the store."""


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """A copy, with the rights that git does not keep."""
    copy = tmp_path / "made"
    shutil.copytree(MADE, copy)
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return copy


def said(name: str) -> dict[str, Any]:
    """What the earlier version said."""
    told: dict[str, Any] = json.loads((MADE / "said" / f"{name}.json").read_text())
    return told


NOW = said("host-status")["time"]


@contextlib.contextmanager
def host(stores: Path) -> Iterator[OpenHost]:
    folder = stores / "host"
    with host_store.open_store(folder, NOW) as database:
        ring = KeyRing(folder / "keys")
        yield OpenHost(folder, database, ring, ManualClock(NOW), SeededDice("host"), "user:a")


@contextlib.contextmanager
def publisher(stores: Path) -> Iterator[Office]:
    folder = stores / "publisher"
    vault = Vault(folder / KEYS_FOLDER, lambda: "", None, DEFAULT_KDF)
    with contextlib.closing(publisher_store.open_store(folder, NOW)) as tables:
        yield Office(folder, tables, vault, ManualClock(NOW), SeededDice("p"), "user:a")


def assert_as_before(before: Any, now: Any, where: str = "") -> None:
    """Everything that was said is said today; there may be more."""
    if isinstance(before, dict):
        for name in before.keys() - OF_THE_MOMENT:
            assert_as_before(before[name], now[name], f"{where}.{name}")
    elif isinstance(before, list):
        assert len(before) == len(now), where
        for index, item in enumerate(before):
            assert_as_before(item, now[index], f"{where}[{index}]")
    else:
        assert now == before, where


def described(opened: OpenHost) -> dict[str, Any]:
    """Counts, grants and leases of a host, as the commands tell them."""
    return {
        "host-status": encode(host_look.status(opened)),
        "host-clients": encode(host_look.clients(opened, 1000)),
        "host-log": encode(host_look.requests(opened, 1000)),
    }


def test_a_host_counts_and_licenses_as_before(stores: Path) -> None:
    with host(stores) as opened:
        for name, now in described(opened).items():
            assert_as_before(said(name), now, name)
        host_look.check_database(opened)
    (application,) = said("host-status")["applications"]
    assert application["count"] == 6
    leases = [client["leases"] for client in said("host-clients")["clients"]]
    assert sum(map(len, leases)) == 3


def test_a_publisher_has_its_keys_activations_and_audit(stores: Path) -> None:
    with publisher(stores) as office:
        assert_as_before(said("publisher-keys"), encode(publisher_look.keys(office)), "keys")
        assert_as_before(said("publisher-audit"), encode(publisher_look.audit(office)), "audit")
        publisher_look.check_database(office)
        assert publisher_look.check_audit(office).seq == len(said("publisher-audit")["audit"])


@pytest.mark.parametrize("number", [1, 6])
def test_a_machine_is_licensed_as_before(stores: Path, number: int) -> None:
    clients = stores / "clients"
    parts = system_parts(store=clients / str(number), facts=clients / f"{number}.facts")
    told = client_look.status_list(replace(parts, clock=ManualClock(NOW)))
    assert_as_before(said(f"client-{number}"), encode(told), f"client-{number}")
    assert all(product.licensed for product in told.products)


def test_readers_and_writers_go_on_while_tables_are_upgraded(stores: Path) -> None:
    path = stores / "host" / host_store.DATABASE
    written: list[str] = []
    stop = threading.Event()

    def write() -> None:
        # As commands of the earlier version do: a short transaction, by its own tables.
        with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as old:
            while not stop.is_set():
                name = f"later_{len(written)}"
                old.execute("BEGIN IMMEDIATE")
                old.execute("INSERT INTO setting (name, value) VALUES (?, '1')", (name,))
                old.execute("COMMIT")
                written.append(name)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        (before,) = reader.execute("SELECT count(*) FROM muster_migration").fetchone()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            while not written:
                pass
            with host_store.open_store(stores / "host", NOW) as database:
                steps = load_migrations(host_store.SCHEMA)
                assert database.query("SELECT count(*) FROM muster_migration")[0][0] == len(steps)
                more = len(written)
                while len(written) <= more:
                    pass
        finally:
            stop.set()
            writer.join()
        # Whoever began to read before sees the tables as they were.
        assert reader.execute("SELECT count(*) FROM muster_migration").fetchone() == (before,)
        assert before < len(steps)
        reader.execute("COMMIT")
        rows = reader.execute("SELECT name FROM setting WHERE name LIKE 'later_%'").fetchall()
        assert {row[0] for row in rows} == set(written)


HOLDS = """
import signal, sys
from muster.system.control import ServerLock
with ServerLock(sys.argv[1], 1795810000):
    print("held", flush=True)
    signal.pause()
"""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[int]:
    """A server of the earlier version: what it does for others is to hold the lock."""
    words = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.kill()


def applied(path: Path, wing: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT count(*) FROM muster_migration WHERE wing = ?", (wing,))
        return int(rows.fetchone()[0])


def test_tables_are_not_upgraded_below_a_server_of_the_earlier_version(stores: Path) -> None:
    folder = stores / "host"
    path = folder / host_store.DATABASE
    before = applied(path, host_store.WING)
    with served(folder) as pid:
        with pytest.raises(MusterError, match="db/served") as refused, host(stores):
            pass
        assert f"the process {pid} since" in refused.value.what
        with host_store.open_unjudged(folder) as database:
            asked = host_store.snapshot(database, folder, NOW)
            with pytest.raises(MusterError, match="db/served"), asked:
                pass
        assert applied(path, host_store.WING) == before
    with host(stores):
        pass
    assert applied(path, host_store.WING) == len(load_migrations(host_store.SCHEMA)) > before
    # What a server of this version serves is open to commands as ever.
    with served(folder), host(stores) as opened:
        assert host_look.status(opened).applications


def test_a_publisher_is_not_upgraded_below_its_server_either(stores: Path) -> None:
    folder = stores / "publisher"
    path = folder / publisher_store.DATABASE_FILE
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("DELETE FROM muster_migration WHERE number = 4")
    with served(folder), pytest.raises(MusterError, match="db/served"), publisher(stores):
        pass


@pytest.mark.parametrize("wing", ["host", "publisher"])
def test_tables_of_a_later_version_are_refused(stores: Path, wing: str) -> None:
    opened = {"host": host, "publisher": publisher}[wing]
    with opened(stores):
        pass
    with contextlib.closing(sqlite3.connect(stores / wing / f"{wing}.db")) as raw, raw:
        row = (wing, 999, "later", "x", NOW)
        raw.execute("INSERT INTO muster_migration VALUES (?, ?, ?, ?, ?)", row)
    with pytest.raises(MusterError, match="db/newer"), opened(stores):
        pass
