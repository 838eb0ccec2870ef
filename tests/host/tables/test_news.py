"""How the last asking of a publisher went is kept, and forgotten with the publisher."""

from __future__ import annotations

from dataclasses import replace

from tests.host.conftest import START, World

from muster.host.model import PublisherNews
from muster.host.tables import documents, news


def test_the_last_asking_is_kept_while_the_publisher_is_known(host: World) -> None:
    first = PublisherNews(host.id, START, None, "net/refused", START + 900, 1)
    second = replace(first, at=START + 900, good_at=START + 900, code="", failures=0)
    for told in (first, second, second):
        with host.database.transaction() as tx:
            news.put(tx, told)
        with host.database.snapshot() as reader:
            assert news.rows(reader) == {host.id: told}
    with host.database.transaction() as tx:
        documents.remove_publisher(tx, host.id)
        assert news.rows(tx) == {}
        # Its answer was under way.
        news.put(tx, second)
        assert news.rows(tx) == {}
