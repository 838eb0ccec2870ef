"""SQLite: durable transactions, faults by name, and no damaged file ever replaced."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.mounts import file_system

from muster.core.errors import MusterError
from muster.db.engine import ConstraintError
from muster.db.sqlite import SQLiteDatabase, open_sqlite

SCHEMA = "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder with ? and %41" / "data.db"


@pytest.fixture
def db(path: Path) -> Iterator[SQLiteDatabase]:
    """A database with one table."""
    path.parent.mkdir()
    with open_sqlite(path, create=True) as found:
        with found.transaction() as tx:
            tx.execute(SCHEMA)
        yield found


def fault_of(call: Any, *args: Any, **kwargs: Any) -> MusterError:
    with pytest.raises(MusterError) as caught:
        call(*args, **kwargs)
    return caught.value


def put(db: SQLiteDatabase, *names: str) -> None:
    with db.transaction() as tx:
        for name in names:
            tx.execute("INSERT INTO thing (name) VALUES (?)", (name,))


def names(db: SQLiteDatabase) -> list[str]:
    return [row["name"] for row in db.query("SELECT name FROM thing ORDER BY id")]


def test_pragmas(db: SQLiteDatabase) -> None:
    with db.transaction() as tx:
        found = {
            name: tx.one(f"PRAGMA {name}")
            for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
        }
    values = {name: row[0] for name, row in found.items() if row is not None}
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


def test_a_fresh_file_is_private_and_alone(db: SQLiteDatabase, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    put(db, "a")
    for one in path.parent.iterdir():
        assert one.name in {"data.db", "data.db-wal", "data.db-shm", "data.db-mark"}
        assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """Watched from outside: between the statement and the end of the block there is a sync."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: 'apt-get install strace' brings it")
    program = """
import os, sys
from muster.db.sqlite import open_sqlite
db = open_sqlite(sys.argv[1], create=True)
with db.transaction() as tx:
    tx.execute("CREATE TABLE t (a INTEGER)")
for n in range(5):
    os.write(2, b"before\\n")
    with db.transaction() as tx:
        tx.execute("INSERT INTO t VALUES (?)", (n,))
    os.write(2, b"after\\n")
"""
    for off, more in ((False, []), (True, ["-e", "inject=fdatasync,fsync:retval=0"])):
        trace = tmp_path / f"trace{off}"
        subprocess.run(
            ["strace", "-f", "-o", str(trace), "-e", "trace=fdatasync,fsync,write",
             *more, sys.executable, "-c", program, str(tmp_path / f"x{off}.db")],
            check=True,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"MUSTER_TEST_NO_SYNC": "1"},
        )  # fmt: skip
        synced, waits = False, []
        for line in trace.read_text().splitlines():
            if '"before' in line:
                synced = False
            elif "sync(" in line and not line.endswith("(INJECTED)"):
                synced = True
            elif '"after' in line:
                waits.append(synced)
        assert waits == [not off] * 5


def test_a_disk_that_does_not_sync_is_no_commit(db: SQLiteDatabase, path: Path) -> None:
    """The kernel answers EIO to the sync of a commit: nobody is told that it was done."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: 'apt-get install strace' brings it")
    put(db, "before")
    program = """
import os, sys
from muster.core.errors import MusterError
from muster.db.sqlite import open_sqlite
db = open_sqlite(sys.argv[1])
try:
    with db.transaction() as tx:
        tx.execute("INSERT INTO thing (name) VALUES ('lost')")
except MusterError as fault:
    assert fault.code == "db/io", fault
    assert [row[0] for row in db.query("SELECT name FROM thing")] == ["before"]
    with db.transaction() as tx:
        tx.execute("INSERT INTO thing (name) VALUES ('after')")
    os._exit(7)
