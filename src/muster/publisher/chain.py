"""The chain of hashes over the audit table: each row holds the hash of the one before it.

Decides what a row's hash is and where a run of rows stops being the one that was written. Refuses
to know tables and files. Pure. Obeys docs/spec/12-audit.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import instant_text
from muster.core.values import dataclass
from muster.lease import strict
from muster.publisher.model import AuditRow

PREFIX = b"muster-audit-v1"
NOTHING = "0" * 64
"""What stands for the hash of the row before row 1."""
LINE_LIMIT = 1 << 20
"""Bytes of one line of an export."""
_LIMITS = strict.Limits(LINE_LIMIT, 2, 16, 16)


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a log, in one line: its number and its hash. A log without rows has the
    head `0:000…`."""

    seq: int = 0
    hash: str = NOTHING

    @property
    def text(self) -> str:
        """`SEQ:HASH`."""
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read `SEQ:HASH`. Raises: `publisher/audit-head`."""
        match = grammar.AUDIT_HEAD.fullmatch(text.strip())
        if match is None or (int(match[1]) == 0 and match[2] != NOTHING):
            raise error("publisher/audit-head", head=text[:80])
        return cls(int(match[1]), match[2])


def row_hash(
    previous: str, seq: int, at: int, actor: str, event: str, subject: str, detail: str
) -> str:
    """The hash of a row: 64 lower-case hexadecimal digits.

    Args:
        previous: the hash of the row before, `NOTHING` for row 1.
        detail: the text as it is kept, canonical JSON.
    Raises: ValueError where a number or a text is none that canonical JSON can hold.
    Source: docs/spec/12-audit.md, section 12.2.
    """
    body: strict.JSONObject = {
        "actor": actor,
        "at": at,
        "detail": detail,
        "event": event,
        "previous": previous,
        "seq": seq,
        "subject": subject,
        "v": 1,
    }
    return hashlib.sha256(PREFIX + strict.canonical(body)).hexdigest()


def check_clock(now: int) -> None:
    """Refuse a clock that no row and no file can hold. Raises: `publisher/clock`."""
    if not 0 <= now <= strict.MAX_INTEGER:
        raise error("publisher/clock", detail=f"it shows {instant_text(now)}", today="YYYY-MM-DD")


def append(
    head: Head, now: int, entries: Iterable[tuple[str, str, str, Mapping[str, Any]]]
) -> Iterator[AuditRow]:
    """The rows that follow `head`.

    Args:
        now: Unix seconds, of all of them.
        entries: actor, event, subject and detail of each.
    Raises: `publisher/clock`, where a row cannot hold `now`.
    """
    check_clock(now)
    seq, previous = head.seq, head.hash
    for actor, event, subject, detail in entries:
        seq += 1
        text = strict.canonical(detail).decode("utf-8")
        previous = row_hash(previous, seq, now, actor, event, subject, text)
        yield AuditRow(seq, now, actor, event, subject, text, previous)


def check(rows: Iterable[AuditRow], wanted: Head | None = None) -> Head:
    """Walk a log from row 1 to its end; its head.

    Args:
        rows: in the order in which they stand.
        wanted: a head that was kept elsewhere; the log must contain it.
    Raises: `publisher/audit-broken`, naming the first row that is not the one that was written.
    """
    head = Head()
    for row in walk(rows):
        head = Head(row.seq, row.hash)
        if wanted is not None and row.seq == wanted.seq and row.hash != wanted.hash:
            raise _broken(row.seq, "it is not the row that the given head names")
    if wanted is not None and head.seq < wanted.seq:
        raise _broken(
            head.seq + 1, f"it is missing; the log was cut and ends before row {wanted.seq}"
        )
    return head


def walk(rows: Iterable[AuditRow]) -> Iterator[AuditRow]:
    """Give on each row of a log that holds up to there. Raises: as `check`."""
    head = Head()
    for row in rows:
        head = _step(head, row)
        yield row


def _step(head: Head, row: AuditRow) -> Head:
    due = head.seq + 1
    if row.seq > due:
        raise _broken(due, f"it is missing; row {row.seq} is in its place")
    if row.seq < due:
        raise _broken(due, f"row {row.seq} is in its place, inserted or out of order")
    try:
        computed = row_hash(
            head.hash, row.seq, row.at, row.actor, row.event, row.subject, row.detail
        )
    except ValueError:
        computed = ""
    if computed != row.hash:
        raise _broken(due, "it was changed, inserted or moved")
    return Head(row.seq, row.hash)


def _broken(seq: int, detail: str) -> MusterError:
    return error("publisher/audit-broken", seq=seq, detail=detail)


def write_line(row: AuditRow) -> bytes:
    """One line of an export, with its line end."""
    body: strict.JSONObject = {
        "actor": row.actor,
        "at": row.at,
        "detail": row.detail,
        "event": row.event,
        "hash": row.hash,
        "seq": row.seq,
        "subject": row.subject,
        "v": 1,
    }
    return strict.canonical(body) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Iterator[AuditRow]:
    """The rows of an export.

    Raises: `publisher/audit-broken` for a line that no export has, named by the row that should
        are there.
    """
    for due, line in enumerate(lines, 1):
        row = _read_line(line)
        if row is None:
            raise _broken(due, "its line in the file is not one of an export, or is cut")
        yield row


def _read_line(line: bytes) -> AuditRow | None:
    if not line.endswith(b"\n"):
        return None
    try:
        body = strict.read(line[:-1], _LIMITS, "export")
        row = AuditRow(
            *(body[name] for name in ("seq", "at", "actor", "event", "subject", "detail", "hash"))
        )
    except (MusterError, KeyError):
        return None
    numbers = type(row.seq) is int and type(row.at) is int
    texts = all(
        type(text) is str for text in (row.actor, row.event, row.subject, row.detail, row.hash)
    )
    return row if numbers and texts and write_line(row) == line else None
