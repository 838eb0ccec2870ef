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
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import CALENDAR
from muster.core.values import dataclass, replace
from muster.db.engine import ConstraintError, Reader, Transaction
from muster.db.migrate import load_migrations
from muster.lease import strict
from muster.publisher import tables
from muster.publisher.chain import Head
from muster.publisher.model import AuditRow
from muster.publisher.store import SCHEMA
from muster.system.files import translate

KIND = "muster-backup"
AUDIT = "audit"
TABLES = (
    ("publisher", "one"),
    ("trust", "version"),
    ("catalogue", "version"),
    ("key_file", "role, number"),
    ("product_key", "id"),
    ("host_seat", "key, hw"),
    ("host_grant", "key, binding"),
    ("host_terms", "jti, version"),
    ("machine_grant", "key, binding"),
    ("restore", "number"),
    (AUDIT, "seq"),
)
"""Tables in the order in which they can be filled, with what orders their rows."""
Line = Mapping[str, Any]
"""A line of the file, as the strict reader gives it."""
Row = Mapping[str, int | str | None]
"""A row of a table by the names of its columns."""
_LINE = 16 * 1024 * 1024
_LIMITS = strict.Limits(bytes=_LINE, levels=4, members=128, items=16)
_AT_ONCE = 500


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
        self._publisher = publisher
        self._now = now
        self._digest = hashlib.sha256()
        self.rows = 0

    def tables(self, reader: Reader) -> Contents:
        """Write all tables in one state."""
        head = tables.audit.head(reader)
        self._line(
            {
                "v": 1,
                "file": KIND,
                "publisher": self._publisher,
                "made_at": self._now,
                "schema": len(load_migrations(SCHEMA)),
                "audit_head": head.text,
            }
        )
        digest, count = hashlib.sha256(), 0
        for table, order in TABLES:
            for row in tables.restore.rows(reader, table, order):
                data = self._row(table, row)
                if table != AUDIT:
                    digest.update(data)
                    count += 1
        return Contents(head, count, digest.hexdigest())

    def end(self, rows: Iterable[AuditRow]) -> None:
        """Write the rows that the audit log has got since, the last of which covers the tables."""
        for row in rows:
            names = ("seq", "at", "actor", "event", "subject", "detail", "hash")
            self._row(AUDIT, {name: getattr(row, name) for name in names})
        sums: strict.JSONObject = {"rows": self.rows, "sha256": self._digest.hexdigest()}
        self._out.write(strict.canonical(sums) + b"\n")

    def _row(self, table: str, row: Row) -> bytes:
        self.rows += 1
        return self._line({"table": table, "row": dict(row)})

    def _line(self, value: strict.JSONObject) -> bytes:
        data = strict.canonical(value) + b"\n"
        self._digest.update(data)
        self._out.write(data)
        return data


def fill(path: Path, tx: Transaction) -> Backup:
    """Put the rows of a backup into empty tables; the caller undoes that when this raises.

    Raises: as `_read`.
    """
    filler = _Filler(tx)
    backup, contents = _read(path, filler.take)
    try:
        filler.flush()
    except ConstraintError as fault:
        raise damaged(path, backup.rows + 1, "a row breaks a rule of its table") from fault
    restored = tables.documents.publisher(tx)
    if restored is None or restored.id != backup.publisher:
        raise damaged(path, 1, "it names another publisher than its rows")
    head = tables.audit.head(tx)
    last = tables.audit.rows(tx, head.seq - 1)[-1:]
    for row in last:
        if row.event == Event.PUBLISHER_BACKUP.value and row.detail != _text(contents.detail):
            raise damaged(path, backup.rows + 1, "its audit log covers other rows than it has")
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


def _read(path: Path, take: Callable[[str, Row], None]) -> tuple[Backup, Contents]:
    """Give each row of a backup to `take`, and raise at the end where the whole is not right.

    The caller undoes what it did with the rows when this raises.

    Raises: `backup/damaged` naming the line, `backup/newer`, `file/…`.
    """
    lines = _lines(path)
    members = _head(path, next(lines, None))
    names = {table for table, _ in TABLES}
    digest = hashlib.sha256(strict.canonical(members) + b"\n")
    covered = hashlib.sha256()
    count = beside = 0
    for number, value in enumerate(lines, start=2):
        if "rows" in value:
            if value != {"rows": count, "sha256": digest.hexdigest()}:
                raise damaged(path, number, "its sum does not hold")
            if next(lines, None) is not None:
                raise damaged(path, number + 1, "something follows its end")
            head = Head.parse(members["audit_head"])
            backup = Backup(members["publisher"], members["made_at"], head, count)
            return backup, Contents(head, beside, covered.hexdigest())
        table, row = value.get("table"), value.get("row")
        if table not in names or not isinstance(row, dict) or not _plain(row):
            raise damaged(path, number, "it is no row of a table")
        if not _dated(row):
            raise damaged(path, number, "it has a date that no calendar has")
        data = strict.canonical(value) + b"\n"
        digest.update(data)
        count += 1
        if table != AUDIT:
            covered.update(data)
            beside += 1
        try:
            take(str(table), row)
        except ConstraintError as fault:
            raise damaged(path, number, "a row breaks a rule of its table") from fault
    raise damaged(path, count + 2, "the end is missing")


def _dated(row: Line) -> bool:
    """Whether every date of a row can be shown: instants by name, and days."""
    for name, cell in row.items():
        if cell is None or type(cell) is not int:
            continue
        if name in ("at", "iat") or name.endswith("_at"):
            if cell not in CALENDAR:
                return False
        elif name in ("day", "revoked") and not 0 <= cell <= 65_535:
            return False
    return True


def _plain(row: Line) -> bool:
    return all(cell is None or type(cell) in (int, str) for cell in row.values())


def _head(path: Path, head: Line | None) -> Line:
    """The first line of a backup, each member of its type."""
    if head is None or head.get("file") != KIND:
        raise damaged(path, 1, "it is no backup of a publisher")
    kinds = {"v": int, "schema": int, "made_at": int, "publisher": str, "audit_head": str}
    if any(type(head.get(name)) is not kind for name, kind in kinds.items()):
        raise damaged(path, 1, "a member is missing or of another type")
    if head["v"] != 1 or head["schema"] > len(load_migrations(SCHEMA)):
        raise error("backup/newer", path=str(path))
    if head["made_at"] not in CALENDAR:
        raise damaged(path, 1, "it has a date that no calendar has")
    try:
        Head.parse(head["audit_head"])
    except MusterError:
        raise damaged(path, 1, "its audit head is none") from None
    return head


def _lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(_LINE):
                number += 1
                try:
                    value = strict.read(data.rstrip(b"\n"), _LIMITS)
                except MusterError as fault:
                    detail = str(fault.params.get("detail", fault.what))
                    raise damaged(path, number, detail) from None
                if strict.canonical(value) + b"\n" != data:
                    raise damaged(path, number, "it was altered")
                yield value
    except OSError as fault:
        raise translate(fault, path) from fault


def damaged(path: Path, line: int, detail: str) -> MusterError:
    """The error that names what is wrong with a line of a backup."""
    return error("backup/damaged", path=str(path), line=line, detail=detail)


class _Filler:
    """Puts rows into their tables, many at once."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._table = ""
        self._rows: list[Row] = []

    def take(self, table: str, row: Row) -> None:
        """One row more."""
        if table != self._table or len(self._rows) >= _AT_ONCE:
            self.flush()
            self._table = table
        self._rows.append(row)

    def flush(self) -> None:
        """Write what waits."""
        rows, self._rows = self._rows, []
        tables.restore.fill(self._tx, self._table, rows)
