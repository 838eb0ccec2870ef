"""The audit of a host."""

from __future__ import annotations

from muster.core.audit import Actor, Event, Who
from muster.db.engine import Reader, Transaction
from muster.host.model import AuditRow

AUDIT_ROWS = 100_000
"""Entries of the audit that are kept."""


def write(
    tx: Transaction,
    at: int,
    actor: Who,
    event: Event,
    publisher: str,
    subject: str,
    detail: str = "",
) -> None:
    """Say who did what to what; the oldest entries beyond AUDIT_ROWS are dropped."""
    name, more = (actor.name, actor.detail) if isinstance(actor, Actor) else (actor, {})
    tx.execute(
        "INSERT INTO audit (at, actor, sudo, event, publisher, subject, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (at, name, more.get("sudo", ""), event.value, publisher, subject, detail),
    )
    tx.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (AUDIT_ROWS,))


def rows(reader: Reader, limit: int) -> list[AuditRow]:
    """The newest entries, newest first."""
    records = reader.query(
        "SELECT at, actor, sudo, event, publisher, subject, detail FROM audit"
        " ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [AuditRow(*row) for row in records]
