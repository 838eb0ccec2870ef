"""Backup and restore of a publisher's tables: one file, for SQLite and PostgreSQL alike.

Decides what is in the file, that a file is whole before a row of it is written, and that draws
wait after a restore: what was drawn after the backup is unknown to it, and would be drawn again.
Refuses to know key files: they are copied beside it. Obeys docs/spec/11-pools.md, section 11.7.

The file is JSON lines: a head, one line a row, a foot with the number of rows and the SHA-256 of
all lines before it. The last row of its audit log names number and SHA-256 of the lines of all
other tables, so that the head of that log covers everything in the file. It holds product keys'
proof keys and is made for its owner alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import BinaryIO

from muster.core.audit import Event
from muster.core.errors import MusterError
from muster.core.values import dataclass, replace
from muster.db.engine import ConstraintError, Reader, Transaction
from muster.db.migrate import load_migrations
from muster.db.rows import Filler, rows
from muster.lease import strict
from muster.publisher import tables
from muster.publisher.chain import Head
from muster.publisher.model import AuditRow
from muster.publisher.store import SCHEMA
from muster.system.linefile import Line, LineFile, LineWriter, Row, damaged, table_row

KIND = "muster-backup"
AUDIT = "audit"
TABLES: Mapping[str, Sequence[str]] = {
    "publisher": ("one",),
    "trust": ("version",),
    "catalogue": ("version",),
    "key_file": ("role", "number"),
    "product_key": ("id",),
    "host_seat": ("key", "hw"),
    "host_grant": ("key", "binding"),
    "host_terms": ("jti", "version"),
    "machine_grant": ("key", "binding"),
    "restore": ("number",),
    AUDIT: ("seq",),
}
"""Tables in the order in which they can be filled, with what orders their rows."""
_LIMITS = strict.Limits(bytes=1 << 20, levels=2, members=16, items=16)


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. `head` is the head of its audit log, to be kept elsewhere."""

    publisher: str
    made_at: int
    head: Head
    rows: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup has beside the audit log, and where that log ended when it was read."""

    head: Head
    rows: int
    sha256: str

    @property
    def detail(self) -> dict[str, int | str]:
        """The detail of the audit row that covers this."""
        return {"head": self.head.text, "rows": self.rows, "sha256": self.sha256}


class Writer:
    """Writes a backup: `tables` once, `end` once.

    Args:
        publisher: the id of whose they are. now: Unix seconds.
    """

    def __init__(self, out: BinaryIO, publisher: str, now: int) -> None:
        self._out = out
        self._head: strict.JSONObject = {
            "v": 1,
            "file": KIND,
            "publisher": publisher,
            "made_at": now,
            "schema": len(load_migrations(SCHEMA)),
        }
        self._lines: LineWriter | None = None

    @property
    def rows(self) -> int:
        """How many were written."""
        return 0 if self._lines is None else self._lines.count

    def tables(self, reader: Reader) -> Contents:
        """Write all tables in one state."""
        head = tables.audit.head(reader)
        lines = self._lines = LineWriter(self._out, {**self._head, "audit_head": head.text})
        digest, count = hashlib.sha256(), 0
        for table, key in TABLES.items():
            for row in rows(reader, table, key):
                data = lines.line({"table": table, "row": dict(row)})
                if table != AUDIT:
                    digest.update(data)
                    count += 1
        return Contents(head, count, digest.hexdigest())

    def end(self, rows: Iterable[AuditRow]) -> None:
        """Write the rows that the audit log has got since, the last of which covers the tables."""
        assert self._lines is not None
        for row in rows:
            names = ("seq", "at", "actor", "event", "subject", "detail", "hash")
            self._lines.line({"table": AUDIT, "row": {name: getattr(row, name) for name in names}})
        self._lines.end()


def fill(file: LineFile, tx: Transaction) -> Backup:
    """Put the rows of a backup into empty tables; the caller undoes that when this raises.

    Raises: as `_read`.
    """
    filler = Filler(tx)
    backup, contents = _read(file, filler.take)
    try:
        filler.flush()
    except ConstraintError as fault:
        raise damaged(file.path, backup.rows + 1, "a row breaks a rule of its table") from fault
    restored = tables.documents.publisher(tx)
    if restored is None or restored.id != backup.publisher:
        raise damaged(file.path, 1, "it names another publisher than its rows")
    head = tables.audit.head(tx)
    last = tables.audit.rows(tx, head.seq - 1)[-1:]
    for row in last:
        if row.event == Event.PUBLISHER_BACKUP.value and row.detail != _text(contents.detail):
            raise damaged(file.path, backup.rows + 1, "its audit log covers other rows than it has")
    return replace(backup, head=head)


def is_covered(tx: Reader, head: Head) -> bool:
    """Whether the head of a backup's audit log covers everything that was in the backup, and
    nothing was written down between its tables and the row that covers them."""
    for row in tables.audit.rows(tx, head.seq - 1, 1):
        if row.event == Event.PUBLISHER_BACKUP.value and row.seq == head.seq:
            detail = strict.read(row.detail.encode(), _LIMITS)
            return Head.parse(str(detail["head"])).seq == head.seq - 1
    return False


def _text(detail: strict.JSONObject) -> str:
    return strict.canonical(detail).decode("utf-8")


def _read(file: LineFile, take: Callable[[str, Row], None]) -> tuple[Backup, Contents]:
    """Give each row of a backup to `take`, and raise at the end where the whole is not right.

    The caller undoes what it did with the rows when this raises.

    Raises: `backup/damaged` naming the line, `backup/newer`, `file/…`.
    """
    head = _head(file)
    covered = hashlib.sha256()
    count = beside = 0
    for line in file.lines():
        table, row = table_row(file.path, line, TABLES)
        count += 1
        if table != AUDIT:
            covered.update(line.data)
            beside += 1
        try:
            take(table, row)
        except ConstraintError as fault:
            raise damaged(file.path, line.number, "a row breaks a rule of its table") from fault
    audit_head = Head.parse(head["audit_head"])
    backup = Backup(head["publisher"], head["made_at"], audit_head, count)
    return backup, Contents(audit_head, beside, covered.hexdigest())


def _head(file: LineFile) -> Line:
    members = {"publisher": str, "audit_head": str}
    head = file.head(KIND, members, len(load_migrations(SCHEMA)))
    try:
        Head.parse(head["audit_head"])
    except MusterError:
        raise damaged(file.path, 1, "its audit head is none") from None
    return head
