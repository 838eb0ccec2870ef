"""Backup files: JSON lines that end with their number and their sum.

Decides what a whole file is: a head, lines in the form of RFC 8785, a foot with the number of lines
between and the SHA-256 of all bytes before it. Refuses to know what the lines mean. Obeys
docs/spec/09-files.md, section 9.6.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import CALENDAR
from muster.core.values import dataclass
from muster.lease import strict
from muster.system.files import open_plain, translate

Line = Mapping[str, Any]
"""A line of a file, as the strict reader gives it."""
Row = Mapping[str, int | str | None]
"""A row of a table by the names of its columns."""
_LINE = 16 * 1024 * 1024
_LIMITS = strict.Limits(bytes=_LINE, levels=4, members=128, items=16)


class LineWriter:
    """Writes such a file: the head, the other lines, `end`."""

    def __init__(self, out: BinaryIO, head: strict.JSONObject) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.count = 0
        self._write(head)

    def line(self, value: strict.JSONObject) -> bytes:
        """Write one line; its bytes."""
        self.count += 1
        return self._write(value)

    def end(self) -> None:
        """Write the foot."""
        sums: strict.JSONObject = {"rows": self.count, "sha256": self._digest.hexdigest()}
        self._out.write(strict.canonical(sums) + b"\n")

    def _write(self, value: strict.JSONObject) -> bytes:
        data = strict.canonical(value) + b"\n"
        self._digest.update(data)
        self._out.write(data)
        return data


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line between head and foot: its number in the file, its members, its bytes."""

    number: int
    value: Line
    data: bytes


class LineFile:
    """Such a file, open to be read: once, so that what is judged is what is read afterwards,
    whatever becomes of its name; and another content of the same file is noticed.

    Raises: `file/…`, also for a pipe or a folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._sum = ""
        try:
            self._file = os.fdopen(open_plain(path, follow=True), "rb")
        except OSError as fault:
            raise translate(fault, path) from fault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def head(self, kind: str, members: Mapping[str, type], schema: int) -> Line:
        """The first line, each member of its type.

        Args:
            kind: its member `file`. members: those that it must have beside `v`, `schema` and
                `made_at`. schema: the newest that is known.
        Raises: `backup/damaged`, `backup/newer`, `file/…`.
        """
        head = next(self._lines(), None)
        if head is None or head.value.get("file") != kind:
            raise damaged(self.path, 1, "it is no such backup")
        kinds = {"v": int, "schema": int, "made_at": int, **members}
        if any(type(head.value.get(name)) is not kind for name, kind in kinds.items()):
            raise damaged(self.path, 1, "a member is missing or of another type")
        if head.value["v"] != 1 or head.value["schema"] > schema:
            raise error("backup/newer", path=str(self.path))
        if head.value["made_at"] not in CALENDAR:
            raise damaged(self.path, 1, "it has a date that no calendar has")
        return head.value

    def lines(self) -> Iterator[NumberedLine]:
        """The lines between head and foot; raises at the end where the whole is not right, or not
        what was read before, so that the caller undoes what it did with them.

        Raises: `backup/damaged` naming the line, `file/…`.
        """
        lines = self._lines()
        digest = hashlib.sha256()
        count = 0
        for line in lines:
            if line.number > 1 and "rows" in line.value:
                if line.value != {"rows": count - 1, "sha256": digest.hexdigest()}:
                    raise damaged(self.path, line.number, "its sum is not right")
                if next(lines, None) is not None:
                    raise damaged(self.path, line.number + 1, "something follows its end")
                if self._sum not in ("", digest.hexdigest()):
                    raise damaged(self.path, line.number, "it was changed while it was read")
                self._sum = digest.hexdigest()
                return
            digest.update(line.data)
            count += 1
            if line.number > 1:
                yield line
        raise damaged(self.path, count + 1, "the end is missing")

    def _lines(self) -> Iterator[NumberedLine]:
        try:
            self._file.seek(0)
            number = 0
            while data := self._file.readline(_LINE):
                number += 1
                try:
                    value = strict.read(data.rstrip(b"\n"), _LIMITS)
                except MusterError as fault:
                    detail = str(fault.params.get("detail", fault.what))
                    raise damaged(self.path, number, detail) from None
                if strict.canonical(value) + b"\n" != data:
                    raise damaged(self.path, number, "it was altered")
                yield NumberedLine(number, value, data)
        except OSError as fault:
            raise translate(fault, self.path) from fault


def table_row(path: Path, line: NumberedLine, tables: Mapping[str, object]) -> tuple[str, Row]:
    """What a line says of a table: its name and a row, whose dates a calendar has."""
    table, row = line.value.get("table"), line.value.get("row")
    if table not in tables or not isinstance(row, dict) or not _plain(row):
        raise damaged(path, line.number, "it is no row of a table")
    if not _dated(row):
        raise damaged(path, line.number, "it has a date that no calendar has")
    return str(table), row


def damaged(path: Path, line: int, detail: str) -> MusterError:
    """The error that names what is wrong with a line of a backup."""
    return error("backup/damaged", path=str(path), line=line, detail=detail)


def _plain(row: Line) -> bool:
    return all(cell is None or type(cell) in (int, str) for cell in row.values())


def _dated(row: Line) -> bool:
    """Whether every date of a row can be shown: instants by name, and days."""
    for name, cell in row.items():
        if type(cell) is not int:
            continue
        if name in ("at", "iat", "last_seen", "first_seen") or name.endswith("_at"):
            if cell not in CALENDAR:
                return False
        elif name in ("day", "revoked") and not 0 <= cell <= 65_535:
            return False
    return True
