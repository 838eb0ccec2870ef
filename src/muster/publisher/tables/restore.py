"""Draws that wait after a restore."""

from __future__ import annotations

from muster.core.catalogue import error
from muster.db.engine import RETRY_AFTER_SECONDS, Reader, Transaction


def waiting(reader: Reader) -> dict[int, str]:
    """Restores for which draws wait: the audit head of each one's backup, by number."""
    rows = reader.query(
        "SELECT number, head FROM restore WHERE resolved_at IS NULL ORDER BY number"
    )
    return {row[0]: row[1] for row in rows}


def refuse_while_waiting(tx: Transaction) -> None:
    """Nothing is drawn between a restore and its end."""
    if waiting(tx):
        raise error("publisher/restored", retry_after=RETRY_AFTER_SECONDS)


def note(tx: Transaction, now: int, head: str) -> None:
    """These tables came out of a backup: draws wait from now on."""
    tx.execute(
        "INSERT INTO restore (number, restored_at, head)"
        " SELECT COALESCE(MAX(number), 0) + 1, ?, ? FROM restore",
        (now, head),
    )


def resolve(tx: Transaction, number: int, now: int) -> None:
    """Draws wait for this restore no longer."""
    tx.execute("UPDATE restore SET resolved_at = ? WHERE number = ?", (now, number))
