"""The table of product keys that were issued."""

from __future__ import annotations

from muster.core.keys import KeyId, Kind
from muster.db.engine import Reader, Row, Transaction
from muster.publisher.model import IssuedKey

_KEYS = (
    "SELECT id, group_id, product, masked, proof_key, term, customer, issued_at, revoked, hosts,"
    " host_limit, activation_limit, pool, corrected, correction_limit, drawn, alerts"
    " FROM product_key "
)


def key(reader: Reader, key_id: KeyId) -> IssuedKey | None:
    """An issued product key."""
    row = reader.one(_KEYS + "WHERE id = ?", (key_id.text,))
    return _key(row) if row else None


def keys(reader: Reader, kind: Kind | None = None) -> tuple[IssuedKey, ...]:
    """All issued product keys, or those of one kind, in the order of issue."""
    rows = reader.query(
        _KEYS + "WHERE kind = ? OR ? < 0 ORDER BY issued_at, kind, group_number, serial",
        (-1 if kind is None else int(kind), -1 if kind is None else 0),
    )
    return tuple(_key(row) for row in rows)


def serials(reader: Reader, kind: Kind, group: int) -> frozenset[int]:
    """Serial numbers of a kind and group that are taken."""
    rows = reader.query(
        "SELECT serial FROM product_key WHERE kind = ? AND group_number = ?", (int(kind), group)
    )
    return frozenset(row[0] for row in rows)


def watched_keys(reader: Reader) -> tuple[IssuedKey, ...]:
    """Keys with alert levels that are not revoked."""
    rows = reader.query(_KEYS + "WHERE alerts <> '' AND revoked IS NULL ORDER BY id")
    return tuple(_key(row) for row in rows)


def counts(reader: Reader) -> dict[str, int]:
    """How much there is, for metrics. A retail key is for one machine: used up it does its work."""
    row = reader.one(
        "SELECT (SELECT count(*) FROM product_key WHERE kind = 0),"
        " (SELECT count(*) FROM host_seat WHERE released_at IS NULL),"
        " (SELECT count(*) FROM host_grant),"
        " (SELECT count(*) FROM host_grant WHERE revoked IS NOT NULL),"
        " (SELECT count(*) FROM product_key WHERE pool > 0),"
        " (SELECT COALESCE(SUM(pool + corrected), 0) FROM product_key),"
        " (SELECT COALESCE(SUM(drawn), 0) FROM product_key),"
        " (SELECT count(*) FROM product_key"
        "  WHERE pool > 0 AND drawn >= pool + corrected AND revoked IS NULL AND kind <> ?)",
        (int(Kind.RETAIL),),
    )
    assert row is not None
    names = (
        "host_keys",
        "hosts",
        "host_grants",
        "host_grants_revoked",
        "pools",
        "pool_size",
        "pool_drawn",
        "pools_used_up",
    )
    return dict(zip(names, row, strict=True))


def add_key(tx: Transaction, key: IssuedKey) -> None:
    """Register a product key that is about to be handed out."""
    tx.execute(
        "INSERT INTO product_key (id, kind, group_number, serial, group_id, product, masked,"
        " proof_key, term, customer, issued_at, host_limit, activation_limit, pool,"
        " correction_limit, alerts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.key_id.text,
            int(key.key_id.kind),
            key.key_id.group,
            key.key_id.serial,
            key.group,
            key.product,
            key.masked,
            key.proof_key.hex(),
            key.term,
            key.customer,
            key.issued_at,
            key.host_limit,
            key.activation_limit,
            key.pool,
            key.correction_limit,
            ",".join(str(alert) for alert in key.alerts),
        ),
    )


def limit_key(tx: Transaction, key: str, hosts: int, activations: int) -> bool:
    """Give a host key other limits; False when more than that are in use.

    The condition is in the statement, so that no reader before it decides.
    """
    rows = tx.execute(
        "UPDATE product_key SET host_limit = ?, activation_limit = ?"
        " WHERE id = ? AND hosts <= ? AND NOT EXISTS (SELECT 1 FROM host_seat"
        " WHERE key = product_key.id AND released_at IS NULL AND activations > ?)",
        (hosts, activations, key, hosts, activations),
    )
    return rows == 1


def revoke_key(tx: Transaction, key: str, day: int) -> None:
    """Mark a product key as revoked since a day."""
    tx.execute("UPDATE product_key SET revoked = ? WHERE id = ?", (day, key))


def _key(row: Row) -> IssuedKey:
    return IssuedKey(
        key_id=KeyId.parse(row["id"]),
        group=row["group_id"],
        masked=row["masked"],
        proof_key=bytes.fromhex(row["proof_key"]),
        issued_at=row["issued_at"],
        term=row["term"],
        customer=row["customer"],
        product=row["product"],
        revoked=row["revoked"],
        hosts=row["hosts"],
        host_limit=row["host_limit"],
        activation_limit=row["activation_limit"],
        pool=row["pool"],
        corrected=row["corrected"],
        correction_limit=row["correction_limit"],
        drawn=row["drawn"],
        alerts=tuple(int(level) for level in row["alerts"].split(",") if level),
    )
