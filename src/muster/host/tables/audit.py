"""The audit of a host."""

from __future__ import annotations

from muster.core.audit import Actor, Event, Who
from muster.core.values import dataclass
from muster.db.engine import Reader, Transaction

AUDIT_ROWS = 100_000
"""Entries of the audit that are kept."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry of the audit.

    `actor` is who did it: `user:NAME` of an administrator, as the kernel knows him, `door:http` a
    machine by its request, `task:NAME` the running host by itself, `unknown` where an older version
    wrote the entry. `sudo` is who logged in and became root, "" where nobody did.
    """

    at: int
    actor: str
    sudo: str
    event: str
    publisher: str
    subject: str
    detail: str


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
