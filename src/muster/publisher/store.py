"""The publisher's tables: plain SQL behind typed records.

Decides how records lie in tables. Refuses to decide anything else: rules stand in
`muster.publisher.rules`, transactions are drawn by who calls. The SQL is that of SQLite and
PostgreSQL alike (docs/adr/0006-storage-and-sql.md); the tables stand in `schema/`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.keys import KeyId, Kind
from muster.core.products import Revocation
from muster.db.engine import RETRY_AFTER_SECONDS, Database, Reader, Row, Transaction
from muster.db.migrate import load_migrations, migrate
from muster.db.open import open_database
from muster.publisher import chain
from muster.publisher.chain import Head
from muster.publisher.model import (
    AuditRow,
    HostGrant,
    HostTerms,
    IssuedKey,
    KeyFileRecord,
    MachineGrant,
    Publisher,
    Seat,
    SignedText,
)

DATABASE_FILE = "publisher.db"
WING = "publisher"
SCHEMA = "muster.publisher.schema"
"""Where the steps of the tables lie."""

_KEYS = (
    "SELECT id, group_id, product, masked, proof_key, term, customer, issued_at, revoked, hosts,"
    " host_limit, activation_limit, pool, corrected, correction_limit, drawn, alerts"
    " FROM product_key "
)
_MACHINES = (
    "SELECT key, binding, jti, day, term, kid, text, confirmation, first_at, last_at, revoked"
    " FROM machine_grant "
)
_ASKED_AT_ONCE = 500
"""Bindings in one statement."""
_GRANTS = (
    "SELECT key, binding, hw, jti, day, term, kid, text, confirmation, first_at, last_at, revoked,"
    " name FROM host_grant "
)
_SEATS = "SELECT key, hw, activations, first_at, released_at FROM host_seat "


class View:
    """Reads of one state of the tables."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def publisher(self) -> Publisher | None:
        """Who this publisher is; None before `init` has ended."""
        row = self._reader.one("SELECT id, label, name, created_at FROM publisher")
        return Publisher(row[0], row[1], row[2], row[3]) if row else None

    # Trust and catalogue.

    def newest_trust(self) -> SignedText:
        """The newest trust; there is one since `init`."""
        return self._newest("SELECT version, iat, text FROM trust ORDER BY version DESC LIMIT 1")

    def newest_catalogue(self) -> SignedText:
        """The newest catalogue; there is one since `init`."""
        return self._newest(
            "SELECT version, iat, text FROM catalogue ORDER BY version DESC LIMIT 1"
        )

    def _newest(self, statement: str) -> SignedText:
        row = self._reader.one(statement)
        if row is None:
            raise error("publisher/none", path="this store")
        return _signed(row)

    def trust_from(self, version: int) -> SignedText | None:
        """The lowest trust version at or above the given one."""
        row = self._reader.one(
            "SELECT version, iat, text FROM trust WHERE version >= ? ORDER BY version LIMIT 1",
            (version,),
        )
        return _signed(row) if row else None

    def trust_above(self, version: int, limit: int) -> tuple[SignedText, ...]:
        """Up to `limit` trust versions above the given one, lowest first."""
        rows = self._reader.query(
            "SELECT version, iat, text FROM trust WHERE version > ? ORDER BY version LIMIT ?",
            (version, limit),
        )
        return tuple(_signed(row) for row in rows)

    def trust_versions(self) -> tuple[int, ...]:
        """All trust versions, lowest first."""
        return tuple(
            row[0] for row in self._reader.query("SELECT version FROM trust ORDER BY version")
        )

    def catalogue(self, version: int) -> SignedText | None:
        """One catalogue version."""
        row = self._reader.one(
            "SELECT version, iat, text FROM catalogue WHERE version = ?", (version,)
        )
        return _signed(row) if row else None

    def catalogue_versions(self) -> tuple[tuple[int, int], ...]:
        """Version and `iat` of all catalogues, lowest first."""
        rows = self._reader.query("SELECT version, iat FROM catalogue ORDER BY version")
        return tuple((row[0], row[1]) for row in rows)

    # Signing keys.

    def key_file(self, kid: str) -> KeyFileRecord | None:
        """Where the private half of a key lies."""
        row = self._reader.one(
            "SELECT kid, role, number, file, made_at FROM key_file WHERE kid = ?", (kid,)
        )
        return KeyFileRecord(row[0], row[1], row[2], row[3], row[4]) if row else None

    def key_numbers(self, role: str) -> tuple[int, ...]:
        """Every number that a role has ever used."""
        rows = self._reader.query("SELECT number FROM key_file WHERE role = ?", (role,))
        return tuple(row[0] for row in rows)

    # Product keys and draws.

    def key(self, key_id: KeyId) -> IssuedKey | None:
        """An issued product key."""
        row = self._reader.one(_KEYS + "WHERE id = ?", (key_id.text,))
        return _key(row) if row else None

    def keys(self, kind: Kind | None = None) -> tuple[IssuedKey, ...]:
        """All issued product keys, or those of one kind, in the order of issue."""
        rows = self._reader.query(
            _KEYS + "WHERE kind = ? OR ? < 0 ORDER BY issued_at, kind, group_number, serial",
            (-1 if kind is None else int(kind), -1 if kind is None else 0),
        )
        return tuple(_key(row) for row in rows)

    def serials(self, kind: Kind, group: int) -> frozenset[int]:
        """Serial numbers of a kind and group that are taken."""
        rows = self._reader.query(
            "SELECT serial FROM product_key WHERE kind = ? AND group_number = ?", (int(kind), group)
        )
        return frozenset(row[0] for row in rows)

    def seat(self, key: str, hw: str) -> Seat | None:
        """What a host key knows of a hardware id."""
        row = self._reader.one(_SEATS + "WHERE key = ? AND hw = ?", (key, hw))
        return _seat(row) if row else None

    def seats(self, key: str | None = None) -> tuple[Seat, ...]:
        """All seats, or those of one host key."""
        rows = self._reader.query(
            _SEATS + "WHERE key = ? OR ? = '' ORDER BY key, first_at, hw",
            (key or "", key or ""),
        )
        return tuple(_seat(row) for row in rows)

    def grant(self, key: str, binding: str) -> HostGrant | None:
        """What was drawn for a host signing key."""
        row = self._reader.one(_GRANTS + "WHERE key = ? AND binding = ?", (key, binding))
        return _grant(row) if row else None

    def grants(self, *, key: str | None = None, host: str | None = None) -> tuple[HostGrant, ...]:
        """Draws in the order of first activation.

        Args:
            key: of one host key only, as key id text.
            host: of one host only, named by a licence id (`jti`) or a hardware id.
        """
        rows = self._reader.query(
            _GRANTS + "WHERE (key = ? OR ? = '') AND (jti = ? OR hw = ? OR ? = '')"
            " ORDER BY first_at, key, binding",
            (key or "", key or "", host or "", host or "", host or ""),
        )
        return tuple(_grant(row) for row in rows)

    def host_terms(self, jti: str) -> HostTerms | None:
        """The newest terms of a host's grant."""
        row = self._reader.one(
            "SELECT jti, version, iat, machines, excess, customer, agreement, kid, text,"
            " max_lease FROM host_terms WHERE jti = ? ORDER BY version DESC LIMIT 1",
            (jti,),
        )
        return HostTerms(*row) if row else None

    def machine(self, key: str, binding: str) -> MachineGrant | None:
        """What was drawn for a machine."""
        row = self._reader.one(_MACHINES + "WHERE key = ? AND binding = ?", (key, binding))
        return _machine(row) if row else None

    def machines_bound(self, key: str, bindings: Sequence[str]) -> dict[str, MachineGrant]:
        """What was drawn for these machines, by binding."""
        found: dict[str, MachineGrant] = {}
        for start in range(0, len(bindings), _ASKED_AT_ONCE):
            part = bindings[start : start + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(part))
            rows = self._reader.query(
                f"{_MACHINES}WHERE key = ? AND binding IN ({marks})",
                (key, *part),
            )
            found |= {row["binding"]: _machine(row) for row in rows}
        return found

    def machines(
        self, *, key: str | None = None, jti: str | None = None
    ) -> tuple[MachineGrant, ...]:
        """Draws of machines in the order of first activation; of one key, or one licence id."""
        rows = self._reader.query(
            _MACHINES + "WHERE (key = ? OR ? = '') AND (jti = ? OR ? = '')"
            " ORDER BY first_at, key, binding",
            (key or "", key or "", jti or "", jti or ""),
        )
        return tuple(_machine(row) for row in rows)

    def revocations(self) -> tuple[Revocation, ...]:
        """What the next catalogue lists as revoked: keys first, then grants, each by its name."""
        keys = self._reader.query(
            "SELECT id, revoked FROM product_key WHERE revoked IS NOT NULL ORDER BY id"
        )
        grants = self._reader.query(
            "SELECT jti, revoked FROM host_grant WHERE revoked IS NOT NULL"
            " UNION ALL SELECT jti, revoked FROM machine_grant WHERE revoked IS NOT NULL"
            " ORDER BY jti"
        )
        return (
            *(Revocation(jti=None, key=row[0], at=row[1]) for row in keys),
            *(Revocation(jti=row[0], key=None, at=row[1]) for row in grants),
        )

    # Audit.

    def audit(self, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
        """Up to `limit` rows of the audit table above a sequence number, oldest first."""
        rows = self._reader.query(
            "SELECT seq, at, actor, event, subject, detail, hash FROM audit WHERE seq > ?"
            " ORDER BY seq LIMIT ?",
            (after, limit),
        )
        return tuple(AuditRow(*row) for row in rows)

    def whole_audit(self) -> Iterator[AuditRow]:
        """All rows of the audit table, lowest number first, a page at a time."""
        rows = self.audit(-(2**53))
        while rows:
            yield from rows
            rows = self.audit(rows[-1].seq)

    def audit_head(self) -> Head:
        """Number and hash of the last row of the audit table."""
        row = self._reader.one("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        return Head(row[0], row[1]) if row else Head()

    def waiting(self) -> dict[int, str]:
        """Restores for which draws wait: the audit head of each one's backup, by number."""
        rows = self._reader.query(
            "SELECT number, head FROM restore WHERE resolved_at IS NULL ORDER BY number"
        )
        return {row[0]: row[1] for row in rows}

    def rows(self, table: str, order: str) -> Iterator[dict[str, Any]]:
        """Every row of a table with all its columns, a thousand at a time; for backups.

        `table` and `order` are words of ours, never of anybody else.
        """
        start = 0
        while True:
            found = self._reader.query(
                f"SELECT * FROM {table} ORDER BY {order} LIMIT 1000 OFFSET ?",  # noqa: S608  # ours
                (start,),
            )
            for row in found:
                yield dict(zip(row.keys(), row, strict=True))
            if len(found) < 1000:
                return
            start += len(found)

    def counts(self) -> dict[str, int]:
        """How much there is, for metrics."""
        row = self._reader.one(
            "SELECT (SELECT count(*) FROM product_key WHERE kind = 0),"
            " (SELECT count(*) FROM host_seat WHERE released_at IS NULL),"
            " (SELECT count(*) FROM host_grant),"
            " (SELECT count(*) FROM host_grant WHERE revoked IS NOT NULL),"
            " (SELECT count(*) FROM product_key WHERE pool > 0),"
            " (SELECT COALESCE(SUM(pool + corrected), 0) FROM product_key),"
            " (SELECT COALESCE(SUM(drawn), 0) FROM product_key),"
            " (SELECT count(*) FROM product_key"
            "  WHERE pool > 0 AND drawn >= pool + corrected AND revoked IS NULL)"
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

    def watched_keys(self) -> tuple[IssuedKey, ...]:
        """Keys with alert levels that are not revoked."""
        rows = self._reader.query(_KEYS + "WHERE alerts <> '' AND revoked IS NULL ORDER BY id")
        return tuple(_key(row) for row in rows)


class Edit(View):
    """Reads and writes of one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction)
        self._tx = transaction

    def add_publisher(self, publisher: Publisher) -> None:
        """Say who this publisher is; once."""
        self._tx.execute(
            "INSERT INTO publisher (one, id, label, name, created_at) VALUES (1, ?, ?, ?, ?)",
            (publisher.id, publisher.label, publisher.name, publisher.created_at),
        )

    def add_trust(self, signed: SignedText) -> None:
        """Add a trust version."""
        self._tx.execute(
            "INSERT INTO trust (version, iat, text) VALUES (?, ?, ?)",
            (signed.version, signed.iat, signed.text),
        )

    def add_catalogue(self, signed: SignedText) -> None:
        """Add a catalogue version."""
        self._tx.execute(
            "INSERT INTO catalogue (version, iat, text) VALUES (?, ?, ?)",
            (signed.version, signed.iat, signed.text),
        )

    def add_key_file(self, record: KeyFileRecord) -> None:
        """Say where a signing key lies."""
        self._tx.execute(
            "INSERT INTO key_file (kid, role, number, file, made_at) VALUES (?, ?, ?, ?, ?)",
            (record.kid, record.role, record.number, record.file, record.made_at),
        )

    def add_key(self, key: IssuedKey) -> None:
        """Register a product key that is about to be handed out."""
        self._tx.execute(
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
                ",".join(str(one) for one in key.alerts),
            ),
        )

    def revoke_key(self, key: str, day: int) -> None:
        """Mark a product key as revoked since a day."""
        self._tx.execute("UPDATE product_key SET revoked = ? WHERE id = ?", (day, key))

    def _refuse_while_waiting(self) -> None:
        """Nothing is drawn between a restore and its end."""
        if self.waiting():
            raise error("publisher/restored", retry_after=RETRY_AFTER_SECONDS)

    def fill(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows of a backup into a table; all have the columns of the first."""
        if not rows:
            return
        known = set(self._columns(table))
        names = sorted(rows[0])
        if not set(names) <= known or any(sorted(one) != names for one in rows):
            raise error("backup/damaged", path="the backup", line=0, detail=f"columns of {table}")
        marks = ", ".join("?" * len(names))
        self._tx.execute_many(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608  # known
            [[one[name] for name in names] for one in rows],
        )

    def _columns(self, table: str) -> list[str]:
        """The columns of a table, also of an empty one."""
        row = self._reader.one(
            f"SELECT {table}.* FROM (SELECT 1) AS one"  # noqa: S608  # a table of ours
            f" LEFT JOIN {table} ON 1 = 0"
        )
        return [] if row is None else row.keys()

    def note_restore(self, now: int, head: str) -> None:
        """These tables came out of a backup: draws wait from now on."""
        self._tx.execute(
            "INSERT INTO restore (number, restored_at, head)"
            " SELECT COALESCE(MAX(number), 0) + 1, ?, ? FROM restore",
            (now, head),
        )

    def resolve_restore(self, number: int, now: int) -> None:
        """Draws wait for this restore no longer."""
        self._tx.execute("UPDATE restore SET resolved_at = ? WHERE number = ?", (now, number))

    def take_host(self, key: str, hw: str, now: int) -> bool:
        """Take one of the hosts of a key for a hardware id; False when none is left.

        The condition stands in the statement, so that no reader before it decides.
        """
        self._refuse_while_waiting()
        taken = self._tx.execute(
            "UPDATE product_key SET hosts = hosts + 1 WHERE id = ? AND hosts < host_limit", (key,)
        )
        if taken != 1:
            return False
        self._tx.execute(
            "INSERT INTO host_seat (key, hw, activations, first_at) VALUES (?, ?, 0, ?)"
            " ON CONFLICT (key, hw) DO UPDATE SET activations = 0, released_at = NULL",
            (key, hw, now),
        )
        return True

    def take_activation(self, key: str, hw: str) -> bool:
        """Take one of the activations of a hardware id; False when none is left."""
        self._refuse_while_waiting()
        taken = self._tx.execute(
            "UPDATE host_seat SET activations = activations + 1"
            " WHERE key = ? AND hw = ? AND released_at IS NULL AND activations <"
            " (SELECT activation_limit FROM product_key WHERE id = ?)",
            (key, hw, key),
        )
        return taken == 1

    def release_host(self, key: str, hw: str, now: int) -> bool:
        """Free the seat of a hardware id; False when it holds none."""
        freed = self._tx.execute(
            "UPDATE host_seat SET released_at = ? WHERE key = ? AND hw = ? AND released_at IS NULL",
            (now, key, hw),
        )
        if freed != 1:
            return False
        self._tx.execute("UPDATE product_key SET hosts = hosts - 1 WHERE id = ?", (key,))
        return True

    def add_grant(self, grant: HostGrant) -> None:
        """Keep what was drawn."""
        self._tx.execute(
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

    def name_grant(self, key: str, binding: str, name: str) -> None:
        """Keep what a host calls itself, where it had no name yet."""
        self._tx.execute(
            "UPDATE host_grant SET name = ? WHERE key = ? AND binding = ? AND name = ''",
            (name, key, binding),
        )

    def resign_grant(self, grant: HostGrant) -> None:
        """Keep the same licence under another signature."""
        self._tx.execute(
            "UPDATE host_grant SET kid = ?, text = ?, confirmation = ?"
            " WHERE key = ? AND binding = ?",
            (grant.kid, grant.grant, grant.confirmation, grant.key, grant.binding),
        )

    def touch_grant(self, key: str, binding: str, now: int) -> None:
        """Remember when a host asked last."""
        self._tx.execute(
            "UPDATE host_grant SET last_at = ? WHERE key = ? AND binding = ? AND last_at < ?",
            (now, key, binding, now),
        )

    def revoke_grant(self, key: str, binding: str, day: int) -> None:
        """Mark a grant as revoked since a day; the day of an earlier revocation stays."""
        self._tx.execute(
            "UPDATE host_grant SET revoked = ? WHERE key = ? AND binding = ? AND revoked IS NULL",
            (day, key, binding),
        )

    def add_host_terms(self, terms: HostTerms) -> None:
        """Keep another version of the terms of a host's grant."""
        self._tx.execute(
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

    # Pools.

    def draw(self, key: str, count: int) -> bool:
        """Take `count` activations from the pool of a key; False when it has fewer.

        The condition stands in the statement, so that no reader before it decides.
        """
        self._refuse_while_waiting()
        taken = self._tx.execute(
            "UPDATE product_key SET drawn = drawn + ?"
            " WHERE id = ? AND revoked IS NULL AND drawn + ? <= pool + corrected",
            (count, key, count),
        )
        return taken == 1

    def correct_pool(self, key: str, count: int) -> bool:
        """Give activations back to a pool; False when that is above what staff may."""
        done = self._tx.execute(
            "UPDATE product_key SET corrected = corrected + ?"
            " WHERE id = ? AND corrected + ? <= correction_limit",
            (count, key, count),
        )
        return done == 1

    def extend_pool(self, key: str, pool: int, correction_limit: int) -> bool:
        """Give a pool a new size; False when more than that was drawn."""
        done = self._tx.execute(
            "UPDATE product_key SET pool = ?,"
            " correction_limit = CASE WHEN corrected > ? THEN corrected ELSE ? END"
            " WHERE id = ? AND drawn <= ? + corrected",
            (pool, correction_limit, correction_limit, key, pool),
        )
        return done == 1

    def add_machines(self, grants: Sequence[MachineGrant]) -> None:
        """Keep what was drawn."""
        self._tx.execute_many(
            "INSERT INTO machine_grant (key, binding, jti, day, term, kid, text, confirmation,"
            " first_at, last_at, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.key,
                    one.binding,
                    one.jti,
                    one.day,
                    one.term,
                    one.kid,
                    one.grant,
                    one.confirmation,
                    one.first_at,
                    one.last_at,
                    one.revoked,
                )
                for one in grants
            ],
        )

    def resign_machine(self, grant: MachineGrant) -> None:
        """Keep the same licence under another signature."""
        self._tx.execute(
            "UPDATE machine_grant SET kid = ?, text = ?, confirmation = ?"
            " WHERE key = ? AND binding = ?",
            (grant.kid, grant.grant, grant.confirmation, grant.key, grant.binding),
        )

    def touch_machines(self, key: str, bindings: Sequence[str], now: int) -> None:
        """Remember when machines asked last."""
        self._tx.execute_many(
            "UPDATE machine_grant SET last_at = ? WHERE key = ? AND binding = ? AND last_at < ?",
            [(now, key, one, now) for one in bindings],
        )

    def revoke_machine(self, key: str, binding: str, day: int) -> None:
        """Mark an activation as revoked since a day; the day of an earlier revocation stays."""
        self._tx.execute(
            "UPDATE machine_grant SET revoked = ?"
            " WHERE key = ? AND binding = ? AND revoked IS NULL",
            (day, key, binding),
        )

    def write_audit(
        self, now: int, actor: str, event: Event, subject: str, detail: Mapping[str, Any]
    ) -> None:
        """Say who did what to what, in the transaction that does it."""
        self.write_audits(now, actor, [(event, subject, detail)])

    def write_audits(
        self, now: int, actor: str, entries: Iterable[tuple[Event, str, Mapping[str, Any]]]
    ) -> None:
        """Say many things that one actor did; each of `entries` is event, subject and detail."""
        rows = chain.append(
            self.audit_head(),
            now,
            ((actor, event.value, subject, detail) for event, subject, detail in entries),
        )
        self._tx.execute_many(
            "INSERT INTO audit (seq, at, actor, event, subject, detail, hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (one.seq, one.at, one.actor, one.event, one.subject, one.detail, one.hash)
                for one in rows
            ],
        )


class Store:
    """The database of one publisher."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def view(self) -> Iterator[View]:
        """Reads of one state."""
        with self._database.snapshot() as reader:
            yield View(reader)

    @contextlib.contextmanager
    def edit(self) -> Iterator[Edit]:
        """One transaction: durable when the block ends, undone when it raises."""
        with self._database.transaction() as transaction:
            yield Edit(transaction)

    @property
    def database(self) -> Database:
        """What the tables lie in, for backups."""
        return self._database

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def open_store(folder: Path, now: int, *, create: bool = False, url: str = "") -> Store:
    """Open the database of a store and bring its tables up to date.

    Args:
        folder: the store; must exist. Its database is the file `DATABASE_FILE`.
        now: Unix seconds, kept beside each step of the schema.
        create: make the file where it is missing.
        url: another database in place of the file, such as `postgresql://…`; it must exist.
    Raises: `publisher/none` (no database here), and the errors of `db.open` and `db.migrate`.
    """
    path = folder / DATABASE_FILE
    if not url and not create and not path.exists():
        raise error("publisher/none", path=str(folder))
    database = open_database(url or path, create=create)
    try:
        migrate(database, WING, load_migrations(SCHEMA), now)
    except BaseException:
        database.close()
        raise
    return Store(database)


def _signed(row: Row) -> SignedText:
    return SignedText(row[0], row[1], row[2])


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
        alerts=tuple(int(one) for one in row["alerts"].split(",") if one),
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
