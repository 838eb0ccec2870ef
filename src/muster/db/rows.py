"""Whole tables, read and filled row by row, whatever they mean; for backups of every role.

Decides how rows become mappings and back, alike on both kinds of database. Table and column names
are words of ours, never of anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muster.core.catalogue import error
from muster.db.engine import Reader, Transaction

PAGE = 1000
"""Rows that are read at once."""
AT_ONCE = 500
"""Rows that are written at once."""


def rows(reader: Reader, table: str, key: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Every row of a table with all its columns, in the order of its key."""
    order = ", ".join(key)
    after = f" WHERE ({order}) > ({', '.join('?' * len(key))})"
    last: list[Any] = []
    while True:
        page = reader.query(
            f"SELECT * FROM {table}{after if last else ''} ORDER BY {order} LIMIT {PAGE}",  # noqa: S608
            last,
        )
        for row in page:
            yield dict(zip(row.keys(), row, strict=True))
        if len(page) < PAGE:
            return
        last = [page[-1][name] for name in key]


def fill(tx: Transaction, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of a backup into a table; all have the columns of the first."""
    if not rows:
        return
    known = set(columns(tx, table))
    names = sorted(rows[0])
    if not set(names) <= known or any(sorted(row) != names for row in rows):
        raise error("backup/damaged", path="the backup", line=0, detail=f"columns of {table}")
    marks = ", ".join("?" * len(names))
    tx.execute_many(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608  # known
        [[row[name] for name in names] for row in rows],
    )


def columns(reader: Reader, table: str) -> list[str]:
    """The columns of a table, also of an empty one."""
    row = reader.one(
        f"SELECT {table}.* FROM (SELECT 1) AS one"  # noqa: S608  # a table of ours
        f" LEFT JOIN {table} ON 1 = 0"
    )
    return [] if row is None else row.keys()


class Filler:
    """Puts rows into their tables, many at once; `flush` at the end."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._table = ""
        self._rows: list[Mapping[str, Any]] = []

    def take(self, table: str, row: Mapping[str, Any]) -> None:
        """One row more."""
        if table != self._table or len(self._rows) >= AT_ONCE:
            self.flush()
            self._table = table
        self._rows.append(row)

    def flush(self) -> None:
        """Write what waits."""
        rows, self._rows = self._rows, []
        fill(self._tx, self._table, rows)
