"""What tells that an SQLite database, its log and its folder belong together.

Decides from three places what is wrong before SQLite would repair it by mixing: the first page of
the file, the first page in its write-ahead log, and the **mark**, a small file beside the database
that says how far it had come. A database carries an identity (`application_id`, random) and a
generation (`user_version`), which every transaction that changes something raises by one; both are
in the first page, so each log begins with them. The mark is written after a commit, and so never
says more than the disk has. Refuses to know tables. Obeys docs/spec/09-files.md, section 9.4.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from muster.core.catalogue import error
from muster.core.values import dataclass

SUFFIX = "-mark"
"""What follows the name of the database in the name of its mark."""
_log = logging.getLogger("muster.db")
_FORM = "muster-mark-v1 {0:08x} {1:08x}"
_SIZE = 42
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""The first word of a log, and the order of bytes in which its sums are made."""
_HEADER = 32
_FRAME = 24


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a database had come: its identity, 0 where it has none yet, and its generation."""

    identity: int
    generation: int

    def behind(self, other: Mark) -> int:
        """How many generations this is behind another, which count in a circle of 2^32; less than
        1 where it is not."""
        gap = (other.generation - self.generation) & 0xFFFFFFFF
        return gap - (1 << 32) if gap >= 1 << 31 else gap


def check(path: Path) -> None:
    """See that a database is the one that was here, with its own log and nothing missing.

    Reads without changing anything, and while others write: what may only grow is read in that
    order. Raises: `db/log`, `db/other`, `db/older`; errors of SQLite.
    """
    marked = _read_mark(path)
    log = path.with_name(path.name + "-wal")
    logged = _first_in_log(log)
    stored = _read_alone(path)
    # Where the log is gone, whoever had it open may have brought it into the file since.
    current = _read(path, "mode=ro") if _has_frames(log) else _read_alone(path)
    if current is None:
        return
    if logged is not None and stored is not None:
        before = Mark(logged.identity, (logged.generation - 1) & 0xFFFFFFFF)
        # A log in which the identity was renewed begins with the one before.
        foreign = stored.identity not in (0, logged.identity, current.identity)
        if foreign or stored.behind(before) > 0 or current.behind(stored) > 0:
            raise error("db/log", path=str(path), log=log.name)
    if marked is None:
        if current.identity and sys.platform != "win32":
            _log.warning("%s", _unmarked(path))
        return
    if current.identity != marked.identity:
        raise error("db/other", path=str(path))
    if (lost := current.behind(marked)) > 0:
        raise error("db/older", path=str(path), count=lost)


def _unmarked(path: Path) -> str:
    """What is said of a database without its mark, until the next change writes one."""
    return (
        f"beside the database {path} is no mark that can be read: whether it is the newest that was"
        " here, or a copy of another day, cannot be told; compare it with the last backup"
    )


def raise_generation(connection: sqlite3.Connection, identity: int) -> Mark:
    """Raise the generation inside the transaction that is open; a database that has no identity
    yet takes this one."""
    (held,) = connection.execute("PRAGMA application_id").fetchone()
    (generation,) = connection.execute("PRAGMA user_version").fetchone()
    if held == 0:
        held = identity
        connection.execute(f"PRAGMA application_id={signed(held)}")
    after = Mark(held & 0xFFFFFFFF, (generation + 1) & 0xFFFFFFFF)
    connection.execute(f"PRAGMA user_version={signed(after.generation)}")
    return after


class MarkFile:
    """The mark beside a database, written after each commit.

    A write in place that nobody waits for: after a power cut the mark may say less than the
    database has, never more. What keeps it from being written (a full disk, rights) is no fault of
    the transaction, which is durable. On Windows there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def write(self, mark: Mark) -> None:
        """Say how far the database has come."""
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):
            if self._handle is None:
                self._handle = _open_mark(self._path)
            os.pwrite(self._handle, _encode(mark), 0)

    def remove(self) -> None:
        """Remove the file: there is no mark until the next one is written."""
        self.close()
        with contextlib.suppress(OSError):
            self._path.with_name(self._path.name + SUFFIX).unlink()

    def close(self) -> None:
        """Close the file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.fsync(handle)
            os.close(handle)


def _open_mark(path: Path) -> int:
    mark = path.with_name(path.name + SUFFIX)
    handle = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # As SQLite does with its log: what root writes belongs to the owner of the database.
    with contextlib.suppress(OSError):
        keep_owner(handle, path)
    return handle


def _encode(mark: Mark) -> bytes:
    text = _FORM.format(mark.identity, mark.generation)
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def _read_mark(path: Path) -> Mark | None:
    """The mark of a database; None where there is none, or a power cut left half of it."""
    try:
        data = path.with_name(path.name + SUFFIX).read_bytes()[: _SIZE + 1]
    except OSError:
        return None
    try:
        _, identity, generation, _ = data.decode("ascii").split()
        mark = Mark(int(identity, 16), int(generation, 16))
    except ValueError:
        return None
    return mark if _encode(mark) == data else None


def _has_frames(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except FileNotFoundError:
        return False


def _read_alone(path: Path) -> Mark | None:
    """The mark in the first page of the file, without its log; None in the middle of a checkpoint,
    where the page is there and the end of the file is not yet."""
    try:
        return _read(path, "immutable=1")
    except sqlite3.DatabaseError as fault:
        if fault.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            return None
        raise


def _read(path: Path, how: str) -> Mark:
    """The mark in the first page, as a connection of its own reads it. Through SQLite alone: see
    `muster.db.sqlite` on descriptors and locks."""
    uri = f"file:{quote(str(path))}?{how}"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        (identity,) = connection.execute("PRAGMA application_id").fetchone()
        (generation,) = connection.execute("PRAGMA user_version").fetchone()
    return Mark(identity & 0xFFFFFFFF, generation & 0xFFFFFFFF)


def _first_in_log(log: Path) -> Mark | None:
    """The mark in the oldest first page of a log; None where SQLite would not read one either."""
    try:
        with log.open("rb") as file:
            head = file.read(_HEADER)
            if len(head) < _HEADER:
                return None
            magic, _, size, _, salts, *sums = struct.unpack(">IIII8sII", head)
            order = _MAGIC.get(magic)
            if order is None or not 512 <= size <= 65536 or size & (size - 1):
                return None
            if _sums(head[:24], (0, 0), order) != tuple(sums):
                return None
            return _first_page(iter(lambda: file.read(_FRAME + size), b""), salts, sums, order)
    except OSError:
        return None


def _first_page(frames: Iterator[bytes], salts: bytes, sums: list[int], order: str) -> Mark | None:
    running = (sums[0], sums[1])
    for frame in frames:
        if len(frame) < _FRAME + 512 or frame[8:16] != salts:
            return None
        running = _sums(frame[_FRAME:], _sums(frame[:8], running, order), order)
        if running != struct.unpack_from(">II", frame, 16):
            return None
        if struct.unpack_from(">I", frame)[0] == 1:
            generation, identity = struct.unpack_from(">I4xI", frame, _FRAME + 60)
            return Mark(identity, generation)
    return None


def _sums(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """The running sum of SQLite's log (https://www.sqlite.org/fileformat2.html, section 4.2)."""
    first, second = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def signed(value: int) -> int:
    """A number of 32 bits as SQLite takes it."""
    return value - (1 << 32) if value >= 1 << 31 else value


def keep_owner(handle: int, of: Path) -> None:
    """What root makes in a store belongs to the owner `of` its folder, or of the database; SQLite
    does so for its own files."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        info = of.stat()
        os.fchown(handle, info.st_uid, info.st_gid)
