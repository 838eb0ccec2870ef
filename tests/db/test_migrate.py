"""Migrations: in order, once, all or nothing, never by another form of a step."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.db.engine import ConstraintError, Database
from muster.db.migrate import Migration, in_order, load_migrations, migrate
from muster.db.open import open_database

ONE = Migration(
    1, "first", "CREATE TABLE a (x INTEGER);\n-- a note;\nCREATE TABLE b (\n  y TEXT\n);\n"
)
TWO = Migration(2, "second", "ALTER TABLE a ADD COLUMN z TEXT;\n")
BAD = Migration(2, "bad", "CREATE TABLE c (x INTEGER);\nINSERT INTO d VALUES (1);\n")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db", create=True) as found:
        yield found


def tables(db: Database) -> set[str]:
    return {row[0] for row in db.query("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_steps_are_applied_once(db: Database) -> None:
    assert migrate(db, "host", (ONE,), 100) == (1,)
    assert migrate(db, "host", (ONE,), 200) == ()
    assert migrate(db, "host", (ONE, TWO), 300) == (2,)
    assert migrate(db, "host", (ONE, TWO), 400) == ()
    rows = db.query("SELECT wing, number, name, applied_at FROM muster_migration ORDER BY number")
    assert [tuple(row) for row in rows] == [
        ("host", 1, "first", 100),
        ("host", 2, "second", 300),
    ]
    assert tables(db) == {"a", "b", "muster_migration"}


def test_the_database_of_another_wing_is_refused_and_left(db: Database) -> None:
    migrate(db, "host", (ONE,), 1)
    other = Migration(1, "own", "CREATE TABLE p (x INTEGER);\n")
    with pytest.raises(MusterError) as caught:
        migrate(db, "publisher", (other,), 1)
    assert caught.value.code == "db/foreign"
    assert "that of a host of Muster" in caught.value.what
    assert tables(db) == {"a", "b", "muster_migration"}


def test_a_file_of_another_program_is_refused_and_a_server_has_room_for_others(
    db: Database,
) -> None:
    with db.transaction() as tx:
        tx.execute("CREATE TABLE x (a INTEGER)")
    if not db.is_file:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE a (other INTEGER)")
        with pytest.raises(MusterError) as caught:
            migrate(db, "host", (ONE,), 1)
        assert caught.value.code == "db/foreign", "it has a table that is called as one of ours"
        with db.transaction() as tx:
            tx.execute("DROP TABLE a")
        assert migrate(db, "host", (ONE,), 1) == (1,)
        return
    with pytest.raises(MusterError) as caught:
        migrate(db, "host", (ONE,), 1)
    assert caught.value.code == "db/foreign"
    assert tables(db) == {"x"}


def test_a_step_is_all_or_nothing(db: Database) -> None:
    with pytest.raises(Exception, match="no such table"):
        migrate(db, "host", (ONE, BAD), 1)
    assert tables(db) == {"a", "b", "muster_migration"}
    assert migrate(db, "host", (ONE, TWO), 2) == (2,)


def test_an_altered_step_refuses(db: Database) -> None:
    migrate(db, "host", (ONE,), 1)
    windows = Migration(1, "first", ONE.sql.replace("\n", "\r\n"))
    assert migrate(db, "host", (windows,), 1) == ()
    altered = Migration(1, "first", ONE.sql + "CREATE TABLE c (x INTEGER);\n")
    with pytest.raises(MusterError) as caught:
        migrate(db, "host", (altered, TWO), 1)
    assert caught.value.code == "db/altered"
    assert "host 1" in caught.value.what


def test_an_older_program_refuses(db: Database) -> None:
    migrate(db, "host", (ONE, TWO), 1)
    with pytest.raises(MusterError) as caught:
        migrate(db, "host", (ONE,), 1)
    assert caught.value.code == "db/newer"


def test_programs_that_start_at_once(db: Database) -> None:
    start = threading.Barrier(6)
    applied: list[tuple[int, ...]] = []

    def work() -> None:
        with open_database(db.name, busy_seconds=60) as own:
            start.wait()
            applied.append(migrate(own, "host", (ONE, TWO), 1))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(number for some in applied for number in some) == [1, 2]


def test_statements_of_a_text() -> None:
    text = (
        "-- head;\nCREATE TABLE a (x TEXT DEFAULT ';');\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM a;\n  DELETE FROM a;\nEND;\n"
        "-- tail\n"
    )
    assert len(Migration(1, "a", text).statements()) == 2
    with pytest.raises(ValueError, match="inside a statement"):
        Migration(1, "a", "CREATE TABLE a (x INTEGER)\n").statements()


def test_numbers_have_no_gaps() -> None:
    assert in_order([TWO, ONE]) == (ONE, TWO)
    for wrong in ([TWO], [ONE, ONE], [ONE, Migration(3, "x", "")]):
        with pytest.raises(ValueError, match="without gaps"):
            in_order(wrong)


def test_steps_lie_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "steps_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_first.sql").write_text(ONE.sql)
    (folder / "0002_second.sql").write_text(TWO.sql)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_migrations("steps_of_a_test") == (ONE, TWO)
    (folder / "3_third.sql").write_text("")
    with pytest.raises(ValueError, match="3_third"):
        load_migrations("steps_of_a_test")
    sys.modules.pop("steps_of_a_test")


def test_no_step_is_a_bug_of_the_store(db: Database) -> None:
    migrate(db, "host", (ONE,), 1)
    with pytest.raises(ConstraintError), db.transaction() as tx:
        tx.execute(
            "INSERT INTO muster_migration VALUES ('host', 1, 'again', 'x', 1)",
        )
