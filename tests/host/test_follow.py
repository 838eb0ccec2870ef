"""A running host follows its publishers by itself: nothing is typed on it or on its clients."""

from __future__ import annotations

import math
import socket
from dataclasses import replace

import pytest
from tests.host.conftest import START, World
from tests.net.exposition import number_of

from muster.core.products import DAY, Revocation, day_of
from muster.host import follow, look, schedule
from muster.host.act import enrol, settings, updates
from muster.host.act.news import import_catalogue
from muster.host.follow import Follower
from muster.host.model import PublisherView, QueuedRequest, Refused
from muster.host.online import PublisherClient
from muster.host.results import NewsStatus
from muster.lease import strict
from muster.lease.claims import Claims
from muster.lease.grant import read_grant
from muster.lease.jws import MemorySigningKey, parse, sign
from muster.lease.lease import make_lease, read_claims
from muster.net.http import HTTPClient
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.net.serve import ThreadServer
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire import routes
from muster.wire.activation import ActivationAnswer

pytestmark = pytest.mark.real


class Followed:
    """A host with a follower whose steps a test takes, and the address of its publisher."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = "http://127.0.0.1:9"
        self.asked: list[str] = []
        updates.update(world.opened, world.id, url="http://publisher.test")
        self.follower = Follower(world.opened, self._service, world.service.condition)

    def _service(self, known: PublisherView) -> PublisherClient:
        self.asked.append(known.label)
        return PublisherClient(self.url, HTTPClient(5.0))

    def version(self) -> int:
        return self.world.opened.current().publishers[self.world.id].catalogue_version


@pytest.fixture
def followed(host: World) -> Followed:
    return Followed(host)


def test_news_come_by_the_schedule_and_survive_a_publisher_that_is_away(
    followed: Followed,
) -> None:
    world, step, clock = followed.world, followed.follower.step, followed.world.clock
    other = TinyPublisher("fabrikam", now=START - 3600)
    updates.add_publisher(world.opened, other.file())
    assert step() == []
    clock.pass_time(schedule.FIRST)
    # Nobody is there: told once, asked again soon, and less often from then on.
    (told,) = step()
    assert (told.code, told.good_at) == ("net/refused", None)
    assert clock.now() < told.next_at <= clock.now() + schedule.AGAIN
    assert [one.code for one in world.service.condition.area("news")] == ["net/refused"]
    clock.pass_time(schedule.AGAIN)
    (again,) = step()
    assert again.next_at > clock.now() + schedule.AGAIN
    with ThreadServer(world.publisher.router()) as server:
        followed.url = server.url
        before = followed.version()
        world.publisher.publish([world.publisher.new_product("tiny", need=1)])
        clock.pass_time(2 * schedule.AGAIN)
        (well,) = step()
        assert (well.code, well.good_at) == ("", clock.now())
        families = followed.follower.families()
        for name, expected in (
            ("news_timestamp_seconds", clock.now()),
            ("news_asked_timestamp_seconds", clock.now()),
            ("news_failures", 0),
        ):
            assert number_of(families, name, world.id) == expected
        assert followed.version() == before + 1
        assert world.service.condition.area("news") == ()
        assert step() == []
        clock.pass_time(DAY)
        assert len(step()) == 1
    # A publisher without an address is followed by file.
    assert set(followed.asked) == {"contoso"}
    settings.set_setting(world.opened, "news_interval", "0")
    clock.pass_time(DAY)
    assert step() == []
    assert followed.follower.told == ()


def test_news_by_file_are_news(followed: Followed) -> None:
    """Of a publisher without an address, and where nobody is asked: status and metrics say when."""
    world, clock, follower = followed.world, followed.world.clock, followed.follower
    other = TinyPublisher("fabrikam", now=START - 3600)

    def last(name: str) -> int | None:
        (told,) = (one for one in look.status(world.opened).news if one.publisher == name)
        follower.begin()
        assert number_of(follower.families(), "news_timestamp_seconds", name) == told.good_at
        return told.good_at

    updates.add_publisher(world.opened, other.file())
    assert last(other.publisher) == clock.now()
    settings.set_setting(world.opened, "news_interval", "0")
    clock.pass_time(40 * DAY)
    assert last(other.publisher) == clock.now() - 40 * DAY
    for publisher in (other, world.publisher):
        import_catalogue(world.opened, publisher.file())
        assert last(publisher.publisher) == clock.now()
    assert follower.told == ()


def test_a_file_that_comes_while_the_publisher_is_away_is_news(followed: Followed) -> None:
    world, clock, follower = followed.world, followed.world.clock, followed.follower
    follower.step()
    clock.pass_time(schedule.FIRST)
    (told,) = follower.step()
    assert (told.code, told.good_at) == ("net/refused", None)
    import_catalogue(world.opened, world.publisher.file())
    at = clock.now()
    clock.pass_time(schedule.AGAIN)
    (told,) = follower.step()
    assert (told.code, told.good_at) == ("net/refused", at)
    assert look.status(world.opened).news[0].good_at == at


def test_how_news_went_is_known_after_a_restart(followed: Followed) -> None:
    world, clock = followed.world, followed.world.clock

    def restarted() -> Follower:
        return Follower(world.opened, followed._service, world.service.condition)

    def stored() -> NewsStatus:
        (kept,) = look.status(world.opened).news
        assert kept.next_at is None, "no process asks"
        return kept

    assert look.status(world.opened).news == ()
    followed.follower.step()
    clock.pass_time(schedule.FIRST)
    with ThreadServer(world.publisher.router()) as server:
        followed.url = server.url
        (good,) = followed.follower.step()
    clock.pass_time(3600)
    # A host that starts again knows it, and asks when it would have asked.
    follower = restarted()
    assert (follower.step(), follower.told) == ([], (good,))
    assert follower.families() == followed.follower.families()
    assert (stored().at, stored().good_at, stored().code) == (good.at, good.at, "")
    clock.pass_time(DAY)
    followed.url = "http://127.0.0.1:9"
    (bad,) = follower.step()
    assert (bad.code, bad.good_at, bad.failures) == ("net/refused", good.good_at, 1)
    # One that got no answer is asked soon.
    follower = restarted()
    assert follower.step() == []
    (told,) = follower.told
    assert replace(told, next_at=0) == replace(bad, next_at=0)
    assert clock.now() <= told.next_at < clock.now() + schedule.FIRST
    assert (stored().at, stored().code, stored().failures) == (bad.at, "net/refused", 1)
    enrol.remove_publisher(world.opened, world.id)
    assert look.status(world.opened).news == ()


class Endless:
    """A publisher that has always one more version of trust, and takes its time with each."""

    def __init__(self, world: World, seconds: int) -> None:
        self.asked = 0
        self._world = world
        self._seconds = seconds

    def router(self) -> Router:
        def trust(_: Request) -> Answer:
            self.asked += 1
            self._world.clock.pass_time(self._seconds)
            payload: strict.JSONObject = {"muster": {"version": self.asked + 1}}
            text = sign(payload, "muster-trust+jwt", MemorySigningKey(bytes(32)))
            return Answer(200, text.encode("ascii"), routes.JOSE)

        return Router([BoundRoute(routes.TRUST, trust)])


def test_a_publisher_that_answers_slowly_for_ever_has_its_turn_and_no_longer(
    followed: Followed,
) -> None:
    world = followed.world
    endless = Endless(world, 29)
    assert followed.follower.step() == []
    with ThreadServer(endless.router()) as server:
        followed.url = server.url
        world.clock.pass_time(schedule.FIRST)
        (told,) = followed.follower.step()
    assert told.code == "net/timeout"
    assert endless.asked == math.ceil(follow.TURN_SECONDS / 29)


def test_many_silent_publishers_leave_the_others_their_turn(host: World) -> None:
    """As many as are asked at a time say nothing, again and again; one more is well."""
    silent = [TinyPublisher(f"silent-{n}", now=START - 3600) for n in range(follow.AT_ONCE)]
    asked: list[str] = []
    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as hole,
        ThreadServer(host.publisher.router()) as server,
    ):
        for publisher in silent:
            updates.add_publisher(host.opened, publisher.file())
            url = f"http://127.0.0.1:{hole.getsockname()[1]}"
            updates.update(host.opened, publisher.publisher, url=url)
        updates.update(host.opened, host.id, url=server.url)

        def service(known: PublisherView) -> PublisherClient:
            assert known.url is not None
            asked.append(known.publisher)
            return PublisherClient(
                known.url, HTTPClient(30.0 if known.publisher == host.id else 0.2)
            )

        follower = Follower(host.opened, service, host.service.condition)
        assert follower.step() == []
        host.clock.pass_time(schedule.FIRST)
        for _ in range(4):  # all are due, each time
            asked.clear()
            assert len(follower.step()) == follow.AT_ONCE
            first = set(asked)
            assert len(follower.step()) == 1, "whoever waited is asked as soon as one has ended"
            assert len(first | set(asked)) == len(silent) + 1
            (good,) = (told for told in follower.told if told.publisher == host.id)
            assert (good.code, good.good_at) == ("", host.clock.now())
            host.clock.pass_time(2 * DAY)


def test_a_publisher_that_never_answers_delays_no_other(host: World) -> None:
    """It takes the connection and says nothing, as a tarpit does."""
    tarpit = TinyPublisher("fabrikam", now=START - 3600)
    updates.add_publisher(host.opened, tarpit.file())
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        ThreadServer(host.publisher.router()) as server,
    ):
        urls = {
            host.id: server.url,
            tarpit.publisher: f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        for name, url in urls.items():
            updates.update(host.opened, name, url=url)

        def service(known: PublisherView) -> PublisherClient:
            assert known.url is not None
            return PublisherClient(known.url, HTTPClient(600.0))

        follower = Follower(host.opened, service, host.service.condition)
        assert follower.begin() == {}
        host.clock.pass_time(schedule.FIRST)
        asking = follower.begin()
        assert asking.keys() == urls.keys()
        with silent.accept()[0]:
            for _ in range(3):
                # The good one is through, and comes again by its schedule; this one is asked once.
                asking[host.id].join()
                (good,) = (told for told in follower.told if told.publisher == host.id)
                assert (good.code, good.good_at) == ("", host.clock.now())
                assert asking[tarpit.publisher].is_alive()
                host.clock.pass_time(DAY)
                again = follower.begin()
                assert again.keys() == {host.id}
                asking |= again
            asking[host.id].join()
        asking[tarpit.publisher].join()
        (bad,) = (told for told in follower.told if told.publisher == tarpit.publisher)
        assert (bad.code[:4], bad.good_at) == ("net/", None)


def test_a_revocation_arrives_with_nothing_typed(followed: Followed) -> None:
    world, clock = followed.world, followed.world.clock
    known = world.opened.current().publishers[world.id]
    (held,) = known.grants
    grant = read_grant(held.grant.text, known.trust, world.id)
    assert followed.follower.step() == []
    with ThreadServer(world.publisher.router()) as server:
        followed.url = server.url
        world.publisher.publish([], [Revocation(grant.jti, None, day_of(clock.now()))])
        clock.pass_time(schedule.FIRST)
        assert [one.code for one in followed.follower.step()] == [""]
    world.service.view()
    world.service.look_again()
    assert [one.code for one in world.service.condition.area("grants")] == ["host/grant-revoked"]
    (publisher,) = look.status(world.opened).publishers
    assert not publisher.able


def test_requests_that_name_newer_versions_are_told_and_others_are_not(host: World) -> None:
    told: list[str] = []
    host.service.behind = told.append
    machine, now = host.machine(1), host.clock.now()
    answers = [host.ask(number) for number in range(30)]
    assert told == []
    host.ask(1, "unheard-of")
    assert told == [host.id]
    stranger = replace(machine.request(host.id, "desktop-pro", now), publisher="a" * 16)
    host.ask(1, request=stranger.prove(machine.key))
    assert told == [host.id]
    bundle = next(reply.bundle for reply in answers if isinstance(reply, ActivationAnswer))
    claims = read_claims(Claims(parse(bundle.lease, strict.SMALL, "lease").payload, "lease"))
    for trust, catalogue, newer in ((0, 0, 0), (1, 0, 1), (0, 1, 2)):
        lease = replace(claims, trust=claims.trust + trust, catalogue=claims.catalogue + catalogue)
        shown = replace(bundle, lease=make_lease(lease, machine.key))
        assert isinstance(host.send(machine.release(shown, now), machine.key), Refused)
        assert told == [host.id] * (1 + newer)
    broken = replace(bundle, lease="a.b.c")
    assert isinstance(host.send(machine.release(broken, now), machine.key), Refused)
    assert told == [host.id] * 3
    for trust, catalogue in ((0, 0), (1, 0), (0, 1)):
        told.clear()
        request = replace(
            machine.request(host.id, "desktop-pro", now),
            trust=claims.trust + trust,
            catalogue=claims.catalogue + catalogue,
        )
        asked = QueuedRequest(request.prove(host.machine(2).key), "192.0.2.1")
        assert isinstance(host.service.handle([asked])[0], Refused), "another machine proves it"
        assert told == []
        host.ask(1, request=request.prove(machine.key))
        assert set(told) == ({host.id} if trust or catalogue else set())
