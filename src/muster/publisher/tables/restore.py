"""What a backup reads and fills, and the draws that wait after a restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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


def rows(reader: Reader, table: str, order: str) -> Iterator[Mapping[str, Any]]:
    """Every row of a table with all its columns, a thousand at a time; for backups.

    `table` and `order` are words of ours, never of anybody else.
    """
    start = 0
    while True:
        page = reader.query(
            f"SELECT * FROM {table} ORDER BY {order} LIMIT 1000 OFFSET ?",  # noqa: S608  # ours
            (start,),
        )
        for row in page:
            yield dict(zip(row.keys(), row, strict=True))
        if len(page) < 1000:
            return
        start += len(page)


def fill(tx: Transaction, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of a backup into a table; all have the columns of the first."""
    if not rows:
        return
    known = set(_columns(tx, table))
    names = sorted(rows[0])
    if not set(names) <= known or any(sorted(row) != names for row in rows):
        raise error("backup/damaged", path="the backup", line=0, detail=f"columns of {table}")
    marks = ", ".join("?" * len(names))
    tx.execute_many(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608  # known
        [[row[name] for name in names] for row in rows],
    )


def _columns(reader: Reader, table: str) -> list[str]:
    """The columns of a table, also of an empty one."""
    row = reader.one(
        f"SELECT {table}.* FROM (SELECT 1) AS one"  # noqa: S608  # a table of ours
        f" LEFT JOIN {table} ON 1 = 0"
    )
    return [] if row is None else row.keys()
