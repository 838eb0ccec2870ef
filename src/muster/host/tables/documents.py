"""Publishers as they are stored: anchors, trust, catalogues, addresses of services."""

from __future__ import annotations

from collections.abc import Iterable

from muster.core.values import dataclass
from muster.db.engine import Reader, Transaction


@dataclass(frozen=True, slots=True)
class PublisherRow:
    """A publisher as stored; nothing of it is verified. `news_at` is when its last news came, asked
    for or by file; at first when it was pinned."""

    publisher: str
    anchor: str
    url: str | None
    catalogue: str | None
    added_at: int
    news_at: int = 0


def publishers(reader: Reader) -> list[PublisherRow]:
    """All publishers, in the order in which they were added."""
    rows = reader.query(
        "SELECT p.publisher, p.anchor, p.url, p.catalogue, p.added_at,"
        " COALESCE(n.good_at, p.added_at) FROM publisher p"
        " LEFT JOIN news n ON n.publisher = p.publisher ORDER BY p.added_at, p.publisher"
    )
    return [PublisherRow(*row) for row in rows]


def add_publisher(tx: Transaction, row: PublisherRow) -> None:
    """Pin a publisher."""
    tx.execute(
        "INSERT INTO publisher (publisher, anchor, url, catalogue, added_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (row.publisher, row.anchor, row.url, row.catalogue, row.added_at),
    )


def remove_publisher(tx: Transaction, publisher: str) -> None:
    """Forget a publisher with its keys and grants; its machines stay counted until they age."""
    for table in ("host_key", "trust", "news", "publisher"):
        tx.execute(f"DELETE FROM {table} WHERE publisher = ?", (publisher,))  # noqa: S608


def set_catalogue(tx: Transaction, publisher: str, catalogue: str | None) -> None:
    """Keep the newest catalogue of a publisher, or forget the one held."""
    tx.execute(
        "UPDATE publisher SET catalogue = ? WHERE publisher = ?",
        (catalogue, publisher),
    )


def set_url(tx: Transaction, publisher: str, url: str) -> None:
    """Keep the address of a publisher's service."""
    tx.execute("UPDATE publisher SET url = ? WHERE publisher = ?", (url, publisher))


def trust_line(reader: Reader, publisher: str) -> list[str]:
    """The trust objects above the anchor, lowest version first."""
    rows = reader.query(
        "SELECT trust FROM trust WHERE publisher = ? ORDER BY version", (publisher,)
    )
    return [str(row[0]) for row in rows]


def add_trust(tx: Transaction, publisher: str, versions: Iterable[tuple[int, str]]) -> None:
    """Keep trust versions; one that is there already is replaced by what verified now."""
    for version, text in versions:
        tx.execute(
            "INSERT INTO trust (publisher, version, trust) VALUES (?, ?, ?)"
            " ON CONFLICT (publisher, version) DO UPDATE SET trust = excluded.trust",
            (publisher, version, text),
        )
