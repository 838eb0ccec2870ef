"""The tables of the count: sightings, machines, leases (docs/spec/06-counting.md, 6.7).

Holds their SQL and nothing else. What a row means and when it may be deleted is
`muster.host.count`; SQL never asks what time it is. Long, because its tables are joined with
each other, and a statement stands beside those that must agree with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from muster.core.products import COUNT_WINDOW, SKEW
from muster.core.values import dataclass
from muster.db.engine import Reader, Row, Transaction
from muster.host.count import NEVER, PURGE_AFTER, Seen
from muster.host.lines import Line, decode_left, encode_left, forget
from muster.host.model import KnownMachine, LeaseRow, Machine
from muster.host.tables import tallies
from muster.wire.activation import ActivationRequest

PURGE_STEP = 1_000
"""Rows that one transaction of the housekeeping deletes at most."""


# Sightings.


def seen(reader: Reader, publisher: str, application: str, cmid: str) -> Seen:
    """The row of a machine; one that is not there was never seen."""
    row = reader.one(
        "SELECT last_seen, released FROM sighting"
        " WHERE publisher = ? AND application = ? AND cmid = ?",
        (publisher, application, cmid),
    )
    return NEVER if row is None else Seen(row[0], row[1])


def put_seen(tx: Transaction, publisher: str, application: str, cmid: str, row: Seen) -> None:
    """Keep the row of a machine."""
    tallies.move_counted(tx, publisher, application, seen(tx, publisher, application, cmid), row)
    tx.execute(
        "INSERT INTO sighting (publisher, application, cmid, last_seen, released)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (publisher, application, cmid)"
        " DO UPDATE SET last_seen = excluded.last_seen, released = excluded.released",
        (publisher, application, cmid, row.last_seen, row.released),
    )


def count(
    reader: Reader, publisher: str, application: str, now: int, most: int | None = None
) -> int:
    """Machines of an application that count now.

    Args:
        most: stop counting there, as decisions do; None tells them all, for administrators.
    """
    if most is None:
        return tallies.counted(reader, publisher, application, now)
    row = reader.one(
        "SELECT count(*) FROM (SELECT 1 FROM sighting WHERE publisher = ? AND application = ?"
        " AND last_seen > ? AND last_seen > released LIMIT ?) AS counted",
        (publisher, application, now - COUNT_WINDOW, most),
    )
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class ApplicationCount:
    """The whole count of one application, for administrators.

    `addresses` is the number of distinct source addresses behind it, among the 10,000 machines
    that were seen last.
    """

    publisher: str
    application: str
    count: int
    addresses: int


ADDRESSES_AMONG = 10_000
"""Machines, the most recently seen, among which source addresses are told apart."""


def application_count(
    reader: Reader, publisher: str, application: str, now: int
) -> ApplicationCount:
    """The whole count of one application."""
    row = reader.one(
        "SELECT count(DISTINCT address) FROM (SELECT m.address AS address FROM sighting s"
        " JOIN machine m ON m.publisher = s.publisher AND m.cmid = s.cmid"
        " WHERE s.publisher = ? AND s.application = ? AND s.last_seen > ?"
        " AND s.last_seen > s.released ORDER BY s.last_seen DESC LIMIT ?) AS newest",
        (publisher, application, now - COUNT_WINDOW, ADDRESSES_AMONG),
    )
    assert row is not None
    number = count(reader, publisher, application, now)
    return ApplicationCount(publisher, application, number, int(row[0]))


def counts(reader: Reader, now: int) -> list[ApplicationCount]:
    """The counts of all applications of which machines count now."""
    rows: list[ApplicationCount] = []
    last = ("", "")
    while True:  # from one application to the next, past all their machines
        row = reader.one(
            "SELECT publisher, application FROM sighting WHERE (publisher, application) > (?, ?)"
            " ORDER BY publisher, application LIMIT 1",
            last,
        )
        if row is None:
            return [row for row in rows if row.count]
        last = (str(row[0]), str(row[1]))
        rows.append(application_count(reader, *last, now))


def any_ahead(reader: Reader, now: int) -> bool:
    """Whether a row is more than 4 hours ahead."""
    return (
        reader.one("SELECT 1 FROM sighting WHERE last_seen > ? LIMIT 1", (now + SKEW,)) is not None
    )


def clamp_future(tx: Transaction, now: int) -> int:
    """Set every row that is more than 4 hours ahead to now, as `count.clamp_future`; how many.

    Machines and leases of the same jump are brought back too: a lease keeps its length.
    """
    number = tx.execute(
        "UPDATE sighting SET"
        " released = CASE WHEN last_seen > released"
        " THEN (CASE WHEN released > ? - 1 THEN ? - 1 ELSE released END)"
        " ELSE (CASE WHEN released > ? THEN ? ELSE released END) END,"
        " last_seen = CASE WHEN last_seen > ? THEN ? ELSE last_seen END"
        " WHERE last_seen > ? OR released > ?",
        (now, now, now, now, now, now, now + SKEW, now + SKEW),
    )
    tx.execute(
        "UPDATE machine SET last_seen = ?,"
        " first_seen = CASE WHEN first_seen > ? THEN ? ELSE first_seen END WHERE last_seen > ?",
        (now, now, now, now + SKEW),
    )
    tx.execute("UPDATE machine SET asked_at = ? WHERE asked_at > ?", (now, now + SKEW))
    tx.execute(
        "UPDATE lease SET expires_at = ? + (expires_at - issued_at), issued_at = ?"
        " WHERE issued_at > ?",
        (now, now, now + SKEW),
    )
    tallies.recount(tx)
    return number


def purge(tx: Transaction, now: int) -> int:
    """Delete at most PURGE_STEP machines that nobody heard of for 90 days; how many rows of the
    count went."""
    old = now - PURGE_AFTER
    number = tx.execute(
        "DELETE FROM sighting WHERE (publisher, application, cmid) IN"
        " (SELECT publisher, application, cmid FROM sighting"
        " WHERE last_seen < ? AND released < ? LIMIT ?)",
        (old, old, PURGE_STEP),
    )
    tx.execute(
        "DELETE FROM machine WHERE (publisher, cmid) IN"
        " (SELECT publisher, cmid FROM machine m WHERE m.last_seen < ? AND NOT EXISTS"
        " (SELECT 1 FROM sighting s WHERE s.publisher = m.publisher AND s.cmid = m.cmid)"
        " LIMIT ?)",
        (old, PURGE_STEP),
    )
    tx.execute(
        "DELETE FROM lease WHERE (publisher, cmid, product) IN"
        " (SELECT publisher, cmid, product FROM lease WHERE expires_at < ? AND issued_at < ?"
        " LIMIT ?)",
        (old, old, PURGE_STEP),
    )
    tallies.forget(tx, old)
    return number


# Machines.


def known_machine(reader: Reader, publisher: str, cmid: str) -> KnownMachine | None:
    """Identity mode, fingerprint and line of a machine, or None for a new one."""
    row = reader.one(
        "SELECT identity, fingerprint, nonce, asked_at, left_lines, forked_at, restored"
        " FROM machine WHERE publisher = ? AND cmid = ?",
        (publisher, cmid),
    )
    if row is None:
        return None
    line = Line(row[2], row[3], decode_left(row[4]), row[5], row[6])
    return KnownMachine(row[0], tuple(str(row[1]).split()), line)


def put_machine(
    tx: Transaction,
    request: ActivationRequest,
    fingerprint: tuple[str, ...],
    line: Line,
    address: str,
    now: int,
) -> None:
    """Keep what a proved request says of its machine; `first_seen` stays."""
    tx.execute(
        "INSERT INTO machine (publisher, cmid, identity, fingerprint, address, os, version,"
        " is_virtual, state, name, first_seen, last_seen, nonce, asked_at, left_lines, forked_at,"
        " restored) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (publisher, cmid) DO UPDATE SET identity = excluded.identity,"
        " fingerprint = excluded.fingerprint, address = excluded.address, os = excluded.os,"
        " version = excluded.version, is_virtual = excluded.is_virtual, state = excluded.state,"
        " name = excluded.name,"
        " nonce = excluded.nonce, asked_at = excluded.asked_at, left_lines = excluded.left_lines,"
        " forked_at = excluded.forked_at, restored = excluded.restored,"
        " last_seen = CASE WHEN excluded.last_seen > machine.last_seen THEN excluded.last_seen"
        " ELSE machine.last_seen END",
        (
            request.publisher,
            request.cmid,
            request.identity,
            " ".join(fingerprint),
            address,
            request.client.os,
            request.client.version,
            None if request.client.virtual is None else int(request.client.virtual),
            request.state,
            request.client.name,
            now,
            now,
            line.nonce,
            line.asked_at,
            encode_left(line.left),
            line.forked_at,
            line.restored,
        ),
    )


def put_line(tx: Transaction, publisher: str, cmid: str, line: Line) -> None:
    """Keep the line of a known machine, and nothing else of it."""
    tx.execute(
        "UPDATE machine SET nonce = ?, asked_at = ?, left_lines = ?, forked_at = ?, restored = ?"
        " WHERE publisher = ? AND cmid = ?",
        (
            line.nonce,
            line.asked_at,
            encode_left(line.left),
            line.forked_at,
            line.restored,
            publisher,
            cmid,
        ),
    )


def add_duplicate(
    tx: Transaction, publisher: str, cmid: str, now: int, name: str, address: str
) -> None:
    """Count one more request of a clone of this machine, and keep who it says that it is."""
    tx.execute(
        "UPDATE machine SET duplicates = duplicates + 1, cloned_at = ?, clone_name = ?,"
        " clone_address = ? WHERE publisher = ? AND cmid = ?",
        (now, name, address, publisher, cmid),
    )


def note_clones(tx: Transaction, publisher: str, cmid: str, now: int) -> None:
    """Remember that another machine has this one's store, before it is told."""
    tx.execute(
        "UPDATE machine SET cloned_at = ? WHERE publisher = ? AND cmid = ?", (now, publisher, cmid)
    )


