"""What every engine promises, held against SQLite and PostgreSQL alike, and SQLite in memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from muster.core.errors import MusterError
from muster.db.engine import ConstraintError, Database, Transaction
from muster.db.migrate import Migration, load_migrations, migrate
from muster.db.open import open_database
from muster.db.postgres import without_password
from muster.testing.memory import MemoryDatabase
from muster.testing.postgres import PostgresServer

ONE = Migration(
    1,
    "first",
    "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,\n"
    "    size INTEGER NOT NULL CHECK (size >= 0), data BLOB) STRICT;\n"
    "CREATE TABLE part (t INTEGER NOT NULL REFERENCES t (id)) STRICT;\n",
)
TWO = Migration(2, "second", "ALTER TABLE t ADD COLUMN more TEXT NOT NULL DEFAULT 'none';\n")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "x.db")
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    with open_database(url, create=True) as found:
        migrate(found, "test", (ONE,), 100)
        yield found


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of each kind, the one of tests included, for what needs no second opening."""
    if request.param == "memory":
        found: Database = MemoryDatabase()
    elif request.param == "sqlite":
        found = open_database(tmp_path / "x.db", create=True)
    else:
        found = open_database(request.getfixturevalue("postgres_url"))
    with found:
        assert not found.has_table("muster_migration")
        migrate(found, "test", (ONE,), 100)
        yield found


def add(database: Database, name: str, size: int = 1) -> None:
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO t (id, name, size) SELECT COALESCE(MAX(id), 0) + 1, ?, ? FROM t",
            (name, size),
        )


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.query("SELECT name FROM t ORDER BY id")]


def test_migrations_are_applied_once_on_both(url: str) -> None:
    with open_database(url, create=True) as database:
        assert not database.has_table("muster_migration")
        assert migrate(database, "test", (ONE,), 100) == (1,)
        assert migrate(database, "test", (ONE,), 100) == ()
        assert migrate(database, "test", (ONE, TWO), 100) == (2,)
        add(database, "a")
        row = database.one("SELECT name, size, more FROM t")
        assert row is not None
        assert (row["name"], row[1], row["more"], row.keys()) == (
            "a",
            1,
            "none",
            ["name", "size", "more"],
        )
        assert database.has_table("t")
        for steps, code in (((ONE,), "db/newer"), ((TWO, ONE), "db/altered")):
            with pytest.raises(MusterError) as caught:
                migrate(database, "test", steps, 100)
            assert caught.value.code == code


def test_the_publishers_own_schema_is_taken_by_both(url: str) -> None:
    with open_database(url, create=True) as database:
        steps = load_migrations("muster.publisher.schema")
        assert migrate(database, "publisher", steps, 1) == tuple(range(1, len(steps) + 1))


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    add(database, "a")

    def halfway() -> None:
        with database.transaction() as tx:
            tx.execute("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", (7, "b", 1))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        halfway()
    assert names(database) == ["a"]
    add(database, "c")
    assert names(database) == ["a", "c"]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", (1, "b", 1)),
        ("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", (2, "a", 1)),
        ("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", (2, "b", -1)),
        ("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", (2, None, 1)),
        ("INSERT INTO part (t) VALUES (?)", (99,)),
    ],
)
def test_rules_of_tables_are_told_alike(
    database: Database, sql: str, values: tuple[object, ...]
) -> None:
    add(database, "a")
    with pytest.raises(ConstraintError), database.transaction() as tx:
        tx.execute(sql, values)
    assert names(database) == ["a"]


def two_rows(tx: Transaction) -> None:
    """The second breaks a rule."""
    with tx.savepoint() as part:
        part.execute("INSERT INTO t (id, name, size) VALUES (2, ?, 1)", ("b",))
        part.execute("INSERT INTO t (id, name, size) VALUES (1, ?, 1)", ("c",))


