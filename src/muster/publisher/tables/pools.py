"""Pools of activations, and the table of what machines drew from them."""

from __future__ import annotations

from collections.abc import Sequence

from muster.db.engine import Reader, Row, Transaction
from muster.publisher.model import MachineGrant
from muster.publisher.tables import restore

_MACHINES = (
    "SELECT key, binding, jti, day, term, kid, text, confirmation, first_at, last_at, revoked"
    " FROM machine_grant "
)
_ASKED_AT_ONCE = 500
"""Bindings in one statement."""


def draw(tx: Transaction, key: str, count: int) -> bool:
    """Take `count` activations from the pool of a key; False when it has fewer.

    The condition is in the statement, so that no reader before it decides.
    """
    restore.refuse_while_waiting(tx)
    taken = tx.execute(
        "UPDATE product_key SET drawn = drawn + ?"
        " WHERE id = ? AND revoked IS NULL AND drawn + ? <= pool + corrected",
        (count, key, count),
    )
    return taken == 1


def correct_pool(tx: Transaction, key: str, count: int) -> bool:
    """Give activations back to a pool; False when that is above what staff may."""
    rows = tx.execute(
        "UPDATE product_key SET corrected = corrected + ?"
        " WHERE id = ? AND corrected + ? <= correction_limit",
        (count, key, count),
    )
    return rows == 1


def extend_pool(tx: Transaction, key: str, pool: int, correction_limit: int) -> bool:
    """Give a pool a new size; False when more than that was drawn."""
    rows = tx.execute(
        "UPDATE product_key SET pool = ?,"
        " correction_limit = CASE WHEN corrected > ? THEN corrected ELSE ? END"
        " WHERE id = ? AND drawn <= ? + corrected",
        (pool, correction_limit, correction_limit, key, pool),
    )
    return rows == 1


def machine(reader: Reader, key: str, binding: str) -> MachineGrant | None:
    """What was drawn for a machine."""
    row = reader.one(_MACHINES + "WHERE key = ? AND binding = ?", (key, binding))
    return _machine(row) if row else None


def machines(
    reader: Reader, *, key: str | None = None, jti: str | None = None
) -> tuple[MachineGrant, ...]:
    """Draws of machines in the order of first activation; of one key, or one licence id."""
    rows = reader.query(
        _MACHINES + "WHERE (key = ? OR ? = '') AND (jti = ? OR ? = '')"
        " ORDER BY first_at, key, binding",
        (key or "", key or "", jti or "", jti or ""),
    )
    return tuple(_machine(row) for row in rows)


def machines_bound(reader: Reader, key: str, bindings: Sequence[str]) -> dict[str, MachineGrant]:
    """What was drawn for these machines, by binding."""
    bound: dict[str, MachineGrant] = {}
    for start in range(0, len(bindings), _ASKED_AT_ONCE):
        part = bindings[start : start + _ASKED_AT_ONCE]
        marks = ", ".join("?" * len(part))
        rows = reader.query(
            f"{_MACHINES}WHERE key = ? AND binding IN ({marks})",
            (key, *part),
        )
        bound |= {row["binding"]: _machine(row) for row in rows}
    return bound


def add_machines(tx: Transaction, grants: Sequence[MachineGrant]) -> None:
    """Keep what was drawn."""
    tx.execute_many(
        "INSERT INTO machine_grant (key, binding, jti, day, term, kid, text, confirmation,"
        " first_at, last_at, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                machine_grant.key,
                machine_grant.binding,
                machine_grant.jti,
                machine_grant.day,
                machine_grant.term,
                machine_grant.kid,
                machine_grant.grant,
                machine_grant.confirmation,
                machine_grant.first_at,
                machine_grant.last_at,
                machine_grant.revoked,
            )
            for machine_grant in grants
        ],
    )


def resign_machine(tx: Transaction, grant: MachineGrant) -> None:
    """Keep the same licence under another signature."""
    tx.execute(
        "UPDATE machine_grant SET kid = ?, text = ?, confirmation = ?"
        " WHERE key = ? AND binding = ?",
        (grant.kid, grant.grant, grant.confirmation, grant.key, grant.binding),
    )


def machines_after(reader: Reader, day: int) -> tuple[MachineGrant, ...]:
    """Draws that begin after a day and are not revoked."""
    rows = reader.query(_MACHINES + "WHERE day > ? AND revoked IS NULL ORDER BY jti", (day,))
    return tuple(_machine(row) for row in rows)


def redate_machine(tx: Transaction, grant: MachineGrant) -> None:
    """Keep the same licence with another first day."""
    tx.execute(
        "UPDATE machine_grant SET day = ?, first_at = ?, last_at = ? WHERE key = ? AND binding = ?",
        (grant.day, grant.first_at, grant.last_at, grant.key, grant.binding),
    )
    resign_machine(tx, grant)


def touch_machines(tx: Transaction, key: str, bindings: Sequence[str], now: int) -> None:
    """Remember when machines asked last."""
    tx.execute_many(
        "UPDATE machine_grant SET last_at = ? WHERE key = ? AND binding = ? AND last_at < ?",
        [(now, key, binding, now) for binding in bindings],
    )


def revoke_machine(tx: Transaction, key: str, binding: str, day: int) -> None:
    """Mark an activation as revoked since a day; the day of an earlier revocation stays."""
    tx.execute(
        "UPDATE machine_grant SET revoked = ? WHERE key = ? AND binding = ? AND revoked IS NULL",
        (day, key, binding),
    )


def _machine(row: Row) -> MachineGrant:
    return MachineGrant(
        key=row["key"],
        binding=row["binding"],
        jti=row["jti"],
        day=row["day"],
        term=row["term"],
        kid=row["kid"],
        grant=row["text"],
        confirmation=row["confirmation"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        revoked=row["revoked"],
    )
