"""Looks at a host: one snapshot each, and records whose JSON has the shape of their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from tests.db.counted import Counted

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.records import encode, schema
from muster.db.migrate import Migration, is_current, load_migrations, migrate
from muster.db.open import open_database
from muster.host import look, store
from muster.host.act import updates
from muster.host.open import OpenHost
from muster.host.publish import DNSPlace, ZoneResult

from .conftest import Machine, World


def refused(result: ZoneResult, _text: str) -> None:
    """Nothing is sent by a look."""
    raise AssertionError(result)


QUESTIONS: dict[str, Callable[[OpenHost], object]] = {
    "status": look.status,
    "settings": look.settings,
    "setting": lambda opened: look.setting(opened, "port"),
    "clients": lambda opened: look.clients(opened, 100),
    "silent": lambda opened: look.clients(opened, 100, silent=True),
    "requests": lambda opened: look.requests(opened, 100),
    "audit": lambda opened: look.audit(opened, 100),
    "dns": lambda opened: look.dns_records(opened, DNSPlace("host.example.test", refused)),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_reads_one_snapshot_and_its_json_has_the_shape_of_its_record(
    host: World, name: str
) -> None:
    host.fill(range(1, 4))
    counted = Counted(host.database)
    found = QUESTIONS[name](replace(host.opened, database=counted))
    assert (counted.snapshots, counted.transactions) == (1, 0)
    jsonschema.validate(encode(found), schema(type(found)), jsonschema.Draft202012Validator)


def test_a_question_to_tables_of_an_older_program_brings_them_up(tmp_path: Path) -> None:
    steps = load_migrations(store.SCHEMA)
    with open_database(tmp_path / store.DATABASE, create=True) as older:
        migrate(older, store.WING, steps[:-1], 1)
    with store.open_unjudged(tmp_path) as database:
        for _ in range(2):
            with store.snapshot(database, tmp_path, 2) as reader:
                assert is_current(reader, database, store.WING, steps)


def test_a_question_to_tables_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    steps = load_migrations(store.SCHEMA)
    newer = (*steps, Migration(len(steps) + 1, "later", "CREATE TABLE later (a INTEGER);"))
    with open_database(tmp_path / store.DATABASE, create=True) as database:
        migrate(database, store.WING, newer, 1)
        with pytest.raises(MusterError, match="db/newer"), store.snapshot(database, tmp_path, 2):
            pass


def test_machines_of_one_publisher_are_asked_for_by_id_or_label(host: World) -> None:
    host.ask(1)
    for name in (host.id, "contoso"):
        (found,) = look.clients(host.opened, 100, publisher=name).clients
        assert found.cmid == Machine(1).cmid
    with pytest.raises(MusterError, match="host/unknown-publisher"):
        look.clients(host.opened, 100, publisher="nobody")


def test_a_machine_is_silent_by_the_settings_that_the_host_obeys(host: World) -> None:
    """A renewal interval of environment or file counts as one of `muster host set` does."""
    host.fill(range(1, 26))
    host.clock.pass_time(3 * DAY)

    def silent(opened: OpenHost) -> set[str]:
        return {row.cmid for row in look.clients(opened, 100, silent=True).clients}

    licensed = Machine(25).cmid
    assert licensed not in silent(host.opened)
    assert licensed in silent(replace(host.opened, overrides={"renewal_interval": 900}))


def test_products_that_no_host_serves_have_no_need_there(host: World) -> None:
    trial = host.publisher.new_product("trial", channel="evaluation")
    host.publisher.publish([trial])
    updates.add_publisher(host.opened, host.publisher.file())
    products = {
        item.product for app in look.status(host.opened).applications for item in app.products
    }
    assert "desktop-pro" in products
    assert "trial" not in products
