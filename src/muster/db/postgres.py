"""PostgreSQL behind the interface of `muster.db.engine`, for a publisher with several servers.

Decides how the words and promises of the engine are kept on PostgreSQL: one transaction that may
write at a time, over all processes and machines, by an advisory lock that the transaction holds
(docs/adr/0012-two-databases.md); readers that see one state; connections that come back after the
database was away. psycopg and its pool are imported with this module, which is imported when a
database URL says postgresql.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import psycopg.errors
from psycopg_pool import ConnectionPool, PoolTimeout

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

WRITER_LOCK = 0x6D757374
"""The advisory lock that a transaction holds which may write."""
MOST_CONNECTIONS = 24
"""Connections of one process."""
_IDLE_SECONDS = 60
"""A transaction whose program stands still is ended by the server after this time."""


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
    def __init__(self, connection: psycopg.Connection[Any], name: str) -> None:
        self._connection = connection
        self._name = name

    def _run(self, sql: str, parameters: Parameters) -> psycopg.Cursor[Any]:
        if not parameters:
            return self._connection.execute(sql)
        return self._connection.execute(_words(sql), parameters)

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement."""
        with _translated(self._name), self._run(sql, parameters) as cursor:
            return list(cursor.fetchall())

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a statement, or None."""
        with _translated(self._name), self._run(sql, parameters) as cursor:
            row: Row | None = cursor.fetchone()
            return row


class _PostgresTransaction(_PostgresReader, Transaction):
    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement; the number of rows that it changed."""
        with _translated(self._name), self._run(sql, parameters) as cursor:
            return cursor.rowcount

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row of parameters; the number of rows changed."""
        listed = list(rows)
        if not listed:
            return 0
        with _translated(self._name), self._connection.cursor() as cursor:
            cursor.executemany(_words(sql), listed)
            return cursor.rowcount

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
        self._writing: set[int] = set()
        self._closed = threading.Event()
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            url,
            min_size=1,
            max_size=MOST_CONNECTIONS,
            timeout=busy_seconds,
            reconnect_timeout=busy_seconds,  # else the pool waits longer from try to try
            check=ConnectionPool.check_connection,
            configure=self._prepare,
            kwargs={
                "autocommit": True,
                "row_factory": _rows,
                "prepare_threshold": None,  # a pooler between us may not know our statements
                "connect_timeout": 5,
                "application_name": "muster",
            },
            open=True,
        )

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        (kept,) = connection.execute("SHOW synchronous_commit").fetchone() or ("on",)
        if kept == "off":  # a commit that was answered has reached the disk
            connection.execute("SET synchronous_commit = on")
        connection.execute(f"SET lock_timeout = '{int(self._busy_seconds * 1000)}ms'")

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
                    transaction = _PostgresTransaction(connection, self._name)
                    transaction.query("SELECT pg_advisory_xact_lock(?)", (WRITER_LOCK,))
                    yield transaction
            finally:
                self._writing.discard(me)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Several reads of one state of the database."""
        with (
            self._connection() as connection,
            self._block(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ):
            yield _PostgresReader(connection, self._name)

    @contextlib.contextmanager
    def _block(self, connection: psycopg.Connection[Any], begin: str) -> Iterator[None]:
        with _translated(self._name):
            connection.execute(begin)
        try:
            yield
            with _translated(self._name):
                connection.execute("COMMIT")
        except BaseException:
            # A connection that cannot undo is dropped by the pool, which undoes too.
            with contextlib.suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        if self._closed.is_set():
            raise RuntimeError("the database is closed")
        try:
            connection = self._pool.getconn()
        except PoolTimeout as fault:
            raise _away(self._name, "no connection was to be had") from fault
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close all connections."""
        self._closed.set()
        self._pool.close(timeout=self._busy_seconds)


def open_postgres(url: str, *, busy_seconds: float = BUSY_SECONDS) -> PostgresDatabase:
    """Open a PostgreSQL database that exists.

    Args:
        url: `postgresql://user:password@host:port/name?option=…`, as libpq reads it.
        busy_seconds: how long to wait for another program's transaction, and for a connection.
    Raises: `db/url`, `db/unavailable`, `db/denied`.
    """
    name = without_password(url)
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as fault:
        # libpq repeats the address, or the part of it that it did not understand.
        raise error("db/url", url=name, detail=_unquoted(fault)) from None
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as fault:
        message = _said(fault) if "@" not in urlsplit(url).path else _unquoted(fault)
        denied = ("password authentication", "role", "does not exist", "no pg_hba", "permission")
        if any(text in message for text in denied):
            raise error("db/denied", path=name, detail=message) from fault
        raise _away(name, message) from fault
    return PostgresDatabase(url, busy_seconds=busy_seconds)


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


def _away(name: str, detail: str) -> MusterError:
    return error("db/unavailable", path=name, detail=detail, retry_after=RETRY_AFTER_SECONDS)


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except psycopg.IntegrityError as fault:
        raise ConstraintError(_said(fault)) from fault
    except (
        psycopg.errors.LockNotAvailable,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
    ) as fault:
        raise error(
            "db/busy", path=name, seconds=f"{BUSY_SECONDS:g}", retry_after=RETRY_AFTER_SECONDS
        ) from fault
    except psycopg.errors.DiskFull as fault:
        raise error("db/full", path=name, retry_after=RETRY_AFTER_SECONDS) from fault
    except psycopg.errors.InsufficientPrivilege as fault:
        raise error("db/denied", path=name, detail=_said(fault)) from fault
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.IdleInTransactionSessionTimeout,
    ) as fault:
        # The server went away, was shut down, or ended our idle transaction.
        raise _away(name, _said(fault)) from fault
