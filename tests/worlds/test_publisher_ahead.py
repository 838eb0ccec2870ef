"""A publisher whose clock was ahead, at its real service, and what it activated meanwhile."""

from __future__ import annotations

import pytest
from tests.worlds.test_onetime_publisher import Fair, fair, online, state

from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.core.products import DAY, day_of, day_start
from muster.core.states import LicenceState
from muster.host import look
from muster.host.act import activate, news, updates
from muster.host.model import PublisherView
from muster.host.online import PublisherClient
from muster.publisher.act import clock as act
from muster.testing.clock import ManualClock
from muster.testing.real import RealHost, install
from muster.wire.exchange import ReplyFile

__all__ = ["fair"]
pytestmark = pytest.mark.real

AHEAD = 25


def mended(fair: Fair) -> None:
    """The publisher's clock is right again, and its engineer says and does so."""
    fair.clock.days(-AHEAD)
    admin = fair.shop.admin()
    act.confirm(admin, day_of(fair.clock.seconds))
    assert act.repair(admin).changed


@pytest.mark.parametrize("way", ["online", "by itself", "file", "telephone"])
def test_a_host_activated_in_the_future_serves_after_one_act(fair: Fair, way: str) -> None:
    key = fair.admin.issue_host_keys("server-b", term=12)[0].key
    clock = ManualClock(fair.clock.seconds)
    right = fair.clock.seconds
    fair.clock.days(AHEAD)

    def service(_: PublisherView) -> PublisherClient:
        return PublisherClient(fair.url)

    with RealHost(fair.folder / "host", clock) as host:
        updates.add_publisher(host.opened, fair.admin.export(fair.url))
        install(host.opened, key.text, host.facts)
        for _ in range(2):  # the same grant again
            with pytest.raises(MusterError) as told:
                activate.activate(host.opened, service)
            assert told.value.code == "host/grant-not-yet"
            assert why_not_live(host) == "host/grant-not-yet"

        mended(fair)

        request = look.key_request(host.opened)
        assert request is not None, "its key waits for activation"
        if way == "online":
            assert activate.activate(host.opened, service).changed
        elif way == "by itself":
            news.follow(host.opened, service, fair.admin.publisher.id)
        else:
            answered = fair.service.activate(request.installation_id, way)
            assert not answered.drawn
            if way == "file":
                reply = ReplyFile(fair.admin.publisher.id, answered.answer)
                assert activate.apply_reply(host.opened, reply).changed
            else:
                digits = answered.answer.confirmation_id
                assert activate.confirm(host.opened, digits).changed
        assert why_not_live(host) == ""
        (grant,) = host.opened.current().publishers[fair.admin.publisher.id].grants
        assert grant.grant.iat == day_start(day_of(right))
        assert look.key_request(host.opened) is None
    assert [one.seat.activations for one in fair.admin.hosts()] == [1]


def why_not_live(host: RealHost) -> str:
    from muster.host.rules import live

    (view,) = host.opened.current().publishers.values()
    (grant,) = view.grants
    problem = live(view, grant, host.opened.clock.now())
    return "" if problem is None else problem.code


@pytest.mark.parametrize("way", ["online", "telephone"])
def test_an_evaluation_of_the_future_runs_after_one_act(fair: Fair, way: str) -> None:
    key = fair.key(kind=Kind.EVALUATION, term=3)
    right = fair.clock.seconds
    client = fair.machine("pc-1", key)
    fair.clock.days(AHEAD)
    digits = fair.by_telephone(client)
    fair.clock.days(-AHEAD)
    with pytest.raises(MusterError, match="licence/clock"):
        client.confirm(digits)
    fair.clock.days(AHEAD)
    mended(fair)
    if way == "online":
        assert online(client).renewed
    else:
        client.confirm(fair.by_telephone(client))
    assert state(client) == (LicenceState.EXTENDED_GRACE, True)
    assert client.status().verdict.until == day_start(day_of(right)) + 90 * DAY
    assert fair.drawn(key) == 1


def test_a_machine_that_was_ahead_with_its_publisher_runs_again(fair: Fair) -> None:
    """It holds the evaluation that begins in the future, and asks again by itself."""
    key = fair.key(kind=Kind.EVALUATION, term=3)
    client = fair.machine("pc-1", key)
    fair.clock.days(AHEAD)
    assert online(client).renewed
    mended(fair)
    (found,) = client.activate(typed=False)
    assert found.renewed
    assert state(client) == (LicenceState.EXTENDED_GRACE, True)
    assert fair.drawn(key) == 1
