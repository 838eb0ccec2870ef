"""Activation of a host by its acts: online, by file and by digits; and what is shown for it."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest
from tests.db.counted import Counted
from tests.host.conftest import HOST_FACTS, World

from muster.core.errors import MusterError
from muster.core.products import DAY, Revocation, day_of
from muster.core.records import encode, schema
from muster.host import keys, look
from muster.host.act import activate as act
from muster.host.act import grants, news, updates
from muster.host.model import PublisherView
from muster.host.online import PublisherClient
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.exchange import ConfirmationFile

pytestmark = pytest.mark.real


def installed(world: World, group: str = "server") -> str:
    """Install a host key; its key id."""
    updates.add_publisher(world.opened, world.publisher.file())
    return install(world.opened, world.publisher.host_key(group).text, HOST_FACTS).key_id


def nobody(known: PublisherView) -> PublisherClient:
    raise AssertionError(known.label)


def test_all_keys_that_wait_are_activated_online_once(world: World) -> None:
    first, second = installed(world), installed(world, "limited")
    with ThreadServer(world.publisher.router()) as server:
        done = act.activate(
            world.opened, lambda _: PublisherClient(server.url, HTTPClient(5.0)), "contoso"
        )
    assert {one.key for one in done.activated} == {first, second}
    assert [one.label for one in done.activated] == ["contoso"] * 2
    assert {one.key for one in done.activated if one.lacks_terms} == {second}
    jsonschema.validate(encode(done), schema(type(done)), jsonschema.Draft202012Validator)
    again = act.activate(world.opened, nobody)
    assert (again.changed, again.activated) == (False, ())
    assert look.key_request(world.opened) is None


def test_digits_come_by_file_and_by_telephone_and_change_nothing_twice(world: World) -> None:
    key = installed(world)
    counted = Counted(world.database)
    asked = look.key_request(replace(world.opened, database=counted), "contoso", name="hall")
    assert asked is not None
    assert (counted.snapshots, counted.transactions) == (1, 0)
    assert (asked.key, asked.activated, asked.file.request.name) == (key, False, "hall")
    digits = world.publisher.confirm(asked.installation_id).confirmation_id
    counted = Counted(world.database)
    done = act.confirm(replace(world.opened, database=counted), digits, "contoso")
    assert (done.changed, done.activated[0].key) == (True, key)
    assert (counted.snapshots, counted.transactions) == (0, 1)
    with pytest.raises(MusterError, match="host/no-key"):
        act.apply_reply(world.opened, ConfirmationFile(world.id, digits))
    shown = look.key_request(world.opened, key=key)
    assert shown is not None
    assert shown.activated


def test_a_key_or_publisher_that_is_not_there_is_told_before_anybody_is_asked(
    world: World,
) -> None:
    installed(world)
    with pytest.raises(MusterError, match="host/unknown-key"):
        act.activate(world.opened, nobody, key="XXXXX")
    with pytest.raises(MusterError, match="host/unknown-publisher"):
        act.activate(world.opened, nobody, "nobody")


def test_a_key_that_is_refused_stops_no_other(world: World) -> None:
    first, second = installed(world), installed(world, "limited")
    day = day_of(world.publisher.now)
    bad, good = first, second
    world.publisher.publish(revocations=[Revocation(jti=None, key=bad, at=day)])
    with ThreadServer(world.publisher.router()) as server:

        def service(known: PublisherView) -> PublisherClient:
            return PublisherClient(server.url, HTTPClient(5.0))

        done = act.activate(world.opened, service)
        assert [key.key for key in done.activated] == [good]
        (refused,) = done.refused
        assert (refused.key, refused.error.code) == (bad, "publisher/key-revoked")
        jsonschema.validate(encode(done), schema(type(done)), jsonschema.Draft202012Validator)
        again = act.activate(world.opened, service)
        assert [(key.key, key.error.code) for key in again.refused] == [
            (bad, "publisher/key-revoked"),
            (good, "host/terms-required"),
        ]
        with pytest.raises(MusterError, match="publisher/key-revoked"):
            act.activate(world.opened, service, key=bad)


def test_a_grant_that_was_lost_beside_a_good_one_is_told_and_no_success(world: World) -> None:
    first, second = installed(world, "office"), installed(world, "limited")
    with ThreadServer(world.publisher.router()) as server:
        done = act.activate(world.opened, lambda _: PublisherClient(server.url, HTTPClient(5.0)))
    assert {key.key for key in done.activated} == {first, second}
    assert [(key.key, key.error.code) for key in act.activate(world.opened, nobody).refused] == [
        (second, "host/terms-required")
    ]
    day = day_of(world.publisher.now)
    world.publisher.publish(revocations=[Revocation(jti=None, key=first, at=day)])
    updates.add_publisher(world.opened, world.publisher.file())
    again = act.activate(world.opened, nobody)
    assert {(key.key, key.error.code) for key in again.refused} == {
        (first, "host/grant-revoked"),
        (second, "host/terms-required"),
    }


def test_all_keys_that_are_refused_are_listed(world: World) -> None:
    keys = {installed(world), installed(world, "limited")}
    day = day_of(world.publisher.now)
    revoked = [Revocation(jti=None, key=key, at=day) for key in sorted(keys)]
    world.publisher.publish(revocations=revoked)
    with ThreadServer(world.publisher.router()) as server:
        done = act.activate(
            world.opened, lambda _: PublisherClient(server.url, HTTPClient(5.0)), one_address=True
        )
    assert (done.changed, done.activated) == (False, ())
    assert {key.key for key in done.refused} == keys
    assert {key.error.code for key in done.refused} == {"publisher/key-revoked"}


def test_one_address_is_shown_the_keys_of_one_publisher(world: World) -> None:
    installed(world)
    stranger = TinyPublisher("fabrikam", now=world.publisher.now)
    updates.add_publisher(world.opened, stranger.file())
    install(world.opened, stranger.host_key("server").text, HOST_FACTS)
    with pytest.raises(MusterError, match="host/which-publisher"):
        act.activate(world.opened, nobody, one_address=True)
    with pytest.raises(MusterError, match="host/which-publisher"):
        news.fetch_catalogues(world.opened, nobody, one_address=True)
    with pytest.raises(MusterError, match="host/which-publisher"):
        news.fetch_terms(world.opened, nobody, one_address=True)


def test_a_grant_that_begins_later_is_no_activation(world: World) -> None:
    """The publisher's clock was ahead: the host says so until its grant was given anew."""
    installed(world)
    world.publisher.now += 20 * DAY
    with ThreadServer(world.publisher.router()) as server:

        def service(_: PublisherView) -> PublisherClient:
            return PublisherClient(server.url, HTTPClient(5.0))

        for _ in range(2):
            with pytest.raises(MusterError, match="host/grant-not-yet") as caught:
                act.activate(world.opened, service)
            assert "clock repair" in caught.value.fix