"""
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fdatasync,fsync",
         "-e", "inject=fdatasync,fsync:error=EIO:when=1",
         sys.executable, "-c", program, str(path)],
        check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert names(db) == ["before", "after"]


def test_commit_and_rollback(db: SQLiteDatabase) -> None:
    put(db, "a", "b")

    def failing() -> None:
        with db.transaction() as tx:
            tx.execute("INSERT INTO thing (name) VALUES ('c')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert names(db) == ["a", "b"]
    with db.transaction() as tx:
        assert tx.execute("UPDATE thing SET name = name || '!'") == 2
        assert tx.execute("DELETE FROM thing WHERE name = 'no'") == 0
        rows = tx.query("INSERT INTO thing (name) VALUES (?), (?) RETURNING id, name", ("x", "y"))
        assert [(row["id"], row[1]) for row in rows] == [(3, "x"), (4, "y")]
        assert rows[0].keys() == ["id", "name"]
        assert (len(rows[0]), list(rows[0])) == (2, [3, "x"])
        assert tx.one("SELECT 1 WHERE 0") is None
        more = ((f"m{n}",) for n in range(10))
        assert tx.execute_many("INSERT INTO thing (name) VALUES (?)", more) == 10
    assert len(names(db)) == 14


def test_readers_see_a_state_and_do_not_wait(db: SQLiteDatabase) -> None:
    put(db, "a")
    with db.snapshot() as reader:
        assert len(reader.query("SELECT * FROM thing")) == 1
        put(db, "b")
        assert len(reader.query("SELECT * FROM thing")) == 1
        with db.transaction() as tx:
            tx.execute("INSERT INTO thing (name) VALUES ('c')")
            assert len(names(db)) == 2
    assert len(names(db)) == 3


def test_readers_cannot_write(db: SQLiteDatabase) -> None:
    with db.snapshot() as reader:
        fault = fault_of(reader.query, "INSERT INTO thing (name) VALUES ('a') RETURNING id")
    assert fault.code == "db/denied"
    put(db, "b")
    assert names(db) == ["b"]


def test_constraints_are_the_stores_matter(db: SQLiteDatabase) -> None:
    put(db, "a")
    with pytest.raises(ConstraintError, match="UNIQUE"):
        put(db, "b", "a")
    with pytest.raises(ConstraintError), db.transaction() as tx:
        tx.execute("INSERT INTO thing (name) VALUES (NULL)")
    assert names(db) == ["a"]


def test_a_part_can_be_undone_alone(db: SQLiteDatabase) -> None:
    with db.transaction() as tx:
        tx.execute("INSERT INTO thing (name) VALUES ('a')")

        def part() -> None:
            with tx.savepoint() as inner:
                inner.execute("INSERT INTO thing (name) VALUES ('b')")
                inner.execute("INSERT INTO thing (name) VALUES ('a')")

        with pytest.raises(ConstraintError):
            part()
        with tx.savepoint():
            tx.execute("INSERT INTO thing (name) VALUES ('c')")
    assert names(db) == ["a", "c"]


def test_mistakes_of_the_program_stay_bugs(db: SQLiteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError), db.transaction() as tx:
        tx.execute("SELEKT 1")
    with (
        pytest.raises(RuntimeError, match="open in this thread"),
        db.transaction(),
        db.transaction(),
    ):
        pass
    put(db, "still works")
    db.close()
    with pytest.raises(RuntimeError, match="closed"):
        names(db)
    with pytest.raises(RuntimeError, match="closed"):
        put(db, "x")


def test_writers_of_one_process_take_turns(db: SQLiteDatabase) -> None:
    with db.transaction() as tx:
        tx.execute("CREATE TABLE counter (n INTEGER)")
        tx.execute("INSERT INTO counter VALUES (0)")

    def work() -> None:
        for _ in range(25):
            with db.transaction() as tx:
                row = tx.one("SELECT n FROM counter")
                assert row is not None
                tx.execute("UPDATE counter SET n = ?", (row[0] + 1,))
            names(db)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    row = db.one("SELECT n FROM counter")
    assert row is not None
    assert row[0] == 200


def test_writers_of_several_processes_take_turns(db: SQLiteDatabase, path: Path) -> None:
    with db.transaction() as tx:
        tx.execute("CREATE TABLE counter (n INTEGER)")
        tx.execute("INSERT INTO counter VALUES (0)")
    program = """
