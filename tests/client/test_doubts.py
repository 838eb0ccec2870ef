"""One good host beside many that give nothing is found; what was not asked is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client import doubts
from muster.client import identity as identities
from muster.client.discovery import (
    MAX_CANDIDATES,
    MAX_SUFFIXES,
    PATIENCE,
    TRY_SECONDS,
    Address,
    Record,
    SRVAnswer,
    left_out,
    names,
    order,
    suffixes,
    turn,
)
from muster.client.driver import Driver, Reply, discover
from muster.client.findings import Activation
from muster.client.machine import Machine
from muster.client.messages import Plan, Save, Situation
from muster.client.model import MAX_DOUBTS, Doubt, Memory, ProductRecord
from muster.client.requests import Secrets
from muster.client.settings import plan_for
from muster.client.store import Store
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.core.identity import nonce_of
from muster.core.keys import parse_product_key
from muster.health.report import Mark
from muster.lease.descriptor import read_descriptor
from muster.system.entropy import SeededDice
from muster.testing.tiny_host import DOMAIN, Misbehaviour, TinyHost
from muster.testing.world import START, World, WorldMachine, WorldNetwork, machine_facts
from muster.wire.activation import ClientInfo
from muster.wire.problem import encode_problem
from muster.wire.routes import Route

PRODUCT = "desktop-pro"
STORE_ROOT = Path("/store")
ONE, TWO = Address("h1.test", 1), Address("h2.test", 2)


def crowded(
    silent: int, *, misbehaviour: Misbehaviour = Misbehaviour.SILENT, silence: int = 10
) -> tuple[World, TinyHost]:
    """A world with hosts of priority 0 that give nothing, and a good one of priority 10."""
    world = World()
    world.silence = silence
    bad = [world.host(f"bad{number}") for number in range(silent)]
    for one in bad:
        one.misbehaviour = misbehaviour
    good = world.host("good")
    world.advertise(bad, priority=0)
    world.advertise([good], priority=10)
    return world, good


def machine_of(world: World, **more: object) -> WorldMachine:
    machine = world.machine(**more)  # type: ignore[arg-type]  # only a plan
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    return machine


def asked(result: Activation) -> list[str]:
    return [one.candidate.address.host.removesuffix(f".{DOMAIN}") for one in result.tried]


@pytest.mark.parametrize("silent", [7, MAX_CANDIDATES - 1])
def test_silent_hosts_do_not_keep_a_machine_from_the_good_one(silent: int) -> None:
    world, _ = crowded(silent)
    machine = machine_of(world)
    begun = world.clock.monotonic()
    (result,) = machine.client.activate()
    assert result.renewed
    assert len(result.tried) == silent + 1
    assert world.clock.monotonic() - begun < TRY_SECONDS + silent


def test_the_good_one_is_asked_first_from_the_second_try_on() -> None:
    world, _ = crowded(7)
    machine = machine_of(world, plan=lambda _: Plan(None, (DOMAIN,), caching=False))
    assert len(machine.client.activate()[0].tried) == 8
    begun = world.clock.monotonic()
    shown = machine.client.discover(probe=False).probes
    assert [one.doubted for one in shown] == [False] + [True] * 7
    assert shown[0].candidate.address.host == f"good.{DOMAIN}"
    (again,) = machine.client.activate()
    assert asked(again) == ["good"]
    assert world.clock.monotonic() == begun


@pytest.mark.parametrize(
    "misbehaviour",
    [
        Misbehaviour.SILENT,
        Misbehaviour.REFUSING,
        Misbehaviour.RUBBISH,
        Misbehaviour.HUGE,
        Misbehaviour.STRANGER,
        Misbehaviour.UNSIGNED_DUPLICATE,
    ],
)
def test_more_bad_hosts_than_one_try_asks(misbehaviour: Misbehaviour) -> None:
    world, _ = crowded(MAX_CANDIDATES + 4, misbehaviour=misbehaviour)
    machine = machine_of(world)
    (first,) = machine.client.activate()
    assert not first.renewed
    assert len(first.tried) == MAX_CANDIDATES
    (second,) = machine.client.activate()
    assert second.renewed
    assert asked(second)[-1] == "good"
    assert len(second.tried) == 5


class Overrun(WorldNetwork):
    """A network on which each call takes 25 seconds, whatever it was given."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.clock = world.clock

    def call(
        self,
        address: Address,
        route: Route,
        path: str,
        body: bytes | None,
        seconds: float | None = None,
    ) -> Reply:
        self.clock.pass_time(25)
        return super().call(address, route, path, body, 0)


