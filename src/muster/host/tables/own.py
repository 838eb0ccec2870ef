"""The host's own row: the revision of what it knows, and its random bytes."""

from __future__ import annotations

import hashlib

from muster.db.engine import Reader, Transaction

_STORE_ID = b"muster-host-store-v1\n"


def initialise(tx: Transaction, store_random: bytes) -> bool:
    """Make the host's own row; False where it was there already."""
    return bool(
        tx.execute(
            "INSERT INTO host (id, revision, store_random) VALUES (1, 1, ?)"
            " ON CONFLICT (id) DO NOTHING",
            (store_random.hex(),),
        )
    )


def store_random(reader: Reader) -> bytes:
    """The 32 random bytes of this store."""
    row = reader.one("SELECT store_random FROM host WHERE id = 1")
    assert row is not None
    return bytes.fromhex(row[0])


def store_id(reader: Reader) -> str:
    """The name of this store in backups: 32 hexadecimal digits, from which its random bytes do not
    follow."""
    return hashlib.sha256(_STORE_ID + store_random(reader)).hexdigest()[:32]


def revision(reader: Reader) -> int:
    """The number of changes by administrators so far."""
    row = reader.one("SELECT revision FROM host WHERE id = 1")
    return 0 if row is None else int(row[0])


def touch(tx: Transaction) -> None:
    """Tell a running service that something it knows has changed."""
    tx.execute("UPDATE host SET revision = revision + 1 WHERE id = 1")
