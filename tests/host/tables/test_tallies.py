"""Hours that are kept beside the tables of the count: as if everything were counted anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.products import COUNT_WINDOW, DAY
from muster.db.engine import Database, Reader
from muster.db.migrate import load_migrations, migrate
from muster.db.open import open_database
from muster.host.count import Seen
from muster.host.model import LeaseRow
from muster.host.store import SCHEMA, WING
from muster.host.tables import ledger, tallies

NOW = 1_795_500_000
PUBLISHER = "a" * 16
TABLES = ("counted_hour", "seat_hour")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Database]:
    url = f"{tmp_path}/host.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with open_database(url, create=request.param == "sqlite") as opened:
        migrate(opened, WING, load_migrations(SCHEMA), NOW)
        yield opened


def kept(reader: Reader) -> list[list[tuple[object, ...]]]:
    return [
        [tuple(row) for row in reader.query(f"SELECT * FROM {name} WHERE number > 0 ORDER BY 2, 3")]
        for name in TABLES
    ]


near = st.integers(-2, 2) | st.integers(-4000, 4000)
instants = near.map(lambda n: NOW + n) | near.map(lambda n: NOW - COUNT_WINDOW + n)
machines = st.integers(0, 3).map(lambda n: f"{n:036}")
deeds = st.one_of(
    st.tuples(st.just("seen"), machines, instants, instants | st.just(0)),
    st.tuples(st.just("lease"), machines, st.sampled_from("pq"), st.sampled_from("gh"), instants),
    st.tuples(st.just("release"), machines, st.sampled_from("pq")),
)


def play(database: Database, deed: tuple[object, ...]) -> None:
    kind, cmid, *rest = deed
    with database.transaction() as tx:
        if kind == "seen":
            ledger.put_seen(tx, PUBLISHER, "os", str(cmid), Seen(*rest))  # type: ignore[arg-type]
        elif kind == "lease":
            product, grant, ends = rest
            row = (PUBLISHER, product, cmid, "os", grant, "j", "n", NOW - DAY, ends, 0)
            ledger.put_lease(tx, LeaseRow(*row))  # type: ignore[arg-type]
        else:
            ledger.release_lease(tx, PUBLISHER, str(cmid), str(rest[0]), NOW)


@examples(40, shared=True)
@given(st.lists(deeds, max_size=25), near)
def test_hours_are_what_the_rows_say(
    database: Database, deeds: list[tuple[object, ...]], later: int
) -> None:
    with database.transaction() as tx:
        for table in ("sighting", "lease"):
            tx.execute(f"DELETE FROM {table}")
        tallies.recount(tx)
    for deed in deeds:
        play(database, deed)
    now = NOW + later
    with database.transaction() as tx:
        told = kept(tx)
        counted = tallies.counted(tx, PUBLISHER, "os", now)
        rows = tx.query("SELECT last_seen, released FROM sighting")
        assert counted == sum(now - COUNT_WINDOW < row[0] > row[1] for row in rows)
        for grant in "gh":
            rows = tx.query(
                "SELECT DISTINCT cmid FROM lease WHERE grant_jti = ? AND released_at = 0"
                " AND expires_at > ?",
                (grant, now),
            )
            assert tallies.seats(tx, PUBLISHER, grant, now) == len(rows)
        tallies.recount(tx)
        assert kept(tx) == told


def test_silent_seats_are_those_of_the_longest_span(database: Database) -> None:
    spans = {"p": 2 * DAY, "q": 10 * DAY}
    with database.transaction() as tx:
        for number, (products, silence, ends) in enumerate(
            (
                ("p", 3 * DAY, NOW + 5),
                ("pq", 3 * DAY, NOW + 4),
                ("pq", 11 * DAY, NOW + 7),
                ("p", 1 * DAY, NOW + 3),
                ("p", 5 * DAY, NOW - 1),
            )
        ):
            cmid = f"{number:036}"
            tx.execute(
                "INSERT INTO machine (publisher, cmid, identity, fingerprint, address, os, version,"
                " state, first_seen, last_seen) VALUES (?, ?, 'machine', '', '', '', '', 1, 1, ?)",
                (PUBLISHER, cmid, NOW - silence),
            )
            for product in products:
                row = (PUBLISHER, product, cmid, "os", "g", "j", "n", NOW - DAY, ends, 0)
                ledger.put_lease(tx, LeaseRow(*row))
    with database.snapshot() as reader:
        assert tallies.silent_seats(reader, PUBLISHER, "g", NOW, spans) == (2, NOW + 5)
        assert tallies.silent_seats(reader, PUBLISHER, "g", NOW, {"p": 2 * DAY}) == (3, NOW + 4)
        assert tallies.silent_seats(reader, PUBLISHER, "h", NOW, spans) == (0, None)


def test_a_store_of_before_gets_its_hours_from_its_rows(tmp_path: Path) -> None:
    steps = load_migrations(SCHEMA)
    with open_database(tmp_path / "host.db", create=True) as database:
        migrate(database, WING, steps[:7], NOW)
        with database.transaction() as tx:
            for cmid, product, released in (("a", "p", 0), ("a", "q", 0), ("b", "p", NOW)):
                tx.execute(
                    "INSERT INTO lease (publisher, cmid, product, application, grant_jti, jti,"
                    " issued_at, expires_at, released_at)"
                    " VALUES ('x', ?, ?, 'os', 'g', 'j', 1, ?, ?)",
                    (cmid, product, NOW + 1, released),
                )
                tx.execute(
                    "INSERT INTO sighting VALUES ('x', ?, ?, ?, ?)", (product, cmid, NOW, released)
                )
        migrate(database, WING, steps, NOW)
        with database.transaction() as tx:
            assert tallies.seats(tx, "x", "g", NOW) == 1
            assert tallies.counted(tx, "x", "p", NOW) == 1
            told = kept(tx)
            tallies.recount(tx)
            assert kept(tx) == told
