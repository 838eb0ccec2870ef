"""The request log under strangers: their rows are bounded, machines' rows stay."""

from __future__ import annotations

import logging

import pytest
from tests.host.conftest import Machine, World
from tests.host.test_api import Asking, problem
from tests.host.test_server_exposure import asking  # noqa: F401  # the fixture
from tests.net.exposition import series

from muster.core.audit import Event
from muster.host.journal import AGAIN, SOURCE, TOTAL
from muster.host.model import MORE, LogRow, QueuedRequest, Released
from muster.host.tables import audit, host_settings, own, request_log
from muster.wire.activation import ActivationAnswer

RELEASE = Event.HOST_LEASE_RELEASE.value


def rows(world: World) -> list[LogRow]:
    """All rows of the log, the oldest first."""
    with world.database.snapshot() as reader:
        return request_log.requests(reader, 1_000_000)[::-1]


def refused(world: World, times: int, address: str = "192.0.2.66") -> None:
    """So many requests of an invented machine for a product that nobody serves."""
    asked = Machine(9, seed="stranger").request(world.id, "no-such-product", world.clock.now())
    for _ in range(times // 256):
        world.service.handle([QueuedRequest(asked, address)] * 256)
    world.service.handle([QueuedRequest(asked, address)] * (times % 256))


def test_refusals_of_one_source_are_summed_up(host: World) -> None:
    refused(host, 1000)
    assert len(rows(host)) == SOURCE.at_once
    host.clock.pass_time(60)
    host.ask(1)
    *_, more, machine = rows(host)
    assert machine.cmid == Machine(1).cmid
    assert (more.code, more.count, more.address) == (MORE, 1000 - SOURCE.at_once, "192.0.2.66")
    # Counted all the same.
    with host.database.snapshot() as reader:
        counted = sum(one.number for one in request_log.counters(reader) if one.code)
    assert counted == 1001


def test_refusals_from_everywhere_are_bounded_and_machines_are_listed(host: World) -> None:
    """Two hours of 256 refusals a minute from as many sources, and a machine each five minutes."""
    minutes = 120
    for minute in range(minutes):
        stranger = Machine(9, seed="stranger").request(host.id, "no-such-product", host.clock.now())
        batch = [QueuedRequest(stranger, f"198.51.{minute % 256}.{n}") for n in range(256)]
        host.service.handle(batch)
        if minute % 5 == 0:
            host.ask(minute // 5 + 1)
        host.clock.pass_time(60)
    found = rows(host)
    machines = [one for one in found if one.code == "host/insufficient-count"]
    assert len({one.cmid for one in machines}) == 24
    assert len(found) <= 24 + TOTAL.at_once + minutes * (TOTAL.a_minute + 1)
    listed = len([one for one in found if one.code == "host/not-served"])
    told = sum(one.count for one in found if one.code == MORE)
    # Those of the last two minutes are told when they are over.
    assert (minutes - 2) * 256 <= listed + told <= minutes * 256


def test_what_is_held_is_told_without_another_request(host: World) -> None:
    refused(host, 50)
    host.clock.pass_time(61)
    host.service.housekeep()
    assert rows(host)[-1].code == MORE
    number = len(rows(host))
    host.service.housekeep()
    assert len(rows(host)) == number


def test_one_machine_that_asks_without_pause_is_listed_once(host: World) -> None:
    """The twin: who is counted can fill a log too."""
    arrival = host.arrival(Machine(1))
    for _ in range(20):
        host.service.handle([arrival] * 50)
    assert len(rows(host)) == 1 + SOURCE.at_once
    host.clock.pass_time(int(AGAIN))
    host.ask(1)
    assert len([one for one in rows(host) if one.code != MORE]) == 2 + SOURCE.at_once


def test_one_machine_that_is_counted_again_and_again_is_listed_once(host: World) -> None:
    """Each time by a new request, so that nothing but its row is bounded."""
    for _ in range(60):
        host.ask(1)
        host.clock.pass_time(1)
    found = rows(host)
    assert {one.code for one in found} <= {"host/insufficient-count", MORE}
    # A minute passed: one more flowed in.
    listed = 1 + SOURCE.at_once + SOURCE.a_minute
    assert len([one for one in found if one.code != MORE]) <= listed
    with host.database.snapshot() as reader:
        counted = sum(one.number for one in request_log.counters(reader))
    assert counted == 60


def test_taking_and_giving_back_in_a_loop_does_not_fill_the_audit(host: World) -> None:
    for number in range(1, 5):
        host.ask(number, "server-standard")
    for _ in range(40):
        answer = host.ask(5, "server-standard")
        assert isinstance(answer, ActivationAnswer)
        host.clock.pass_time(1)
        release = host.machine(5).release(answer.bundle, host.clock.now())
        reply = host.send(release, host.machine(5).key)
        assert isinstance(reply, Released)
        assert reply.released
        host.clock.pass_time(1)
    host.clock.pass_time(60)
    host.ask(6, "server-standard")
    with host.database.snapshot() as reader:
        events = [one for one in audit.rows(reader, 1000) if one.event == RELEASE]
    # Eighty seconds passed: one more flowed in.
    listed = SOURCE.at_once + 1
    assert len(events) == listed + 1
    assert f"{40 - listed} more of 192.0.2.1" in [one.detail for one in events]


# What is refused before it is read.


def test_every_refusal_is_counted_and_some_are_logged(
    asking: Asking,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "muster.host")
    for _ in range(40):
        assert problem(asking.post("/v1/activate", b"rubbish")).code == "wire/bad-request"
        assert asking.get("/v1/nothing").status == 404
    text = asking.told("/metrics").body.decode()
    assert series(text, "muster_host_refused_total", code="wire/bad-request") == 40
    assert series(text, "muster_host_refused_total", code="wire/not-found") == 40
    lines = [one for one in caplog.records if one.message == "a request was refused"]
    assert len(lines) == 10
    assert {vars(one)["client"] for one in lines} == {"127.0.0.1"}


def test_strangers_from_another_network_are_counted(asking: Asking) -> None:  # noqa: F811
    with asking.world.database.transaction() as tx:
        host_settings.put(tx, "allowed_networks", "192.0.2.0/24")
        own.touch(tx)
    asking.server.service.view()
    for _ in range(3):
        asking.activate(1)
    text = asking.told("/metrics").body.decode()
    assert series(text, "muster_host_refused_total", code="host/network-not-allowed") == 3
