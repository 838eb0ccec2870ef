"""The tables of hosts: their seats, what was drawn for them, and their terms."""

from __future__ import annotations

from muster.db.engine import Reader, Row, Transaction
from muster.publisher.model import (
    HostGrant,
    HostTerms,
    Seat,
)
from muster.publisher.tables import restore

_GRANTS = (
    "SELECT key, binding, hw, jti, day, term, kid, text, confirmation, first_at, last_at, revoked,"
    " name FROM host_grant "
)
_SEATS = "SELECT key, hw, activations, first_at, released_at FROM host_seat "


def seat(reader: Reader, key: str, hw: str) -> Seat | None:
    """What a host key knows of a hardware id."""
    row = reader.one(_SEATS + "WHERE key = ? AND hw = ?", (key, hw))
    return _seat(row) if row else None


def seats(reader: Reader, key: str | None = None) -> tuple[Seat, ...]:
    """All seats, or those of one host key."""
    rows = reader.query(
        _SEATS + "WHERE key = ? OR ? = '' ORDER BY key, first_at, hw",
        (key or "", key or ""),
    )
    return tuple(_seat(row) for row in rows)


def reserve_host(tx: Transaction, key: str, hw: str, now: int) -> bool:
    """Take one of the hosts of a key for a hardware id; False when none is left.

    The condition is in the statement, so that no reader before it decides.
    """
    restore.refuse_while_waiting(tx)
    taken = tx.execute(
        "UPDATE product_key SET hosts = hosts + 1 WHERE id = ? AND hosts < host_limit", (key,)
    )
    if taken != 1:
        return False
    tx.execute(
        "INSERT INTO host_seat (key, hw, activations, first_at) VALUES (?, ?, 0, ?)"
        " ON CONFLICT (key, hw) DO UPDATE SET activations = 0, released_at = NULL",
        (key, hw, now),
    )
    return True


def reserve_activation(tx: Transaction, key: str, hw: str) -> bool:
    """Take one of the activations of a hardware id; False when none is left."""
    restore.refuse_while_waiting(tx)
    taken = tx.execute(
        "UPDATE host_seat SET activations = activations + 1"
        " WHERE key = ? AND hw = ? AND released_at IS NULL AND activations <"
        " (SELECT activation_limit FROM product_key WHERE id = ?)",
        (key, hw, key),
    )
    return taken == 1


def release_host(tx: Transaction, key: str, hw: str, now: int) -> bool:
    """Free the seat of a hardware id; False when it holds none."""
    freed = tx.execute(
        "UPDATE host_seat SET released_at = ? WHERE key = ? AND hw = ? AND released_at IS NULL",
        (now, key, hw),
    )
    if freed != 1:
        return False
    tx.execute("UPDATE product_key SET hosts = hosts - 1 WHERE id = ?", (key,))
    return True


def grant(reader: Reader, key: str, binding: str) -> HostGrant | None:
    """What was drawn for a host signing key."""
    row = reader.one(_GRANTS + "WHERE key = ? AND binding = ?", (key, binding))
    return _grant(row) if row else None


def grants(
    reader: Reader, *, key: str | None = None, host: str | None = None
) -> tuple[HostGrant, ...]:
    """Draws in the order of first activation.

    Args:
        key: of one host key only, as key id text.
        host: of one host only, named by a licence id (`jti`) or a hardware id.
    """
    rows = reader.query(
        _GRANTS + "WHERE (key = ? OR ? = '') AND (jti = ? OR hw = ? OR ? = '')"
        " ORDER BY first_at, key, binding",
        (key or "", key or "", host or "", host or "", host or ""),
    )
    return tuple(_grant(row) for row in rows)


def add_grant(tx: Transaction, grant: HostGrant) -> None:
    """Keep what was drawn."""
    tx.execute(
        "INSERT INTO host_grant (key, binding, hw, jti, day, term, kid, text, confirmation,"
        " first_at, last_at, revoked, name)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            grant.key,
            grant.binding,
            grant.hw,
            grant.jti,
            grant.day,
            grant.term,
            grant.kid,
            grant.grant,
            grant.confirmation,
            grant.first_at,
            grant.last_at,
            grant.revoked,
            grant.name,
        ),
    )


