"""How the last asking of each publisher for news went, and when news of it last came."""

from __future__ import annotations

from muster.db.engine import Reader, Transaction
from muster.host.model import PublisherNews


def put(tx: Transaction, news: PublisherNews) -> None:
    """Remember how the last asking of a publisher went; of one that was removed meanwhile nothing
    is. Where it brought nothing, when news last came stays: a file may have come meanwhile."""
    tx.execute(
        "INSERT INTO news (publisher, at, good_at, code, failures, next_at)"
        " SELECT publisher, ?, ?, ?, ?, ? FROM publisher WHERE publisher = ?"
        " ON CONFLICT (publisher) DO UPDATE SET at = excluded.at, good_at = CASE"
        " WHEN excluded.code = '' THEN excluded.good_at ELSE news.good_at END,"
        " code = excluded.code, failures = excluded.failures, next_at = excluded.next_at",
        (news.at, news.good_at, news.code, news.failures, news.next_at, news.publisher),
    )


def came(tx: Transaction, publisher: str, now: int) -> None:
    """Remember that news of a publisher came otherwise than to the running host: by file, or to a
    command that asked."""
    tx.execute(
        "INSERT INTO news (publisher, at, good_at, code, failures, next_at)"
        " VALUES (?, ?, ?, '', 0, ?) ON CONFLICT (publisher) DO UPDATE SET"
        " good_at = excluded.good_at",
        (publisher, now, now, now),
    )


def rows(reader: Reader) -> dict[str, PublisherNews]:
    """The last asking of each publisher that was asked."""
    listed = reader.query(
        "SELECT publisher, at, good_at, code, next_at, failures FROM news ORDER BY publisher"
    )
    return {row["publisher"]: PublisherNews(*row) for row in listed}
