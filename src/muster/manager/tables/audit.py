"""The audit of a manager."""

from __future__ import annotations

from muster.core.audit import Actor, Event, Who
from muster.db.engine import Reader, Transaction
from muster.manager.model import AuditRow

AUDIT_ROWS = 100_000
"""Entries of the audit that are kept."""


def write(tx: Transaction, at: int, actor: Who, event: Event, subject: str, detail: str) -> None:
    """Say who did what to what; the oldest entries beyond AUDIT_ROWS are dropped."""
    who = actor if isinstance(actor, Actor) else Actor(actor)
    last = tx.one("SELECT coalesce(max(id), 0) FROM audit")
    assert last is not None
    number = last[0] + 1
    tx.execute(
        "INSERT INTO audit (id, at, actor, sudo, event, subject, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (number, at, who.name, who.detail.get("sudo", ""), event.value, subject, detail),
    )
    tx.execute("DELETE FROM audit WHERE id <= ?", (number - AUDIT_ROWS,))


def rows(reader: Reader, limit: int) -> list[AuditRow]:
    """The newest entries, newest first."""
    found = reader.query(
        "SELECT at, event, subject, detail, actor, sudo FROM audit ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [AuditRow(*row) for row in found]
