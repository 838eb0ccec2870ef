"""The SQL of the count does what its pure functions say, row by row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.host.conftest import START, World
from tests.profiles import examples

from muster.core.products import COUNT_WINDOW, SKEW
from muster.host import count
from muster.host.count import PURGE_AFTER, Seen
from muster.host.tables import ledger, request_log, tallies

near = st.integers(-3, 3)
times = st.one_of(
    st.integers(0, 2 * START),
    near.map(lambda n: START + n),
    near.map(lambda n: START + SKEW + n),
    near.map(lambda n: START - COUNT_WINDOW + n),
    near.map(lambda n: START - PURGE_AFTER + n),
)
tables = st.lists(st.builds(Seen, times, times), max_size=30)
each_row = examples(60, shared=True)


def fill(world: World, rows: list[Seen]) -> None:
    with world.database.transaction() as tx:
        tx.execute("DELETE FROM sighting")
        tallies.recount(tx)
        for number, row in enumerate(rows):
            ledger.put_seen(tx, world.id, "os", f"{number:04}", row)


def held(world: World) -> dict[int, Seen]:
    with world.database.snapshot() as reader:
        found = reader.query("SELECT cmid, last_seen, released FROM sighting ORDER BY cmid")
    return {int(row[0]): Seen(row[1], row[2]) for row in found}


@each_row
@given(tables, st.integers(1, 40))
def test_the_count(world: World, rows: list[Seen], most: int) -> None:
    fill(world, rows)
    number = sum(count.counts(row, START) for row in rows)
    with world.database.snapshot() as reader:
        assert ledger.count(reader, world.id, "os", START) == number
        assert ledger.count(reader, world.id, "os", START, most=most) == min(number, most)
        assert ledger.count(reader, world.id, "office", START) == 0


@each_row
@given(tables)
def test_mending(world: World, rows: list[Seen]) -> None:
    fill(world, rows)
    with world.database.transaction() as tx:
        number = ledger.clamp_future(tx, START)
    assert number == sum(count.ahead(row, START) for row in rows)
    assert held(world) == {n: count.clamp_future(row, START) for n, row in enumerate(rows)}


@each_row
@given(tables)
def test_purging(world: World, rows: list[Seen]) -> None:
    fill(world, rows)
    with world.database.transaction() as tx:
        number = ledger.purge(tx, START)
    assert number == sum(count.purgeable(row, START) for row in rows)
    kept = {n: row for n, row in enumerate(rows) if not count.purgeable(row, START)}
    assert held(world) == kept


def test_a_decision_reads_few_rows_of_a_large_fleet(world: World) -> None:
    with world.database.transaction() as tx:
        tx.execute(
            "INSERT INTO sighting (publisher, application, cmid, last_seen)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " SELECT ?, 'os', i, ? FROM n",
            (world.id, START),
        )
        plan = tx.query(
            "EXPLAIN QUERY PLAN SELECT count(*) FROM (SELECT 1 FROM sighting WHERE publisher = ?"
            " AND application = ? AND last_seen > ? AND last_seen > released LIMIT ?) AS counted",
            (world.id, "os", START - COUNT_WINDOW, 50),
        )
        assert "COVERING INDEX sighting_by_time" in str([tuple(row) for row in plan])
        assert ledger.count(tx, world.id, "os", START, most=50) == 50


def test_the_log_keeps_the_newest(world: World) -> None:
    world.ask(1)
    with world.database.transaction() as tx:
        tx.execute("UPDATE request_log SET id = ?", (request_log.LOG_ROWS + 999,))
        tx.execute(
            "INSERT INTO request_log SELECT 1, at, publisher, product, cmid, address, code,"
            " field_code, need, shown_count, client_time, is_virtual, state, minutes, os, version,"
            " name FROM request_log"
        )
    world.ask(2)
    with world.database.snapshot() as reader:
        numbers = [row.id for row in request_log.requests(reader, 10)]
    assert numbers == [request_log.LOG_ROWS + 1000, request_log.LOG_ROWS + 999]
