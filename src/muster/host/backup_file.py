"""Backup of a host: what is in the file, and what of it is believed when it is put back.

Decides which tables are kept, which keys beside them, and that what a backup says of the lines of
machines is forgotten: they went on since. Refuses to know where files are and who asks. Obeys
docs/spec/09-files.md, section 9.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from muster.core import grammar
from muster.core.products import SKEW
from muster.core.values import dataclass
from muster.db.engine import ConstraintError, Reader, Transaction
from muster.db.migrate import load_migrations
from muster.db.rows import Filler, rows
from muster.host.store import SCHEMA
from muster.host.tables import merging, own
from muster.system.linefile import LineFile, LineWriter, Row, damaged, table_row

KIND = "muster-host-backup"
TABLES: Mapping[str, Sequence[str]] = {
    "host": ("id",),
    "publisher": ("publisher",),
    "trust": ("publisher", "version"),
    "host_key": ("publisher", "key_id"),
    "sighting": ("publisher", "application", "cmid"),
    "machine": ("publisher", "cmid"),
    "lease": ("publisher", "cmid", "product"),
    "request_log": ("id",),
    "counter": ("publisher", "product", "code", "state"),
    "setting": ("name",),
    "audit": ("id",),
}
"""Tables in the order in which they can be filled, with what orders their rows."""
MERGED = frozenset({"sighting", "machine", "lease", "counter"})
"""Tables of which a merge takes rows: what machines did."""


@dataclass(frozen=True, slots=True)
class HostBackup:
    """A backup that was read to its end.

    `host` the id of its store; `bindings` of its host keys: publisher, key id, binding; `keys` the
    sealed signing keys by publisher.
    """

    host: str
    made_at: int
    rows: int
    bindings: frozenset[tuple[str, str, str]]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Merged:
    """How many rows a merge took, and how many it passed over: of publishers that this host does
    not know, or from the future."""

    taken: int
    skipped: int


def write(out: BinaryIO, reader: Reader, now: int, sealed: Mapping[str, str]) -> int:
    """Write one state of the tables; how many lines.

    Args:
        now: Unix seconds. sealed: texts of key files by publisher (section 9.3).
    """
    schema = len(load_migrations(SCHEMA))
    lines = LineWriter(
        out,
        {"v": 1, "file": KIND, "host": own.store_id(reader), "made_at": now, "schema": schema},
    )
    for table, key in TABLES.items():
        for row in rows(reader, table, key):
            lines.line({"table": table, "row": dict(row)})
    for publisher, text in sorted(sealed.items()):
        lines.line({"key": publisher, "sealed": text})
    lines.end()
    return lines.count


def read(file: LineFile) -> HostBackup:
    """Read a backup to its end and change nothing. Raises: `backup/damaged`, `backup/newer`,
    `file/…`."""
    bindings: set[tuple[str, str, str]] = set()
    keys: dict[str, str] = {}

    def take(table: str, row: Row) -> None:
        if table == "host_key":
            names = ("publisher", "key_id", "binding")
            bindings.add((str(row.get(names[0])), str(row.get(names[1])), str(row.get(names[2]))))
            bytes.fromhex(str(row.get("proof_key")))

    head = file.head(KIND, {"host": str}, len(load_migrations(SCHEMA)))
    if not grammar.BARE_UUID.fullmatch(head["host"]):
        raise damaged(file.path, 1, "it names no host")
    number = _walk(file, take, keys)
    return HostBackup(head["host"], head["made_at"], number, frozenset(bindings), keys)


def fill(file: LineFile, tx: Transaction, now: int) -> None:
    """Put all rows into empty tables; the caller undoes it when this raises. Raises: as `read`."""
    filler = Filler(tx)

    def take(table: str, row: Row) -> None:
        if table == "machine":
            row = forget_line(row, now)
        elif table == "host":
            row = {**row, "listen_address": None, "listen_port": None}
        filler.take(table, row)

    number = _walk(file, take, {})
    try:
        filler.flush()
    except ConstraintError as fault:
        raise damaged(file.path, number + 1, "a row breaks a rule of its table") from fault


def merge(file: LineFile, tx: Transaction, now: int, publishers: frozenset[str]) -> Merged:
    """Take what machines did into tables that have rows: by maximum, never lowering anything.

    Args:
        publishers: ids of those that this host knows.
    Raises: as `read`.
    """
    taken = skipped = 0
    merger = merging.Merger(tx)

    def take(table: str, row: Row) -> None:
        nonlocal taken, skipped
        if table not in MERGED:
            return
        if row.get("publisher") not in publishers or _ahead(row, now):
            skipped += 1
            return
        merger.take(table, forget_line(row, now) if table == "machine" else row)
        taken += 1

    _walk(file, take, {})
    return Merged(taken, skipped)


def forget_line(row: Row, now: int) -> Row:
    """A machine as a backup knows it, without what its line and its hardware were: it asked since,
    and must not be found to be its own clone (docs/spec/06-counting.md, section 6.4.2)."""
    asked = row.get("asked_at")
    ahead = isinstance(asked, int) and asked > now + SKEW
    return {
        **row,
        "nonce": "",
        "fingerprint": "",
        "left_lines": "",
        "forked_at": 0,
        "asked_at": now if ahead else asked,
    }


def _ahead(row: Row, now: int) -> bool:
    times = (row.get(name) for name in ("last_seen", "released", "issued_at", "released_at"))
    return any(isinstance(time, int) and time > now + SKEW for time in times)


def _walk(file: LineFile, take: Callable[[str, Row], None], keys: dict[str, str]) -> int:
    number = 0
    for line in file.lines():
        number += 1
        if "key" in line.value:
            publisher, sealed = line.value["key"], line.value.get("sealed")
            if type(publisher) is not str or type(sealed) is not str or len(line.value) != 2:
                raise damaged(file.path, line.number, "it is no key")
            keys[publisher] = sealed
            continue
        table, row = table_row(file.path, line, TABLES)
        try:
            take(table, row)
        except (ConstraintError, ValueError) as fault:
            raise damaged(file.path, line.number, "a row breaks a rule of its table") from fault
    return number
