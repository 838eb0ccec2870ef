"""Rows of another state of this host, taken into the tables by maximum.

Decides nothing but how two rows become one: each number by its own rule, and none goes back.
Obeys docs/spec/06-counting.md, section 6.1, and docs/spec/09-files.md, section 9.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.core.catalogue import error
from muster.core.products import SKEW
from muster.db.engine import Transaction
from muster.db.rows import columns

_KEYS = {
    "sighting": ("publisher", "application", "cmid"),
    "machine": ("publisher", "cmid"),
    "lease": ("publisher", "cmid", "product"),
    "counter": ("publisher", "product", "code", "state"),
}
_MORE = {
    "sighting": ("last_seen", "released"),
    "machine": ("last_seen", "duplicates", "restored", "cloned_at"),
    "lease": (),
    "counter": ("number",),
}
"""Columns of which the greater value stays."""


def _greater(table: str, name: str) -> str:
    return (
        f"{name} = CASE WHEN excluded.{name} > {table}.{name} THEN excluded.{name}"
        f" ELSE {table}.{name} END"
    )


_LINE_FORGOTTEN = "excluded.asked_at > machine.asked_at"
"""The other state heard the machine later, so that this one's line is behind."""
_MACHINE = (
    "first_seen = CASE WHEN excluded.first_seen < machine.first_seen THEN excluded.first_seen"
    " ELSE machine.first_seen END",
    *(
        f"{name} = CASE WHEN {_LINE_FORGOTTEN} THEN excluded.{name} ELSE machine.{name} END"
        for name in ("nonce", "fingerprint", "left_lines", "forked_at")
    ),
    _greater("machine", "asked_at"),
)
_NEWER = "excluded.issued_at > lease.issued_at"
_LEASE = (
    # The same lease: what was given back stays given back. Two leases: the newer one.
    "released_at = CASE WHEN excluded.jti = lease.jti AND excluded.released_at > lease.released_at"
    f" THEN excluded.released_at WHEN excluded.jti = lease.jti THEN lease.released_at WHEN {_NEWER}"
    " THEN excluded.released_at ELSE lease.released_at END",
    *(
        f"{name} = CASE WHEN {_NEWER} THEN excluded.{name} ELSE lease.{name} END"
        for name in ("jti", "nonce", "application", "grant_jti", "expires_at", "issued_at")
    ),
)
_CHANGES = {
    table: (
        *(_greater(table, name) for name in names),
        *({"machine": _MACHINE, "lease": _LEASE}.get(table, ())),
    )
    for table, names in _MORE.items()
}


class Merger:
    """Takes rows of `sighting`, `machine`, `lease` and `counter` into the tables."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._columns = {table: set(columns(tx, table)) for table in _KEYS}

    def take(self, table: str, row: Mapping[str, int | str | None]) -> None:
        """Take one row. Raises: `backup/damaged`."""
        names = sorted(row)
        if not set(_KEYS[table]) <= set(names) <= self._columns[table]:
            raise error("backup/damaged", path="the backup", line=0, detail=f"columns of {table}")
        self._tx.execute(
            f"INSERT INTO {table} ({', '.join(names)})"  # noqa: S608  # names of ours
            f" VALUES ({', '.join('?' * len(names))})"
            f" ON CONFLICT ({', '.join(_KEYS[table])}) DO UPDATE SET {', '.join(_CHANGES[table])}",
            [row[name] for name in names],
        )


def forget_lines(tx: Transaction, now: int) -> None:
    """Forget the lines and the hardware of all machines; when they asked last, no later than the
    host's clock allows, stays."""
    tx.execute(
        "UPDATE machine SET nonce = '', fingerprint = '', left_lines = '', forked_at = 0,"
        " asked_at = CASE WHEN asked_at > ? THEN ? ELSE asked_at END",
        (now + SKEW, now),
    )