import sys
from muster.db.sqlite import open_sqlite
db = open_sqlite(sys.argv[1], busy_seconds=60)
for _ in range(30):
    with db.transaction() as tx:
        n = tx.one("SELECT n FROM counter")[0]
        tx.execute("UPDATE counter SET n = ?", (n + 1,))
"""
    children = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(4)]
    assert [one.wait(120) for one in children] == [0, 0, 0, 0]
    row = db.one("SELECT n FROM counter")
    assert row is not None
    assert row[0] == 120


def test_locks_outlive_other_connections_of_the_process(db: SQLiteDatabase, path: Path) -> None:
    """POSIX drops all locks of a process on a file with any descriptor of it that is closed.

    A second process that is the last to use the database throws the log away when it ends. It
    must see that we still use it, whatever we opened and closed since.
    """
    put(db, "a")
    for _ in range(3):
        with open_sqlite(path) as other:
            names(other)
            other.check()
        with db.snapshot() as reader, db.snapshot() as another:
            reader.query("SELECT * FROM thing")
            another.query("SELECT * FROM thing")
    log = path.with_name(path.name + "-wal")
    before = log.stat().st_ino
    program = """
import sys
from muster.db.sqlite import open_sqlite
with open_sqlite(sys.argv[1]) as db:
    with db.transaction() as tx:
        tx.execute("INSERT INTO thing (name) VALUES ('b')")
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert log.stat().st_ino == before
    put(db, "c")
    db.close()
    with open_sqlite(path) as again:
        assert names(again) == ["a", "b", "c"]


def test_busy(db: SQLiteDatabase, path: Path) -> None:
    with open_sqlite(path, busy_seconds=0.05) as other, db.transaction() as tx:
        tx.execute("INSERT INTO thing (name) VALUES ('a')")
        fault = fault_of(put, other, "b")
        assert fault.code == "db/busy"
        assert fault.params["retry_after"] == 5
        assert names(other) == []
    with open_sqlite(path) as other:
        put(other, "b")
    assert names(db) == ["a", "b"]


# Damage. Whatever happens, the file is left as it is.


def damage(path: Path, place: int, size: int) -> bytes:
    with path.open("r+b") as handle:
        handle.seek(place)
        handle.write(os.urandom(size))
    return path.read_bytes()


@pytest.fixture
def filled(path: Path) -> Path:
    """A closed database of several pages."""
    path.parent.mkdir()
    with open_sqlite(path, create=True) as db:
        with db.transaction() as tx:
            tx.execute(SCHEMA)
        put(db, *(f"n{n:04}" * 20 for n in range(500)))
    assert path.stat().st_size > 32_768
    return path


def test_a_damaged_header_is_reported_and_left(filled: Path) -> None:
    before = damage(filled, 0, 100)
    for create in (False, True):
        fault = fault_of(open_sqlite, filled, create=create)
        assert fault.code == "db/corrupt"
        assert "backup" in fault.fix
    assert filled.read_bytes() == before


def test_damaged_pages_are_reported_and_left(filled: Path) -> None:
    before = damage(filled, 4096, 20_000)

    def use() -> None:
        with open_sqlite(filled, create=True) as db:
            names(db)
            put(db, "x")

    assert fault_of(use).code == "db/corrupt"
    assert filled.read_bytes() == before


def test_check_finds_damage_that_nobody_met(filled: Path) -> None:
    with open_sqlite(filled) as db:
        db.check()
    damage(filled, filled.stat().st_size - 4096, 4096)
    with open_sqlite(filled) as db:
        assert fault_of(db.check).code == "db/corrupt"


def test_another_file_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"PNG" * 1000)
    assert fault_of(open_sqlite, path, create=True).code == "db/corrupt"
    assert path.read_bytes() == b"PNG" * 1000


def test_a_file_cut_to_nothing_is_not_taken_for_a_new_one(filled: Path) -> None:
    os.truncate(filled, 0)
    assert fault_of(open_sqlite, filled, create=True).code == "db/corrupt"
    assert filled.read_bytes() == b""


