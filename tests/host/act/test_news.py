"""News of publishers: fetched from the services that are meant, taken once."""

from __future__ import annotations

import pytest
from tests.host.conftest import START, World

from muster.core.errors import MusterError
from muster.host.act import news, updates
from muster.host.model import PublisherView
from muster.host.online import PublisherClient
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.testing.tiny_publisher import TinyPublisher

pytestmark = pytest.mark.real


def test_catalogue_and_terms_come_once_and_from_the_publisher_that_is_meant(host: World) -> None:
    updates.add_publisher(host.opened, TinyPublisher("fabrikam", now=START - 3600).file())
    asked = []
    with ThreadServer(host.publisher.router()) as server:

        def service(known: PublisherView) -> PublisherClient:
            asked.append(known.label)
            return PublisherClient(server.url, HTTPClient(5.0))

        host.publisher.publish([host.publisher.new_product("tiny", need=1)])
        first = news.fetch_catalogues(host.opened, service, "contoso")
        assert first.changed
        (update,) = first.publishers
        assert update.catalogue == update.catalogue_before + 1
        assert not news.fetch_catalogues(host.opened, service, host.id).changed
        (key,) = news.fetch_terms(host.opened, service).keys
        assert (key.activated, key.terms) == (True, None)
    assert asked == ["contoso"] * 3


def test_a_publisher_that_nobody_knows_is_not_asked(host: World) -> None:
    def service(known: PublisherView) -> PublisherClient:
        raise AssertionError(known.label)

    for act in (news.fetch_catalogues, news.fetch_terms):
        with pytest.raises(MusterError, match="host/unknown-publisher"):
            act(host.opened, service, "nobody")