def test_news_draw_no_activation_for_a_signing_key_that_was_made_anew(world: World) -> None:
    """That is for the administrator to ask, who may have the file of before."""
    installed(world)
    asked = look.key_request(world.opened)
    assert asked is not None
    grants.accept(world.opened, world.id, world.publisher.confirm(asked.installation_id))
    assert len(keys.activated(world.opened.current().publishers[world.id])) == 1
    world.opened.keyring.path(world.id).unlink()
    world.opened.keyring.ensure(world.id, world.opened.dice)
    assert keys.activated(world.opened.current().publishers[world.id]) == []


def test_a_signing_key_that_was_lost_is_mended_for_every_key_of_the_publisher(world: World) -> None:
    """One key file is behind all of them, so that one key installed anew changes all."""
    updates.add_publisher(world.opened, world.publisher.file())
    typed = world.publisher.host_key("server").text
    first = install(world.opened, typed, HOST_FACTS).key_id
    second = install(world.opened, world.publisher.host_key("office").text, HOST_FACTS).key_id
    with ThreadServer(world.publisher.router()) as server:

        def service(known: PublisherView) -> PublisherClient:
            return PublisherClient(server.url, HTTPClient(5.0))

        assert len(act.activate(world.opened, service).activated) == 2
        path = world.opened.keyring.path(world.id)
        before = path.read_bytes()
        path.unlink()
        install(world.opened, typed, HOST_FACTS)
        (known,) = look.status(world.opened).publishers
        codes = [fault.code for fault in known.faults]
        assert codes == ["host/other-signing-key"], "the key that was not installed again says so"
        asked = look.key_request(world.opened, key=second)
        assert asked is not None
        assert not asked.activated
        done = act.activate(world.opened, service)
        assert {key.key for key in done.activated if key.changed} == {first, second}
        view = world.opened.current().publishers[world.id]
        assert {held.grant.key for held in view.grants} == {first, second}
        assert view.faults == ()
        # Another file of before brings the state of before back, and is told in the same words.
        path.write_bytes(before)
        codes = [fault.code for fault in world.opened.current().publishers[world.id].faults]
        assert codes == ["host/other-signing-key"] * 2
        assert not act.activate(world.opened, service).refused
        assert world.opened.current().publishers[world.id].faults == ()


