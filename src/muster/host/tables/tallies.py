"""Numbers that are kept beside the tables of the count, so that no answer and no list counts a
whole fleet: machines that count by the hour in which they were last seen, and seats by the hour in
which they end.

Decides how the hours are kept in step and added up: whole hours from here, the hour that an edge
cuts from the rows themselves. Refuses to know what counts (`muster.host.count`). A machine holds
one seat of a grant however many leases it has; the seat ends with the last of them.
Obeys docs/spec/06-counting.md, sections 6.1 and 6.5.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.core.products import COUNT_WINDOW, DAY
from muster.db.engine import Reader, Transaction
from muster.host.count import Seen

HOUR = 3600
SILENT_AMONG = 50_000
"""Leases, of the machines that are silent longest, among which silent seats are counted."""
_TABLES = {"counted_hour": "application", "seat_hour": "grant_jti"}
_COUNTED = (
    "SELECT publisher, application, last_seen / 3600, count(*) FROM sighting"
    " WHERE last_seen > released GROUP BY publisher, application, last_seen / 3600"
)
_SEATS = (
    "SELECT publisher, grant_jti, ends / 3600, count(*) FROM"
    " (SELECT publisher, grant_jti, cmid, max(expires_at) AS ends FROM lease"
    " WHERE released_at = 0 GROUP BY publisher, grant_jti, cmid) AS seat"
    " GROUP BY publisher, grant_jti, ends / 3600"
)


def counted(reader: Reader, publisher: str, application: str, now: int) -> int:
    """Machines of an application that count now: all of them."""
    edge = now - COUNT_WINDOW
    row = reader.one(
        "SELECT count(*) FROM sighting WHERE publisher = ? AND application = ?"
        " AND last_seen > ? AND last_seen < ? AND last_seen > released",
        (publisher, application, edge, _next_hour(edge)),
    )
    assert row is not None
    return int(row[0]) + _after(reader, "counted_hour", publisher, application, edge)


def seats(reader: Reader, publisher: str, grant_jti: str, now: int) -> int:
    """Machines that hold a live lease under a grant."""
    end = _next_hour(now)
    row = reader.one(
        "SELECT count(DISTINCT cmid) FROM lease l WHERE publisher = ? AND grant_jti = ?"
        " AND released_at = 0 AND expires_at > ? AND expires_at < ? AND NOT EXISTS"
        " (SELECT 1 FROM lease o WHERE o.publisher = l.publisher AND o.cmid = l.cmid"
        " AND o.grant_jti = l.grant_jti AND o.released_at = 0 AND o.expires_at >= ?)",
        (publisher, grant_jti, now, end, end),
    )
    assert row is not None
    return int(row[0]) + _after(reader, "seat_hour", publisher, grant_jti, now)


def silent_seats(
    reader: Reader,
    publisher: str,
    grant_jti: str,
    now: int,
    spans: Mapping[str, int],
) -> tuple[int, int | None]:
    """Machines that hold a live lease under a grant and have been silent.

    Looks at the SILENT_AMONG leases of the machines that nobody heard longest.
    Args:
        spans: after how many seconds the holder of a lease of a product is silent, a day or more;
            the shortest where the product is not in it. Of several leases the longest counts.
    Returns:
        How many, and when the first of their seats comes back.
    """
    shortest = min(spans.values(), default=DAY)
    products: dict[int, list[str]] = {}
    for product, span in spans.items():
        products.setdefault(span, []).append(product)
    cases, parameters = "", list[object]()
    for span, names in products.items():
        cases += f" WHEN product IN ({', '.join('?' * len(names))}) THEN {span:d}"
        parameters += names
    span_sql = f"CASE{cases} ELSE {shortest:d} END" if cases else str(DAY)
    row = reader.one(
        "SELECT count(*), min(ends) FROM (SELECT max(expires_at) AS ends FROM"  # noqa: S608  # ours
        " (SELECT m.cmid, m.last_seen, l.product, l.expires_at FROM machine m CROSS JOIN lease l"
        " WHERE m.publisher = ? AND m.last_seen < ? AND l.publisher = m.publisher"
        " AND l.cmid = m.cmid AND l.grant_jti = ? AND l.released_at = 0 AND l.expires_at > ?"
        f" ORDER BY m.last_seen LIMIT {SILENT_AMONG}) AS held GROUP BY last_seen, cmid"
        f" HAVING max({span_sql}) < ? - last_seen) AS silent",
        (publisher, now - shortest, grant_jti, now, *parameters, now),
    )
    assert row is not None
    return int(row[0]), None if row[1] is None else int(row[1])


def move_counted(
    tx: Transaction, publisher: str, application: str, before: Seen, after: Seen
) -> None:
    """A machine was seen, or gave its licence back."""
    _move(tx, "counted_hour", publisher, application, (_hour_of(before), _hour_of(after)))


def seat_ends(reader: Reader, publisher: str, cmid: str) -> Mapping[str, int]:
    """When the seats of a machine end, by grant."""
    rows = reader.query(
        "SELECT grant_jti, max(expires_at) FROM lease WHERE publisher = ? AND cmid = ?"
        " AND released_at = 0 GROUP BY grant_jti",
        (publisher, cmid),
    )
    return {str(row[0]): int(row[1]) for row in rows}


def move_seats(
    tx: Transaction, publisher: str, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    """Leases of a machine were given or came back; both as `seat_ends` has them."""
    for grant in sorted(before.keys() | after.keys()):
        hours = [ends[grant] // HOUR if grant in ends else None for ends in (before, after)]
        _move(tx, "seat_hour", publisher, grant, (hours[0], hours[1]))


def forget(tx: Transaction, before: int) -> None:
    """Drop the hours before an instant: nothing counts them, and their rows are deleted."""
    for table in _TABLES:
        tx.execute(f"DELETE FROM {table} WHERE hour < ?", (before // HOUR,))  # noqa: S608  # ours


def recount(tx: Transaction) -> None:
    """Make all hours anew from the rows, after these were changed by other ways than one by one."""
    for (table, name), rows in zip(_TABLES.items(), (_COUNTED, _SEATS), strict=True):
        tx.execute(f"DELETE FROM {table}")  # noqa: S608  # names of ours, as below
        tx.execute(f"INSERT INTO {table} (publisher, {name}, hour, number) {rows}")


def _after(reader: Reader, table: str, publisher: str, name: str, edge: int) -> int:
    """The sum of the whole hours after the one in which an instant is."""
    row = reader.one(
        f"SELECT coalesce(sum(number), 0) FROM {table} WHERE publisher = ?"  # noqa: S608  # ours
        f" AND {_TABLES[table]} = ? AND hour > ?",
        (publisher, name, edge // HOUR),
    )
    assert row is not None
    return int(row[0])


def _move(
    tx: Transaction, table: str, publisher: str, name: str, hours: tuple[int | None, int | None]
) -> None:
    """One less in the first hour and one more in the second; None is no hour."""
    before, after = hours
    if before == after:
        return
    column = _TABLES[table]
    if before is not None:
        tx.execute(
            f"UPDATE {table} SET number = number - 1 WHERE publisher = ?"  # noqa: S608  # ours
            f" AND {column} = ? AND hour = ? AND number > 0",
            (publisher, name, before),
        )
    if after is not None:
        tx.execute(
            f"INSERT INTO {table} (publisher, {column}, hour, number)"  # noqa: S608  # ours
            f" VALUES (?, ?, ?, 1) ON CONFLICT (publisher, {column}, hour)"
            f" DO UPDATE SET number = {table}.number + 1",
            (publisher, name, after),
        )


def _hour_of(row: Seen) -> int | None:
    return row.last_seen // HOUR if row.last_seen > row.released else None


def _next_hour(instant: int) -> int:
    return (instant // HOUR + 1) * HOUR
