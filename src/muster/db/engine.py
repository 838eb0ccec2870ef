"""One way of talking to a database: transactions, readers apart from the writer, plain SQL.

Decides what a store may expect of a database of either kind. It refuses to know how one keeps
that (`muster.db.sqlite`, `muster.db.postgres`) and any table. Stores of the wings hold the SQL,
which is written for SQLite and PostgreSQL alike: `?` for parameters, `ON CONFLICT`, `RETURNING`,
integers, texts and blobs.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, Self

BUSY_SECONDS = 5.0
"""How long a transaction waits for another program's."""
COMMAND_SECONDS = 120.0
"""How long a statement of a command may take."""
SERVING_SECONDS = 4.0
"""How long a statement of a server may take, that somebody waits for."""
RETRY_AFTER_SECONDS = 5
"""What `db/busy` tells the caller."""

CLOSE_SECONDS = 8.0
"""How long a program that ends waits for its database to close."""

START_CHECK_SECONDS = 3.0
"""How long a service looks through its database before it starts; the rest is read when needed."""

LOOK_CHECK_SECONDS = 0.3
"""How long a look at a server that does not run looks through its database, before it says that the
server could serve."""

Parameters = Sequence[Any]


class Row(Protocol):
    """One row: values by name or place."""

    def __getitem__(self, key: int | str, /) -> Any:
        """The value of a column."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """The values in order."""
        ...

    def __len__(self) -> int:
        """How many columns."""
        ...

    def keys(self) -> list[str]:
        """The names of the columns."""
        ...


class ConstraintError(Exception):
    """A statement broke a UNIQUE, CHECK, NOT NULL or FOREIGN KEY rule.

    It is for the store that wrote the statement and knows what it means; it has no row in the
    catalogue, because nobody outside the store may see it.
    """


class Reader(ABC):
    """Runs statements that read."""

    @abstractmethod
    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement."""

    @abstractmethod
    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a statement, or None."""


class Transaction(Reader):
    """Runs statements inside one transaction; `query` and `one` also take RETURNING.

    A statement that breaks a rule (`ConstraintError`) ends the whole transaction on some
    databases: whoever goes on afterwards uses `savepoint`.
    """

    @abstractmethod
    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement; the number of rows that it changed."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row of parameters; the number of rows changed."""

    @abstractmethod
    def savepoint(self) -> contextlib.AbstractContextManager[Transaction]:
        """A part that is undone alone when its block raises; the transaction goes on."""


class Database(ABC):
    """A database of either kind. Made by `muster.db.open`; may be used from any thread."""

    @property
    @abstractmethod
    def name(self) -> str:
        """How people know it: its path, or its address without a password."""

    @abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[Transaction]:
        """One transaction that may write: committed and durable when the block ends, undone when
        it raises. One at a time per database, over all processes. Not nested.

        Raises: the errors `db/…`; whatever the block raises.
        """

    @abstractmethod
    def snapshot(self) -> contextlib.AbstractContextManager[Reader]:
        """Several reads of one state of the database; a writer elsewhere is neither seen nor
        hindered."""

    def try_writing(self) -> None:
        """Write something durably that changes nothing. Raises: as `transaction`."""
        with self.transaction() as tx:
            tx.execute("UPDATE muster_migration SET number = number WHERE number = 1")

    @abstractmethod
    def has_table(self, name: str, reader: Reader | None = None) -> bool:
        """Whether there is a table of this name; in the state that `reader` reads, or now."""

    @property
    def is_file(self) -> bool:
        """Whether the database is a file of its own, and none of a server."""
        return False

    @abstractmethod
    def ddl(self, statement: str) -> str:
        """A statement of a migration in the words of this database."""

    def bound_waits(self, seconds: float) -> None:
        """Give a statement no longer than this from now on; then it fails as `db/unavailable`.

        A file has no server that could keep silent: only `BUSY_SECONDS` bounds its waits.
        """
        del seconds

    def check(self, seconds: float | None = None) -> bool:
        """See that the whole database fits together, where nobody else does that.

        Args:
            seconds: stop looking after this time; None for as long as it takes.
        Returns:
            False where the time was over before the end.
        Raises: `db/corrupt`.
        """
        del seconds  # a server looks after its own pages
        return True

    @abstractmethod
    def close(self) -> None:
        """Close all connections; waits for a transaction that is open, for a time."""

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of one statement that reads, outside of any transaction."""
        with self.snapshot() as reader:
            return reader.query(sql, parameters)

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of one statement that reads, or None."""
        with self.snapshot() as reader:
            return reader.one(sql, parameters)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
