"""Backs a publisher's tables up, fills empty ones from a backup, and lets activations go on after
that: what was drawn after the backup is unknown to it, and would be drawn again.

Obeys docs/spec/11-pools.md, section 11.7.
"""

from __future__ import annotations

from pathlib import Path

from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import CALENDAR, instant_text
from muster.db.engine import Transaction
from muster.publisher import backup_file, chain, tables
from muster.publisher.chain import Head
from muster.publisher.office import Office
from muster.publisher.results import BackupWritten, Restored, Resumed
from muster.system.linefile import LineFile
from muster.system.private import new_file


def write_backup(office: Office, path: Path) -> BackupWritten:
    """Write one state of the tables into a new file, while others write.

    The audit row that says so covers what was written, and is in the file as its last row.

    Raises: `backup/exists`, `file/…`, `publisher/none`, `publisher/clock`, and the errors of the
        database.
    """
    now = office.clock.now()
    chain.check_clock(now)
    if now not in CALENDAR:
        raise error("publisher/clock", detail=f"it shows {instant_text(now)}", today="YYYY-MM-DD")
    publisher = office.publisher.id
    office.keep_time()
    try:
        with new_file(path) as out:
            writer = backup_file.Writer(out, publisher, now)
            with office.view() as reader:
                contents = writer.tables(reader)
            with office.edit() as tx:
                event = Event.PUBLISHER_BACKUP
                tables.audit.write(tx, now, office.actor, event, publisher, contents.detail)
                rows = list(tables.audit.all_rows(tx, contents.head.seq))
            writer.end(rows)
    except MusterError as fault:
        if fault.code == "file/exists":
            raise error("backup/exists", path=str(path)) from fault
        raise
    last = rows[-1]
    return BackupWritten(True, str(path), publisher, writer.rows, Head(last.seq, last.hash).text)


def restore(office: Office, file: LineFile, *, head: Head | None, accept_loss: bool) -> Restored:
    """Fill empty tables from a backup; draws wait until the operator says how much is lost.

    Args:
        office: of an empty store.
        file: the backup.
        head: the audit head kept elsewhere, or None.
        accept_loss: what was drawn after the backup is lost; audited.
    Raises: `backup/damaged`, `backup/newer`, `backup/not-empty`, `backup/head`, `file/…`,
        `publisher/clock`, and as `chain.check`.
    """
    now = office.clock.now()
    chain.check_clock(now)
    with office.store.edit() as tx:
        if tables.documents.publisher(tx) is not None:
            raise error("backup/not-empty")
        backup = backup_file.fill(file, tx)
        chain.check(tables.audit.all_rows(tx), backup.head)
        tables.restore.note(tx, now, backup.head.text)
        detail = {"head": backup.head.text, "made_at": backup.made_at}
        tables.audit.write(tx, now, office.actor, Event.PUBLISHER_RESTORE, backup.publisher, detail)
        resumed = _resume(tx, now, office.actor, head, accept_loss=accept_loss)
    return Restored(
        changed=True,
        publisher=backup.publisher,
        rows=backup.rows,
        made_at=backup.made_at,
        waiting=resumed.waiting,
        lost=resumed.lost,
        audit_head=resumed.audit_head,
    )


def adopt(office: Office, *, accept_loss: bool) -> Restored:
    """Take the database that is in the store as if it had been restored: what was drawn since is
    unknown to it, so draws wait until the loss is accepted.

    Raises: `publisher/none`, as `chain.check`.
    """
    now = office.clock.now()
    chain.check_clock(now)
    publisher = office.publisher.id
    with office.store.edit() as tx:
        head = chain.check(tables.audit.all_rows(tx))
        tables.restore.note(tx, now, head.text)
        detail = {"head": head.text, "made_at": now}
        tables.audit.write(tx, now, office.actor, Event.PUBLISHER_RESTORE, publisher, detail)
        resumed = _resume(tx, now, office.actor, None, accept_loss=accept_loss)
    return Restored(
        changed=True,
        publisher=publisher,
        rows=0,
        made_at=now,
        waiting=resumed.waiting,
        lost=resumed.lost,
        audit_head=resumed.audit_head,
    )


def resume(office: Office, *, head: Head | None, accept_loss: bool) -> Resumed:
    """Let draws go on after a restore.

    Raises: `backup/head`: the head given is not the backup's, so that draws are missing;
        `backup/head-older`, `backup/head-foreign`: it is from before it, or of no row of it.
    """
    with office.store.edit() as tx:
        return _resume(tx, office.clock.now(), office.actor, head, accept_loss=accept_loss)


def _resume(
    tx: Transaction, now: int, actor: Who, head: Head | None, *, accept_loss: bool
) -> Resumed:
    """Close what the operator accepts; draws wait while anything is open.

    A backup that was made while draws waited brings its own open restore along: a head closes
    the one restore that it belongs to, and only an accepted loss closes all.
    """
    waiting = {number: Head.parse(text) for number, text in tables.restore.waiting(tx).items()}
    if not waiting:
        return Resumed(False, False, False, tables.audit.head(tx).text)
    newest = waiting[max(waiting)]
    named = [number for number, held in waiting.items() if held == head]
    covered = [number for number in named if backup_file.is_covered(tx, waiting[number])]
    closed = list(waiting) if accept_loss else covered
    if not closed:
        if named:
            raise error("backup/uncovered", head=waiting[named[0]].text)
        if head is not None:
            raise _refusal(tx, newest, head)
        return Resumed(False, True, False, newest.text)
    lost = any(number not in covered for number in closed)
    for number in closed:
        tables.restore.resolve(tx, number, now)
        detail = {"lost": number not in covered}
        tables.audit.write(tx, now, actor, Event.PUBLISHER_RESUME, waiting[number].text, detail)
    still = [held for number, held in waiting.items() if number not in closed]
    return Resumed(True, bool(still), lost, (still[-1] if still else newest).text)


def _refusal(tx: Transaction, held: Head, given: Head) -> MusterError:
    """Why a head does not end a restore whose backup has another one."""
    if given.seq > held.seq:
        return error("backup/head", held=held.text, given=given.text)
    row = next(iter(tables.audit.rows(tx, given.seq - 1, 1)), None)
    if row is not None and Head(row.seq, row.hash) == given:
        return error("backup/head-older", held=held.text, given=given.text)
    return error("backup/head-foreign", held=held.text, given=given.text)
