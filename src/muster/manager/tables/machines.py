"""The inventory: machines, and what sources and administrators say of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from muster.db.engine import Reader, Transaction
from muster.manager.model import Listed, Machine


def all_machines(reader: Reader) -> list[Machine]:
    """Every machine, by name."""
    groups = _words(reader, "SELECT DISTINCT machine, name FROM machine_group")
    tags = _words(reader, "SELECT machine, name FROM machine_tag")
    sources = _words(reader, "SELECT machine, source FROM machine_source")
    rows = reader.query(
        "SELECT m.id, m.name, m.address, m.port, m.account, m.added_at, coalesce("
        " (SELECT max(s.last_at) FROM machine_source s WHERE s.machine = m.id), m.added_at)"
        " FROM machine m ORDER BY m.name"
    )
    return [
        Machine(
            id=row[0],
            name=row[1],
            address=row[2],
            port=row[3],
            account=row[4],
            added_at=row[5],
            last_listed_at=row[6],
            groups=groups[row[0]],
            tags=tags[row[0]],
            sources=sources[row[0]],
        )
        for row in rows
    ]


def _words(reader: Reader, sql: str) -> defaultdict[int, tuple[str, ...]]:
    words: defaultdict[int, list[str]] = defaultdict(list)
    for machine, word in reader.query(sql):
        words[machine].append(word)
    return defaultdict(tuple, {machine: tuple(sorted(said)) for machine, said in words.items()})


def groups_of_source(reader: Reader, source: str) -> dict[str, tuple[str, ...]]:
    """For each name that a source lists, the groups that it says."""
    said: dict[str, tuple[str, ...]] = {}
    for name, group in reader.query(
        "SELECT m.name, g.name FROM machine_source s JOIN machine m ON m.id = s.machine"
        " LEFT JOIN machine_group g ON g.machine = s.machine AND g.source = s.source"
        " WHERE s.source = ?",
        (source,),
    ):
        said[name] = (*said.get(name, ()), *(() if group is None else (group,)))
    return said


def add(tx: Transaction, listed: Sequence[Listed], now: int) -> None:
    """Add machines, whose names nobody has."""
    row = tx.one("SELECT coalesce(max(id), 0) FROM machine")
    assert row is not None
    tx.execute_many(
        "INSERT INTO machine (id, name, address, port, account, added_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, item.name, item.address, item.port, item.account, now)
            for number, item in enumerate(listed, row[0] + 1)
        ],
    )


def change(tx: Transaction, listed: Iterable[Listed]) -> None:
    """Set address, port and account of machines, each where it is said."""
    tx.execute_many(
        "UPDATE machine SET address = CASE WHEN ? = '' THEN address ELSE ? END,"
        " port = CASE WHEN ? = 0 THEN port ELSE ? END,"
        " account = CASE WHEN ? = '' THEN account ELSE ? END WHERE name = ?",
        [
            (*(item.address,) * 2, *(item.port,) * 2, *(item.account,) * 2, item.name)
            for item in listed
        ],
    )


def list_by(
    tx: Transaction, source: str, names: Iterable[str], regrouped: Sequence[Listed], now: int
) -> None:
    """Say that a source lists machines now.

    Args:
        names: of all that it lists.
        regrouped: those of them whose groups it says otherwise than before, or for the first time.
    """
    ids = {row[0]: row[1] for row in tx.query("SELECT name, id FROM machine")}
    tx.execute_many(
        "INSERT INTO machine_source (machine, source, first_at, last_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (machine, source) DO UPDATE SET last_at = excluded.last_at",
        [(ids[name], source, now, now) for name in names],
    )
    tx.execute_many(
        "DELETE FROM machine_group WHERE machine = ? AND source = ?",
        [(ids[item.name], source) for item in regrouped],
    )
    tx.execute_many(
        "INSERT INTO machine_group (machine, source, name) VALUES (?, ?, ?)",
        [(ids[item.name], source, group) for item in regrouped for group in item.groups],
    )


def tag(tx: Transaction, machines: Iterable[str], tag: str) -> None:
    """Give machines a tag, by their names; who has it keeps it."""
    tx.execute_many(
        "INSERT INTO machine_tag (machine, name) SELECT id, ? FROM machine WHERE name = ?"
        " ON CONFLICT (machine, name) DO NOTHING",
        [(tag, machine) for machine in machines],
    )


def untag(tx: Transaction, machines: Iterable[str], tag: str) -> None:
    """Take a tag from machines, by their names."""
    tx.execute_many(
        "DELETE FROM machine_tag WHERE name = ?"
        " AND machine IN (SELECT id FROM machine WHERE name = ?)",
        [(tag, machine) for machine in machines],
    )


def remove(tx: Transaction, machines: Sequence[int]) -> None:
    """Forget machines and all that is said of them."""
    keys = [(machine,) for machine in machines]
    for table in ("machine_group", "machine_source", "machine_tag"):
        tx.execute_many(f"DELETE FROM {table} WHERE machine = ?", keys)  # noqa: S608
    tx.execute_many("DELETE FROM machine WHERE id = ?", keys)
