"""PostgreSQL behind the interface of `muster.db.engine`, for a publisher with several servers.

Decides how the words and promises of the engine are kept on PostgreSQL: one transaction that may
write at a time, over all processes and machines, by a lock on a table of ours, which the
transaction holds (docs/adr/0012-two-databases.md); readers that see one state; connections that
come back after the database was away; no wait without a bound, whoever keeps silent
(docs/adr/0020-bounded-waits.md). psycopg and its pool are imported with this module, which is
imported when a database URL says postgresql.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import urlsplit

import psycopg
from psycopg import errors
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url
from muster.db.deadlines import Deadlines
from muster.db.engine import (
    BUSY_SECONDS,
    COMMAND_SECONDS,
    RETRY_AFTER_SECONDS,
    ConstraintError,
    Database,
    Parameters,
    Reader,
    Row,
    Transaction,
)

MOST_CONNECTIONS = 24
"""Connections of one process."""
_CONNECT_SECONDS = 3
"""For one address of the server to answer."""
_CHECK_SECONDS = 2.0
"""For a connection to show that it works before it is used."""
_CLOSE_SECONDS = 1.0
_IDLE_SECONDS = 15
"""A transaction whose program stands still is ended by the server after this time."""
_WRITER = "muster_writer"
"""The table that a transaction locks which may write. Nobody can hold its lock without rights on
the table; whoever may connect can take an advisory lock."""
_KEPT: Mapping[str, str | int | None] = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "muster",
}
"""Of every connection, whatever its address says: the kernel gives a silent peer up."""
_WATCHED = (
    "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3;"
    " SET tcp_user_timeout = 5000",
    # While a statement runs or waits for a lock; from PostgreSQL 14, and not on every system.
    "SET client_connection_check_interval = 2000",
)
"""The same at the server: a process whose program is gone ends, and its lock with it."""
_EXECUTE_AT_ONCE = 500
"""Rows that are sent under one bound."""


_Wait = contextlib.AbstractContextManager[None]


class _Row(Sequence[Any]):
    """Values by name or place."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self._names = names
        self._values = tuple(
            int(value)
            if isinstance(value, Decimal) and value == value.to_integral_value()
            else value
            for value in values
        )

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._names.index(key) if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._names)


def _rows(cursor: psycopg.Cursor[Any]) -> Any:
    names = [column.name for column in cursor.description or ()]
    return lambda values: _Row(names, values)


@functools.lru_cache(maxsize=512)
def _words(sql: str) -> str:
    """A statement with the driver's marks for parameters."""
    return sql.replace("%", "%%").replace("?", "%s")


class _PostgresReader(Reader):
    def __init__(
        self, connection: psycopg.Connection[Any], name: str, wait: Callable[[], _Wait]
    ) -> None:
        self._connection = connection
        self._name = name
        self._wait = wait

    def _run(self, sql: str, parameters: Parameters) -> psycopg.Cursor[Any]:
        if not parameters:
            return self._connection.execute(sql)
        return self._connection.execute(_words(sql), parameters)

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement."""
        with self._wait(), self._run(sql, parameters) as cursor:
            return list(cursor.fetchall())

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a statement, or None."""
        with self._wait(), self._run(sql, parameters) as cursor:
            row: Row | None = cursor.fetchone()
            return row


class _PostgresTransaction(_PostgresReader, Transaction):
    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement; the number of rows that it changed."""
        with self._wait(), self._run(sql, parameters) as cursor:
            return cursor.rowcount

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row of parameters; the number of rows changed."""
        listed, changed = list(rows), 0
        for start in range(0, len(listed), _EXECUTE_AT_ONCE):
            with self._wait(), self._connection.cursor() as cursor:
                cursor.executemany(_words(sql), listed[start : start + _EXECUTE_AT_ONCE])
                changed += cursor.rowcount
        return changed

    def savepoint(self) -> contextlib.AbstractContextManager[Transaction]:
        """A part that is undone alone when its block raises; the transaction goes on."""
        return self._savepoint()

    @contextlib.contextmanager
    def _savepoint(self) -> Iterator[Transaction]:
        self.execute("SAVEPOINT part")
        try:
            yield self
        except BaseException:
            with contextlib.suppress(MusterError):
                self.execute("ROLLBACK TO part")
                self.execute("RELEASE part")
            raise
        self.execute("RELEASE part")


