"""Exchanges a database again and again, in copies of a folder, and is killed before the first, the
second, the third change to the file system, and so on. Prints a line for each: what a program that
opens the database afterwards finds: `old` or `new`, and how many rows; `new` has the key too.

Arguments: the folder, the start of the exchange; `one` to be killed itself, in the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from muster.db.aside import Start, exchange
from muster.db.open import open_database
from muster.db.sqlite import open_sqlite

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chown", "shutil.copyfile"}


def changed(folder: Path, start: Start) -> None:
    """A state with a hundred rows more, and a key."""
    with exchange(folder / "x.db", start) as made:
        with open_sqlite(made.path, create=start is Start.EMPTY) as db, db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS t (a BLOB)")
            tx.execute_many("INSERT INTO t VALUES (?)", [(2,)] * 100)
        (made.folder / "keys").mkdir()
        (made.folder / "keys" / "new").write_text("new")
        made.put_in_place(keep=start is not Start.COPY)


def kill_before(step: int) -> None:
    """Be killed before a change to the file system; the first is number 1."""
    done = 0

    def count(event: str, args: tuple[object, ...]) -> None:
        nonlocal done
        written = event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT
        if event in CHANGES or written or event == "sqlite3.connect":
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def found(folder: Path) -> str:
    """What is there for who opens it."""
    with open_database(folder / "x.db") as db:
        rows, old = db.query("SELECT count(*), count(nullif(a, 2)) FROM t")[0]
    added = rows - old
    keys = sorted(file.name for file in (folder / "keys").iterdir())
    left = {file.name.split(".aside")[0] for file in folder.iterdir()}
    assert left <= {"x.db", "x.db-mark", "x.db-wal", "x.db-shm", "keys"}, left
    assert (keys, added) in ((["new", "old"], 100), (["old"], 0)), (keys, added)
    return f"{'new' if added else 'old'} {rows}"


def main() -> None:
    """Kill after kill, until one comes to its end; that one leaves its state in the folder."""
    folder, start = Path(sys.argv[1]), Start(sys.argv[2])
    if sys.argv[3:] == ["one"]:
        kill_before(1)
        changed(folder, start)
    step = 0
    while True:
        step += 1
        copy = folder.with_name(f"{folder.name}-{step}")
        shutil.copytree(folder, copy)
        child = os.fork()
        if child == 0:
            kill_before(step)
            changed(copy, start)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(found(copy), flush=True)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            changed(folder, start)
            return
        shutil.rmtree(copy)


if __name__ == "__main__":
    main()
