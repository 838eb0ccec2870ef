"""Two states of one host become one: by maximum, in any order, and twice as once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muster.host import count
from muster.host.count import Seen
from muster.host.store import open_store
from muster.host.tables.merging import Merger

KEY = {"publisher": "p", "cmid": "c"}
SIGHTINGS = [
    KEY | {"application": "a", "last_seen": seen, "released": released}
    for seen, released in ((10, 0), (20, 15), (12, 30))
]
COUNTERS = [
    {"publisher": "p", "product": "x", "code": "", "state": 1, "number": number}
    for number in (3, 9, 5)
]
LEASE = KEY | {"product": "x", "application": "a", "grant_jti": "g", "nonce": "n"}
LEASES = [
    LEASE | {"jti": "one", "issued_at": 10, "expires_at": 50, "released_at": 0},
    LEASE | {"jti": "one", "issued_at": 10, "expires_at": 50, "released_at": 20},
    LEASE | {"jti": "two", "issued_at": 30, "expires_at": 70, "released_at": 0},
]


def merged(folder: Path, table: str, rows: tuple[Any, ...]) -> dict[str, Any]:
    with open_store(folder, 0, create=True) as db, db.transaction() as tx:
        tx.execute(f"DELETE FROM {table}")
        merger = Merger(tx)
        for row in rows:
            merger.take(table, row)
        found = tx.one(f"SELECT * FROM {table}")
        assert found is not None
        return dict(zip(found.keys(), found, strict=True))


def test_every_order_ends_in_the_greatest(tmp_path: Path) -> None:
    for table, rows, wanted in (
        ("sighting", SIGHTINGS, {"last_seen": 20, "released": 30}),
        ("counter", COUNTERS, {"number": 9}),
        ("lease", LEASES, {"jti": "two", "expires_at": 70, "released_at": 0}),
        ("lease", LEASES[:2], {"jti": "one", "released_at": 20}),
    ):
        for order in itertools.permutations(rows):
            found = merged(tmp_path, table, (*order, order[0]))
            assert {name: found[name] for name in wanted} == wanted, order


def test_sightings_merge_by_the_rule_of_the_chapter(tmp_path: Path) -> None:
    """Section 6.1 as a function, and as the SQL that takes rows of a backup."""

    def seen(row: Mapping[str, Any]) -> Seen:
        return Seen(row["last_seen"], row["released"])

    found = merged(tmp_path, "sighting", tuple(SIGHTINGS))
    assert seen(found) == functools.reduce(count.merge, map(seen, SIGHTINGS))