def test_a_file_cut_anywhere_is_never_taken_for_whole(filled: Path) -> None:
    whole = filled.read_bytes()
    for size in (1, 50, 100, 512, 4095, 4097, len(whole) // 2, len(whole) - 1):
        filled.write_bytes(whole[:size])

        def use() -> None:
            with open_sqlite(filled, create=True) as db:
                db.check()
                names(db)

        assert fault_of(use).code == "db/corrupt", size
        assert filled.read_bytes() == whole[:size]


def test_a_database_that_is_gone_but_for_its_log(path: Path) -> None:
    path.parent.mkdir()
    db = open_sqlite(path, create=True)
    with db.transaction() as tx:
        tx.execute(SCHEMA)
    path.unlink()
    assert fault_of(open_sqlite, path, create=True).code == "db/corrupt"
    assert not path.exists()
    db.close()


def test_a_process_killed_in_a_transaction_leaves_what_was_committed(
    db: SQLiteDatabase, path: Path
) -> None:
    program = """
import os, sys
from muster.db.sqlite import open_sqlite
db = open_sqlite(sys.argv[1])
with db.transaction() as tx:
    tx.execute("INSERT INTO thing (name) VALUES ('kept')")
with db.transaction() as tx:
    tx.execute("INSERT INTO thing (name) VALUES ('lost')")
    os.kill(os.getpid(), 9)
"""
    child = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert child.returncode == -9
    assert names(db) == ["kept"]


# Where the database lies.


def test_urls(tmp_path: Path) -> None:
    with open_sqlite(f"sqlite://{tmp_path}/x.db", create=True) as db:
        assert db.path == tmp_path / "x.db"
    for url in ("", "a\x00b", "sqlite://relative/x", "sqlite:///", "mysql://u:secret@h/x"):
        fault = fault_of(open_sqlite, url)
        assert fault.code == "db/url"
        assert "secret" not in fault.what


def test_missing_and_denied(tmp_path: Path) -> None:
    assert fault_of(open_sqlite, tmp_path / "no.db").code == "db/missing"
    assert fault_of(open_sqlite, tmp_path / "no" / "no.db", create=True).code == "db/denied"
    (tmp_path / "folder.db").mkdir()
    for create in (False, True):
        fault = fault_of(open_sqlite, tmp_path / "folder.db", create=create)
        assert fault.code == "db/no-file"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder.db"]


def test_a_mark_without_its_database_is_no_place_to_begin_anew(path: Path) -> None:
    path.parent.mkdir()
    with open_sqlite(path, create=True) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE t (a INTEGER)")
        tx.execute("INSERT INTO t VALUES (1)")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for create in (False, True):
        fault = fault_of(open_sqlite, path, create=create)
        assert fault.code == "db/lost"
        assert "restore" in fault.fix
    assert [one.name for one in path.parent.iterdir()] == [f"{path.name}-mark"]


def test_two_programs_make_one_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    start = threading.Barrier(6)
    opened: list[SQLiteDatabase] = []

    def work() -> None:
        start.wait()
        db = open_sqlite(path, create=True)
        with db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)")
            tx.execute("INSERT INTO t VALUES (1)")
        opened.append(db)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(opened) == 6
    row = opened[0].one("SELECT count(*) FROM t")
    assert row is not None
    assert row[0] == 6
    for db in opened:
        db.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x.db", "x.db-mark"]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    with file_system(tmp_path / "tiny", "512k") as folder:
        yield folder


def test_full_disk_undoes_and_goes_on_later(tiny: Path) -> None:
    ballast = tiny / "ballast"
    ballast.write_bytes(b"x" * 150_000)
    with open_sqlite(tiny / "x.db", create=True) as db:
        with db.transaction() as tx:
            tx.execute(SCHEMA)
        put(db, "first")
        for _ in range(3):
            fault = fault_of(put, db, *(f"{n:05}" * 100 for n in range(2000)))
            assert fault.code == "db/full"
            assert "rolled back" in fault.why
            assert names(db) == ["first"]
        ballast.unlink()
        for n in range(20):
            put(db, f"later {n}")
        assert len(names(db)) == 21
        db.check()


