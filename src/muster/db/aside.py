"""An SQLite database that is exchanged on purpose for another state of it: whole, or not at all.

Decides how the new state is made beside the old one, takes its place, and is finished or thrown
away where the program was cut off: by the next that opens the database. Nobody has the database
open meanwhile, and nothing that was in its place is deleted unasked. Refuses to know what is in it,
and why it is exchanged. Obeys docs/spec/09-files.md, section 9.4.
"""

from __future__ import annotations

import contextlib
import enum
import os
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.db import mark
from muster.db.sqlite import open_sqlite, refusal

SUFFIX = ".restore"
"""What follows the name of the database in the name of the folder in which a new state is made."""
_NEW, _READY, _DONE = "new", "ready", "done"
"""Names of the new state in it: while it is made, while it takes its place, and afterwards."""
_MOVING, _OLD = "moving", "old"
"""Names of the old state in it: while files are moved there, and when all are."""
_KEEP, _LOCK = "keep", "lock"
_SHARED = 0x40000002
_SHARED_SIZE = 510
"""Bytes on which each connection to an SQLite database holds a shared lock while it is open
(https://www.sqlite.org/lockingv3.html)."""
_LOG = ("-wal", "-shm")
_FILES = ("", *_LOG, mark.SUFFIX)
_PATIENCE = 1.0
"""Seconds to wait for a program that finishes what another one left."""
_POLL = 0.05


