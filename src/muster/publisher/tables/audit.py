"""The audit log: rows that are only ever added, each chained to the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muster.core.audit import Actor, Event, Who
from muster.db.engine import Reader, Transaction
from muster.publisher import chain
from muster.publisher.chain import Head
from muster.publisher.model import AuditRow


def rows(reader: Reader, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
    """Up to `limit` rows of the audit table above a sequence number, oldest first."""
    rows = reader.query(
        "SELECT seq, at, actor, event, subject, detail, hash FROM audit WHERE seq > ?"
        " ORDER BY seq LIMIT ?",
        (after, limit),
    )
    return tuple(AuditRow(*row) for row in rows)


def newest(reader: Reader, limit: int) -> tuple[AuditRow, ...]:
    """The last `limit` rows of the audit table, oldest first."""
    rows = reader.query(
        "SELECT seq, at, actor, event, subject, detail, hash FROM audit ORDER BY seq DESC LIMIT ?",
        (limit,),
    )
    return tuple(AuditRow(*row) for row in reversed(rows))


FIRST = -(2**53)
"""Below the number of any row, also of one that was put in by hand."""


def all_rows(reader: Reader, after: int = FIRST) -> Iterator[AuditRow]:
    """All rows of the audit table above a number, lowest first, a page at a time."""
    page = rows(reader, after)
    while page:
        yield from page
        page = rows(reader, page[-1].seq)


_BY_ANY_CLOCK = (Event.PUBLISHER_BACKUP, Event.PUBLISHER_RESTORE, Event.PUBLISHER_RESUME)
UNATTENDED = ("door:http", "door:batch")
"""Who acts where a service answers and nobody sits there."""
_BACK = 10_000


def last_act(reader: Reader) -> AuditRow | None:
    """The last row but those of backup and restore, which are dated by any clock."""
    row = reader.one(
        "SELECT seq, at, actor, event, subject, detail, hash FROM audit"
        " WHERE event NOT IN (?, ?, ?) ORDER BY seq DESC LIMIT 1",
        [event.value for event in _BY_ANY_CLOCK],
    )
    return AuditRow(*row) if row else None


def last_typed(reader: Reader) -> AuditRow | None:
    """The last of those rows that somebody was there for; None where it is thousands back."""
    row = reader.one(
        "SELECT seq, at, actor, event, subject, detail, hash FROM audit"
        " WHERE event NOT IN (?, ?, ?) AND actor NOT IN (?, ?)"
        " AND seq > (SELECT max(seq) FROM audit) - ? ORDER BY seq DESC LIMIT 1",
        [*(event.value for event in _BY_ANY_CLOCK), *UNATTENDED, _BACK],
    )
    return AuditRow(*row) if row else None


def head(reader: Reader) -> Head:
    """Number and hash of the last row of the audit table."""
    row = reader.one("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    return Head(row[0], row[1]) if row else Head()


def write(
    tx: Transaction, now: int, actor: Who, event: Event, subject: str, detail: Mapping[str, Any]
) -> None:
    """Say who did what to what, in the transaction that does it."""
    write_many(tx, now, actor, [(event, subject, detail)])


def write_many(
    tx: Transaction, now: int, actor: Who, entries: Iterable[tuple[Event, str, Mapping[str, Any]]]
) -> None:
    """Say many things that one actor did; each of `entries` is event, subject and detail."""
    name, more = (actor.name, actor.detail) if isinstance(actor, Actor) else (actor, {})
    rows = chain.append(
        head(tx),
        now,
        ((name, event.value, subject, {**detail, **more}) for event, subject, detail in entries),
    )
    tx.execute_many(
        "INSERT INTO audit (seq, at, actor, event, subject, detail, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (row.seq, row.at, row.actor, row.event, row.subject, row.detail, row.hash)
            for row in rows
        ],
    )
