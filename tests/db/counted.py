"""A database that counts what is opened of it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from muster.db.engine import Database, Reader, Transaction


class Counted(Database):
    """A database that counts how often a state of it is read."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.snapshots = 0
        self.transactions = 0

    @property
    def name(self) -> str:
        return self.inner.name

    def transaction(self) -> AbstractContextManager[Transaction]:
        self.transactions += 1
        return self.inner.transaction()

    def snapshot(self) -> AbstractContextManager[Reader]:
        self.snapshots += 1
        return self.inner.snapshot()

    def has_table(self, name: str, reader: Reader | None = None) -> bool:
        return self.inner.has_table(name, reader)

    def ddl(self, statement: str) -> str:
        return self.inner.ddl(statement)

    def close(self) -> None:
        self.inner.close()