class Start(enum.Enum):
    """With what a new state begins.

    `EMPTY` with nothing; `COPY` with what is there, where anything is; `TAKEN` with what is there
    although its mark or its log speaks against it, under a new identity.
    """

    EMPTY = "empty"
    COPY = "copy"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A new state in the making: the database of the same name in `folder`, and whatever else is
    put there in folders, such as keys."""

    folder: Path
    place: Path

    @property
    def path(self) -> Path:
        """The database in the making."""
        return self.folder / self.place.name

    def put_in_place(self, *, keep: bool) -> Path | None:
        """Let the new state take its place; nobody may have it open.

        From here on it is finished, by whoever opens the database next if not by this program.

        Args:
            keep: the old state goes into a folder beside it; otherwise it is deleted.
        Returns: that folder, or None where there was no old state, or it is deleted.
        Raises: `db/full`, `db/denied`: it is not finished.
        """
        stage = self.folder.parent
        with _translated(self.place):
            if keep:
                (stage / _KEEP).touch(0o600)
            for folder in (*(sub for sub in self.folder.iterdir() if sub.is_dir()), self.folder):
                for file in folder.iterdir():
                    if file.is_file():
                        _sync(file)
                _sync(folder)
            self.folder.rename(stage / _READY)
            _sync(stage)
        return _finish(self.place, stage)


@contextlib.contextmanager
def exchange(path: Path, start: Start) -> Iterator[Exchange]:
    """Make another state of the database at `path` beside it.

    Nothing that is in its place changes before `put_in_place`; without it, or when the block
    raises, what was made is thrown away. The folder of the database must exist.
    Raises: `backup/in-use`, `db/full`, `db/denied`, and the errors of opening what is there.
    """
    settle(path)
    stage = path.with_name(path.name + SUFFIX)
    if start is Start.COPY and (path.exists() or path.with_name(path.name + mark.SUFFIX).exists()):
        open_sqlite(path).close()  # which brings its log into it, or says that the file is lost
    with _locked(_made(stage, path), path) as there:
        if not there:
            raise error("backup/in-use", path=str(path))
        try:
            refuse_open(path)
            staged = Exchange(stage / _NEW, path)
            with _called(staged):
                with _translated(path):
                    staged.folder.mkdir(mode=0o700)
                    _give(staged.folder, path.parent)
                    _copy(staged, start)
                if start is Start.TAKEN:
                    _renew(staged.path)
                yield staged
        finally:
            if stage.exists() and not _is_decided(stage):
                shutil.rmtree(stage)


def settle(path: Path) -> None:
    """Finish or throw away what a program that was cut off has left of an exchange.

    Raises: `backup/in-use` where a program is at it; `db/denied`, `db/full`.
    """
    stage = path.with_name(path.name + SUFFIX)
    try:
        if not stage.exists():
            return
    except PermissionError:  # who may not look here is told so by opening the database
        return
    with _locked(stage, path) as there:
        if there and _is_decided(stage):
            _finish(path, stage)
        elif there:
            with _translated(path):
                shutil.rmtree(stage)


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


def _is_decided(stage: Path) -> bool:
    return (stage / _READY).exists() or (stage / _DONE).exists()


def _finish(path: Path, stage: Path) -> Path | None:
    """Put what is ready into its place; each step may have been done before.

    Returns: as `Exchange.put_in_place`.
    """
    ready, old = stage / _READY, stage / _OLD
    with _translated(path):
        if ready.exists():
            for folder in (entry for entry in sorted(ready.iterdir()) if entry.is_dir()):
                _add(folder, path.parent / folder.name)
            if not old.exists():
                _move_old(path, stage)
            # The database last: a log and a mark without it are refused, not taken.
            for suffix in reversed(_FILES):
                file = ready / (path.name + suffix)
                if file.exists():
                    file.rename(path.with_name(file.name))
            _sync(path.parent)
            ready.rename(stage / _DONE)
        aside = None
        if (stage / _KEEP).exists() and old.exists() and any(old.iterdir()):
            aside = _free_name(path)
            old.rename(aside)
        shutil.rmtree(stage)
        _sync(path.parent)
    return aside


def _move_old(path: Path, stage: Path) -> None:
    moving = stage / _MOVING
    moving.mkdir(mode=0o700, exist_ok=True)
    _give(moving, path.parent)
    for suffix in _FILES:
        file = path.with_name(path.name + suffix)
        if os.path.lexists(file):
            file.rename(moving / file.name)
    _sync(path.parent)
    moving.rename(stage / _OLD)


def _add(source: Path, target: Path) -> None:
    """Move the files of a folder into another; none is replaced."""
    if not target.exists():
        target.mkdir(mode=0o700)
        _give(target, target.parent)
    for file in sorted(source.iterdir()):
        if not os.path.lexists(target / file.name):
            file.rename(target / file.name)
    _sync(target)


def _free_name(path: Path) -> Path:
    number = 1
    while os.path.lexists(folder := path.with_name(f"{path.name}.aside-{number}")):
        number += 1
    return folder


def _copy(staged: Exchange, start: Start) -> None:
    """Copy what is there; of a database whose mark or log speaks against it, without these."""
    path = staged.place
    suffixes: tuple[str, ...] = () if start is Start.EMPTY else _FILES
    if start is Start.TAKEN:
        try:
            if path.exists():
                mark.check(path)
        except MusterError as fault:
            suffixes = ("",) if fault.code == "db/log" else ("", *_LOG)
        except sqlite3.Error:
            pass  # what it is, opening it says
    for suffix in suffixes:
        file = path.with_name(path.name + suffix)
        if file.exists():
            shutil.copy(file, staged.folder / file.name)
            _give(staged.folder / file.name, path.parent)


def _renew(path: Path) -> None:
    """Give a database that is taken another identity."""
    with open_sqlite(path) as database:
        database.check()
        database.renew(1 + secrets.randbelow(0xFFFFFFFF))


def _made(stage: Path, path: Path) -> Path:
    with _translated(path):
        try:
            stage.mkdir(mode=0o700)
        except FileExistsError:
            raise error("backup/in-use", path=str(path)) from None
        _give(stage, path.parent)
    return stage


@contextlib.contextmanager
def _locked(stage: Path, path: Path) -> Iterator[bool]:
    """The folder, for one program at a time; the kernel frees it however that ends. False where it
    is gone, because another program has finished. Raises: `backup/in-use`.
    """
    if sys.platform == "win32":
        yield True
        return
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with _translated(path):
        try:
            handle = os.open(stage / _LOCK, flags, 0o600)
        except FileNotFoundError:
            handle = -1
    if handle < 0:
        yield False
        return
    try:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise error("backup/in-use", path=str(path)) from None
            time.sleep(_POLL)
        # Whoever had it before may have removed the folder, and another made it again.
        lock = stage / _LOCK
        yield lock.exists() and os.path.samestat(os.fstat(handle), lock.stat())
    finally:
        os.close(handle)


@contextlib.contextmanager
def _called(staged: Exchange) -> Iterator[None]:
    """Errors name the database by its place: that in the making is gone when they are read."""
    try:
        yield
    except MusterError as fault:
        if fault.params.get("path") != str(staged.path):
            raise
        raise error(fault.code, **{**fault.params, "path": str(staged.place)}) from fault


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise refusal(fault, path) from fault


def _give(what: Path, folder: Path) -> None:
    """What root makes in a store belongs to the owner of its folder, as with SQLite's own files."""
    if sys.platform != "win32" and os.geteuid() == 0:
        info = folder.stat()
        os.chown(what, info.st_uid, info.st_gid)


def _sync(path: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
