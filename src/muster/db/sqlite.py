"""SQLite behind the interface of `muster.db.engine`.

Decides how a transaction becomes durable and how faults of SQLite are called: write-ahead log,
`synchronous=FULL` (a commit has reached the disk before it returns, docs/spec/09-files.md, section
9.4), `BEGIN IMMEDIATE` (a transaction that may write has the write lock before it reads), foreign
keys on. A file that is not whole, or not the one that was here (`muster.db.mark`), is reported
and never replaced.

Long, because what a fault of SQLite means depends on which of reading, writing, committing and
opening met it: all four are here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url
from muster.db.engine import (
    BUSY_SECONDS,
    RETRY_AFTER_SECONDS,
    ConstraintError,
    Database,
    Parameters,
    Reader,
    Row,
    Transaction,
)
from muster.db.mark import SUFFIX, Mark, MarkFile, keep_owner, raise_generation, signed
from muster.db.mark import check as check_mark

_READERS_KEPT = 8


class SQLiteReader(Reader):
    """Reads over one connection; `path` is how people know the database."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement."""
        with _translated(self._path):
            return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a statement, or None."""
        with _translated(self._path):
            cursor = self._connection.execute(sql, parameters)
            try:
                row: Row | None = cursor.fetchone()
                return row
            finally:
                cursor.close()


class SQLiteTransaction(SQLiteReader, Transaction):
    """Writes over one connection, on which a transaction was begun."""

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement; the number of rows that it changed."""
        with _translated(self._path):
            return self._connection.execute(sql, parameters).rowcount

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row of parameters; the number of rows changed."""
        with _translated(self._path):
            return self._connection.executemany(sql, rows).rowcount

    def savepoint(self) -> contextlib.AbstractContextManager[Transaction]:
        """A part that is undone alone when its block raises; the transaction goes on."""
        return self._savepoint()

    @contextlib.contextmanager
    def _savepoint(self) -> Iterator[Transaction]:
        with _translated(self._path):
            self._connection.execute("SAVEPOINT part")
        try:
            yield self
        except BaseException:
            # A full disk or an I/O error may have undone the whole transaction already.
            if self._connection.in_transaction:
                with _translated(self._path):
                    self._connection.execute("ROLLBACK TO part")
                    self._connection.execute("RELEASE part")
            raise
        with _translated(self._path):
            self._connection.execute("RELEASE part")


class SQLiteDatabase(Database):
    """One SQLite file. Made by `open_sqlite`; may be used from any thread."""

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        self._path = path
        self._name = str(path)
        self._busy_seconds = busy_seconds
        self._write_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._writing_thread: int | None = None
        self._readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        self._readers_kept = _READERS_KEPT
        self._closed = False
        self._mark = MarkFile(path)
        self._file: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def name(self) -> str:
        """The path of the file."""
        return self._name

    @property
    def is_file(self) -> bool:
        """Always."""
        return True

    def has_table(self, name: str, reader: Reader | None = None) -> bool:
        """Whether there is a table of this name; in the state that `reader` reads, or now."""
        asked = self if reader is None else reader
        return asked.one("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)) is not None

    def ddl(self, statement: str) -> str:
        """Migrations are written in the words of SQLite."""
        return statement

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction that may write: committed and durable when the block ends, undone when
        it raises. One at a time per process and, by the database, per file. Not nested.

        Raises: `db/busy`, `db/full`, `db/io`, `db/corrupt`, `db/denied`; whatever the block raises.
        """
        if self._writing_thread == threading.get_ident():
            raise RuntimeError("a transaction is open in this thread already")
        with self._write_lock:
            self._writing_thread = threading.get_ident()
            try:
                connection = self._ready_writer()
                with self._wait_bounded():
                    connection.execute("BEGIN IMMEDIATE")
                try:
                    before = connection.total_changes
                    yield SQLiteTransaction(connection, self._name)
                    mark = self._commit(connection, changed=connection.total_changes != before)
                except BaseException:
                    self._undo(connection)
                    raise
                if mark is not None:
                    self._mark.write(mark)
            finally:
                self._writing_thread = None

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Several reads of one state of the database; a writer elsewhere is neither seen nor
        hindered."""
        connection = self._acquire_reader()
        try:
            with self._wait_bounded():
                connection.execute("BEGIN")
            try:
                yield SQLiteReader(connection, self._name)
            finally:
                if connection.in_transaction:
                    with _translated(self._name):
                        connection.execute("ROLLBACK")
        except BaseException:
            connection.close()
            raise
        self._release_reader(connection)

    def check(self, seconds: float | None = None) -> bool:
        """Read the whole file and see that its pages fit together, as `Database.check`."""
        connection = self._acquire_reader()
        over = threading.Event()

        def stop() -> None:
            # Again and again: an interrupt between two statements is none.
            if not over.wait(seconds):
                while not over.wait(0.01):
                    connection.interrupt()

        watch = threading.Thread(target=stop, daemon=True)
        try:
            watch.start()
            rows = connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.Error as fault:
            if getattr(fault, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                return False
            with self._wait_bounded():
                raise
        finally:
            over.set()
            watch.join()
            connection.close()
        problems = [str(row[0]) for row in rows]
        if problems != ["ok"]:
            detail = problems[0] if problems else "no answer"
            raise error("db/corrupt", path=self._name, detail=" ".join(detail.split()))
        return True

    def renew(self, identity: int) -> None:
        """Give the database another identity, so that no older mark or log is its own."""
        # First a page of the identity that is there: a log that begins with another one than the
        # file has, as a kill would leave it, is not its own.
        with self.transaction() as tx:
            tx.one("PRAGMA wal_autocheckpoint=0")
            row = tx.one("PRAGMA user_version")
            assert row is not None
            mark = Mark(identity, (int(row[0]) + 1) & 0xFFFFFFFF)
            tx.one(f"PRAGMA user_version={signed(mark.generation)}")
        with self.transaction() as tx:
            tx.one(f"PRAGMA application_id={signed(identity)}")
            # Of the identity before: it must not be there when this one is.
            self._mark.remove()
        self._mark.write(mark)

    def close(self) -> None:
        """Close all connections; waits for a transaction that is open, as long as for another
        program's."""
        self._closed = True
        if self._write_lock.acquire(timeout=self._busy_seconds):
            try:
                self._drop_writer()
                self._mark.close()
            finally:
                self._write_lock.release()
        with self._readers_lock:
            readers, self._readers = self._readers, []
        for connection in readers:
            connection.close()

    def _ready_writer(self) -> sqlite3.Connection:
        if self._closed:
            raise RuntimeError("the database is closed")
        self._check_same()
        if _is_read_only(self._path):
            raise error("db/read-only", path=self._name)
        if self._writer is None:
            self._writer = self._connect("mode=rw")
            with self._wait_bounded():
                # By who writes, so that looking at a file of somebody else changes nothing.
                (mode,) = self._writer.execute("PRAGMA journal_mode").fetchone()
                if mode != "wal":
                    self._writer.execute("PRAGMA journal_mode=WAL")
        return self._writer

    def _commit(self, connection: sqlite3.Connection, *, changed: bool) -> Mark | None:
        """Commit; the mark to write where something was changed."""
        with self._wait_bounded():
            mark = None
            if changed and connection.in_transaction:
                mark = raise_generation(connection, 1 + secrets.randbelow(0xFFFFFFFF))
            connection.execute("COMMIT")
        return mark

    def _check_same(self) -> None:
        """Refuse to go on when the file was exchanged or removed: what is written would be lost."""
        try:
            info = self._path.stat()
        except FileNotFoundError:
            if self._file is None:
                return
            detail = "it was removed while the program had it open"
            raise error("db/corrupt", path=self._name, detail=detail) from None
        except OSError:
            return
        found = (info.st_dev, info.st_ino)
        if self._file is None:
            self._file = found
        if self._file != found:
            detail = "another file was put in its place while the program had it open"
            raise error("db/corrupt", path=self._name, detail=detail)

    def _undo(self, connection: sqlite3.Connection) -> None:
        # SQLite undoes by itself on some faults. A connection that cannot undo is thrown away,
        # which undoes too.
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop_writer()

    def _drop_writer(self) -> None:
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()

    def _acquire_reader(self) -> sqlite3.Connection:
        with self._readers_lock:
            if self._closed:
                raise RuntimeError("the database is closed")
            kept = self._readers.pop() if self._readers else None
        if kept is not None:
            try:
                self._check_same()
            except BaseException:
                kept.close()
                raise
            return kept
        connection = self._connect(self._how_to_read())
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _release_reader(self, connection: sqlite3.Connection) -> None:
        with self._readers_lock:
            if not self._closed and len(self._readers) < self._readers_kept:
                self._readers.append(connection)
                return
        connection.close()

    def connect(self) -> None:
        """Make the first connection, which shows that the file is a whole database, and the one
        that was here."""
        _check_whole(self._path)
        with self._wait_bounded():
            check_mark(self._path)
        self._release_reader(self._acquire_reader())

    def _how_to_read(self) -> str:
        """As SQLite can on this disk: where it takes no writes, with the log that is there, or
        without looking for one."""
        if not _is_read_only(self._path):
            return "mode=rw"
        # Such a connection must not be used when the disk takes writes again.
        self._readers_kept = 0
        log = self._path.with_name(self._path.name + "-wal")
        return "mode=ro" if log.exists() else "immutable=1"

    def _connect(self, how: str) -> sqlite3.Connection:
        _check_whole(self._path)
        self._check_same()
        with self._wait_bounded():
            connection = sqlite3.connect(
                f"file:{quote(self._name)}?{how}",
                uri=True,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if _is_cut(connection, self._path):
            detail = "the end of the file is missing"
            raise error("db/corrupt", path=self._name, detail=detail)

    def _wait_bounded(self) -> contextlib.AbstractContextManager[None]:
        return _translated(self._name, self._busy_seconds)


def open_sqlite(
    url: str | os.PathLike[str],
    *,
    create: bool = False,
    busy_seconds: float = BUSY_SECONDS,
) -> SQLiteDatabase:
    """Open an SQLite database.

    Args:
        url: `sqlite:///absolute/path`, or a path.
        create: make the file (mode 0600) where it is missing; its folder must exist. An existing
            file is opened, an empty or damaged one refuses: it is never made again.
        busy_seconds: how long to wait for another program's transaction.
    Raises: `db/url`, `db/missing`, `db/lost`, `db/no-file`, `db/corrupt`, `db/log`, `db/older`,
        `db/other`, `db/denied`, `db/full`, `db/io`, `db/busy`.
    """
    path = path_of(url)
    if create and not path.exists():
        _create(path)
    database = SQLiteDatabase(path, busy_seconds=busy_seconds)
    try:
        database.connect()
    except BaseException:
        database.close()
        raise
    return database


def path_of(url: str | os.PathLike[str]) -> Path:
    """The file of an address that `open_sqlite` takes. Raises: `db/url`."""
    text = os.fspath(url)
    scheme, mark, rest = text.partition("://")
    if not mark:
        if not text or "\x00" in text:
            raise error("db/url", url=shown_url(text), detail="it is empty or has a zero byte")
        return Path(text).absolute()
    if scheme != "sqlite":
        raise error("db/url", url=shown_url(text), detail=f"{scheme} is not offered")
    if not rest.startswith("/") or rest == "/" or "\x00" in rest:
        raise error(
            "db/url", url=shown_url(text), detail="three slashes and an absolute path are needed"
        )
    return Path(rest)


def _check_whole(path: Path) -> None:
    """Refuse what SQLite would take for a new database, or for a database without its log."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        if path.with_name(path.name + "-wal").exists():
            detail = "the file is gone, but its write-ahead log is there"
            raise error("db/corrupt", path=str(path), detail=detail) from None
        if path.with_name(path.name + SUFFIX).exists():
            raise error("db/lost", path=str(path)) from None
        raise error("db/missing", path=str(path)) from None
    except OSError as fault:
        raise error("db/denied", path=str(path), detail=fault.strerror) from fault
    if not path.is_file():
        raise error("db/no-file", path=str(path))
    if size == 0:
        raise error("db/corrupt", path=str(path), detail="the file is empty")
    if size < 512:
        # Less than the smallest page; SQLite would take it for a new database too.
        raise error("db/corrupt", path=str(path), detail="the end of the file is missing")


def _is_cut(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is shorter than its pages and no log holds the rest.

    SQLite itself misses a cut last page until somebody reads it. Looked at through the connection
    and by `stat` only: POSIX drops *all* locks of a process on a file as soon as the process
    closes *any* descriptor of it, also those of SQLite's connections, and another process would
    then throw away the log that we write (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    log = path.with_name(path.name + "-wal")
    for _ in range(3):
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        number = path.stat().st_size
        if pages * size <= number or (log.exists() and log.stat().st_size):
            return False
        # Another process may have emptied the log between two of these looks: look again.
    return True


def _create(path: Path) -> None:
    # Made under a passing name and linked to its own when it is a database, so that a crash never
    # leaves an empty file, and two programs that start at once end with the same file.
    if any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", SUFFIX)):
        _check_whole(path)
    passing = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        handle = os.open(passing, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            keep_owner(handle, path.parent)
        finally:
            os.close(handle)
        with _translated(str(path)), contextlib.closing(sqlite3.connect(passing)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE muster_step (made INTEGER)")
            connection.execute("DROP TABLE muster_step")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(FileExistsError):
            os.link(passing, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise refusal(fault, path) from fault
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                passing.with_name(passing.name + suffix).unlink()


def refusal(fault: OSError, path: Path) -> MusterError:
    """What the system refused to do with the files of a database, as it is called."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return error("db/full", path=str(path))
    if fault.errno == errno.EROFS:
        return error("db/read-only", path=str(path))
    return error("db/denied", path=str(path), detail=fault.strerror or "refused")


@contextlib.contextmanager
def _translated(path: str, busy_seconds: float = BUSY_SECONDS) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as fault:
        raise ConstraintError(str(fault)) from fault
    except sqlite3.Error as fault:
        known = _translate(fault, path, busy_seconds)
        if known is None:
            raise
        raise known from fault


_CODES = {
    sqlite3.SQLITE_CORRUPT: "db/corrupt",
    sqlite3.SQLITE_NOTADB: "db/corrupt",
    sqlite3.SQLITE_FULL: "db/full",
    sqlite3.SQLITE_BUSY: "db/busy",
    sqlite3.SQLITE_LOCKED: "db/busy",
    sqlite3.SQLITE_READONLY: "db/denied",
    sqlite3.SQLITE_CANTOPEN: "db/denied",
    sqlite3.SQLITE_PERM: "db/denied",
    sqlite3.SQLITE_AUTH: "db/denied",
    sqlite3.SQLITE_IOERR: "db/io",
    sqlite3.SQLITE_PROTOCOL: "db/io",
    sqlite3.SQLITE_NOLFS: "db/io",
}
"""Primary result codes that are the world's fault. All others are ours and stay sqlite3.Error."""


def _is_read_only(path: str | Path) -> bool:
    """Whether the file system of a database takes no writes: no rights would help."""
    if sys.platform == "win32":
        return False
    try:
        flags = os.statvfs(Path(path).parent).f_flag
    except OSError:
        return False
    return bool(flags & os.ST_RDONLY)


def _no_inodes(path: str) -> bool:
    """Whether the file system of a database has no room for another file."""
    try:
        room = os.statvfs(Path(path).parent)
    except OSError:
        return False
    return room.f_files > 0 and room.f_favail == 0


def _translate(fault: sqlite3.Error, path: str, busy_seconds: float) -> MusterError | None:
    extended = getattr(fault, "sqlite_errorcode", None)
    if extended is None:
        return None
    code = _CODES.get(extended & 0xFF)
    if code is None:
        return None
    if extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        # Growing the shared index of the log fails so on a full disk.
        code = "db/full"
    elif extended & 0xFF == sqlite3.SQLITE_CANTOPEN and _no_inodes(path):
        # The log beside the database could not be made.
        code = "db/full"
    elif code in ("db/denied", "db/io") and _is_read_only(path):
        code = "db/read-only"
    return error(
        code,
        path=path,
        detail=str(fault),
        seconds=f"{busy_seconds:g}",
        holder="another program",
        retry_after=RETRY_AFTER_SECONDS,
    )
