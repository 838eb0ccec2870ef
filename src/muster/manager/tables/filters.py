"""Saved filters."""

from __future__ import annotations

from muster.db.engine import Reader, Transaction
from muster.manager.model import SavedFilter


def rows(reader: Reader) -> list[SavedFilter]:
    """All saved filters, by name."""
    found = reader.query("SELECT name, terms, saved_at FROM saved_filter ORDER BY name")
    return [SavedFilter(*row) for row in found]


def terms(reader: Reader) -> dict[str, str]:
    """The terms of each, by name."""
    return {row.name: row.terms for row in rows(reader)}


def save(tx: Transaction, name: str, text: str, now: int) -> None:
    """Save terms under a name, in place of those that are there."""
    tx.execute(
        "INSERT INTO saved_filter (name, terms, saved_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET terms = excluded.terms, saved_at = excluded.saved_at",
        (name, text, now),
    )


def remove(tx: Transaction, name: str) -> bool:
    """Remove a saved filter; whether there was one."""
    return tx.execute("DELETE FROM saved_filter WHERE name = ?", (name,)) > 0
