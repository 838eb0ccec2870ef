"""Installed host keys, with their grants and terms."""

from __future__ import annotations

from muster.db.engine import Reader, Row, Transaction
from muster.host.model import HostKey

_KEY = (
    "publisher, key_id, partial, binding, hw, primary_fact, proof_key, installed_at,"
    " host_grant, terms, activated_at, asked_at, asked_name, refusal"
)


def rows(reader: Reader, publisher: str | None = None) -> list[HostKey]:
    """Installed host keys, of one publisher or of all, oldest first."""
    where = "" if publisher is None else "WHERE publisher = ? "
    records = reader.query(
        f"SELECT {_KEY} FROM host_key {where}ORDER BY installed_at, key_id",  # noqa: S608
        () if publisher is None else (publisher,),
    )
    return [_host_key(row) for row in records]


def _host_key(row: Row) -> HostKey:
    return HostKey(
        publisher=row["publisher"],
        key_id=row["key_id"],
        partial=row["partial"],
        binding=row["binding"],
        hw=row["hw"],
        primary=row["primary_fact"],
        proof_key=bytes.fromhex(row["proof_key"]),
        installed_at=row["installed_at"],
        grant=row["host_grant"],
        terms=row["terms"],
        activated_at=row["activated_at"],
        asked_at=row["asked_at"],
        asked_name=row["asked_name"],
        refusal=row["refusal"],
    )


def put(tx: Transaction, key: HostKey) -> None:
    """Keep an installed host key; the same key again replaces what was derived from it."""
    tx.execute(
        f"INSERT INTO host_key ({_KEY}) VALUES (?{', ?' * 13})"  # noqa: S608
        " ON CONFLICT (publisher, key_id) DO UPDATE SET partial = excluded.partial,"
        " binding = excluded.binding, hw = excluded.hw, primary_fact = excluded.primary_fact,"
        " proof_key = excluded.proof_key, installed_at = excluded.installed_at,"
        " host_grant = excluded.host_grant, terms = excluded.terms,"
        " activated_at = excluded.activated_at, asked_at = excluded.asked_at,"
        " asked_name = excluded.asked_name, refusal = excluded.refusal",
        (
            key.publisher,
            key.key_id,
            key.partial,
            key.binding,
            key.hw,
            key.primary,
            key.proof_key.hex(),
            key.installed_at,
            key.grant,
            key.terms,
            key.activated_at,
            key.asked_at,
            key.asked_name,
            key.refusal,
        ),
    )


def remove(tx: Transaction, publisher: str, key_id: str) -> None:
    """Forget a host key with its grant."""
    tx.execute("DELETE FROM host_key WHERE publisher = ? AND key_id = ?", (publisher, key_id))