class Challenging(WorldNetwork):
    """Each bad host answers with another challenge, just before the time it was given is over."""

    def __init__(self, world: World, good: Address) -> None:
        super().__init__(world)
        self.clock, self.good = world.clock, good

    def call(
        self,
        address: Address,
        route: Route,
        path: str,
        body: bytes | None,
        seconds: float | None = None,
    ) -> Reply:
        if address == self.good:
            return super().call(address, route, path, body, seconds)
        assert seconds is not None
        self.clock.pass_time(max(1, int(seconds)))
        challenge = nonce_of(body[-16:] if body else bytes(16))
        return Reply(*encode_problem(error("host/challenge", challenge=challenge)), "192.0.2.2")


@pytest.mark.parametrize("liars", [3, MAX_CANDIDATES - 1])
def test_hosts_that_challenge_slowly_take_no_more_than_their_turn(liars: int) -> None:
    world, good = crowded(liars)
    machine, saved = machine_alone(world)
    network = Challenging(world, good.address)
    result = Driver(network, world.clock, saved.append, lambda _: None).run(machine, typed=True)
    assert result.renewed
    assert result.tried[-1].candidate.address == good.address
    assert len(result.tried) == liars + 1


def machine_alone(world: World) -> tuple[Machine, list[Save]]:
    """A machine that nobody drives yet, and what its store will be given."""
    descriptor = read_descriptor(world.publisher.descriptor(PRODUCT))
    facts = clean_facts(machine_facts("pc-1"))
    made = identities.new_identity("machine", descriptor.publisher, facts, SeededDice(7))
    key = parse_product_key(descriptor.product.setup_key)
    record = ProductRecord(PRODUCT, START, key=key.key_id.text, masked=key.masked)
    memory = Memory(descriptor.publisher, made.identity).with_product(record)
    info, plan = ClientInfo("0.1.0", "World", None), Plan(None, (DOMAIN,))
    secrets = Secrets({made.identity.cmid: made.seed})
    situation = Situation(descriptor, memory, facts, plan, info, secrets=secrets)
    return Machine(situation, SeededDice(1)), []


def test_a_host_that_was_not_asked_is_told_as_that() -> None:
    world, good = crowded(5)
    machine, saved = machine_alone(world)
    told: list[MusterError] = []
    result = Driver(Overrun(world), world.clock, saved.append, told.append).run(machine, typed=True)
    assert not result.renewed
    assert result.fault is not None
    codes = [one.fault.code for one in result.tried if one.fault is not None]
    assert codes == ["net/timeout"] * 3 + ["client/not-asked"] * 3
    assert result.tried[-1].candidate.address == good.address
    assert result.fault.code == "client/no-host"
    assert "None of the 3 hosts" in result.fault.what
    assert f"{good.address.text}: client/not-asked" in result.fault.why
    # Who was not asked is not in doubt.
    doubted = {one.address for one in saved[-1].memory.doubts}
    assert doubted == {one.candidate.address for one in result.tried[:3]}