def name_grant(tx: Transaction, key: str, binding: str, name: str) -> None:
    """Keep what a host calls itself, where it had no name yet."""
    tx.execute(
        "UPDATE host_grant SET name = ? WHERE key = ? AND binding = ? AND name = ''",
        (name, key, binding),
    )


def resign_grant(tx: Transaction, grant: HostGrant) -> None:
    """Keep the same licence under another signature."""
    tx.execute(
        "UPDATE host_grant SET kid = ?, text = ?, confirmation = ? WHERE key = ? AND binding = ?",
        (grant.kid, grant.grant, grant.confirmation, grant.key, grant.binding),
    )


def grants_after(reader: Reader, day: int) -> tuple[HostGrant, ...]:
    """Draws that begin after a day and are not revoked."""
    rows = reader.query(_GRANTS + "WHERE day > ? AND revoked IS NULL ORDER BY jti", (day,))
    return tuple(_grant(row) for row in rows)


def ending(reader: Reader, unit: int, first: int, last: int) -> tuple[HostGrant, ...]:
    """Draws that end between two days, both included, and are not revoked, nor their key, nor
    released; the first to end first.

    Args:
        unit: days in a unit of a term.
    """
    rows = reader.query(
        _GRANTS  # noqa: S608  # words of ours
        + "WHERE term > 0 AND revoked IS NULL AND day + term * ? BETWEEN ? AND ?"
        " AND NOT EXISTS (SELECT 1 FROM product_key k WHERE k.id = host_grant.key"
        " AND k.revoked IS NOT NULL)"
        " AND NOT EXISTS (SELECT 1 FROM host_seat s WHERE s.key = host_grant.key"
        " AND s.hw = host_grant.hw AND s.released_at IS NOT NULL)"
        " ORDER BY day + term * ?, jti",
        (unit, first, last, unit),
    )
    return tuple(_grant(row) for row in rows)


def redate_grant(tx: Transaction, grant: HostGrant) -> None:
    """Keep the same licence with another first day."""
    tx.execute(
        "UPDATE host_grant SET day = ?, first_at = ?, last_at = ? WHERE key = ? AND binding = ?",
        (grant.day, grant.first_at, grant.last_at, grant.key, grant.binding),
    )
    resign_grant(tx, grant)


def touch_grant(tx: Transaction, key: str, binding: str, now: int) -> None:
    """Remember when a host asked last."""
    tx.execute(
        "UPDATE host_grant SET last_at = ? WHERE key = ? AND binding = ? AND last_at < ?",
        (now, key, binding, now),
    )


def revoke_grant(tx: Transaction, key: str, binding: str, day: int) -> None:
    """Mark a grant as revoked since a day; the day of an earlier revocation stays."""
    tx.execute(
        "UPDATE host_grant SET revoked = ? WHERE key = ? AND binding = ? AND revoked IS NULL",
        (day, key, binding),
    )


def host_terms(reader: Reader, jti: str) -> HostTerms | None:
    """The newest terms of a host's grant."""
    row = reader.one(
        "SELECT jti, version, iat, machines, excess, customer, agreement, kid, text,"
        " max_lease FROM host_terms WHERE jti = ? ORDER BY version DESC LIMIT 1",
        (jti,),
    )
    return HostTerms(*row) if row else None


def add_host_terms(tx: Transaction, terms: HostTerms) -> None:
    """Keep another version of the terms of a host's grant."""
    tx.execute(
        "INSERT INTO host_terms (jti, version, iat, machines, excess, customer, agreement,"
        " kid, text, max_lease) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            terms.jti,
            terms.version,
            terms.iat,
            terms.limit,
            terms.over,
            terms.customer,
            terms.agreement,
            terms.kid,
            terms.text,
            terms.max_lease,
        ),
    )


def _grant(row: Row) -> HostGrant:
    return HostGrant(
        key=row["key"],
        binding=row["binding"],
        hw=row["hw"],
        jti=row["jti"],
        day=row["day"],
        term=row["term"],
        kid=row["kid"],
        grant=row["text"],
        confirmation=row["confirmation"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        revoked=row["revoked"],
        name=row["name"],
    )


def _seat(row: Row) -> Seat:
    return Seat(row[0], row[1], row[2], row[3], row[4])