def test_a_savepoint_is_undone_alone(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("INSERT INTO t (id, name, size) VALUES (1, ?, 1)", ("a",))
        with pytest.raises(ConstraintError):
            two_rows(tx)
        with tx.savepoint() as part:
            part.execute("INSERT INTO t (id, name, size) VALUES (3, ?, 1)", ("d",))
    assert names(database) == ["a", "d"]


def test_counts_of_changed_rows_and_returning(database: Database) -> None:
    with database.transaction() as tx:
        rows = [(number, f"n{number}", number) for number in range(1, 6)]
        assert tx.execute_many("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", rows) == 5
        assert tx.execute_many("INSERT INTO t (id, name, size) VALUES (?, ?, ?)", []) == 0
        assert tx.execute("UPDATE t SET size = size + ? WHERE size > ?", (10, 3)) == 2
        assert tx.execute("UPDATE t SET size = 0 WHERE id = ?", (99,)) == 0
        row = tx.one("UPDATE t SET size = 0 WHERE id = ? RETURNING name", (1,))
        assert row is not None
        assert row["name"] == "n1"
    (total,) = database.query("SELECT SUM(size), count(*) FROM t")
    assert tuple(total) == (2 + 3 + 14 + 15, 5)
    assert isinstance(total[0], int)


def test_texts_with_marks_and_blobs_come_back_as_they_were(database: Database) -> None:
    text, data = "50 % of ? and 'quotes' \u00e4\U0001f511", bytes(range(256))
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO t (id, name, size, data) VALUES (?, ?, ?, ?)", (1, text, 2**53 - 1, data)
        )
    row = database.one("SELECT name, size, data FROM t WHERE name = ? OR ? = ''", (text, "x"))
    assert row is not None
    assert (row["name"], row["size"], bytes(row["data"])) == (text, 2**53 - 1, data)


def test_a_snapshot_sees_one_state(db: Database) -> None:
    add(db, "a")
    with db.snapshot() as reader:
        assert len(reader.query("SELECT id FROM t")) == 1
        writer = threading.Thread(target=add, args=(db, "b"))
        writer.start()
        writer.join(20)
        assert not writer.is_alive(), "a reader does not hinder a writer"
        assert len(reader.query("SELECT id FROM t")) == 1
    assert names(db) == ["a", "b"]


def test_writers_come_one_after_the_other(url: str, db: Database) -> None:
    """Read, think, write: what would be lost between two who look at once."""
    add(db, "counter", 0)
    with open_database(url) as second:

        def count(database: Database) -> None:
            for _ in range(20):
                with database.transaction() as tx:
                    row = tx.one("SELECT size FROM t WHERE name = ?", ("counter",))
                    assert row is not None
                    tx.execute("UPDATE t SET size = ? WHERE name = ?", (row[0] + 1, "counter"))

        threads = [
            threading.Thread(target=count, args=(one,)) for one in (db, second) for _ in range(3)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
    row = db.one("SELECT size FROM t")
    assert row is not None
    assert row[0] == 120


def test_a_writer_that_holds_on_is_busy_for_the_others(url: str, db: Database) -> None:
    with open_database(url, busy_seconds=0.3) as second, db.transaction():
        with pytest.raises(MusterError) as caught, second.transaction():
            pass
        assert caught.value.code == "db/busy"
    with open_database(url) as second:
        add(second, "a")
    assert names(db) == ["a"]


def test_transactions_are_not_nested(database: Database) -> None:
    with database.transaction(), pytest.raises(RuntimeError, match="open in this thread"):
        database.transaction().__enter__()


def test_a_commit_reaches_the_disk_whatever_the_server_was_told(
    postgres_server: PostgresServer,
) -> None:
    address = postgres_server.database()
    name = address.rpartition("/")[2]
    postgres_server.sql("postgres", f"ALTER DATABASE {name} SET synchronous_commit = off")
    with open_database(address) as database:
        assert database.query("SHOW synchronous_commit")[0][0] == "on"


def test_passwords_are_not_shown() -> None:
    shown = without_password("postgresql://me:secret@db.test:5432/muster?sslmode=require")
    assert shown == "postgresql://me@db.test:5432/muster"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("/nowhere", "db/rights"),
        ("://[::1/x", "db/url"),
        (":1/x", "db/unavailable"),
        ("?nonsense=1", "db/url"),
    ],
)
def test_an_address_that_is_wrong_is_told(postgres_url: str, change: str, code: str) -> None:
    base = postgres_url.rpartition("/")[0]
    address = {
        "/nowhere": f"{base}/nowhere",
        "://[::1/x": "postgresql://[::1/x",
        ":1/x": "postgresql://muster@127.0.0.1:1/x",
        "?nonsense=1": f"{postgres_url}?nonsense=1",
    }[change]
    with pytest.raises(MusterError) as caught:
        open_database(address)
    assert caught.value.code == code
    assert "file" not in caught.value.why.replace("a file of SQLite", "")
    assert "owner of the file" not in caught.value.fix


