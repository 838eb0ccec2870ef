"""The host's audit: who did it stands in every row, and in rows of an older version `unknown`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.host.conftest import World, leased

from muster.core.audit import Actor, Event
from muster.db.migrate import load_migrations, migrate
from muster.db.open import open_database
from muster.host import store
from muster.host.act import machines, settings
from muster.host.tables import audit

pytestmark = pytest.mark.real


def test_a_row_names_the_actor_and_who_became_root(world: World) -> None:
    actors: list[Actor | str] = [Actor("user:root", {"sudo": "ada"}), "task:news"]
    with world.database.transaction() as tx:
        for actor in actors:
            audit.write(tx, 5, actor, Event.HOST_DNS_PUBLISH, "", "zone", "2 added")
        newest = audit.rows(tx, 2)
    assert [(row.actor, row.sudo) for row in newest] == [("task:news", ""), ("user:root", "ada")]


def test_rows_of_an_older_version_say_unknown(tmp_path: Path) -> None:
    before = load_migrations(store.SCHEMA)[:4]
    with open_database(tmp_path / store.DATABASE, create=True) as database:
        migrate(database, store.WING, before, 1)
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO audit (at, event, publisher, subject, detail) VALUES (?, ?, ?, ?, ?)",
                (1, "host:store:init", "p", "s", ""),
            )
    with store.open_store(tmp_path, 2) as database, database.snapshot() as reader:
        (row,) = audit.rows(reader, 10)
    assert (row.actor, row.sudo, row.event) == ("unknown", "", "host:store:init")


def test_people_machines_and_the_host_itself_are_told_apart(host: World) -> None:
    replies = [host.ask(number, "server-standard") for number in range(1, 6)]
    host.clock.pass_time(1)
    release = host.machine(5).release(leased(replies[-1]).bundle, host.clock.now())
    host.send(release, host.machine(5).key)
    settings.set_setting(host.opened, "retry_interval", "900")
    machines.remove_machine(host.opened, host.machine(4).cmid)
    with host.database.snapshot() as reader:
        rows = {row.event: row.actor for row in audit.rows(reader, 100)}
    assert rows.pop("host:lease:release") == "door:http"
    assert {"host:setting:change", "host:machine:remove", "host:grant:accept"} < rows.keys()
    assert set(rows.values()) == {"user:test"}
