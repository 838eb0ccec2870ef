"""`muster doctor` from a machine, in a world in memory: what it finds, and what it names."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from muster.client.look import product_status
from muster.client.messages import Plan
from muster.core.catalogue import error
from muster.core.keys import Kind
from muster.core.products import DAY, Revocation, day_of
from muster.health.report import Check, Mark, Report, Topic
from muster.testing.tiny_host import Misbehaviour, TinyHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import PUBLISHER_URL, World, WorldMachine

DESKTOP = "desktop-pro"


@pytest.fixture
def world() -> World:
    return World()


def licensed(world: World, hosts: Iterable[TinyHost] | None = None) -> WorldMachine:
    """A machine with a lease of one of the hosts, which are advertised."""
    world.advertise([world.host()] if hosts is None else hosts)
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert machine.client.activate()[0].renewed
    return machine


def examine(machine: WorldMachine) -> Report:
    (found,) = machine.client.doctor()
    return found


def bad(found: Report, *marks: Mark) -> list[Check]:
    return [one for one in found.checks if one.mark in (marks or (Mark.FAIL,))]


def test_a_healthy_machine(world: World) -> None:
    machine = licensed(world)
    found = examine(machine)
    assert found.healthy
    assert found.next_fix is None
    assert bad(found, Mark.FAIL, Mark.UNKNOWN, Mark.WARN, Mark.SKIPPED) == []
    assert {one.topic for one in found.checks} == set(Topic) - {Topic.CLONES, Topic.AGENT}
    topics = [list(Topic).index(one.topic) for one in found.checks]
    assert topics == sorted(topics)


def test_it_changes_nothing(world: World) -> None:
    machine = licensed(world)
    world.publisher.now = world.clock.now()
    world.publisher.publish([world.publisher.new_product("later")])
    world.publisher.rotate()
    before = machine.disk.copy()
    found = examine(machine)
    assert [one.topic for one in bad(found, Mark.WARN)] == [Topic.CATALOGUE]
    assert "muster client activate" in bad(found, Mark.WARN)[0].fix
    assert machine.disk.files == before.files


def test_no_records(world: World) -> None:
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    found = examine(machine)
    assert found.next_fix is not None
    assert (found.next_fix.topic, found.next_fix.code) == (Topic.RECORDS, "client/no-records")


def test_dns_that_does_not_answer_is_unknown_and_not_a_verdict(world: World) -> None:
    machine = licensed(world)
    world.dns_fault = error("net/dns-timeout", name="corp.test", servers="192.0.2.53", seconds=4)
    found = examine(machine)
    assert bad(found) == []
    assert not found.healthy
    assert found.next_fix is not None
    assert (found.next_fix.topic, found.next_fix.mark) == (Topic.RECORDS, Mark.UNKNOWN)


def test_a_dead_host_is_named(world: World) -> None:
    good, dead = world.host("kms1"), world.host("kms2")
    machine = licensed(world, [good, dead])
    dead.misbehaviour = Misbehaviour.REFUSING
    (one,) = bad(examine(machine))
    assert (one.topic, one.host, one.code) == (
        Topic.REACHABILITY, dead.address.text, "net/refused",
    )  # fmt: skip


@pytest.mark.parametrize("told_by", ["another host", "the publisher"])
def test_a_revoked_host_is_named_though_its_own_catalogue_is_old(
    world: World, told_by: str
) -> None:
    gone = world.host("kms1")
    machine = licensed(world, [gone])
    gone.held = world.publisher.catalogue
    world.publisher.now = world.clock.now()
    world.publisher.publish(revocations=[Revocation(gone.jti, None, day_of(world.clock.now()))])
    # Whatever it says of itself, what proves nothing is its grant.
    assert examine(machine).healthy
    if told_by == "another host":
        world.advertise([world.host("kms2")], priority=1)
    else:
        plan = Plan(None, ("corp.test",), caching=True, publisher_url=PUBLISHER_URL)
        machine = world.machine(disk=machine.disk, facts=machine.facts, plan=lambda _: plan)
    found = examine(machine)
    (one,) = bad(found)
    assert (one.topic, one.host, one.code) == (
        Topic.GRANT, gone.address.text, "host/grant-revoked",
    )  # fmt: skip
    assert gone.address.text in one.what
    assert found.next_fix == one
    # The lease on this machine comes from it, so another host must be found in time.
    assert "client/revoked-host" in [each.code for each in bad(found, Mark.WARN)]


def test_a_host_of_a_stranger_is_named_where_it_stands_under_our_label(world: World) -> None:
    machine = licensed(world)
    fabrikam = TinyPublisher("fabrikam", now=world.publisher.now)
    theirs = world.host("theirs", publisher=fabrikam)
    world.advertise([theirs], label=None)
    # In the general record it is an honest host of somebody else.
    assert examine(machine).healthy
    world.advertise([theirs])
    (one,) = bad(examine(machine))
    assert (one.topic, one.host) == (Topic.GRANT, theirs.address.text)


def test_a_grant_of_another_host_proves_nothing(world: World) -> None:
    good, thief = world.host("kms1"), world.host("kms2")
    machine = licensed(world, [good, thief])
    thief.grant = good.grant
    (one,) = bad(examine(machine))
    assert (one.host, one.code) == (thief.address.text, "licence/grant")


def test_a_grant_of_somebody_who_signs_himself_proves_nothing(world: World) -> None:
    good, forger = world.host("kms1"), world.host("kms2")
    machine = licensed(world, [good, forger])
    forger.publisher = TinyPublisher("contoso", now=world.publisher.now)
    forger.publisher.grant_key = TinyPublisher("mallory", now=world.publisher.now).grant_key
    forger.regrant()
    (one,) = bad(examine(machine))
    assert (one.host, one.code) == (forger.address.text, "licence/grant")


@pytest.mark.parametrize(
    ("skew", "mark"), [(200, Mark.OK), (1800, Mark.WARN), (9 * 3600, Mark.FAIL)]
)
def test_a_host_whose_clock_is_wrong_is_named(world: World, skew: int, mark: Mark) -> None:
    good, off = world.host("kms1"), world.host("kms2")
    machine = licensed(world, [good])
    world.advertise([off])
    off.skew = -skew
    clocks = {one.host: one for one in examine(machine).checks if one.topic is Topic.CLOCK}
    assert clocks[good.address.text].mark is Mark.OK
    assert clocks[off.address.text].mark is mark
    if mark is not Mark.OK:
        assert "behind" in clocks[off.address.text].what


def test_a_machine_whose_clock_is_wrong_is_told_by_hosts_that_agree(world: World) -> None:
    hosts = [world.host("kms1"), world.host("kms2")]
    machine = licensed(world, hosts)
    for one in hosts:
        one.skew = -3 * DAY
    (clock,) = [one for one in examine(machine).checks if one.topic is Topic.CLOCK]
    assert clock.mark is Mark.FAIL
    assert clock.what.startswith("This machine's clock is 3 days ahead")


def test_a_machine_whose_clock_stands_before_what_was_signed(world: World) -> None:
    machine = licensed(world)
    world.clock.set(world.publisher.catalogue.iat - 2 * DAY)
    (clock,) = [one for one in examine(machine).checks if one.topic is Topic.CLOCK]
    assert (clock.mark, clock.host) == (Mark.FAIL, "")


def test_a_group_that_no_host_covers(world: World) -> None:
    machine = licensed(world)
    machine.client.add_product(world.publisher.descriptor("office-suite"))
    (one, unlicensed) = bad(examine(machine), Mark.FAIL, Mark.WARN)
    assert one.topic is Topic.GRANT
    assert "office" in one.what
    assert unlicensed.topic is Topic.LICENCE


def test_a_machine_with_a_key_of_its_own_needs_no_host(world: World) -> None:
    plan = Plan(None, ("corp.test",), caching=True, publisher_url=PUBLISHER_URL)
    machine = world.machine(plan=lambda _: plan)
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK).text)
    assert machine.client.activate()[0].status.verdict.licensed
    found = examine(machine)
    assert found.healthy
    assert (Topic.RECORDS, Mark.SKIPPED) in [(one.topic, one.mark) for one in found.checks]
    world.publisher_fault = error("net/timeout", peer="the publisher", seconds="10")
    assert examine(machine).healthy


@pytest.mark.parametrize("misbehaviour", list(Misbehaviour))
def test_whatever_a_host_does_the_doctor_ends(world: World, misbehaviour: Misbehaviour) -> None:
    good, odd = world.host("kms1"), world.host("kms2")
    machine = licensed(world, [good])
    world.advertise([odd])
    odd.misbehaviour = misbehaviour
    found = examine(machine)
    assert not [one for one in bad(found) if one.host == good.address.text]


# What a person must do though the machine still runs.


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("held", [True, False], ids=["licensed", "in grace"])
def test_a_full_host_is_told_with_what_to_do(world: World, hosts: int, held: bool) -> None:
    machine = licensed(world) if held else world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    for gone in world.hosts.values():
        gone.misbehaviour = Misbehaviour.REFUSING
    taken = [world.host(f"full{number}") for number in range(hosts)]
    for host in taken:
        world.zone.clear()
        licensed(world, [host])
        host.cap(1)
    world.advertise(taken)
    assert not machine.client.activate()[0].renewed
    report = examine(machine)
    assert not report.healthy
    (check,) = bad(report)
    assert (check.topic, check.code) == (Topic.LICENCE, "host/limit-reached")
    assert "seats of this host are taken" in check.what
    assert "muster host clients remove" in check.fix
    assert report.next_fix == check
    for host in taken:
        host.cap(1000)
    world.clock.pass_time(DAY)
    assert machine.client.activate()[0].renewed
    assert examine(machine).healthy


def test_a_count_that_still_grows_asks_nothing_of_anybody(world: World) -> None:
    world.advertise([world.host(crowd=0)])
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    machine.client.activate()
    report = examine(machine)
    assert report.healthy
    assert [check.code for check in bad(report, Mark.WARN)] == ["host/insufficient-count"]


@pytest.mark.parametrize("kind", [Kind.MAK, Kind.RETAIL])
@pytest.mark.parametrize("leased", [True, False], ids=["beside a lease", "alone"])
def test_a_key_that_waits_for_its_activation_is_told(
    world: World, kind: Kind, leased: bool
) -> None:
    machine = licensed(world) if leased else world.machine()
    if not leased:
        machine.client.add_product(world.publisher.descriptor(DESKTOP))
    machine.client.install_key(world.publisher.machine_key("desktop", kind).text)
    report = examine(machine)
    (check,) = bad(report)
    assert (check.topic, check.code) == (Topic.LICENCE, "client/key-waiting")
    assert "muster client activate" in check.fix
    assert report.next_fix == check
    plan = Plan(None, ("corp.test",), caching=True, publisher_url=PUBLISHER_URL)
    machine = world.machine(disk=machine.disk, facts=machine.facts, plan=lambda _: plan)
    assert machine.client.activate()[0].status.verdict.licensed
    assert examine(machine).healthy


def test_a_key_that_waits_after_another_was_activated_is_told(world: World) -> None:
    plan = Plan(None, ("corp.test",), caching=True, publisher_url=PUBLISHER_URL)
    machine = world.machine(plan=lambda _: plan)
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK).text)
    machine.client.activate()
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK).text)
    (check,) = bad(examine(machine))
    assert check.code == "client/key-waiting"


@pytest.mark.parametrize("beside", [None, Kind.MAK, Kind.EVALUATION])
def test_what_the_publisher_refused_is_told_until_it_is_activated(
    world: World, beside: Kind | None
) -> None:
    """Whatever licence runs meanwhile: none, that of another key, an evaluation."""
    plan = Plan(None, ("corp.test",), caching=True, publisher_url=PUBLISHER_URL)
    machine = world.machine(plan=lambda _: plan)
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    if beside is not None:
        term = 3 if beside is Kind.EVALUATION else 0
        key = world.publisher.machine_key("desktop", beside, term)
        machine.client.install_key(key.text)
        assert machine.client.activate()[0].status.verdict.licensed
    key = world.publisher.machine_key("desktop", Kind.MAK)
    machine.client.install_key(key.text)
    world.publisher_fault = error("publisher/key-revoked", key=key.key_id.text)
    machine.client.activate()
    told = [check for check in bad(examine(machine)) if check.code == "publisher/key-revoked"]
    assert "The last try" in told[0].what
    assert bad(examine(machine))[0] == told[0], "to activate again would be refused again"
    status = product_status(machine.client.parts, DESKTOP)
    assert status.last_refusal is not None
    assert status.last_refusal.code == "publisher/key-revoked"
    world.publisher_fault = None
    machine.client.activate()
    assert product_status(machine.client.parts, DESKTOP).last_refusal is None
    assert examine(machine).healthy
