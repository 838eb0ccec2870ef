"""A database, its log and its mark: what does not belong together is refused, and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.db.mark import Mark, check
from muster.db.sqlite import SQLiteDatabase, open_sqlite

FILES = ("x.db", "x.db-wal", "x.db-shm", "x.db-mark")
KILLED = """
import os, signal, sys
from muster.db.sqlite import open_sqlite
db = open_sqlite(sys.argv[1])
for n in range(int(sys.argv[2])):
    with db.transaction() as tx:
        tx.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * 30_000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(path: Path, number: int) -> None:
    """A closed database of so many rows."""
    with open_sqlite(path, create=not path.exists()) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER, b TEXT)")
        for index in range(number):
            with db.transaction() as tx:
                tx.execute("INSERT INTO t VALUES (?, ?)", (index, "x" * 30_000))


def killed(path: Path, number: int) -> None:
    """Transactions of a process that is killed; its log stays."""
    done = subprocess.run([sys.executable, "-c", KILLED, path, str(number)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name("x.db-wal").stat().st_size


def rows(db: SQLiteDatabase) -> int:
    row = db.one("SELECT count(*) FROM t")
    assert row is not None
    return int(row[0])


def kept(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def code(path: Path) -> str:
    """What the database is refused for; "" where it is opened, and then its pages are whole."""
    before = {name: data for name, data in kept(path.parent).items() if name != "x.db-shm"}
    try:
        with open_sqlite(path) as db:
            db.check()
    except MusterError as fault:
        after = {name: data for name, data in kept(path.parent).items() if name != "x.db-shm"}
        assert after == before, "what is refused was changed"
        return fault.code
    return ""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders: `old`, a closed database of 40 rows, and `store`, the same after 110 more, whose
    process was killed; some of the rows are in its log alone."""
    folder = tmp_path_factory.mktemp("made")
    path = folder / "store" / "x.db"
    path.parent.mkdir()
    fill(path, 40)
    shutil.copytree(path.parent, folder / "old")
    killed(path, 110)
    return folder


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """The database of the process that was killed."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "store" / "x.db"


def test_what_was_killed_goes_on_with_its_log(path: Path) -> None:
    assert code(path) == ""
    with open_sqlite(path) as db:
        assert rows(db) == 150


def remove(path: Path) -> None:
    path.with_name("x.db-wal").unlink()
    path.with_name("x.db-shm").unlink()


def zero(path: Path) -> None:
    log = path.with_name("x.db-wal")
    log.write_bytes(bytes(log.stat().st_size))


def cut(path: Path) -> None:
    log = path.with_name("x.db-wal")
    os.truncate(log, 100_000)


def empty(path: Path) -> None:
    os.truncate(path.with_name("x.db-wal"), 0)


def scratch(path: Path) -> None:
    log = path.with_name("x.db-wal")
    data = bytearray(log.read_bytes())
    data[100_000] ^= 1
    log.write_bytes(data)


def older(path: Path) -> None:
    remove(path)
    shutil.copy(path.parent.parent / "old" / "x.db", path)


@pytest.mark.parametrize("spoil", [remove, zero, cut, empty, scratch, older])
def test_a_database_without_what_it_had_is_refused(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    assert code(path) == "db/older"


def test_a_copy_beside_the_log_of_a_killed_program_is_refused(path: Path) -> None:
    """In a log that was begun anew the pages of the copy and of the log do not fit."""
    shutil.copytree(path.parent, path.parent.parent / "copy")
    fill(path, 120)
    killed(path, 20)
    for folder in ("old", "copy"):
        shutil.copy(path.parent.parent / folder / "x.db", path)
        assert code(path) == "db/log"


def test_an_old_log_beside_a_newer_database_is_refused(path: Path) -> None:
    shutil.copy(path.with_name("x.db-wal"), path.parent.parent / "kept-wal")
    fill(path, 120)
    shutil.copy(path.parent.parent / "kept-wal", path.with_name("x.db-wal"))
    assert code(path) == "db/log"


def test_the_database_of_another_store_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    fill(tmp_path / "other" / "x.db", 120)
    shutil.copy(tmp_path / "other" / "x.db", path)
    assert code(path) == "db/log"
    remove(path)
    assert code(path) == "db/other"


def test_a_database_without_a_mark_is_taken(path: Path) -> None:
    """As one is that was made before there were marks; the next change makes the mark."""
    path.with_name("x.db-mark").unlink()
    assert code(path) == ""
    fill(path, 1)
    assert len(path.with_name("x.db-mark").read_bytes()) == 42


def test_half_a_mark_is_none(path: Path) -> None:
    whole = path.with_name("x.db-mark").read_bytes()
    for data in (b"", whole[:20], bytes(42), whole[:-3] + b"00\n", b"\xff" * 42):
        path.with_name("x.db-mark").write_bytes(data)
        assert code(path) == ""


def test_the_mark_lags_and_never_leads(path: Path) -> None:
    """A mark that lost its last writes with the power refuses nothing."""
    mark = path.with_name("x.db-mark")
    before = mark.read_bytes()
    fill(path, 3)
    mark.write_bytes(before)
    assert code(path) == ""


def test_a_foreign_tool_refuses_nothing(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as tool:
        tool.execute("INSERT INTO t VALUES (1, 'by hand')")
        tool.commit()
    assert code(path) == ""
    with contextlib.closing(sqlite3.connect(path)) as tool:
        tool.execute("VACUUM")
    assert code(path) == ""


def test_programs_that_open_while_others_write(path: Path) -> None:
    """Logs are begun anew and taken away all the time; nobody is refused."""
    with subprocess.Popen([sys.executable, "-c", KILLED, path, "600"]) as writer:
        while writer.poll() is None:
            with open_sqlite(path) as db:
                assert rows(db) >= 150
    assert code(path) == ""


class ClosedOnTheWay(type(Path())):  # type: ignore[misc]  # the class of this machine's paths
    """A path whose log is looked for just when the last program closes the database."""

    database: SQLiteDatabase

    def exists(self) -> bool:
        """As `stat`."""
        with contextlib.suppress(FileNotFoundError):
            self.stat()
            return True
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """What is there when the database was closed."""
        if self.name == "x.db-wal":
            self.database.close()
        result: os.stat_result = super().stat(follow_symlinks=follow_symlinks)
        return result


def test_a_program_that_closes_while_another_opens_is_no_loss(path: Path) -> None:
    fill(path, 1)
    database = ClosedOnTheWay.database = open_sqlite(path)
    for index in range(3):
        with database.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (?, '')", (index,))
    assert path.with_name("x.db-wal").stat().st_size
    check(ClosedOnTheWay(path))
    assert not path.with_name("x.db-wal").exists()


def test_a_log_in_which_the_identity_was_renewed_is_its_own(path: Path) -> None:
    """The file has the new one already, and the log, which another program keeps, begins with the
    one before."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM t").fetchone() == (150,)
        fill(path, 1)
        with open_sqlite(path) as db:
            db.renew(0xFFFFFFF0)
        other.rollback()
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        assert path.with_name("x.db-wal").stat().st_size
        for _ in range(2):
            with open_sqlite(path) as db:
                assert rows(db) == 151


def test_a_file_that_is_exchanged_while_it_is_open_is_told(path: Path, tmp_path: Path) -> None:
    with open_sqlite(path) as db:
        path.rename(tmp_path / "away.db")
        for spoil in (None, tmp_path / "old" / "x.db"):
            if spoil is not None:
                shutil.copy(spoil, path)
            with pytest.raises(MusterError) as caught, db.transaction():
                pass
            assert caught.value.code == "db/corrupt"


def test_generations_count_in_a_circle() -> None:
    assert Mark(1, 0xFFFFFFFE).behind(Mark(1, 3)) == 5
    assert Mark(1, 3).behind(Mark(1, 0xFFFFFFFE)) == -5
    assert Mark(1, 7).behind(Mark(1, 7)) == 0


def test_a_generation_above_2_31_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    fill(path, 1)
    with contextlib.closing(sqlite3.connect(path)) as tool:
        tool.execute("PRAGMA user_version=-2")
    path.with_name("x.db-mark").unlink()
    fill(path, 4)
    assert code(path) == ""
    path.with_name("x.db-mark").rename(tmp_path / "mark")
    with contextlib.closing(sqlite3.connect(path)) as tool:
        assert tool.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_database_without_its_mark_is_opened_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until a change writes one: a new database has none yet, and that is no news."""
    path, mark = tmp_path / "x.db", tmp_path / "x.db-mark"
    fill(path, 3)
    open_sqlite(path).close()
    assert caplog.records == []
    for change in (
        mark.unlink,
        lambda: mark.write_bytes(b""),
        lambda: mark.write_bytes(os.urandom(42)),
    ):
        change()
        with open_sqlite(path) as db:
            (told,) = caplog.records
            assert f"{path} is no mark that can be read" in told.getMessage()
            with db.transaction() as tx:
                tx.execute("INSERT INTO t VALUES (7, '')")
        caplog.clear()
        open_sqlite(path).close()
        assert caplog.records == []
