"""What a host keeps on disk, kept in memory: its database and its signing keys. For tests only."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from muster.core.clock import Dice
from muster.core.identity import check_publisher_id
from muster.db.engine import Database, Reader, Transaction
from muster.db.sqlite import SQLiteTransaction
from muster.host.keyring import KeyRing
from muster.lease.jws import MemorySigningKey

_NAME = "a database in memory"


class MemoryDatabase(Database):
    """SQLite in memory, over one connection: a reader waits for whoever writes, and whoever writes
    for a reader. Nothing of it outlives it, so that nothing is durable.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._busy = False
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        # Nobody closes the hosts of a world; from Python 3.13 on a connection must be closed.
        weakref.finalize(self, self._connection.close)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA foreign_keys=ON")

    @property
    def name(self) -> str:
        """What people are told."""
        return _NAME

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction; see `Database`."""
        with self._block() as transaction:
            yield transaction

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Several reads of one state."""
        with self._block() as reader:
            yield reader

    @contextlib.contextmanager
    def _block(self) -> Iterator[SQLiteTransaction]:
        with self._lock:
            if self._busy:
                raise RuntimeError("a transaction is open in this thread already")
            self._busy = True
            try:
                self._connection.execute("BEGIN")
                try:
                    yield SQLiteTransaction(self._connection, _NAME)
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            finally:
                self._busy = False

    def has_table(self, name: str, reader: Reader | None = None) -> bool:
        """Whether there is a table of this name; in the state that `reader` reads, or now."""
        asked = self if reader is None else reader
        return asked.one("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)) is not None

    def ddl(self, statement: str) -> str:
        """Migrations are written in the words of SQLite."""
        return statement

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._connection.close()


class MemoryKeyRing(KeyRing):
    """The signing keys of a host, each made by a function of the publisher id.

    Args:
        make: gives the 32 bytes of a key.
    """

    def __init__(self, make: Callable[[str], bytes]) -> None:
        super().__init__(Path("/nowhere"))
        self._make = make
        self._keys: dict[str, MemorySigningKey] = {}

    def load(self, publisher: str) -> MemorySigningKey | None:
        """The key for a publisher, or None where none was made."""
        return self._keys.get(publisher)

    def ensure(self, publisher: str, dice: Dice) -> MemorySigningKey:
        """The key for a publisher, made where there is none."""
        del dice
        if publisher not in self._keys:
            self._keys[publisher] = MemorySigningKey(self._make(check_publisher_id(publisher)))
        return self._keys[publisher]