class PostgresDatabase(Database):
    """One PostgreSQL database. Made by `open_postgres`; may be used from any thread."""

    def __init__(self, url: str, *, busy_seconds: float) -> None:
        self._name = without_password(url)
        self._busy_seconds = busy_seconds
        self._statement_seconds = COMMAND_SECONDS
        self._writing: set[int] = set()
        self._closed = threading.Event()
        self._deadlines = Deadlines()
        self._is_away = False
        self._trial = threading.Lock()
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            psycopg.conninfo.make_conninfo(url, **_KEPT),
            min_size=1,
            max_size=MOST_CONNECTIONS,
            timeout=busy_seconds,
            reconnect_timeout=busy_seconds,  # else the pool waits longer from try to try
            check=self._check,
            configure=self._prepare,
            kwargs={
                "autocommit": True,
                "row_factory": _rows,
                "prepare_threshold": None,  # a pooler between us may not know our statements
            },
            open=True,
        )
        # What it says of each try to connect, we say once.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

    def bound_waits(self, seconds: float) -> None:
        """Give a statement no longer than this from now on; see `Database`."""
        self._statement_seconds = seconds

    def _check(self, connection: psycopg.Connection[Any]) -> None:
        with self._deadlines.within(connection, _CHECK_SECONDS):
            ConnectionPool.check_connection(connection)

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        self._deadlines.adopt(connection)
        with self._deadlines.within(connection, _CHECK_SECONDS):
            (kept,) = connection.execute("SHOW synchronous_commit").fetchone() or ("on",)
            if kept == "off":  # a commit that was answered has reached the disk
                connection.execute("SET synchronous_commit = on")
            for settings in _WATCHED:
                with contextlib.suppress(psycopg.DatabaseError):
                    connection.execute(settings)

    def check_encoding(self) -> None:
        """See that the database can keep every text. Raises: `db/encoding`."""
        row = self.one("SHOW server_encoding")
        found = "unknown" if row is None else row[0]
        if isinstance(found, bytes):  # SQL_ASCII: the driver does not know what texts are
            found = found.decode("ascii", "replace")
        if found != "UTF8":
            raise error("db/encoding", path=self._name, encoding=found)

    def make_writer(self) -> None:
        """Make the table whose lock makes writers wait for each other, where it is missing."""
        if self.has_table(_WRITER):
            return
        with self._connection() as connection:
            try:
                with self._wait(connection):
                    connection.execute(f"CREATE TABLE {_WRITER} (nothing BIGINT)")
            except ConstraintError:  # another program made it in the same moment
                return

    @property
    def name(self) -> str:
        """The address, without a password."""
        return self._name

    def has_table(self, name: str, reader: Reader | None = None) -> bool:
        """Whether there is a table of this name; in the state that `reader` reads, or now."""
        asked = self if reader is None else reader
        row = asked.one("SELECT to_regclass(CAST(? AS text))", (name,))
        return row is not None and row[0] is not None

    def ddl(self, statement: str) -> str:
        """Whole numbers have 64 bits, blobs are bytea, and all tables are strict."""
        statement = re.sub(r"\)\s*STRICT\b", ")", statement)
        statement = re.sub(r"\bINTEGER\b", "BIGINT", statement)
        return re.sub(r"\bBLOB\b", "BYTEA", statement)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction that may write, alone over all processes; see `Database`."""
        me = threading.get_ident()
        if me in self._writing:
            raise RuntimeError("a transaction is open in this thread already")
        with self._connection() as connection:
            self._writing.add(me)
            try:
                with self._block(connection, "BEGIN"):
                    wait = functools.partial(self._wait, connection)
                    transaction = _PostgresTransaction(connection, self._name, wait)
                    transaction.execute(f"LOCK TABLE {_WRITER} IN EXCLUSIVE MODE")
                    yield transaction
            except MusterError as fault:
                if fault.code != "db/busy":
                    raise
                raise self._busy(connection) from fault
            finally:
                self._writing.discard(me)

    def _busy(self, connection: psycopg.Connection[Any]) -> MusterError:
        """Who has locked what we waited for."""
        holder = "another program"
        with contextlib.suppress(MusterError):
            reader = _PostgresReader(connection, self._name, lambda: self._wait(connection))
            row = reader.one(_HOLDER, (_WRITER,))
            if row is not None:
                program = row["application_name"] or "no name"
                holder = f"{row['usename']} ({program}, process {row['pid']})"
        seconds = f"{self._lock_seconds():g}"
        return _busy(self._name, holder, seconds)

    def _lock_seconds(self) -> float:
        return min(self._busy_seconds, 0.8 * self._statement_seconds)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Several reads of one state of the database."""
        with (
            self._connection() as connection,
            self._block(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ):
            yield _PostgresReader(connection, self._name, lambda: self._wait(connection))

    @contextlib.contextmanager
    def _block(self, connection: psycopg.Connection[Any], begin: str) -> Iterator[None]:
        idle = min(_IDLE_SECONDS, 2 * self._statement_seconds)
        # In the same message, and of this transaction alone [a pooler hands connections on].
        begin += (
            f"; SET LOCAL lock_timeout = '{int(self._lock_seconds() * 1000)}ms'"
            f"; SET LOCAL statement_timeout = '{int(self._statement_seconds * 1000)}ms'"
            f"; SET LOCAL idle_in_transaction_session_timeout = '{int(idle * 1000)}ms'"
        )
        try:
            with self._wait(connection):
                connection.execute(begin)
            yield
            with self._wait(connection):
                connection.execute("COMMIT")
        except BaseException:
            # A connection that cannot undo is dropped by the pool, which undoes too.
            with (
                contextlib.suppress(psycopg.Error),
                self._deadlines.within(connection, _CHECK_SECONDS),
            ):
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _wait(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """One statement: its server answers within the bound, or the connection is cut."""
        seconds = self._statement_seconds
        try:
            # The server's own bound comes first, which leaves the connection whole.
            with self._deadlines.within(connection, seconds + 1), _translated(self._name):
                yield
        except MusterError:
            if not self._deadlines.was_cut(connection):
                raise
            self._away(f"a statement was not answered within {seconds:g} seconds")

    def _away(self, detail: str) -> NoReturn:
        """The server keeps silent: nobody waits for it again before somebody has reached it."""
        self._is_away = True
        if not self._closed.is_set():
            self._pool.drain()  # what is left open ends as silently
        raise _unavailable(self._name, detail)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        if self._closed.is_set():
            raise RuntimeError("the database is closed")
        connection = self._working()
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _working(self) -> psycopg.Connection[Any]:
        """A connection that works. While the server is away one at a time tries, the others are
        told at once."""
        trying = self._is_away
        if trying and not self._trial.acquire(blocking=False):
            raise _unavailable(self._name, "it did not answer a moment ago")
        try:
            connection = self._pool.getconn()
        except PoolClosed:
            raise _unavailable(self._name, "this program ends") from None
        except PoolTimeout:
            self._away("no connection was to be had")
        finally:
            if trying:
                self._trial.release()
        self._is_away = False
        return connection

    def close(self) -> None:
        """Close all connections."""
        self._closed.set()
        self._deadlines.close()
        self._pool.close(timeout=_CLOSE_SECONDS)


def open_postgres(url: str, *, busy_seconds: float = BUSY_SECONDS) -> PostgresDatabase:
    """Open a PostgreSQL database that exists.

    Args:
        url: `postgresql://user:password@host:port/name?option=…`, as libpq reads it.
        busy_seconds: how long to wait for another program's transaction, and for a connection.
    Raises: `db/url`, `db/unavailable`, `db/rights`, `db/encoding`.
    """
    name = without_password(url)
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as fault:
        # libpq repeats the address, or the part of it that it did not understand.
        raise error("db/url", url=name, detail=_unquoted(fault)) from None
    try:
        psycopg.connect(psycopg.conninfo.make_conninfo(url, **_KEPT)).close()
    except psycopg.OperationalError as fault:
        message = _said(fault) if "@" not in urlsplit(url).path else _unquoted(fault)
        denied = ("password authentication", "role", "does not exist", "no pg_hba", "permission")
        if "too many connections" not in message and any(text in message for text in denied):
            raise error("db/rights", path=name, detail=message) from fault
        raise _unavailable(name, message) from fault
    database = PostgresDatabase(url, busy_seconds=busy_seconds)
    try:
        database.check_encoding()
        database.make_writer()
    except BaseException:
        database.close()
        raise
    return database


def without_password(url: str) -> str:
    """An address as it may be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return shown_url(url)
    if "@" in parts.path + parts.query + parts.fragment:
        return shown_url(url)
    where = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    return f"{parts.scheme}://{user + '@' if user else ''}{where}{parts.path}"


def _said(fault: Exception) -> str:
    return " ".join(str(fault).split())[:300]


def _unquoted(fault: Exception) -> str:
    """What libpq says, without the words of the address that it repeats in quotes."""
    return re.sub(r'"[^"]*"?', "…", _said(fault).partition(" in URI:")[0])


def _unavailable(name: str, detail: str) -> MusterError:
    return error("db/unavailable", path=name, detail=detail, retry_after=RETRY_AFTER_SECONDS)


def _busy(name: str, holder: str, seconds: str) -> MusterError:
    return error(
        "db/busy", path=name, holder=holder, seconds=seconds, retry_after=RETRY_AFTER_SECONDS
    )


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as fault:
        raise _meaning(fault, name) from fault


def _meaning(fault: psycopg.Error, name: str) -> Exception:
    """A fault of the driver in our words; what is a defect of ours stays as it is."""
    if isinstance(fault, (psycopg.IntegrityError, errors.DuplicateTable)):
        return ConstraintError(_said(fault))
    if isinstance(fault, _LOCKED):
        return _busy(name, "another program", f"{BUSY_SECONDS:g}")
    if isinstance(fault, errors.DiskFull):
        return error("db/full", path=name, retry_after=RETRY_AFTER_SECONDS)
    if isinstance(fault, _RIGHTS):
        return error("db/rights", path=name, detail=_said(fault))
    if isinstance(fault, (errors.DataCorrupted, errors.IndexCorrupted)):
        return error("db/corrupt", path=name, detail=_said(fault))
    if isinstance(fault, _SERVER):
        return _unavailable(name, _said(fault))
    return fault


_RIGHTS = (errors.InsufficientPrivilege, errors.InvalidSchemaName)
"""The role may not, or has no schema to make tables in."""
_LOCKED = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
_SERVER = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,
    # A standby that is not the primary yet, or not any more; a server without our tables.
    errors.ReadOnlySqlTransaction,
    errors.ObjectNotInPrerequisiteState,
    errors.UndefinedTable,
)
"""The server went away, was shut down, ended our transaction, or is another one than it was."""
_HOLDER = (
    "SELECT a.pid, a.usename, a.application_name"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.relation = CAST(? AS regclass) AND l.granted AND l.pid <> pg_backend_pid()"
    " ORDER BY a.backend_start LIMIT 1"
)
