"""A database that is exchanged on purpose: nothing is deleted, and nobody has it open."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.db.aside import adopt, move_aside, move_back, refuse_open
from muster.db.sqlite import open_sqlite

HOLD = """
import sys
from muster.db.sqlite import open_sqlite
with open_sqlite(sys.argv[1]) as db:
    db.query("SELECT 1 FROM t")
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    put(path, create=True)
    return path


def put(path: Path, *, create: bool = False) -> None:
    with open_sqlite(path, create=create) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)")
        tx.execute("INSERT INTO t VALUES (1)")


def number(path: Path) -> int:
    with open_sqlite(path) as db:
        return len(db.query("SELECT a FROM t"))


def test_a_kill_while_a_database_is_taken_locks_nobody_out(path: Path) -> None:
    killed = """
import os, signal, sys
from pathlib import Path
from muster.db.aside import adopt
os.pwrite = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
adopt(Path(sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", killed, path], check=False)
    assert done.returncode == -signal.SIGKILL
    open_sqlite(path).close()


def test_what_another_program_has_open_is_left(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        for act in (refuse_open, move_aside, adopt):
            with pytest.raises(MusterError) as caught:
                act(path)
            assert caught.value.code == "backup/in-use"
        holder.communicate()
    refuse_open(path)


def test_files_that_were_moved_aside_come_back(path: Path) -> None:
    assert move_aside(path.with_name("none.db")) is None
    first = move_aside(path)
    assert first is not None
    assert sorted(file.name for file in first.iterdir()) == ["x.db", "x.db-mark"]
    put(path, create=True)
    second = move_aside(path)
    assert second is not None
    assert second != first
    put(path, create=True)
    put(path)
    move_back(path, first)
    assert number(path) == 1
    assert not first.exists()


def test_an_older_database_is_adopted_and_its_old_mark_is_none_of_its_own(path: Path) -> None:
    old = path.read_bytes()
    put(path)
    late = path.with_name("x.db-mark").read_bytes()
    path.write_bytes(old)
    with pytest.raises(MusterError) as caught:
        open_sqlite(path)
    assert caught.value.code == "db/older"
    aside = adopt(path)
    assert aside is not None
    assert (aside / "x.db-mark").read_bytes() == late
    assert number(path) == 1
    path.with_name("x.db-mark").write_bytes(late)
    with pytest.raises(MusterError) as caught:
        open_sqlite(path)
    assert caught.value.code == "db/other"
    assert adopt(path) is not None
    assert adopt(path) is None, "nothing speaks against it"
