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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from muster.core.audit import Event
from muster.core.clock import Clock
from muster.core.errors import MusterError, error
from muster.db.engine import Database
from muster.db.migrate import load_migrations
from muster.lease import strict
from muster.publisher import chain
from muster.publisher.chain import Head
from muster.publisher.store import SCHEMA, Edit, Store, View

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

    Raises: `file/exists`, `file/…`, `publisher/none`, and the errors of the database.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as fault:
        raise error("backup/exists", path=str(path)) from fault
    except OSError as fault:
        raise error("file/denied", path=str(path), detail=fault.strerror or "refused") from fault
    try:
        with os.fdopen(handle, "wb") as out, database.snapshot() as reader:
            view = View(reader)
            found = view.publisher()
            if found is None:
                raise error("publisher/none", path=database.name)
            done = Backup(found.id, now, view.audit_head(), _write(out, view, found.id, now))
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        path.unlink()
        raise
    return done


def _write(out: BinaryIO, view: View, publisher: str, now: int) -> int:
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
            "audit_head": view.audit_head().text,
        }
    )
    count = 0
    for table, order in TABLES:
        for row in view.rows(table, order):
            line({"table": table, "row": row})
            count += 1
    out.write(strict.canonical({"rows": count, "sha256": digest.hexdigest()}) + b"\n")
    return count


def read_backup(path: Path) -> Backup:
    """Read a backup and see that it is whole; nothing is written.

    Raises: `backup/damaged` naming the line, `backup/newer`, `file/…`.
    """
    lines = _lines(path)
    head = next(lines, None)
    if head is None or head.get("file") != KIND or not isinstance(head.get("schema"), int):
        raise _damaged(path, 1, "it is no backup of a publisher")
    if head.get("v") != 1 or head["schema"] > len(load_migrations(SCHEMA)):
        raise error("backup/newer", path=str(path))
    digest = hashlib.sha256(strict.canonical(head) + b"\n")
    names = {table for table, _ in TABLES}
    count = 0
    for number, value in enumerate(lines, start=2):
        if "rows" in value:
            if value != {"rows": count, "sha256": digest.hexdigest()}:
                raise _damaged(path, number, "its sum does not hold")
            if next(lines, None) is not None:
                raise _damaged(path, number + 1, "something follows its end")
            return Backup(
                str(head.get("publisher")),
                int(head.get("made_at", 0)),
                Head.parse(str(head.get("audit_head"))),
                count,
            )
        if value.get("table") not in names or not isinstance(value.get("row"), dict):
            raise _damaged(path, number, "it is no row of a table")
        digest.update(strict.canonical(value) + b"\n")
        count += 1
    raise _damaged(path, count + 2, "the end is missing")


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
    except FileNotFoundError as fault:
        raise error("file/missing", path=str(path)) from fault
    except OSError as fault:
        raise error("file/denied", path=str(path), detail=fault.strerror or "refused") from fault


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
    Raises: as `read_backup` and `chain.check`; `backup/not-empty`, `backup/head`.
    """
    found = read_backup(path)
    now = clock.now()
    with store.edit() as edit:
        if edit.publisher() is not None:
            raise error("backup/not-empty")
        lines = _lines(path)
        next(lines)
        pending: list[dict[str, Any]] = []
        table = ""
        for value in lines:
            if value.get("table") != table or len(pending) >= _AT_ONCE:
                edit.fill(table, pending)
                pending, table = [], str(value.get("table", ""))
            if "row" in value:
                pending.append(value["row"])
        edit.fill(table, pending)
        chain.check(edit.whole_audit(), found.head)
        edit.note_restore(now, found.head.text)
        edit.write_audit(
            now,
            actor,
            Event.PUBLISHER_RESTORE,
            found.publisher,
            {"head": found.head.text, "made_at": found.made_at},
        )
        done = _resume(edit, now, actor, head, accept_loss=accept_loss)
    return found, done


def resume(
    store: Store, clock: Clock, actor: str, *, head: Head | None, accept_loss: bool
) -> Resumed:
    """Let draws go on after a restore.

    Raises: `backup/head`: the head given is not the backup's, so that draws are missing.
    """
    with store.edit() as edit:
        return _resume(edit, clock.now(), actor, head, accept_loss=accept_loss)


def _resume(edit: Edit, now: int, actor: str, head: Head | None, *, accept_loss: bool) -> Resumed:
    waiting = edit.waiting_head()
    if waiting is None:
        return Resumed(False, False, False, edit.audit_head())
    held = Head.parse(waiting)
    if accept_loss or (head is not None and head == held):
        lost = accept_loss and head != held
        edit.resolve_restore(now)
        edit.write_audit(now, actor, Event.PUBLISHER_RESUME, waiting, {"lost": lost})
        return Resumed(True, False, lost, held)
    if head is not None:
        raise error("backup/head", held=held.text, given=head.text)
    return Resumed(False, True, False, held)
