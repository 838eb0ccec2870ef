"""Whole tables, read a page at a time by their key."""

from __future__ import annotations

from pathlib import Path

from muster.db.rows import PAGE, Filler, columns, rows
from muster.db.sqlite import open_sqlite


def test_every_row_comes_once_in_the_order_of_its_key(tmp_path: Path) -> None:
    with open_sqlite(tmp_path / "x.db", create=True) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE t (a TEXT, b INTEGER, c TEXT, PRIMARY KEY (a, b)) STRICT")
            filler = Filler(tx)
            for number in range(3 * PAGE):
                filler.take("t", {"a": f"k{number % 3}", "b": number, "c": None})
            filler.flush()
        with db.snapshot() as reader:
            found = [(row["a"], row["b"]) for row in rows(reader, "t", ("a", "b"))]
            assert columns(reader, "t") == ["a", "b", "c"]
    assert found == sorted((f"k{number % 3}", number) for number in range(3 * PAGE))
