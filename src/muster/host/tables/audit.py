"""The audit of a host."""

from __future__ import annotations

from muster.core.audit import Event
from muster.core.values import dataclass
from muster.db.engine import Reader, Transaction

AUDIT_ROWS = 100_000
"""Entries of the audit that are kept."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry of the audit."""

    at: int
    event: str
    publisher: str
    subject: str
    detail: str


def write(
    tx: Transaction, at: int, event: Event, publisher: str, subject: str, detail: str = ""
) -> None:
    """Write an entry; the oldest ones beyond AUDIT_ROWS are dropped."""
    tx.execute(
        "INSERT INTO audit (at, event, publisher, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (at, event.value, publisher, subject, detail),
    )
    tx.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (AUDIT_ROWS,))


def rows(reader: Reader, limit: int) -> list[AuditRow]:
    """The newest entries, newest first."""
    records = reader.query(
        "SELECT at, event, publisher, subject, detail FROM audit ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [AuditRow(*row) for row in records]
