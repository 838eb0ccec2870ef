"""What lists and counts of a large host read: along indexes, never a table whole, never sorted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muster.core.products import COUNT_WINDOW, DAY
from muster.db.engine import Database, Parameters, Reader, Row
from muster.db.migrate import load_migrations, migrate
from muster.db.open import open_database
from muster.host.store import SCHEMA, WING
from muster.host.tables import ledger, request_log, tallies

NOW = 1_795_500_000
PUBLISHER = "a" * 16
MACHINES = 20_000


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Database]:
    url = f"{tmp_path}/host.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with open_database(url, create=request.param == "sqlite") as opened:
        migrate(opened, WING, load_migrations(SCHEMA), NOW)
        with opened.transaction() as tx:
            fill(tx)
        yield opened


def fill(tx: object) -> None:
    numbers = [(f"{n:036}", NOW - n % (40 * DAY), f"pc-{n}") for n in range(MACHINES)]
    execute = tx.execute_many  # type: ignore[attr-defined]
    execute(
        "INSERT INTO machine (publisher, cmid, identity, fingerprint, address, os, version, state,"
        f" first_seen, last_seen, name, cloned_at) VALUES ('{PUBLISHER}', ?, 'machine', '', ?, '',"
        " '', 1, 1, ?, ?, ?)",
        [
            (cmid, f"192.0.{n % 250}.1", seen, name, NOW if n % 5000 == 7 else 0)
            for n, (cmid, seen, name) in enumerate(numbers)
        ],
    )
    execute(
        "INSERT INTO sighting (publisher, application, cmid, last_seen)"
        f" VALUES ('{PUBLISHER}', 'os', ?, ?)",
        [(cmid, seen) for cmid, seen, _ in numbers],
    )
    execute(
        "INSERT INTO lease (publisher, cmid, product, application, grant_jti, jti, issued_at,"
        f" expires_at) VALUES ('{PUBLISHER}', ?, 'p', 'os', 'g', 'j', 1, ?)",
        [(cmid, NOW + DAY) for cmid, _, _ in numbers],
    )
    execute(
        "INSERT INTO request_log (id, at, publisher, product, cmid, address, code, field_code,"
        " need, shown_count, client_time, state, minutes, os, version)"
        f" VALUES (?, 1, '{PUBLISHER}', 'p', ?, '', '', '', 25, 25, 1, 1, 1, '', '')",
        [(n + 1, cmid) for n, (cmid, _, _) in enumerate(numbers)],
    )
    tallies.recount(tx)  # type: ignore[arg-type]


class Planned(Reader):
    """A reader that asks first how each statement would be carried out, and keeps it."""

    def __init__(self, inner: Reader, sqlite: bool) -> None:
        self._inner = inner
        self._explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        self.plans: list[str] = []

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        rows = self._inner.query(self._explain + sql, parameters)
        steps = [str(tuple(row)[-1]) for row in rows]
        self.plans.append("\n".join([sql, *steps]))
        return self._inner.query(sql, parameters)

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        rows = self.query(sql, parameters)
        return rows[0] if rows else None


def read_everything(reader: Reader) -> list[object]:
    """What `clients`, `log`, `status` and metrics ask of the tables that grow with a fleet."""
    since = NOW - COUNT_WINDOW
    reader.one(
        "SELECT publisher, application FROM sighting WHERE (publisher, application) > (?, ?)"
        " ORDER BY publisher, application LIMIT 1",
        ("", ""),
    )
    found: list[object] = []
    for chosen in (
        ledger.Chosen(),
        ledger.Chosen(publisher=PUBLISHER),
        ledger.Chosen(name="PC-77"),
        ledger.Chosen(cmid=f"{5:036}"),
        ledger.Chosen(cloned_since=since),
    ):
        page = ledger.machines(reader, 100, chosen=chosen)
        found += page
        ledger.machines(reader, 100, chosen=chosen, after=page[-1])
        quiet = ledger.quiet_machines(reader, 100, NOW, NOW - DAY, chosen=chosen)
        if quiet:
            ledger.quiet_machines(reader, 100, NOW, NOW - DAY, chosen=chosen, after=quiet[-1])
    ledger.applications_of(reader, PUBLISHER, f"{5:036}")
    ledger.leases(reader, PUBLISHER, f"{5:036}")
    request_log.requests(reader, 50)
    request_log.requests(reader, 50, f"{5:036}")
    ledger.count(reader, PUBLISHER, "os", NOW, most=50)
    ledger.with_clones(reader, PUBLISHER, since)
    tallies.counted(reader, PUBLISHER, "os", NOW)
    tallies.seats(reader, PUBLISHER, "g", NOW)
    tallies.silent_seats(reader, PUBLISHER, "g", NOW, {"p": 14 * DAY})
    return found


@pytest.mark.parametrize("analyzed", [False, True])
def test_nothing_that_people_ask_reads_a_table_whole(database: Database, analyzed: bool) -> None:
    """Whether the database ever looked at its own tables (ANALYZE) or not."""
    if analyzed:
        with database.transaction() as tx:
            tx.execute("ANALYZE")
    with database.snapshot() as reader:
        sqlite = database.name.endswith(".db")
        planned = Planned(reader, sqlite)
        if not sqlite:  # a planner may read a small table whole though it has an index
            reader.query("SELECT set_config('enable_seqscan', 'off', true)")
        assert read_everything(planned)
    assert len(planned.plans) > 20
    for plan in planned.plans:
        for line in plan.splitlines()[1:]:
            assert "Seq Scan" not in line, plan
            assert not line.endswith("(publisher=?)") or "machine_by_publisher" in line, plan
            assert not (line.startswith("SCAN") and "INDEX" not in line) or (
                # By its number, from the newest, up to the limit; and what was found by then.
                line.removeprefix("SCAN ") in ("request_log", "counted", "newest", "held", "silent")
                # One row here, as the database knows once it has looked.
                or (analyzed and line == "SCAN seat_hour")
            ), plan
            # Of one CMID there is a row a publisher; of clones the index holds the few there are.
            few = "m.cmid = ?" in plan or "cloned_at" in plan
            if sqlite and "cloned_at" in plan:  # PostgreSQL weighs both by what it knows of them
                assert "machine_by_time" not in line, plan
            assert "USE TEMP B-TREE FOR ORDER BY" not in line or few, plan


def test_pages_are_one_list(database: Database) -> None:
    for chosen in (ledger.Chosen(), ledger.Chosen(publisher=PUBLISHER)):
        with database.snapshot() as reader:
            whole = ledger.machines(reader, MACHINES + 1, chosen=chosen)
            quiet = ledger.quiet_machines(reader, MACHINES + 1, NOW, NOW - DAY, chosen=chosen)
            pages: list[object] = []
            last = None
            while page := ledger.machines(reader, 3_000, chosen=chosen, after=last):
                pages += page
                last = page[-1]
            late: list[object] = []
            last = None
            while page := ledger.quiet_machines(
                reader, 3_000, NOW, NOW - DAY, chosen=chosen, after=last
            ):
                late += page
                last = page[-1]
        assert (pages, len(whole)) == (whole, MACHINES)
        assert late == quiet


def test_the_count_of_an_application(database: Database) -> None:
    with database.snapshot() as reader:
        assert [row.count for row in ledger.counts(reader, NOW)] == [MACHINES]
        row = ledger.application_count(reader, PUBLISHER, "os", NOW)
        nobody = ledger.application_count(reader, PUBLISHER, "office", NOW)
    assert (row.count, row.addresses) == (MACHINES, 250)
    assert (nobody.count, nobody.addresses) == (0, 0)
