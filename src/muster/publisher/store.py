"""The publisher's database: opened, brought up to date, read and written in transactions.

Refuses to know what is in it (`muster.publisher.tables`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.db.aside import settle
from muster.db.engine import Database, Reader, Transaction
from muster.db.mark import SUFFIX as MARK
from muster.db.migrate import migrated
from muster.db.open import open_database
from muster.system.control import not_served

DATABASE_FILE = "publisher.db"
KEYS_FOLDER = "keys"
"""Where a store's private keys are."""
SEEN_FILE = "clock.seen"
"""What a publisher's clock is held against (`muster.publisher.evidence`)."""
WING = "publisher"
SCHEMA = "muster.publisher.schema"
"""Where the steps of the tables are."""


class Store:
    """The database of one publisher."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def view(self) -> Iterator[Reader]:
        """Reads of one state."""
        with self._database.snapshot() as reader:
            yield reader

    @contextlib.contextmanager
    def edit(self) -> Iterator[Transaction]:
        """One transaction: durable when the block ends, undone when it raises."""
        with self._database.transaction() as transaction:
            yield transaction

    @property
    def database(self) -> Database:
        """The database of the tables, for backups."""
        return self._database

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def holds_database(folder: Path) -> bool:
    """Whether the file of a database is or was in a store, or a restore was about to put one there:
    of one that was lost its log or its mark tells, and opening it refuses."""
    settle(folder / DATABASE_FILE)
    return any((folder / (DATABASE_FILE + suffix)).exists() for suffix in ("", "-wal", MARK))


def was_publisher(folder: Path) -> bool:
    """Whether a publisher was made in a store, by what it keeps beside its database: keys, and the
    file that only a whole `init` writes."""
    keys = folder / KEYS_FOLDER
    return (folder / SEEN_FILE).exists() and keys.is_dir() and any(keys.iterdir())


def open_store(folder: Path, now: int, *, create: bool = False, url: str = "") -> Store:
    """Open the database of a store and bring its tables up to date.

    Args:
        folder: the store; must exist. Its database is the file `DATABASE_FILE`.
        now: Unix seconds, kept beside each step of the schema.
        create: make the file where it is missing.
        url: another database in place of the file, such as `postgresql://…`; it must exist.
    Raises: `publisher/none` (no database here), `publisher/lost` (there was one), `db/served` where
        a server of an older version still works with older tables, and the errors of `db.open` and
        `db.migrate`.
    """
    path = folder / DATABASE_FILE
    try:
        database = open_database(url or path, create=create)
    except MusterError as fault:
        if fault.code == "db/missing":
            lost = was_publisher(folder)
            raise error("publisher/lost" if lost else "publisher/none", path=str(folder)) from None
        raise
    return Store(migrated(database, WING, SCHEMA, now, partial(not_served, folder)))
