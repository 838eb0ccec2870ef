"""The log of requests and the counters of answers: SQL and nothing else.

Obeys docs/spec/06-counting.md, sections 6.7 and 6.11. Which requests get rows is decided in
`muster.host.journal`; the tables of the count are in `muster.host.tables.ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.core.values import dataclass
from muster.db.engine import Reader, Row, Transaction
from muster.host.model import LogRow
from muster.host.tables.ledger import flag

LOG_ROWS = 500_000
"""Requests that the log keeps."""
_TRIM_EVERY = 1_000
"""The log is cut whenever a row with a number divisible by this was written."""


def log(tx: Transaction, row: LogRow) -> None:
    """Write one request; the oldest ones beyond LOG_ROWS are dropped now and then."""
    oldest = tx.one(
        "INSERT INTO request_log (at, publisher, product, cmid, address, code, field_code, need,"
        " shown_count, client_time, is_virtual, state, minutes, os, version, name)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            row.at,
            row.publisher,
            row.product,
            row.cmid,
            row.address,
            row.code,
            row.field_code,
            row.need,
            row.count,
            row.client_time,
            None if row.virtual is None else int(row.virtual),
            row.state,
            row.minutes,
            row.os,
            row.version,
            row.name,
        ),
    )
    assert oldest is not None
    if oldest[0] % _TRIM_EVERY == 0:
        tx.execute("DELETE FROM request_log WHERE id <= ?", (oldest[0] - LOG_ROWS,))


def requests(
    reader: Reader, limit: int, cmid: str | None = None, before: int | None = None
) -> list[LogRow]:
    """The newest requests, newest first; of one CMID, or all.

    Args:
        before: the number of the last row of the page before.
    """
    wanted = {"cmid = ?": cmid or None, "id < ?": before}
    parts = {sql: value for sql, value in wanted.items() if value is not None}
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    rows = reader.query(
        "SELECT id, at, publisher, product, cmid, address, code, field_code, need,"  # noqa: S608
        " shown_count, client_time, is_virtual, state, minutes, os, version, name"
        f" FROM request_log{where} ORDER BY id DESC LIMIT ?",
        (*parts.values(), limit),
    )
    return [_log_row(row) for row in rows]


def _log_row(row: Row) -> LogRow:
    return LogRow(
        at=row["at"],
        publisher=row["publisher"],
        product=row["product"],
        cmid=row["cmid"],
        address=row["address"],
        code=row["code"],
        field_code=row["field_code"],
        need=row["need"],
        count=row["shown_count"],
        client_time=row["client_time"],
        virtual=flag(row["is_virtual"]),
        state=row["state"],
        minutes=row["minutes"],
        os=row["os"],
        version=row["version"],
        id=row["id"],
        name=row["name"],
    )


@dataclass(frozen=True, slots=True)
class Counter:
    """Requests since the host exists; `code` "" where a lease was given, `state` 0 to 6."""

    publisher: str
    product: str
    code: str
    state: int
    number: int


def add_counters(tx: Transaction, added: Mapping[tuple[str, str, str, int], int]) -> None:
    """Add to counters, by (publisher, product, code, state)."""
    tx.execute_many(
        "INSERT INTO counter (publisher, product, code, state, number) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (publisher, product, code, state)"
        " DO UPDATE SET number = counter.number + excluded.number",
        [(*key, number) for key, number in sorted(added.items())],
    )


def counters(reader: Reader) -> list[Counter]:
    """All counters."""
    rows = reader.query(
        "SELECT publisher, product, code, state, number FROM counter"
        " ORDER BY publisher, product, code, state"
    )
    return [Counter(*row) for row in rows]