def test_a_doubt_ends_after_an_hour_and_then_the_order_is_that_of_dns() -> None:
    world, _ = crowded(1)
    machine = machine_of(world, plan=lambda _: Plan(None, (DOMAIN,), caching=False))
    assert asked(machine.client.activate()[0]) == ["bad0", "good"]
    world.clock.pass_time(doubts.FIRST - 60)
    assert asked(machine.client.activate()[0]) == ["good"]
    world.clock.pass_time(120)
    assert asked(machine.client.activate()[0]) == ["bad0", "good"]
    # The second doubt holds twice as long.
    world.clock.pass_time(doubts.FIRST + 60)
    assert asked(machine.client.activate()[0]) == ["good"]
    world.clock.pass_time(doubts.FIRST)
    for host in world.hosts.values():
        host.misbehaviour = Misbehaviour.HONEST
    assert asked(machine.client.activate()[0]) == ["bad0"]


def test_a_host_that_counted_the_machine_is_not_in_doubt() -> None:
    world = World()
    world.advertise([world.host("small", crowd=0)])
    machine = machine_of(world)
    (result,) = machine.client.activate()
    assert result.fault is not None
    assert result.fault.code == "host/insufficient-count"
    assert memory_of(world, machine).doubts == ()


def test_the_last_good_host_is_asked_last_while_it_is_in_doubt() -> None:
    world = World()
    old = world.host("old")
    world.advertise([old])
    machine = machine_of(world)
    assert machine.client.activate()[0].renewed
    old.misbehaviour = Misbehaviour.SILENT
    (result,) = machine.client.activate()
    assert asked(result) == ["old"]
    new = world.host("new")
    world.advertise([new], priority=5)
    assert asked(machine.client.activate()[0]) == ["new"]
    # The one in doubt is still asked where DNS names it no more and nobody else gives a lease.
    old.misbehaviour = Misbehaviour.SILENT
    new.misbehaviour = Misbehaviour.SILENT
    assert asked(machine.client.activate()[0]) == ["new", "old"]
    world.zone.clear()
    old.misbehaviour = new.misbehaviour = Misbehaviour.HONEST
    (last,) = machine.client.activate()
    assert last.renewed
    assert asked(last) == ["new"]


def test_without_dns_the_last_good_host_is_asked_though_it_is_in_doubt() -> None:
    world = World()
    host = world.host()
    world.advertise([host])
    plan = Plan(None, (DOMAIN,))
    machine = machine_of(world, plan=lambda _: plan)
    assert machine.client.activate()[0].renewed
    plan = Plan(None, ())
    host.misbehaviour = Misbehaviour.REFUSING
    assert asked(machine.client.activate()[0]) == ["kms1"]
    host.misbehaviour = Misbehaviour.HONEST
    assert machine.client.activate()[0].renewed


def test_doubts_stay_in_the_store_within_bounds() -> None:
    world, _ = crowded(3)
    machine = machine_of(world)
    machine.client.activate()
    kept = memory_of(world, machine)
    assert [one.times for one in kept.doubts] == [1, 1, 1]
    store = Store(STORE_ROOT, world.publisher.publisher, machine.disk)
    many = tuple(Doubt(Address("h.test", n + 1), START + n, n + 1) for n in range(200))
    store.save(replace(kept, doubts=many))
    assert memory_of(world, machine).doubts == many[-MAX_DOUBTS:]


@given(
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(0, 10**10)), max_size=80),
    st.integers(0, 10**10),
)
def test_doubts_are_bounded_whatever_the_clock_does(
    events: list[tuple[Address, int]], now: int
) -> None:
    held: tuple[Doubt, ...] = ()
    for address, at in events:
        held = doubts.doubted(held, address, at)
        assert address in doubts.standing(held, at)
    assert len(held) <= 2
    assert all(one.until - now <= doubts.LONGEST for one in held
               if one.address in doubts.standing(held, now))  # fmt: skip
    assert doubts.trusted(doubts.trusted(held, ONE), TWO) == ()


