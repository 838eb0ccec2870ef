"""The settings that `muster host set` has set."""

from __future__ import annotations

from muster.db.engine import Reader, Transaction


def rows(reader: Reader) -> dict[str, str]:
    """What `muster host set` has set, by name, as text."""
    records = reader.query("SELECT name, value FROM setting ORDER BY name")
    return {str(row[0]): str(row[1]) for row in records}


def put(tx: Transaction, name: str, value: str) -> None:
    """Keep the value of a setting."""
    tx.execute(
        "INSERT INTO setting (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def clear(tx: Transaction, name: str) -> int:
    """Go back to the default; the number of values that were removed."""
    return tx.execute("DELETE FROM setting WHERE name = ?", (name,))
