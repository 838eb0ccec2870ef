"""Backup and restore of a publisher's tables: one file, for SQLite and PostgreSQL alike.

Decides what stands in the file, that a file is whole before a row of it is written, and that draws
wait after a restore: what was drawn after the backup is unknown to it, and would be drawn again.
Refuses to know key files: they are copied beside it. Obeys docs/spec/11-pools.md, section 11.7.

The file is JSON lines: a head, one line a row, a foot with the number of rows and the SHA-256 of
all lines before it. It holds product keys' proof keys and is made for its owner alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.clock import Clock
from muster.core.errors import MusterError
from muster.db.engine import ConstraintError, Database, Reader, Transaction
from muster.db.migrate import load_migrations
from muster.lease import strict
from muster.publisher import chain, tables
from muster.publisher.chain import Head
from muster.publisher.store import SCHEMA, Store
from muster.system.files import translate, write_new

KIND = "muster-backup"
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
    ("audit", "seq"),
)
"""Tables in the order in which they can be filled, with what orders their rows."""
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
class Resumed:
    """Whether draws go on. `lost` tells that the operator accepted a loss; `head` is the head that
    the backup had."""

    changed: bool
    waiting: bool
    lost: bool
    head: Head


def write_backup(database: Database, path: Path, now: int) -> Backup:
    """Write one state of the tables into a new file, while others write.

    Raises: `backup/exists`, `file/…`, `publisher/none`, `publisher/clock`, and the errors of the
        database.
    """
    chain.check_clock(now)
    try:
        write_new(path, b"")  # the name is durable before a row is written
    except MusterError as fault:
        if fault.code == "file/exists":
            raise error("backup/exists", path=str(path)) from fault
        raise
    try:
        with path.open("wb") as out, database.snapshot() as reader:
            found = tables.documents.publisher(reader)
            if found is None:
                raise error("publisher/none", path=database.name)
            done = Backup(
                found.id, now, tables.audit.head(reader), _write(out, reader, found.id, now)
            )
            out.flush()
            os.fsync(out.fileno())
    except BaseException as fault:
        path.unlink()
        if isinstance(fault, OSError):
            raise translate(fault, path) from fault
        raise
    return done


def _write(out: BinaryIO, reader: Reader, publisher: str, now: int) -> int:
    digest = hashlib.sha256()

    def line(value: dict[str, Any]) -> None:
        data = strict.canonical(value) + b"\n"
        digest.update(data)
        out.write(data)

    line(
        {
            "v": 1,
            "file": KIND,
            "publisher": publisher,
            "made_at": now,
            "schema": len(load_migrations(SCHEMA)),
            "audit_head": tables.audit.head(reader).text,
        }
    )
    count = 0
    for table, order in TABLES:
        for row in tables.restore.rows(reader, table, order):
            line({"table": table, "row": row})
            count += 1
    out.write(strict.canonical({"rows": count, "sha256": digest.hexdigest()}) + b"\n")
    return count


def _read(path: Path, take: Callable[[str, dict[str, Any]], None]) -> Backup:
    """Give each row of a backup to `take`, and raise at the end where the whole is not right.

    The caller undoes what it did with the rows when this raises.

    Raises: `backup/damaged` naming the line, `backup/newer`, `file/…`.
    """
    lines = _lines(path)
    found = _head(path, next(lines, None))
    names = {table for table, _ in TABLES}
    digest = hashlib.sha256(strict.canonical(found) + b"\n")
    count = 0
    for number, value in enumerate(lines, start=2):
        if "rows" in value:
            if value != {"rows": count, "sha256": digest.hexdigest()}:
                raise _damaged(path, number, "its sum does not hold")
            if next(lines, None) is not None:
                raise _damaged(path, number + 1, "something follows its end")
            head = Head.parse(found["audit_head"])
            return Backup(found["publisher"], found["made_at"], head, count)
        table, row = value.get("table"), value.get("row")
        if table not in names or not isinstance(row, dict) or not _plain(row):
            raise _damaged(path, number, "it is no row of a table")
        digest.update(strict.canonical(value) + b"\n")
        count += 1
        try:
            take(str(table), row)
        except ConstraintError as fault:
            raise _damaged(path, number, "a row breaks a rule of its table") from fault
    raise _damaged(path, count + 2, "the end is missing")


def _plain(row: dict[str, Any]) -> bool:
    return all(one is None or type(one) in (int, str) for one in row.values())


def _head(path: Path, head: dict[str, Any] | None) -> dict[str, Any]:
    """The first line of a backup, each member of its type."""
    if head is None or head.get("file") != KIND:
        raise _damaged(path, 1, "it is no backup of a publisher")
    kinds = {"v": int, "schema": int, "made_at": int, "publisher": str, "audit_head": str}
    if any(type(head.get(name)) is not kind for name, kind in kinds.items()):
        raise _damaged(path, 1, "a member is missing or of another type")
    if head["v"] != 1 or head["schema"] > len(load_migrations(SCHEMA)):
        raise error("backup/newer", path=str(path))
    try:
        Head.parse(head["audit_head"])
    except MusterError:
        raise _damaged(path, 1, "its audit head is none") from None
    return head


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(_LINE):
                number += 1
                try:
                    value = strict.read(data.rstrip(b"\n"), _LIMITS)
                except MusterError as fault:
                    detail = str(fault.params.get("detail", fault.what))
                    raise _damaged(path, number, detail) from None
                if strict.canonical(value) + b"\n" != data:
                    raise _damaged(path, number, "it was altered")
                yield value
    except OSError as fault:
        raise translate(fault, path) from fault


def _damaged(path: Path, line: int, detail: str) -> MusterError:
    return error("backup/damaged", path=str(path), line=line, detail=detail)


def restore(
    store: Store, path: Path, clock: Clock, actor: str, *, head: Head | None, accept_loss: bool
) -> tuple[Backup, Resumed]:
    """Fill empty tables from a backup; draws wait until the operator says how much is lost.

    Args:
        store: opened and empty.
        head: the audit head kept elsewhere, or None.
        accept_loss: what was drawn after the backup is lost; audited.
    Raises: `backup/damaged`, `backup/newer`, `backup/not-empty`, `backup/head`, `file/…`,
        `publisher/clock`, and as `chain.check`.
    """
    now = clock.now()
    chain.check_clock(now)
    with store.edit() as tx:
        if tables.documents.publisher(tx) is not None:
            raise error("backup/not-empty")
        filler = _Filler(tx)
        found = _read(path, filler.take)
        try:
            filler.flush()
        except ConstraintError as fault:
            raise _damaged(path, found.rows + 1, "a row breaks a rule of its table") from fault
        restored = tables.documents.publisher(tx)
        if restored is None or restored.id != found.publisher:
            raise _damaged(path, 1, "it names another publisher than its rows")
        chain.check(tables.audit.all_rows(tx), found.head)
        tables.restore.note(tx, now, found.head.text)
        tables.audit.write(
            tx,
            now,
            actor,
            Event.PUBLISHER_RESTORE,
            found.publisher,
            {"head": found.head.text, "made_at": found.made_at},
        )
        done = _resume(tx, now, actor, head, accept_loss=accept_loss)
    return found, done


def resume(
    store: Store, clock: Clock, actor: str, *, head: Head | None, accept_loss: bool
) -> Resumed:
    """Let draws go on after a restore.

    Raises: `backup/head`: the head given is not the backup's, so that draws are missing.
    """
    with store.edit() as tx:
        return _resume(tx, clock.now(), actor, head, accept_loss=accept_loss)


def _resume(
    tx: Transaction, now: int, actor: str, head: Head | None, *, accept_loss: bool
) -> Resumed:
    """Close what the operator vouches for; draws wait while anything is open.

    A backup that was made while draws waited brings its own open restore along: a head closes
    the one restore that it belongs to, and only an accepted loss closes all.
    """
    waiting = {number: Head.parse(text) for number, text in tables.restore.waiting(tx).items()}
    if not waiting:
        return Resumed(False, False, False, tables.audit.head(tx))
    newest = waiting[max(waiting)]
    closed = [number for number, held in waiting.items() if accept_loss or held == head]
    if not closed:
        if head is not None:
            raise error("backup/head", held=newest.text, given=head.text)
        return Resumed(False, True, False, newest)
    lost = any(waiting[number] != head for number in closed)
    for number in closed:
        tables.restore.resolve(tx, number, now)
        detail = {"lost": waiting[number] != head}
        tables.audit.write(tx, now, actor, Event.PUBLISHER_RESUME, waiting[number].text, detail)
    still = [held for number, held in waiting.items() if number not in closed]
    return Resumed(True, bool(still), lost, still[-1] if still else newest)


class _Filler:
    """Puts rows into their tables, many at once."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._table = ""
        self._rows: list[dict[str, Any]] = []

    def take(self, table: str, row: dict[str, Any]) -> None:
        """One row more."""
        if table != self._table or len(self._rows) >= _AT_ONCE:
            self.flush()
            self._table = table
        self._rows.append(row)

    def flush(self) -> None:
        """Write what waits."""
        rows, self._rows = self._rows, []
        tables.restore.fill(self._tx, self._table, rows)
