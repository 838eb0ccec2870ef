"""The tables of what the publisher signs: itself, trust, catalogues, places of signing keys."""

from __future__ import annotations

from muster.core.catalogue import error
from muster.core.products import Revocation
from muster.db.engine import Reader, Row, Transaction
from muster.publisher.model import (
    KeyFileRecord,
    Publisher,
    SignedText,
)


def publisher(reader: Reader) -> Publisher | None:
    """Who this publisher is; None before `init` has ended."""
    row = reader.one("SELECT id, label, name, created_at FROM publisher")
    return Publisher(row[0], row[1], row[2], row[3]) if row else None


def add_publisher(tx: Transaction, publisher: Publisher) -> None:
    """Say who this publisher is; once."""
    tx.execute(
        "INSERT INTO publisher (one, id, label, name, created_at) VALUES (1, ?, ?, ?, ?)",
        (publisher.id, publisher.label, publisher.name, publisher.created_at),
    )


def newest_trust(reader: Reader) -> SignedText:
    """The newest trust; there is one since `init`."""
    return _newest(reader, "SELECT version, iat, text FROM trust ORDER BY version DESC LIMIT 1")


def newest_catalogue(reader: Reader) -> SignedText:
    """The newest catalogue; there is one since `init`."""
    return _newest(reader, "SELECT version, iat, text FROM catalogue ORDER BY version DESC LIMIT 1")


def _newest(reader: Reader, statement: str) -> SignedText:
    row = reader.one(statement)
    if row is None:
        raise error("publisher/none", path="this store")
    return _signed(row)


def trust_from(reader: Reader, version: int) -> SignedText | None:
    """The lowest trust version at or above the given one."""
    row = reader.one(
        "SELECT version, iat, text FROM trust WHERE version >= ? ORDER BY version LIMIT 1",
        (version,),
    )
    return _signed(row) if row else None


def trust_above(reader: Reader, version: int, limit: int) -> tuple[SignedText, ...]:
    """Up to `limit` trust versions above the given one, lowest first."""
    rows = reader.query(
        "SELECT version, iat, text FROM trust WHERE version > ? ORDER BY version LIMIT ?",
        (version, limit),
    )
    return tuple(_signed(row) for row in rows)


def trust_versions(reader: Reader) -> tuple[int, ...]:
    """All trust versions, lowest first."""
    return tuple(row[0] for row in reader.query("SELECT version FROM trust ORDER BY version"))


def add_trust(tx: Transaction, signed: SignedText) -> None:
    """Add a trust version."""
    tx.execute(
        "INSERT INTO trust (version, iat, text) VALUES (?, ?, ?)",
        (signed.version, signed.iat, signed.text),
    )


def catalogue(reader: Reader, version: int) -> SignedText | None:
    """One catalogue version."""
    row = reader.one("SELECT version, iat, text FROM catalogue WHERE version = ?", (version,))
    return _signed(row) if row else None


def catalogue_versions(reader: Reader) -> tuple[tuple[int, int], ...]:
    """Version and `iat` of all catalogues, lowest first."""
    rows = reader.query("SELECT version, iat FROM catalogue ORDER BY version")
    return tuple((row[0], row[1]) for row in rows)


def add_catalogue(tx: Transaction, signed: SignedText) -> None:
    """Add a catalogue version."""
    tx.execute(
        "INSERT INTO catalogue (version, iat, text) VALUES (?, ?, ?)",
        (signed.version, signed.iat, signed.text),
    )


def revocations(reader: Reader) -> tuple[Revocation, ...]:
    """What the next catalogue lists as revoked: keys first, then grants, each by its name."""
    keys = reader.query("SELECT id, revoked FROM product_key WHERE revoked IS NOT NULL ORDER BY id")
    grants = reader.query(
        "SELECT jti, revoked FROM host_grant WHERE revoked IS NOT NULL"
        " UNION ALL SELECT jti, revoked FROM machine_grant WHERE revoked IS NOT NULL"
        " ORDER BY jti"
    )
    return (
        *(Revocation(jti=None, key=row[0], at=row[1]) for row in keys),
        *(Revocation(jti=row[0], key=None, at=row[1]) for row in grants),
    )


_REVOKED = (
    "SELECT id, revoked FROM product_key WHERE revoked > ?"
    " UNION ALL SELECT jti, revoked FROM host_grant WHERE revoked > ?"
    " UNION ALL SELECT jti, revoked FROM machine_grant WHERE revoked > ?"
)


def revoked_after(reader: Reader, day: int) -> tuple[tuple[str, int], ...]:
    """Keys and grants whose revocation is dated after a day, and that date."""
    rows = reader.query(f"{_REVOKED} ORDER BY 1", (day, day, day))
    return tuple((row[0], row[1]) for row in rows)


def revoke_by(tx: Transaction, day: int) -> None:
    """Let revocations that are dated after a day count from it."""
    for table in ("product_key", "host_grant", "machine_grant"):
        tx.execute(
            f"UPDATE {table} SET revoked = ? WHERE revoked > ?",  # noqa: S608  # ours
            (day, day),
        )


def key_file(reader: Reader, kid: str) -> KeyFileRecord | None:
    """Where the private half of a key is."""
    row = reader.one("SELECT kid, role, number, file, made_at FROM key_file WHERE kid = ?", (kid,))
    return KeyFileRecord(row[0], row[1], row[2], row[3], row[4]) if row else None


def key_numbers(reader: Reader, role: str) -> tuple[int, ...]:
    """Every number that a role has ever used."""
    rows = reader.query("SELECT number FROM key_file WHERE role = ?", (role,))
    return tuple(row[0] for row in rows)


def add_key_file(tx: Transaction, record: KeyFileRecord) -> None:
    """Say where a signing key is."""
    tx.execute(
        "INSERT INTO key_file (kid, role, number, file, made_at) VALUES (?, ?, ?, ?, ?)",
        (record.kid, record.role, record.number, record.file, record.made_at),
    )


def _signed(row: Row) -> SignedText:
    return SignedText(row[0], row[1], row[2])