def with_clones(reader: Reader, publisher: str, since: int) -> int:
    """Machines of a publisher of which clones were found after an instant."""
    row = reader.one(
        "SELECT count(*) FROM machine WHERE publisher = ? AND cloned_at > 0 AND cloned_at > ?",
        (publisher, since),
    )
    assert row is not None
    return int(row[0])


def forget_machine(tx: Transaction, publisher: str, cmid: str, now: int) -> None:
    """Forget fingerprint and line of a machine: the next request under the CMID brings them."""
    known = known_machine(tx, publisher, cmid)
    if known is None:
        return
    put_line(tx, publisher, cmid, forget(known.line, now))
    tx.execute(
        "UPDATE machine SET fingerprint = '' WHERE publisher = ? AND cmid = ?", (publisher, cmid)
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which machines are listed: of one CMID, of one publisher, of one name (in any case), those
    of which clones were found after an instant; None for all."""

    cmid: str | None = None
    publisher: str | None = None
    name: str | None = None
    cloned_since: int | None = None

    def conditions(self) -> tuple[list[str], list[object]]:
        """As SQL over the table m, and its parameters."""
        parts = {
            "m.cmid = ?": self.cmid,
            "m.publisher = ?": self.publisher,
            "lower(m.name) = lower(?)": self.name,
            "m.cloned_at > 0 AND m.cloned_at > ?": self.cloned_since,
        }
        wanted = {sql: value for sql, value in parts.items() if value is not None}
        return list(wanted), list(wanted.values())

    @property
    def time(self) -> str:
        """The column that orders a list. Where few machines are chosen these are sorted: the plus
        keeps a database from walking all machines in their order instead."""
        return "m.last_seen" if self.cloned_since is None else "+m.last_seen"


ALL = Chosen()


def machines(
    reader: Reader,
    limit: int,
    cmid: str | None = None,
    *,
    chosen: Chosen = ALL,
    after: Machine | None = None,
) -> list[Machine]:
    """Machines, the most recently seen first.

    Args:
        cmid: only of this one; as in `chosen`.
        chosen: which ones.
        after: the last of the page before.
    """
    parts, parameters = (Chosen(cmid=cmid) if cmid else chosen).conditions()
    if after is not None:
        parts.append(
            "m.last_seen <= ? AND (m.last_seen < ? OR m.publisher > ?"
            " OR (m.publisher = ? AND m.cmid > ?))"
        )
        seen_at, of = after.last_seen, after.publisher
        parameters += [seen_at, seen_at, of, of, after.cmid]
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    rows = reader.query(
        f"SELECT m.* FROM machine m{where}"  # noqa: S608  # parts of ours
        f" ORDER BY {chosen.time} DESC, m.publisher, m.cmid LIMIT ?",
        (*parameters, limit),
    )
    return _machines(rows)


def quiet_machines(
    reader: Reader,
    limit: int,
    now: int,
    before: int,
    *,
    chosen: Chosen = ALL,
    after: Machine | None = None,
) -> list[Machine]:
    """Machines last seen before an instant that count or hold a lease, the quietest first.

    Args:
        chosen: which ones.
        after: the last of the page before.
    """
    parts, parameters = chosen.conditions()
    if after is not None:
        parts.append(
            "m.last_seen >= ? AND (m.last_seen > ? OR m.publisher < ?"
            " OR (m.publisher = ? AND m.cmid < ?))"
        )
        seen_at, of = after.last_seen, after.publisher
        parameters += [seen_at, seen_at, of, of, after.cmid]
    more = "".join(f" AND {part}" for part in parts)
    rows = reader.query(
        "SELECT m.* FROM machine m WHERE m.last_seen < ? AND (EXISTS"  # noqa: S608  # ours
        " (SELECT 1 FROM lease l WHERE l.publisher = m.publisher AND l.cmid = m.cmid"
        " AND l.released_at = 0 AND l.expires_at > ?) OR EXISTS"
        " (SELECT 1 FROM sighting s WHERE s.publisher = m.publisher AND s.cmid = m.cmid"
        f" AND s.last_seen > ? AND s.last_seen > s.released)){more}"
        f" ORDER BY {chosen.time}, m.publisher DESC, m.cmid DESC LIMIT ?",
        (before, now, now - COUNT_WINDOW, *parameters, limit),
    )
    return _machines(rows)


def _machines(rows: Sequence[Row]) -> list[Machine]:
    return [
        Machine(
            publisher=row["publisher"],
            cmid=row["cmid"],
            identity=row["identity"],
            address=row["address"],
            os=row["os"],
            version=row["version"],
            virtual=flag(row["is_virtual"]),
            state=row["state"],
            first_seen=row["first_seen"],
            last_seen=row["last_seen"],
            duplicates=row["duplicates"],
            cloned_at=row["cloned_at"],
            restored=row["restored"],
            name=row["name"],
            clone_name=row["clone_name"],
            clone_address=row["clone_address"],
        )
        for row in rows
    ]


def applications_of(reader: Reader, publisher: str, cmid: str) -> Mapping[str, Seen]:
    """The rows of the count of one machine, by application."""
    rows = reader.query(
        "SELECT application, last_seen, released FROM sighting WHERE publisher = ? AND cmid = ?"
        " ORDER BY application",
        (publisher, cmid),
    )
    return {str(row[0]): Seen(row[1], row[2]) for row in rows}


# Leases.

_LEASE = (
    "publisher, product, cmid, application, grant_jti, jti, nonce, issued_at, expires_at,"
    " released_at"
)


def leases(reader: Reader, publisher: str, cmid: str) -> dict[str, LeaseRow]:
    """The newest leases of a machine, by product."""
    rows = reader.query(
        f"SELECT {_LEASE} FROM lease WHERE publisher = ? AND cmid = ? ORDER BY product",  # noqa: S608
        (publisher, cmid),
    )
    return {str(row["product"]): LeaseRow(*row) for row in rows}


def put_lease(tx: Transaction, lease: LeaseRow) -> None:
    """Keep the newest lease of a machine and product."""
    before = tallies.seat_ends(tx, lease.publisher, lease.cmid)
    tx.execute(
        f"INSERT INTO lease ({_LEASE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (publisher, cmid, product) DO UPDATE SET nonce = excluded.nonce,"
        " jti = excluded.jti, application = excluded.application, grant_jti = excluded.grant_jti,"
        " issued_at = excluded.issued_at, expires_at = excluded.expires_at,"
        " released_at = excluded.released_at",
        (
            lease.publisher,
            lease.product,
            lease.cmid,
            lease.application,
            lease.grant_jti,
            lease.jti,
            lease.nonce,
            lease.issued_at,
            lease.expires_at,
            lease.released_at,
        ),
    )
    after = tallies.seat_ends(tx, lease.publisher, lease.cmid)
    tallies.move_seats(tx, lease.publisher, before, after)


def release_lease(tx: Transaction, publisher: str, cmid: str, product: str, now: int) -> None:
    """Give the seat of a machine and product back."""
    before = tallies.seat_ends(tx, publisher, cmid)
    tx.execute(
        "UPDATE lease SET released_at = ? WHERE publisher = ? AND cmid = ? AND product = ?"
        " AND released_at = 0",
        (now, publisher, cmid, product),
    )
    tallies.move_seats(tx, publisher, before, tallies.seat_ends(tx, publisher, cmid))


def flag(value: int | None) -> bool | None:
    """A column that says yes, no or nothing."""
    return None if value is None else bool(value)