def test_hosts_in_doubt_stand_behind_in_the_order_that_they_had() -> None:
    listed = tuple(Record(n, 0, 1, f"h{n}.test") for n in range(20))
    late = {Address(f"h{n}.test", 1) for n in (0, 1, 3)}
    found = order([SRVAnswer("a.test", listed, listed)], SeededDice(1), doubted=late)
    names = [one.address.host for one in found]
    assert names == [f"h{n}.test" for n in (2, *range(4, 19))]
    few = order([SRVAnswer("a.test", listed[:4], ())], SeededDice(1), doubted=late)
    assert [one.address.host for one in few] == ["h2.test", "h0.test", "h1.test", "h3.test"]


@given(st.floats(0.1, TRY_SECONDS), st.integers(0, 15))
def test_turns_fit_the_time_that_is_left(left: float, waiting: int) -> None:
    spent = 0.0
    for behind in range(waiting, -1, -1):
        share, exchange = turn(left - spent, behind)
        assert 0 < exchange <= share
        assert behind == 0 or exchange <= PATIENCE
        spent += share
    assert spent == pytest.approx(left)


# Suffixes and names that are not asked.


def test_the_ninth_suffix_is_asked() -> None:
    world = World()
    world.advertise([world.host()], domain="d9.test")
    listed = tuple(f"d{n}.test" for n in range(1, 10))
    machine = machine_of(world, plan=lambda _: Plan(None, suffixes((), listed)))
    assert machine.client.activate()[0].renewed


def test_suffixes_beyond_the_bound_are_told() -> None:
    listed = [f"d{n}.test" for n in range(MAX_SUFFIXES + 10)]
    assert suffixes((), listed) == tuple(listed[:MAX_SUFFIXES])
    assert left_out((), listed) == tuple(listed[MAX_SUFFIXES:])
    assert left_out(("a.test",), listed) == ()
    world = World()
    plan = Plan(None, suffixes((), listed), unasked=left_out((), listed))
    machine = machine_of(world, plan=lambda _: plan)
    (result,) = machine.client.activate()
    told = [one for one in result.warnings if one.code == "client/names-not-asked"]
    assert len(told) == 1
    assert told[0].what.startswith("10 DNS names were not asked: d32.test, d33.test")
    assert told[0].what.endswith(", ….")
    assert "client/names-not-asked" in [one.code for one in machine.client.discover().faults]
    (report,) = machine.client.doctor()
    (warned,) = [one for one in report.checks if one.code == "client/names-not-asked"]
    assert warned.mark is Mark.WARN
    assert report.next_fix is not None
    assert report.next_fix.code == "client/no-records"


def test_a_plan_says_which_suffixes_it_leaves_out(tmp_path: Path) -> None:
    listed = [f"d{n}.test" for n in range(MAX_SUFFIXES + 2)]
    (tmp_path / "client.toml").write_text(f"[client]\nsuffixes = {listed!r}\n")
    plan = plan_for(tmp_path, "")
    assert (plan.suffixes, plan.unasked) == (tuple(listed[:-2]), tuple(listed[-2:]))


def test_names_that_dns_has_no_time_for_are_told() -> None:
    """A DNS server that is silent uses up its time, not that of the hosts."""
    world = World()

    class Slow(WorldNetwork):
        def records(self, name: str) -> tuple[Record, ...]:
            world.clock.pass_time(4)
            raise error("net/dns-timeout", name=name, seconds="4")

    asked = tuple(names("contoso", f"d{n}.test") for n in range(10))
    end = world.clock.monotonic() + 20
    found, faults = discover(Slow(world), asked, lambda: world.clock.monotonic() >= end)
    assert len(found) == 10
    assert [one.code for one in faults] == ["net/dns-timeout"] * 5 + ["client/names-not-asked"]
    assert faults[-1].what.startswith("15 DNS names were not asked: _muster._tcp.d2.test, ")


def memory_of(world: World, machine: WorldMachine) -> Memory:
    loaded = Store(STORE_ROOT, world.publisher.publisher, machine.disk).load()
    assert loaded is not None
    return loaded.memory
