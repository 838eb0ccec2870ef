"""News of publishers: fetched from the services that are meant, taken once."""

from __future__ import annotations

import jsonschema
import pytest
from tests.host.conftest import HOST_FACTS, START, World

from muster.core.errors import MusterError
from muster.core.products import Revocation, day_of
from muster.core.records import encode, schema
from muster.host.act import news, updates
from muster.host.act.activate import activate
from muster.host.model import PublisherView
from muster.host.online import PublisherClient
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.testing.real import install
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


def test_a_key_that_is_refused_stops_no_other(host: World) -> None:
    """The first key of the two is revoked; the good one beside it gets what there is."""
    good = install(host.opened, host.publisher.host_key("limited").text, HOST_FACTS).key_id
    view = host.opened.current().publishers[host.id]
    (bad,) = (key.key_id for key in view.keys if key.grant is not None)
    with ThreadServer(host.publisher.router()) as server:

        def service(known: PublisherView) -> PublisherClient:
            return PublisherClient(server.url, HTTPClient(5.0))

        activate(host.opened, service)
        host.publisher.publish(revocations=[Revocation(jti=None, key=bad, at=day_of(START))])
        found = news.fetch_terms(host.opened, service)
        assert [key.key for key in found.keys] == [good]
        (refused,) = found.refused
        assert (refused.key, refused.error.code) == (bad, "publisher/key-revoked")
        jsonschema.validate(encode(found), schema(type(found)), jsonschema.Draft202012Validator)
        host.publisher.publish(revocations=[Revocation(jti=None, key=good, at=day_of(START))])
        none = news.fetch_terms(host.opened, service)
        assert (none.changed, none.keys) == (True, ())
        assert {key.key for key in none.refused} == {bad, good}


@pytest.mark.parametrize("away", ["contoso", "fabrikam"])
def test_a_publisher_that_does_not_answer_stops_no_other(host: World, away: str) -> None:
    other = TinyPublisher("fabrikam", now=START - 3600)
    updates.add_publisher(host.opened, other.file())
    install(host.opened, other.host_key("server").text, HOST_FACTS)
    with ThreadServer(other.router()) as server:
        activate(host.opened, lambda _: PublisherClient(server.url, HTTPClient(5.0)))
    gone, answering = server.url, other if away == "contoso" else host.publisher
    with ThreadServer(answering.router()) as server:

        def service(known: PublisherView) -> PublisherClient:
            url = gone if known.label == away else server.url
            return PublisherClient(url, HTTPClient(5.0))

        found = news.fetch_terms(host.opened, service)
        fetched = news.fetch_catalogues(host.opened, service)
        with pytest.raises(MusterError, match="net/"):
            news.fetch_catalogues(host.opened, service, away)
    assert [update.publisher for update in fetched.publishers] == [answering.publisher]
    assert [(one.label, one.error.code[:4]) for one in fetched.refused] == [(away, "net/")]
    assert [key.publisher for key in found.keys] == [answering.publisher]
    (refused,) = found.refused
    assert refused.publisher != answering.publisher
    assert refused.error.code.startswith("net/")
