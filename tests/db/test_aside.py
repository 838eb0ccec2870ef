"""A database that is exchanged on purpose: the old state or the whole new one, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.mounts import file_system

from muster.core.errors import MusterError
from muster.db.aside import Start, exchange, refuse_open, settle
from muster.db.open import open_database
from muster.db.sqlite import open_sqlite

HOLD = """
import sys
from muster.db.sqlite import open_sqlite
with open_sqlite(sys.argv[1]) as db:
    db.query("SELECT 1 FROM t")
    print(flush=True)
    sys.stdin.read()
"""
STEPS = Path(__file__).with_name("exchange_steps.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    put(path, create=True)
    return path


def put(path: Path, *, create: bool = False, size: int = 1) -> None:
    """A row more, of so many bytes."""
    with open_sqlite(path, create=create) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE IF NOT EXISTS t (a BLOB)")
        tx.execute("INSERT INTO t VALUES (zeroblob(?))", (size,))


def number(path: Path) -> int:
    with open_database(path) as db:
        return len(db.query("SELECT a FROM t"))


def renewed(path: Path, start: Start, *, keep: bool = True, size: int = 1) -> Path | None:
    """Exchange for a state with one row more."""
    with exchange(path, start) as made:
        put(made.path, create=start is Start.EMPTY, size=size)
        return made.put_in_place(keep=keep)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def code(path: Path, start: Start, *, size: int = 1) -> str:
    with pytest.raises(MusterError) as caught:
        renewed(path, start, size=size)
    return caught.value.code


@pytest.mark.parametrize("start", list(Start))
def test_killed_at_each_step_it_is_the_old_state_or_the_whole_new_one(
    path: Path, tmp_path: Path, start: Start
) -> None:
    """A child of the script is killed before each change to the file system, in a folder of its
    own; then the store is opened as any command opens it."""
    put(path)
    log = path.with_name("x.db-wal")
    with open_sqlite(path) as held, held.transaction() as tx:
        tx.execute("INSERT INTO t VALUES (1)")
        tx.execute("INSERT INTO t VALUES (1)")
        held_log = log.read_bytes()
    log.write_bytes(held_log)  # as a program that was killed leaves it
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "old").write_text("old")
    command = [sys.executable, str(STEPS), str(tmp_path), start.value]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    states = done.stdout.split("\n")[:-1]
    assert states[0].startswith("old"), "killed before anything"
    assert states[-1] == f"new {number(path)}", "the last one ran to its end"
    decided = states.index(states[-1])
    assert len(states) > decided > 4
    assert states == [states[0]] * decided + [states[-1]] * (len(states) - decided)


def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    with file_system(tmp_path / "small", "512k") as folder:
        path = folder / "x.db"
        put(path, create=True)
        before = names(folder)
        for start in Start:
            assert code(path, start, size=500_000) == "db/full"
            assert names(folder) == before
            assert number(path) == 1


def test_errors_name_the_database_by_its_place(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(MusterError) as caught, exchange(path, Start.TAKEN):
        pass
    assert (caught.value.code, caught.value.params["path"]) == ("db/corrupt", str(path))
    assert not path.with_name("x.db.restore").exists()


def test_what_another_program_has_open_is_left(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(MusterError) as caught:
            refuse_open(path)
        assert caught.value.code == "backup/in-use"
        for start in Start:
            assert code(path, start) == "backup/in-use"
        holder.communicate()
    refuse_open(path)
    assert names(path.parent) == ["x.db", "x.db-mark"]


def test_nobody_opens_a_database_while_it_is_exchanged(path: Path) -> None:
    with exchange(path, Start.COPY):
        assert code(path, Start.EMPTY) == "backup/in-use"
    assert number(path) == 1


def test_the_old_state_is_kept_where_that_is_asked(path: Path) -> None:
    put(path)
    first = renewed(path, Start.EMPTY)
    assert first is not None
    assert (number(path), number(first / "x.db")) == (1, 2)
    assert renewed(path, Start.COPY, keep=False) is None
    assert number(path) == 2
    second = renewed(path, Start.EMPTY)
    assert second is not None
    assert second != first
    assert names(path.parent) == ["x.db", "x.db-mark", "x.db.aside-1", "x.db.aside-2"]
    missing = path.with_name("none.db")
    assert renewed(missing, Start.EMPTY) is None
    assert number(missing) == 1


def test_an_older_database_is_taken_and_its_old_mark_is_none_of_its_own(path: Path) -> None:
    old = path.read_bytes()
    put(path)
    late = path.with_name("x.db-mark").read_bytes()
    path.write_bytes(old)
    assert code(path, Start.COPY) == "db/older"
    aside = renewed(path, Start.TAKEN)
    assert aside is not None
    assert (aside / "x.db-mark").read_bytes() == late
    assert (aside / "x.db").read_bytes() == old
    assert number(path) == 2
    path.with_name("x.db-mark").write_bytes(late)
    assert code(path, Start.COPY) == "db/other"
    assert renewed(path, Start.TAKEN) is not None
    assert number(path) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_what_root_makes_belongs_to_the_owner_of_the_store(path: Path) -> None:
    for file in (path.parent, *path.parent.iterdir()):
        os.chown(file, 1234, 1234)
    for start in Start:
        aside = renewed(path, start)
        assert aside is not None
        for file in (path, path.with_name("x.db-mark"), aside, aside / "x.db"):
            assert file.stat().st_uid == 1234, file
        shutil.rmtree(aside)


def test_the_steps_are_killed_not_ended(path: Path) -> None:
    """The script says what it is for: its first child ends by SIGKILL."""
    command = [sys.executable, str(STEPS), str(path.parent), Start.EMPTY.value, "one"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert names(path.parent) == ["x.db", "x.db-mark"]


def test_a_database_that_was_lost_is_named_by_its_own_place(path: Path) -> None:
    path.unlink()
    path.with_name(path.name + "-mark").write_bytes(b"x" * 40)
    with pytest.raises(MusterError) as caught, exchange(path, Start.COPY):
        pytest.fail("nothing is begun")
    assert caught.value.code == "db/lost"
    assert str(caught.value.params["path"]) == str(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name + "-mark"]


@pytest.mark.real
def test_who_may_not_look_is_not_told_of_an_exchange(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    path.parent.chmod(0o700)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        code = 1
        try:
            settle(path)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
