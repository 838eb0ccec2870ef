"""The small tables of a host: publishers, host keys, settings, audit.

Obeys docs/spec/06-counting.md, section 6.7. Holds their SQL and nothing else: rows in, records
out. What is stored is a cache, never an authority; `muster.host.view` verifies it. The tables of
the count are in `muster.host.ledger`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.db.engine import Database, Reader, Row, Transaction
from muster.db.migrate import is_current, load_migrations, migrate
from muster.db.open import open_database
from muster.host.model import HostKey

DATABASE = "host.db"
"""Name of the database in the host's store."""
WING = "host"
SCHEMA = "muster.host.schema"
"""Where the steps of the tables lie."""
AUDIT_ROWS = 100_000
"""Entries of the audit that are kept."""


@dataclass(frozen=True, slots=True)
class PublisherRow:
    """A publisher as stored; nothing of it is verified."""

    publisher: str
    anchor: str
    url: str | None
    catalogue: str | None
    added_at: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry of the audit."""

    at: int
    event: str
    publisher: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class DNSResult:
    """How the last publishing in a zone went; `code` "" is success."""

    zone: str
    at: int
    code: str
    detail: str


def open_store(folder: str | os.PathLike[str], now: int, *, create: bool = False) -> Database:
    """The database of the host in its store folder, with its tables brought up to date.

    Raises: as `open_unjudged`; `db/altered`, `db/newer`.
    """
    database = open_unjudged(folder, create=create)
    try:
        migrate(database, WING, load_migrations(SCHEMA), now)
    except BaseException:
        database.close()
        raise
    return database


def open_unjudged(folder: str | os.PathLike[str], *, create: bool = False) -> Database:
    """The database of the host in its store folder, whatever tables it has; who only looks judges
    them in the state that is read (`snapshot`).

    Raises: `host/not-initialised` where there is none and `create` is False; the errors of
    `muster.db`.
    """
    path = Path(folder) / DATABASE
    try:
        return open_database(path, create=create)
    except MusterError as fault:
        if fault.code == "db/missing":
            raise error("host/not-initialised", path=str(folder)) from None
        raise


@contextmanager
def snapshot(database: Database, now: int) -> Iterator[Reader]:
    """One state of the database in which its tables are up to date; where they are not, they are
    brought up first, and the state is a later one. Raises: `db/altered`, `db/newer`."""
    steps = load_migrations(SCHEMA)
    with database.snapshot() as reader:
        if is_current(reader, database, WING, steps):
            yield reader
            return
    migrate(database, WING, steps, now)
    with database.snapshot() as reader:
        yield reader


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


def revision(reader: Reader) -> int:
    """The number of changes by administrators so far."""
    row = reader.one("SELECT revision FROM host WHERE id = 1")
    return 0 if row is None else int(row[0])


def touch(tx: Transaction) -> None:
    """Tell a running service that something it knows has changed."""
    tx.execute("UPDATE host SET revision = revision + 1 WHERE id = 1")


def put_listening(tx: Transaction, address: str, port: int) -> None:
    """Remember where machines are answered."""
    tx.execute("UPDATE host SET listen_address = ?, listen_port = ? WHERE id = 1", (address, port))


def listening(reader: Reader) -> tuple[str, int] | None:
    """Where machines were last answered, or None."""
    row = reader.one("SELECT listen_address, listen_port FROM host WHERE id = 1")
    return None if row is None or row[1] is None else (str(row[0]), int(row[1]))


# Publishers.


def publishers(reader: Reader) -> list[PublisherRow]:
    """All publishers, in the order in which they were added."""
    rows = reader.query(
        "SELECT publisher, anchor, url, catalogue, added_at FROM publisher"
        " ORDER BY added_at, publisher"
    )
    return [PublisherRow(*row) for row in rows]


def add_publisher(tx: Transaction, row: PublisherRow) -> None:
    """Pin a publisher."""
    tx.execute(
        "INSERT INTO publisher (publisher, anchor, url, catalogue, added_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (row.publisher, row.anchor, row.url, row.catalogue, row.added_at),
    )


def remove_publisher(tx: Transaction, publisher: str) -> None:
    """Forget a publisher with its keys and grants; its machines stay counted until they age."""
    for table in ("host_key", "trust", "publisher"):
        tx.execute(f"DELETE FROM {table} WHERE publisher = ?", (publisher,))  # noqa: S608


def set_catalogue(tx: Transaction, publisher: str, catalogue: str | None) -> None:
    """Keep the newest catalogue of a publisher, or forget the one held."""
    tx.execute(
        "UPDATE publisher SET catalogue = ? WHERE publisher = ?",
        (catalogue, publisher),
    )


def set_url(tx: Transaction, publisher: str, url: str) -> None:
    """Keep the address of a publisher's service."""
    tx.execute("UPDATE publisher SET url = ? WHERE publisher = ?", (url, publisher))


