"""Brings a database to the tables that a wing needs: numbered SQL files, applied in order, once.

Decides which steps are missing. A step that was applied never changes: its checksum is kept in
the database and compared. It refuses to go back; an older program refuses a newer database.

Files are named `0001_what_it_does.sql` and are in a package (`muster.host.migrations`). Each step
is one transaction together with its row in `muster_migration`.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import resources

from muster.core.catalogue import error
from muster.core.values import dataclass
from muster.db.engine import Database, Reader

_NAME = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")
_TABLES = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
_TABLE = """
CREATE TABLE IF NOT EXISTS muster_migration (
    wing TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (wing, number)
) STRICT
"""


Unserved = Callable[[], AbstractContextManager[None]]
"""What steps are applied in; see `migrate`."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: its number from 1, its name, its SQL text."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text; line ends do not matter."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    def statements(self) -> list[str]:
        """The single statements of the text.

        A statement ends with a semicolon at the end of a line; the text must not end inside one.
        """
        complete: list[str] = []
        pending = ""
        for line in self.sql.splitlines():
            pending += line + "\n"
            if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
                complete.append(pending.strip())
                pending = ""
        rest = "\n".join(line for line in pending.splitlines() if not line.strip().startswith("--"))
        if rest.strip():
            raise ValueError(f"migration {self.number} ends inside a statement")
        return complete


def load_migrations(package: str) -> tuple[Migration, ...]:
    """The steps that are in a package, by number; a gap or a wrong name is a bug (ValueError)."""
    migrations: list[Migration] = []
    for entry in resources.files(package).iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(entry.name)
        if match is None:
            raise ValueError(f"{entry.name} is not a name such as 0001_first_tables.sql")
        migrations.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return in_order(migrations)


def in_order(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """The steps by number; they must be 1, 2, 3, …"""
    ordered = tuple(sorted(migrations, key=lambda migration: migration.number))
    if [migration.number for migration in ordered] != list(range(1, len(ordered) + 1)):
        raise ValueError("migrations are numbered 1, 2, 3, … without gaps")
    return ordered


def migrate(
    database: Database,
    wing: str,
    migrations: tuple[Migration, ...],
    now: int,
    unserved: Unserved = nullcontext,
) -> tuple[int, ...]:
    """Apply the steps that the database does not have.

    Safe while another program does the same: each step is checked and applied in one transaction.

    Args:
        database: an open database.
        wing: whose tables; each wing counts its own steps.
        migrations: all steps, from `load_migrations`.
        now: Unix seconds, kept beside each step.
        unserved: what steps are applied in: it refuses where a server of the older version still
            works with these tables.
    Returns:
        The numbers that were applied now.
    Raises: `db/altered`, `db/newer`, `db/foreign`, what `unserved` raises, and the errors of a
        transaction.
    """
    with database.snapshot() as reader:
        if is_current(reader, database, wing, migrations):
            return ()
        _refuse_foreign(reader, database, wing, migrations)
    with unserved():
        return _apply(database, wing, migrations, now)


def _apply(
    database: Database, wing: str, migrations: tuple[Migration, ...], now: int
) -> tuple[int, ...]:
    applied: list[int] = []
    with database.transaction() as tx:
        tx.execute(database.ddl(_TABLE))
    for step in migrations:
        with database.transaction() as tx:
            if _check(tx, database, wing, migrations) >= step.number:
                continue
            for statement in step.statements():
                tx.execute(database.ddl(statement))
            tx.execute(
                "INSERT INTO muster_migration (wing, number, name, checksum, applied_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (wing, step.number, step.name, step.checksum, now),
            )
            applied.append(step.number)
    return tuple(applied)


def migrated(
    database: Database, wing: str, package: str, now: int, unserved: Unserved = nullcontext
) -> Database:
    """A database that was just opened, with the steps of a package applied; closed where that
    fails.

    Args:
        package: where the steps are, as `load_migrations`.
        wing, now, unserved: as `migrate`.
    Raises: as `migrate`.
    """
    try:
        migrate(database, wing, load_migrations(package), now, unserved)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def current_snapshot(
    database: Database, wing: str, package: str, now: int, unserved: Unserved = nullcontext
) -> Iterator[Reader]:
    """One state of a database that has every step of a package; where it has not, they are applied
    first, and the state is a later one.

    Args: as `migrated`.
    Raises: as `migrate`.
    """
    migrations = load_migrations(package)
    with database.snapshot() as reader:
        if is_current(reader, database, wing, migrations):
            yield reader
            return
    migrate(database, wing, migrations, now, unserved)
    with database.snapshot() as reader:
        yield reader


def is_current(
    reader: Reader, database: Database, wing: str, migrations: tuple[Migration, ...]
) -> bool:
    """Whether one state of a database has every step.

    Read only, so that a command that merely looks needs no right to write.
    Raises: `db/altered`, `db/newer`.
    """
    if not database.has_table("muster_migration", reader):
        return False
    return _check(reader, database, wing, migrations) == len(migrations)


def _refuse_foreign(
    reader: Reader, database: Database, wing: str, migrations: tuple[Migration, ...]
) -> None:
    """Refuse to make tables in the database of another wing, or of another program.

    A database server may hold tables of others beside ours, by other names; a file is ours alone.
    Raises: `db/foreign`.
    """
    if database.has_table("muster_migration", reader):
        rows = reader.query("SELECT DISTINCT wing FROM muster_migration ORDER BY wing")
        wings = [row[0] for row in rows]
        if wings and wing not in wings:
            raise error("db/foreign", path=database.name, whose=f"a {wings[0]} of Muster")
        return
    if database.is_file:
        taken = reader.one("SELECT 1 FROM sqlite_schema") is not None
    else:
        names = {name for step in migrations for name in _TABLES.findall(step.sql)}
        taken = any(database.has_table(name, reader) for name in sorted(names))
    if taken:
        raise error("db/foreign", path=database.name, whose="another program")


def _check(reader: Reader, database: Database, wing: str, migrations: tuple[Migration, ...]) -> int:
    rows = reader.query(
        "SELECT number, checksum FROM muster_migration WHERE wing = ? ORDER BY number", (wing,)
    )
    return _compare(database, wing, migrations, [(row[0], row[1]) for row in rows])


def _compare(
    database: Database, wing: str, migrations: tuple[Migration, ...], applied: list[tuple[int, str]]
) -> int:
    """The highest step that the database has; each must be the one that we know."""
    for number, checksum in applied:
        if number > len(migrations):
            raise error("db/newer", path=database.name, found=applied[-1][0], known=len(migrations))
        if migrations[number - 1].checksum != checksum:
            raise error("db/altered", path=database.name, step=f"{wing} {number}")
    return applied[-1][0] if applied else 0
