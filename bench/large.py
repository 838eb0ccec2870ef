"""What lists and status cost on a large host, as a ratio: 1,000,000 machines beside 10,000.

Each question is asked of two databases that differ in nothing but their size, in turn. A question
whose cost does not grow with the fleet has a ratio near 1; counting a whole fleet grows with it,
and is bounded here by 100. `python bench/large.py` prints this alone; it takes minutes to fill.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from muster.core.products import DAY  # noqa: E402
from muster.db.engine import Reader, Transaction  # noqa: E402
from muster.db.migrate import load_migrations, migrate  # noqa: E402
from muster.db.open import open_database  # noqa: E402
from muster.host.store import SCHEMA, WING  # noqa: E402
from muster.host.tables import ledger, request_log, tallies  # noqa: E402

NOW = 1_795_500_000
PUBLISHER = "a" * 16
SMALL, LARGE = 10_000, 1_000_000
TIMES = 3


def _row(number: int) -> str:
    return f"{number:08}-0000-4000-8000-000000000000"


def fill(tx: Transaction, machines: int) -> None:
    """Machines that asked over the last 30 days, each with a lease; half as many log rows."""
    numbers = range(machines)
    tx.execute_many(
        "INSERT INTO machine (publisher, cmid, identity, fingerprint, address, os, version, state,"
        " first_seen, last_seen, name) VALUES (?, ?, 'machine', '', ?, '', '', 1, 1, ?, ?)",
        (
            (PUBLISHER, _row(n), f"10.{n % 99}.0.1", NOW - n * 29 * DAY // machines, f"pc-{n}")
            for n in numbers
        ),
    )
    tx.execute_many(
        "INSERT INTO sighting (publisher, application, cmid, last_seen) VALUES (?, 'os', ?, ?)",
        ((PUBLISHER, _row(n), NOW - n * 29 * DAY // machines) for n in numbers),
    )
    tx.execute_many(
        "INSERT INTO lease (publisher, cmid, product, application, grant_jti, jti, issued_at,"
        " expires_at) VALUES (?, ?, 'p', 'os', 'g', 'j', 1, ?)",
        ((PUBLISHER, _row(n), NOW + DAY * (2 + n % 178)) for n in numbers),
    )
    tx.execute_many(
        "INSERT INTO request_log (at, publisher, product, cmid, address, code, field_code, need,"
        " shown_count, client_time, state, minutes, os, version)"
        " VALUES (1, ?, 'p', ?, '', '', '', 25, 25, 1, 1, 1, '', '')",
        ((PUBLISHER, _row(n)) for n in range(machines // 2)),
    )
    tallies.recount(tx)


def _listed(machines: list[object], reader: Reader) -> None:
    for machine in machines:
        cmid = str(getattr(machine, "cmid", ""))
        ledger.applications_of(reader, PUBLISHER, cmid)
        ledger.leases(reader, PUBLISHER, cmid)


QUESTIONS: dict[str, Callable[[Reader], object]] = {
    "host clients (1,000 rows)": lambda r: _listed([*ledger.machines(r, 1_000)], r),
    "host clients --silent 7d": lambda r: _listed(
        [*ledger.quiet_machines(r, 1_000, NOW, NOW - 7 * DAY)], r
    ),
    "host clients --name": lambda r: ledger.machines(r, 10, chosen=ledger.Chosen(name="pc-77")),
    "host clients --duplicates": lambda r: ledger.machines(
        r, 1_000, chosen=ledger.Chosen(cloned_since=NOW - DAY)
    ),
    "host log (50 rows)": lambda r: request_log.requests(r, 50),
    "host log --cmid": lambda r: request_log.requests(r, 50, _row(77)),
    "metrics (bounded counts)": lambda r: ledger.count(r, PUBLISHER, "os", NOW, most=50),
    "host status (whole count)": lambda r: ledger.application_count(r, PUBLISHER, "os", NOW),
    "seats of a grant with terms": lambda r: tallies.seats(r, PUBLISHER, "g", NOW),
    "host status (silent seats)": lambda r: tallies.silent_seats(
        r, PUBLISHER, "g", NOW, {"p": 14 * DAY}
    ),
}


def report() -> None:
    """Print each question's cost on the large host, and its ratio to that on the small one."""
    with tempfile.TemporaryDirectory() as folder:
        databases = []
        for machines in (SMALL, LARGE):
            database = open_database(f"{folder}/{machines}.db", create=True)
            migrate(database, WING, load_migrations(SCHEMA), NOW)
            with database.transaction() as tx:
                fill(tx, machines)
            databases.append(database)
        print(f"\nA host of {LARGE:,} machines beside one of {SMALL:,}:")
        for name, question in QUESTIONS.items():
            took: list[list[float]] = [[], []]
            for _ in range(TIMES):
                for place, database in enumerate(databases):
                    with database.snapshot() as reader:
                        begun = time.perf_counter()
                        question(reader)
                        took[place].append(time.perf_counter() - begun)
            small, large = (statistics.median(times) for times in took)
            print(f"  {name:28} {large * 1000:9.1f} ms, ratio {large / small:6.1f}")
        for database in databases:
            database.close()


if __name__ == "__main__":
    report()
