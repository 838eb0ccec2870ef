"""`muster host status`."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.host.conftest import Desk
from tests.host.conftest import Machine, answer_of

from muster.cli import compose
from muster.core.identity import nonce_of, nonce_prefix
from muster.publisher.store import open_store

pytestmark = pytest.mark.real


def test_status_and_doctor_name_clones(active: Desk) -> None:
    """Two machines with one store ask in turn; nobody looks into tables for it."""
    machine = Machine(1)
    nonces = [nonce_of(bytes([number]) * 16) for number in range(4)]

    def ask(number: int, *before: int) -> None:
        asked = machine.request(
            active.publisher.publisher,
            "desktop-pro",
            compose.clock().now() + number,
            nonce=nonces[number],
            line=tuple(nonce_prefix(nonces[one]) for one in before),
        )
        with compose.host_database(None) as database:
            answer_of(compose.host_service(None, database), asked, machine.key, "192.0.2.7")

    def doctor() -> dict[str, Any]:
        from muster.cli.main import muster

        words = ("doctor", "--role", "host", "--dns-server", "127.0.0.1:9", "--json")
        (report,) = json.loads(CliRunner().invoke(muster, words).stdout)["reports"]
        (check,) = [one for one in report["checks"] if one["topic"] == "clones"]
        found: dict[str, Any] = check
        return found

    ask(0)
    ask(1, 0)
    ask(2, 0)  # the other machine, or this one after its store was put back
    assert doctor()["mark"] == "ok"
    assert "CLONES" not in active.text("status")
    ask(3, 0, 1)
    found = doctor()
    assert (found["mark"], found["what"].partition(" were")[0]) == ("warn", "Clones of one machine")
    assert "'muster host clients'" in found["fix"]
    assert re.search(r"CLONES: +found of one machine in 30 days", active.text("status"))
    assert active.data("status")["publishers"][0]["clones"] == 1


def test_status_shows_the_hardware_id_that_the_publisher_sees(active: Desk) -> None:
    key = active.data("status")["publishers"][0]["keys"][0]
    assert f"Hardware id:             {key['hardware']}, from system-uuid" in active.text("status")


@pytest.mark.parametrize("page", [9, 6])
def test_a_stopped_host_whose_database_is_damaged_is_not_said_to_be_able_to_serve(
    active: Desk, page: int
) -> None:
    """Also where the page that is damaged is none that a status reads."""
    (database,) = active.folder.rglob("host.db")
    with database.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(bytes(4096))
    assert active.error("status", code=3) == "db/corrupt"


def test_the_database_of_a_publisher_or_of_another_program_is_refused_and_left(
    active: Desk,
) -> None:
    (database,) = active.folder.rglob("host.db")
    for suffix in ("-mark", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    made = open_store(active.folder, 0, create=True)
    made.close()
    (active.folder / "publisher.db").replace(database)
    for words in (("status",), ("clients",), ("check",), ("serve", "--port", "0")):
        assert active.error(*words, code=3) == "db/foreign"
    database.unlink()
    for suffix in ("-mark", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE x (a)")
    for words in (("status",), ("check",), ("serve", "--port", "0")):
        assert active.error(*words, code=3) == "db/foreign"
    with contextlib.closing(sqlite3.connect(database)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("x",)]


def test_a_host_whose_database_is_gone_is_not_told_to_begin_anew(active: Desk) -> None:
    (database,) = active.folder.rglob("host.db")
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    for words in (("status",), ("init", "--publisher", str(active.file))):
        assert active.error(*words, code=3) == "db/lost"
    assert not database.exists()
    database.with_name(database.name + "-mark").unlink()
    for words in (("status",), ("serve",), ("clients",), ("check",)):
        assert active.error(*words, code=1) == "host/lost", "its signing keys are there"
    assert not database.exists()