def test_terms_of_a_grant_for_another_signing_key_are_not_kept(world: World) -> None:
    key = installed(world, "limited")
    asked = look.key_request(world.opened)
    assert asked is not None
    answer = world.publisher.confirm(asked.installation_id, limit=9)
    assert not grants.accept(world.opened, world.id, answer).lacks_terms
    # A repeat without terms leaves those that are held.
    assert not grants.accept(world.opened, world.id, replace(answer, terms=None)).changed
    world.opened.keyring.path(world.id).unlink()
    world.opened.keyring.ensure(world.id, world.opened.dice)
    asked = look.key_request(world.opened, key=key)
    assert asked is not None
    answer = world.publisher.confirm(asked.installation_id)
    assert grants.accept(world.opened, world.id, answer).lacks_terms
    assert world.opened.current().publishers[world.id].faults == ()


def test_a_grant_that_did_not_come_is_waited_for_where_it_can_be_asked_for(world: World) -> None:
    updates.add_publisher(world.opened, world.publisher.file())
    typed = world.publisher.host_key("server").text
    install(world.opened, typed, HOST_FACTS)

    def ask() -> tuple[int | None, str]:
        def away(known: PublisherView) -> PublisherClient:
            return PublisherClient("http://127.0.0.1:9", HTTPClient(5.0))

        with pytest.raises(MusterError, match="net/refused"):
            act.activate(world.opened, away, name="hall")
        return waits()

    def waits() -> tuple[int | None, str]:
        (held,) = look.status(world.opened).publishers[0].keys
        return held.asked_at, held.refusal

    assert waits() == ask() == (None, ""), "the publisher has no address"
    updates.update(world.opened, world.id, url="http://publisher.test")
    assert ask() == (world.clock.now(), "net/refused")
    newest = look.audit(world.opened, 1).audit[-1]
    assert (newest.event, newest.detail) == ("host:grant:refuse", "net/refused")
    # Installed once more it waits on; what comes by another way ends that.
    install(world.opened, typed, HOST_FACTS)
    assert waits()[1] == "net/refused"
    asked = look.key_request(world.opened)
    assert asked is not None
    act.confirm(world.opened, world.publisher.confirm(asked.installation_id).confirmation_id)
    assert waits() == (None, "")


def test_a_host_whose_keys_are_all_revoked_is_told_so(world: World) -> None:
    first = installed(world)
    with ThreadServer(world.publisher.router()) as server:
        act.activate(world.opened, lambda _: PublisherClient(server.url, HTTPClient(5.0)))
        assert not act.activate(world.opened, nobody).changed
        day = day_of(world.publisher.now)
        world.publisher.publish(revocations=[Revocation(jti=None, key=first, at=day)])
        updates.add_publisher(world.opened, world.publisher.file())
        for asked in (
            lambda: act.activate(world.opened, nobody),
            lambda: act.activate(world.opened, nobody, "contoso"),
            lambda: act.activate(world.opened, nobody, None, first),
            lambda: look.key_request(world.opened),
        ):
            with pytest.raises(MusterError, match="host/grant-revoked"):
                asked()
        # Another key beside it: it is activated, and then nothing is to do.
        second = installed(world, "limited")
        done = act.activate(world.opened, lambda _: PublisherClient(server.url, HTTPClient(5.0)))
        assert [key.key for key in done.activated] == [second]
        assert not act.activate(world.opened, nobody).changed
