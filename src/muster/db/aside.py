"""An SQLite database that is exchanged on purpose: moved aside, or taken as it is.

Decides that nobody has the database open, that nothing is ever deleted, and how a database is taken
although its mark or its log speaks against it. Refuses to know why. Obeys docs/spec/09-files.md,
section 9.4.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import sys
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.db import mark
from muster.db.sqlite import open_sqlite

_SHARED = 0x40000002
_SHARED_SIZE = 510
"""Bytes on which each connection to an SQLite database holds a shared lock while it is open
(https://www.sqlite.org/lockingv3.html)."""
_LOG = ("-wal", "-shm")


def refuse_open(path: Path) -> None:
    """Refuse where another process has the database open. For a process that has not.

    Raises: `backup/in-use`.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED)
    except OSError:
        raise error("backup/in-use", path=str(path)) from None
    finally:
        os.close(handle)


def move_aside(path: Path, suffixes: tuple[str, ...] = ("", *_LOG, mark.SUFFIX)) -> Path | None:
    """Move the files of a database into a new folder beside it; the folder, or None where there
    are none. Raises: `backup/in-use`, `db/denied`."""
    refuse_open(path)
    files = [path.with_name(path.name + suffix) for suffix in suffixes]
    present = [file for file in files if file.exists() or file.is_symlink()]
    if not present:
        return None
    number = 1
    try:
        while True:
            folder = path.with_name(f"{path.name}.aside-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                break
            number += 1
        # The database first: a log without one refuses, a database without its log might not.
        for file in present:
            file.rename(folder / file.name)
    except OSError as fault:
        raise error("db/denied", path=str(path), detail=fault.strerror or "refused") from fault
    return folder


def move_back(path: Path, folder: Path) -> None:
    """Undo `move_aside`; what was begun in the place of the files, and is empty, goes."""
    for suffix in ("", *_LOG, mark.SUFFIX):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for file in sorted(folder.iterdir(), reverse=True):
        file.rename(path.with_name(file.name))
    folder.rmdir()


def adopt(path: Path) -> Path | None:
    """Take the database that is there, whatever mark and log say: a log that is not its own is
    moved aside with the mark, and the database gets a new identity.

    Returns: where the files went, or None where nothing was moved.
    Raises: `backup/in-use`, `db/corrupt` and other errors of opening it.
    """
    refuse_open(path)
    aside = None
    try:
        if path.exists():
            mark.check(path)
    except MusterError as fault:
        suffixes = (*_LOG, mark.SUFFIX) if fault.code == "db/log" else (mark.SUFFIX,)
        aside = move_aside(path, suffixes)
    except sqlite3.Error:
        pass  # what it is, opening it says
    with open_sqlite(path) as database:
        database.check()
        database.renew(1 + secrets.randbelow(0xFFFFFFFF))
    return aside