def trust_line(reader: Reader, publisher: str) -> list[str]:
    """The trust objects above the anchor, lowest version first."""
    rows = reader.query(
        "SELECT trust FROM trust WHERE publisher = ? ORDER BY version", (publisher,)
    )
    return [str(row[0]) for row in rows]


def add_trust(tx: Transaction, publisher: str, versions: Iterable[tuple[int, str]]) -> None:
    """Keep trust versions; one that is there already is replaced by what verified now."""
    for version, text in versions:
        tx.execute(
            "INSERT INTO trust (publisher, version, trust) VALUES (?, ?, ?)"
            " ON CONFLICT (publisher, version) DO UPDATE SET trust = excluded.trust",
            (publisher, version, text),
        )


# Host keys.

_KEY = (
    "publisher, key_id, partial, binding, hw, primary_fact, proof_key, installed_at,"
    " host_grant, terms, activated_at"
)


def host_keys(reader: Reader, publisher: str | None = None) -> list[HostKey]:
    """Installed host keys, of one publisher or of all, oldest first."""
    where = "" if publisher is None else "WHERE publisher = ? "
    rows = reader.query(
        f"SELECT {_KEY} FROM host_key {where}ORDER BY installed_at, key_id",  # noqa: S608
        () if publisher is None else (publisher,),
    )
    return [_host_key(row) for row in rows]


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
    )


def put_host_key(tx: Transaction, key: HostKey) -> None:
    """Keep an installed host key; the same key again replaces what was derived from it."""
    tx.execute(
        f"INSERT INTO host_key ({_KEY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (publisher, key_id) DO UPDATE SET partial = excluded.partial,"
        " binding = excluded.binding, hw = excluded.hw, primary_fact = excluded.primary_fact,"
        " proof_key = excluded.proof_key, installed_at = excluded.installed_at,"
        " host_grant = excluded.host_grant, terms = excluded.terms,"
        " activated_at = excluded.activated_at",
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
        ),
    )


def remove_host_key(tx: Transaction, publisher: str, key_id: str) -> None:
    """Forget a host key with its grant."""
    tx.execute("DELETE FROM host_key WHERE publisher = ? AND key_id = ?", (publisher, key_id))


# Settings.


def settings(reader: Reader) -> dict[str, str]:
    """What `muster host set` has set, by name, as text."""
    rows = reader.query("SELECT name, value FROM setting ORDER BY name")
    return {str(row[0]): str(row[1]) for row in rows}


def put_setting(tx: Transaction, name: str, value: str) -> None:
    """Keep the value of a setting."""
    tx.execute(
        "INSERT INTO setting (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def clear_setting(tx: Transaction, name: str) -> int:
    """Go back to the default; the number of values that were removed."""
    return tx.execute("DELETE FROM setting WHERE name = ?", (name,))


# Audit and DNS.


def audit(
    tx: Transaction, at: int, event: Event, publisher: str, subject: str, detail: str = ""
) -> None:
    """Write an entry; the oldest ones beyond AUDIT_ROWS are dropped."""
    tx.execute(
        "INSERT INTO audit (at, event, publisher, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (at, event.value, publisher, subject, detail),
    )
    tx.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (AUDIT_ROWS,))


def audit_log(reader: Reader, limit: int) -> list[AuditRow]:
    """The newest entries, newest first."""
    rows = reader.query(
        "SELECT at, event, publisher, subject, detail FROM audit ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [AuditRow(*row) for row in rows]


def put_dns_result(tx: Transaction, result: DNSResult) -> None:
    """Remember how publishing in a zone went."""
    tx.execute(
        "INSERT INTO dns_result (zone, at, code, detail) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (zone) DO UPDATE SET at = excluded.at, code = excluded.code,"
        " detail = excluded.detail",
        (result.zone, result.at, result.code, result.detail),
    )


def dns_results(reader: Reader) -> list[DNSResult]:
    """The last result for each zone."""
    rows = reader.query("SELECT zone, at, code, detail FROM dns_result ORDER BY zone")
    return [DNSResult(*row) for row in rows]