def test_full_disk_at_every_size(tiny: Path) -> None:
    """One row at a time until nothing fits: what was said to be committed is there."""
    with open_sqlite(tiny / "x.db", create=True) as db:
        with db.transaction() as tx:
            tx.execute(SCHEMA)
        done: list[str] = []

        def fill() -> None:
            for n in range(10_000):
                name = f"{n:05}" * 60
                put(db, name)
                done.append(name)

        assert fault_of(fill).code == "db/full"
        assert len(done) > 10
        assert names(db) == done
        assert fault_of(put, db, "y" * 5000).code == "db/full"
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny)], check=True)
    with open_sqlite(tiny / "x.db") as db:
        assert names(db) == done
        put(db, "again")
        db.check()


def test_full_disk_when_it_is_made(tiny: Path) -> None:
    (tiny / "ballast").write_bytes(b"x" * 510_000)
    assert fault_of(open_sqlite, tiny / "x.db", create=True).code == "db/full"
    assert [one.name for one in tiny.iterdir()] == ["ballast"]


def test_no_inodes_are_told_as_such_and_not_as_rights(tmp_path: Path) -> None:
    with file_system(tmp_path / "few", "4m,nr_inodes=8") as few:
        with open_sqlite(few / "x.db", create=True) as db, db.transaction() as tx:
            tx.execute(SCHEMA)
        for number in range(os.statvfs(few).f_favail):
            (few / str(number)).touch()
        assert fault_of(open_sqlite, few / "x.db").code == "db/full"
        assert fault_of(open_sqlite, few / "y.db", create=True).code == "db/full"
        (few / "0").unlink()
        (few / "1").unlink()
        with open_sqlite(few / "x.db") as db:
            put(db, "again")
            assert names(db) == ["again"]


def test_a_read_only_file_system_is_read_and_not_written(tiny: Path) -> None:
    with open_sqlite(tiny / "x.db", create=True) as db:
        with db.transaction() as tx:
            tx.execute(SCHEMA)
        put(db, "first")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    with open_sqlite(tiny / "x.db") as db:
        assert names(db) == ["first"]
        assert db.check()
        assert fault_of(put, db, "more").code == "db/read-only"
        subprocess.run(["mount", "-o", "remount,rw", str(tiny)], check=True)
        put(db, "second")
        assert names(db) == ["first", "second"]
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    assert fault_of(open_sqlite, tiny / "y.db", create=True).code == "db/read-only"


def test_what_a_killed_program_left_on_a_read_only_file_system_is_read(tiny: Path) -> None:
    """With its log, which the kernel left when it remounted the disk after errors."""
    program = """
import os, sys
from muster.db.sqlite import open_sqlite
db = open_sqlite(sys.argv[1])
with db.transaction() as tx:
    tx.execute("INSERT INTO thing (name) VALUES ('in the log')")
os.kill(os.getpid(), 9)
"""
    with open_sqlite(tiny / "x.db", create=True) as db, db.transaction() as tx:
        tx.execute(SCHEMA)
    subprocess.run([sys.executable, "-c", program, str(tiny / "x.db")], check=False)
    assert (tiny / "x.db-wal").stat().st_size
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    with open_sqlite(tiny / "x.db") as db:
        assert names(db) == ["in the log"]
        assert fault_of(put, db, "more").code == "db/read-only"


def test_a_check_ends_when_its_time_is_over(db: SQLiteDatabase) -> None:
    put(db, *(f"n{n:06}" * 200 for n in range(20000)))
    assert db.check()
    assert not db.check(0)
    assert db.check(3600)
    put(db, "goes on")


def test_who_only_reads_notices_a_file_that_was_taken_away(db: SQLiteDatabase, path: Path) -> None:
    put(db, "first")
    assert names(db) == ["first"]
    path.rename(path.with_name("moved"))
    assert fault_of(names, db).code == "db/corrupt"
    path.with_name("moved").rename(path)
    assert names(db) == ["first"]