def test_a_role_without_rights_is_told_as_one(postgres_url: str) -> None:
    with open_database(postgres_url) as database, database.transaction() as tx:
        tx.execute("CREATE ROLE visitor LOGIN")
    base, _, name = postgres_url.rpartition("/")
    visitor = f"postgresql://visitor@{base.rpartition('@')[2]}/{name}"
    try:
        with pytest.raises(MusterError) as caught, open_database(visitor) as database:
            migrate(database, "test", (ONE,), 1)
        assert caught.value.code == "db/rights"
    finally:
        with open_database(postgres_url) as database, database.transaction() as tx:
            tx.execute("DROP ROLE visitor")


def test_a_role_that_may_use_no_schema_is_told_as_one(postgres_url: str) -> None:
    """Servers are hardened so: REVOKE ALL ON SCHEMA public FROM public."""
    base, _, name = postgres_url.rpartition("/")
    visitor = f"postgresql://visitor@{base.rpartition('@')[2]}/{name}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE visitor LOGIN")
        admin.execute("REVOKE ALL ON SCHEMA public FROM public")
        try:
            with pytest.raises(MusterError) as caught:
                open_database(visitor)
            assert caught.value.code == "db/rights"
        finally:
            admin.execute("DROP ROLE visitor")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_keep_every_text_is_refused(
    postgres_url: str, encoding: str
) -> None:
    base, _, name = postgres_url.rpartition("/")
    other = f"{name}_{encoding.lower()}"
    made = f"CREATE DATABASE {other} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(made.encode())
        try:
            with pytest.raises(MusterError, match=encoding) as caught:
                open_database(f"{base}/{other}")
            assert caught.value.code == "db/encoding"
        finally:
            admin.execute(f"DROP DATABASE {other} WITH (FORCE)".encode())


def test_a_server_that_goes_away_and_comes_back(postgres_server: PostgresServer) -> None:
    assert postgres_server, "PostgreSQL is there"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(PostgresServer())
        database = stack.enter_context(open_database(server.database(), busy_seconds=2))
        migrate(database, "test", (ONE,), 1)
        add(database, "a")

        def cut() -> None:
            with database.transaction() as tx:
                tx.execute("INSERT INTO t (id, name, size) VALUES (2, ?, 1)", ("half",))
                server.stop()
                tx.query("SELECT 1")

        with pytest.raises(MusterError) as caught:
            cut()
        assert caught.value.code == "db/unavailable"
        assert caught.value.row.http == 503
        with pytest.raises(MusterError) as caught:
            add(database, "b")
        assert caught.value.code == "db/unavailable"
        server.start()
        for _ in range(50):
            try:
                add(database, "c")
                break
            except MusterError as fault:
                assert fault.code == "db/unavailable"
        assert names(database) == ["a", "c"]
