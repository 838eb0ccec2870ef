"""Clocks that were ahead, that are not set, and networks that come up after the machine."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client import schedule
from muster.client.judge import Verdict
from muster.client.messages import Plan
from muster.client.model import Memory, Note
from muster.client.store import Store
from muster.core.catalogue import error
from muster.core.keys import Kind
from muster.core.products import DAY
from muster.core.states import LicenceState
from muster.system.entropy import SeededDice
from muster.system.facts import uptime
from muster.testing.tiny_host import DOMAIN, Misbehaviour, TinyHost
from muster.testing.world import PUBLISHER_URL, START, World, WorldMachine

DESKTOP = "desktop-pro"
IN_1970 = 40
IN_2000 = 946_684_800
MINUTE = 60


@pytest.fixture
def world() -> World:
    found = World()
    found.advertise([found.host()])
    return found


def machine_of(world: World) -> WorldMachine:
    found = world.machine()
    found.client.add_product(world.publisher.descriptor(DESKTOP))
    return found


def verdict_of(machine: WorldMachine) -> Verdict:
    return machine.client.status(DESKTOP).verdict


def why(machine: WorldMachine) -> str:
    problem = verdict_of(machine).fault
    return "" if problem is None else problem.code


def tried(machine: WorldMachine) -> bool:
    (found,) = machine.client.activate(typed=False)
    return found.due


def host_of(world: World) -> TinyHost:
    return next(iter(world.hosts.values()))


# A clock that was once ahead (C12).


@pytest.mark.parametrize("ahead", [MINUTE, DAY, 7 * DAY, 29 * DAY, 400 * DAY])
@pytest.mark.parametrize(
    "misbehaviour", [Misbehaviour.SILENT, Misbehaviour.REFUSING, Misbehaviour.RUBBISH]
)
def test_a_try_that_failed_under_a_clock_ahead_puts_nobody_to_sleep(
    world: World, ahead: int, misbehaviour: Misbehaviour
) -> None:
    machine = machine_of(world)
    host_of(world).misbehaviour = misbehaviour
    world.clock.jump(ahead)
    assert tried(machine)
    world.clock.jump(-ahead)
    host_of(world).misbehaviour = Misbehaviour.HONEST
    assert tried(machine)
    assert verdict_of(machine).licensed


@pytest.mark.parametrize("ahead", [3 * 3600, 29 * DAY])
def test_a_renewal_a_refusal_and_a_release_are_due_again_when_the_clock_is_right(
    world: World, ahead: int
) -> None:
    host = host_of(world)
    host.clock = world.clock
    machine = machine_of(world)
    host.forget()
    world.clock.jump(ahead)
    assert tried(machine)
    assert why(machine) == "host/insufficient-count"
    world.clock.jump(-ahead)
    assert tried(machine), "after a refusal"
    host.crowd(100)
    world.clock.jump(ahead)
    (found,) = machine.client.activate()
    assert found.renewed
    world.clock.jump(-ahead)
    assert tried(machine), "after a lease"
    # The last try was made by the right clock, and only the release by the other one.
    world.clock.jump(ahead)
    machine.client.release(DESKTOP)
    world.clock.jump(-ahead)
    assert tried(machine), "after a release"


def test_a_publisher_is_asked_again_when_the_clock_is_right(world: World) -> None:
    world.publisher.now = world.clock.now()
    machine = machine_of(world)
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK).text)
    plan = Plan(publisher_url=PUBLISHER_URL)
    machine.client.parts = replace(machine.client.parts, plan=lambda _: plan)
    world.publisher_fault = error("net/refused", peer="publisher")
    world.clock.jump(20 * DAY)
    assert tried(machine)
    world.clock.jump(-20 * DAY)
    world.publisher_fault = None
    (found,) = machine.client.activate(typed=False)
    assert found.renewed
    world.clock.jump(20 * DAY)
    assert tried(machine), "it looks for news once a day"
    assert not tried(machine)
    world.clock.jump(-20 * DAY)
    assert tried(machine), "and looks again by a clock that is right"
    assert not tried(machine)


def test_news_are_looked_for_again_after_an_activation_under_a_clock_ahead(world: World) -> None:
    world.publisher.now = world.clock.now()
    machine = machine_of(world)
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK).text)
    machine.client.parts = replace(
        machine.client.parts, plan=lambda _: Plan(publisher_url=PUBLISHER_URL)
    )
    world.clock.jump(20 * DAY)
    assert machine.client.activate()[0].renewed
    assert not tried(machine)
    world.clock.jump(-20 * DAY)
    assert tried(machine)
    assert not tried(machine)


def test_an_older_store_counts_from_its_last_try(world: World) -> None:
    machine = machine_of(world)
    host_of(world).misbehaviour = Misbehaviour.SILENT
    world.clock.jump(29 * DAY)
    assert tried(machine)
    place = Store(machine.client.root, world.publisher.publisher, machine.disk)
    path = place.folder / "state.json"
    from muster.client.store import _sum
    from muster.lease import strict

    head, _, body = machine.disk.files[path].partition(b"\n")
    value = strict.read(body, strict.Limits(2**20, 8, 4096, 256))
    for record in value["products"]:
        del record["scheduled"]
    body = strict.canonical(value)
    fields = strict.read(head, strict.SMALL)
    fields["sum"] = _sum("state", fields["generation"], body)
    machine.disk.files[path] = strict.canonical(fields) + b"\n" + body
    world.clock.jump(-29 * DAY)
    assert tried(machine)


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_what_a_later_clock_scheduled_is_due(at: int, now: int, scheduled: int) -> None:
    due = schedule.is_due(at, now, scheduled)
    assert due or (scheduled <= now < at <= now + schedule.LONGEST * 11 // 10)
    assert due or not schedule.is_due(at, now)


# A whole site that was ahead (D34).


@pytest.mark.parametrize("ahead", [10 * DAY, 29 * DAY, 400 * DAY])
def test_after_a_jump_of_the_whole_site_machines_mend_by_themselves(
    world: World, ahead: int
) -> None:
    machines = [world.machine(f"pc-{number}") for number in range(3)]
    for machine in machines:
        machine.client.add_product(world.publisher.descriptor(DESKTOP))
        assert machine.client.activate()[0].renewed
    right = world.clock.now()
    world.clock.jump(ahead)
    host_of(world).crowd(100)
    for machine in machines:
        assert machine.client.activate()[0].renewed
        assert mark_of(machine, world) == right + ahead
    world.clock.jump(-ahead)
    host_of(world).crowd(100)
    for machine in machines:
        assert why(machine) == "client/clock-behind"
        assert tried(machine), "nothing is typed"
        assert verdict_of(machine).licensed
        assert mark_of(machine, world) == world.clock.now()
        assert "client:clock-mark:lower" in [line.event.value for line in history(machine, world)]


def test_every_product_of_the_machine_mends(world: World) -> None:
    other = world.publisher.descriptor("server-standard")
    machine = machine_of(world)
    machine.client.add_product(other)
    world.clock.jump(10 * DAY)
    assert all(found.renewed for found in machine.client.activate())
    world.clock.jump(-10 * DAY)
    machine.client.activate(typed=False)
    assert all(found.verdict.licensed for found in machine.client.statuses())


def test_a_mark_is_lowered_by_no_answer_of_another_time_than_the_clocks(world: World) -> None:
    """The clock of the machine is turned back alone, and that of the host goes on."""
    machine = machine_of(world)
    assert machine.client.activate()[0].renewed
    right = world.clock.now()
    host_of(world).skew = 9 * DAY
    world.clock.jump(-9 * DAY)
    assert not machine.client.activate()[0].renewed
    assert not verdict_of(machine).licensed
    assert mark_of(machine, world) == right


def test_a_mark_is_lowered_below_nothing_that_the_publisher_dated(world: World) -> None:
    """Machine and host are turned back together, before a catalogue that the machine holds."""
    machine = machine_of(world)
    world.publisher.now = world.clock.now()
    world.publisher.publish()
    assert machine.client.activate()[0].renewed
    world.clock.jump(-2 * DAY)
    assert not machine.client.activate()[0].renewed
    assert not verdict_of(machine).licensed
    world.clock.jump(2 * DAY)
    assert verdict_of(machine).licensed


def mark_of(machine: WorldMachine, world: World) -> int:
    return loaded_of(machine, world).clock_mark


def history(machine: WorldMachine, world: World) -> tuple[Note, ...]:
    return loaded_of(machine, world).history


def loaded_of(machine: WorldMachine, world: World) -> Memory:
    loaded = Store(machine.client.root, world.publisher.publisher, machine.disk).load()
    assert loaded is not None
    return loaded.memory


# A clock that is not set (C13).


@pytest.mark.parametrize("clock", [0, IN_1970, IN_2000, START - 400 * DAY])
def test_a_board_without_a_battery_shows_a_grace_until_its_clock_is_set(
    world: World, clock: int
) -> None:
    machine = machine_of(world)
    assert machine.client.activate()[0].renewed
    right = world.clock.now()
    kept = dict(machine.disk.files)
    world.clock.set(clock)
    verdict = verdict_of(machine)
    assert verdict.state is LicenceState.TOLERANCE_GRACE
    assert not verdict.licensed
    assert why(machine) == "client/clock-unset"
    assert verdict.until == right + 30 * DAY
    host_of(world).clock = ManualAhead(right)
    assert tried(machine)
    assert verdict_of(machine).state is LicenceState.TOLERANCE_GRACE
    world.clock.set(right + DAY)
    assert verdict_of(machine).licensed
    assert machine.disk.files != kept


class ManualAhead:
    """The clock of a host that is right while the machine's is not."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        """Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds."""
        return 0.0


def test_a_clock_that_is_not_set_wins_no_licence_that_was_over(world: World) -> None:
    """What had lapsed at the last proved time, was revoked, or belongs to others stays so."""
    machine = machine_of(world)
    assert machine.client.activate()[0].renewed
    right = world.clock.now()
    host_of(world).misbehaviour = Misbehaviour.SILENT
    world.clock.pass_time(211 * DAY)
    tried(machine)
    assert verdict_of(machine).state is LicenceState.NOTIFICATION
    world.clock.set(IN_1970)
    assert verdict_of(machine).state is LicenceState.NOTIFICATION
    world.clock.set(right)
    machine.facts |= {name: f"other {value}" for name, value in machine.facts.items()}
    world.clock.set(IN_1970)
    assert verdict_of(machine).state is not LicenceState.LICENSED
    assert why(machine) != "client/clock-unset"


def test_a_licence_that_was_over_at_a_proved_time_shows_no_grace_by_an_unset_clock(
    world: World,
) -> None:
    """Something that was signed after its end has been seen; it was not judged since."""
    machine = machine_of(world)
    assert machine.client.activate()[0].renewed
    place = Store(machine.client.root, world.publisher.publisher, machine.disk)
    loaded = place.load()
    assert loaded is not None
    place.save(replace(loaded.memory, clock_mark=world.clock.now() + 211 * DAY))
    world.clock.set(IN_1970)
    assert verdict_of(machine).state is LicenceState.NOTIFICATION
    assert why(machine) == "client/clock-behind"


def test_a_clock_that_was_turned_back_within_the_life_of_the_product_is_no_unset_one(
    world: World,
) -> None:
    machine = machine_of(world)
    assert machine.client.activate()[0].renewed
    world.clock.jump(-2 * DAY)
    verdict = verdict_of(machine)
    assert (verdict.state, why(machine)) == (
        LicenceState.NOTIFICATION,
        "client/clock-behind",
    )


@pytest.mark.parametrize("clock", [0, IN_1970, IN_2000])
def test_a_product_set_up_before_the_clock_has_its_first_grace_once(
    world: World, clock: int
) -> None:
    host_of(world).misbehaviour = Misbehaviour.SILENT
    right = world.clock.now()
    world.clock.set(clock)
    machine = machine_of(world)
    assert verdict_of(machine).state is LicenceState.INITIAL_GRACE
    tried(machine)
    world.clock.set(right)
    verdict = verdict_of(machine)
    assert (verdict.state, verdict.until) == (LicenceState.INITIAL_GRACE, right + 30 * DAY)
    assert tried(machine)
    world.clock.pass_time(29 * DAY)
    verdict = verdict_of(machine)
    assert (verdict.state, verdict.until) == (LicenceState.INITIAL_GRACE, right + 30 * DAY)
    machine.client.remove_product(DESKTOP)
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert verdict_of(machine).until == right + 30 * DAY, "setting it up again wins no day"
    world.clock.set(clock)
    world.clock.set(right + 30 * DAY)
    assert verdict_of(machine).state is LicenceState.NOTIFICATION
    world.clock.set(clock)
    assert verdict_of(machine).state is not LicenceState.LICENSED


def test_a_first_grace_that_ended_under_an_unset_clock_has_ended(world: World) -> None:
    host_of(world).misbehaviour = Misbehaviour.SILENT
    right = world.clock.now()
    world.clock.set(IN_1970)
    machine = machine_of(world)
    world.clock.pass_time(31 * DAY)
    tried(machine)
    assert verdict_of(machine).state is LicenceState.NOTIFICATION
    world.clock.set(right)
    assert verdict_of(machine).state is LicenceState.NOTIFICATION


def test_an_evaluation_is_not_judged_by_a_clock_that_is_not_set(world: World) -> None:
    world.publisher.now = world.clock.now()
    machine = machine_of(world)
    key = world.publisher.machine_key("desktop", Kind.EVALUATION, term=3)
    machine.client.install_key(key.text)
    machine.client.parts = replace(
        machine.client.parts, plan=lambda _: Plan(publisher_url=PUBLISHER_URL)
    )
    assert machine.client.activate()[0].renewed
    world.clock.set(IN_1970)
    assert verdict_of(machine).state is not LicenceState.TOLERANCE_GRACE


# A network that comes up after the machine (C14).


DNS_DOWN = error("net/dns-timeout", name=DOMAIN, seconds="4")


class Boot:
    """A machine that has just started: its uptime goes with the world's clock."""

    def __init__(self, world: World, uptime: int) -> None:
        self._clock, self._begun = world.clock, world.clock.monotonic() - uptime

    def __call__(self) -> int:
        return int(self._clock.monotonic() - self._begun)


def at_boot(world: World, seconds: int) -> WorldMachine:
    found = world.machine(uptime=Boot(world, seconds))
    found.client.add_product(world.publisher.descriptor(DESKTOP))
    return found


def waits(world: World, machine: WorldMachine, seconds: int) -> list[int]:
    """The seconds after which tries were made, as a timer does it each second."""
    found: list[int] = []
    for second in range(0, seconds, 5):
        if tried(machine):
            found.append(second)
        world.clock.pass_time(5)
    return found


def test_activation_before_the_network_is_asked_again_soon(world: World) -> None:
    machine = at_boot(world, 8)
    world.dns_fault = DNS_DOWN
    assert tried(machine)
    world.clock.pass_time(50)
    world.dns_fault = None
    assert tried(machine)
    assert verdict_of(machine).licensed


def test_soon_tries_after_a_start_are_few_and_spread(world: World) -> None:
    world.dns_fault = DNS_DOWN
    machine = at_boot(world, 3)
    found = waits(world, machine, 3600)
    assert 5 <= len([one for one in found if one <= schedule.BOOTING]) <= 12
    assert len([one for one in found if one > schedule.BOOTING]) <= 4
    assert all(later - one >= schedule.SOON for one, later in itertools.pairwise(found))
    instants = set()
    for _ in range(20):
        together = at_boot(world, 3)
        tried(together)
        record = verdict_of(together).record
        assert record is not None
        instants.add(record.next_attempt)
    assert len(instants) > 5, "machines that started together do not come back together"


@pytest.mark.parametrize(
    ("misbehaviour", "up"),
    [
        (Misbehaviour.RUBBISH, 5),
        (Misbehaviour.EMPTY, 5),
        (Misbehaviour.REDIRECT, 5),
        (Misbehaviour.UNSIGNED_DUPLICATE, 5),
        (Misbehaviour.STRANGER, 5),
        (Misbehaviour.SILENT, schedule.BOOTING),
        (Misbehaviour.SILENT, 10 * DAY),
        (Misbehaviour.REFUSING, schedule.BOOTING),
    ],
)
def test_whoever_answers_and_whoever_runs_long_waits_15_minutes(
    world: World, misbehaviour: Misbehaviour, up: int
) -> None:
    host_of(world).misbehaviour = misbehaviour
    machine = at_boot(world, up)
    assert tried(machine)
    world.clock.pass_time(15 * MINUTE - 1)
    assert not tried(machine)
    world.clock.pass_time(2 * MINUTE)
    assert tried(machine)


def test_names_that_do_not_exist_and_refusals_wait_as_ever(world: World) -> None:
    machine = at_boot(world, 5)
    host_of(world).forget()
    assert tried(machine)
    world.clock.pass_time(15 * MINUTE - 1)
    assert not tried(machine)
    other = World()
    alone = at_boot(other, 5)
    assert tried(alone)
    other.clock.pass_time(15 * MINUTE - 1)
    assert not tried(alone)


def test_soon_tries_raise_no_wait_of_later_ones(world: World) -> None:
    host_of(world).misbehaviour = Misbehaviour.SILENT
    machine = at_boot(world, 5)
    waits(world, machine, schedule.BOOTING)
    record = verdict_of(machine).record
    assert record is not None
    assert record.failures <= 1


def test_the_publisher_is_asked_again_soon_too(world: World) -> None:
    world.publisher.now = world.clock.now()
    machine = at_boot(world, 5)
    machine.client.install_key(world.publisher.machine_key("desktop", Kind.MAK).text)
    machine.client.parts = replace(
        machine.client.parts, plan=lambda _: Plan(publisher_url=PUBLISHER_URL)
    )
    world.publisher_fault = error("net/name", name="publisher.test")
    assert tried(machine)
    world.clock.pass_time(50)
    world.publisher_fault = None
    (found,) = machine.client.activate(typed=False)
    assert found.renewed


@given(st.integers(-5, 2**40), st.integers(0, 10_000), st.sampled_from(sorted(schedule.UNREACHED)))
def test_soon_is_between_30_seconds_and_15_minutes(up: int, seed: int, code: str) -> None:
    at = schedule.soon_after_boot(START, up, (code,), SeededDice(seed))
    if 0 <= up < schedule.BOOTING:
        assert at is not None
        assert schedule.SOON <= at - START <= schedule.SHORTEST
    else:
        assert at is None
    assert schedule.soon_after_boot(START, up, (code, "wire/bad-answer"), SeededDice(1)) is None
    assert schedule.soon_after_boot(START, None, (code,), SeededDice(1)) is None
    assert schedule.soon_after_boot(START, up, (), SeededDice(1)) is None


def test_the_system_tells_how_long_it_runs(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    for text, expected in (
        ("350735.47 234388.90\n", 350735),
        ("7 1\n", 7),
        ("x", None),
        ("", None),
    ):
        (tmp_path / "proc/uptime").write_text(text)
        assert uptime(tmp_path) == expected
    found = uptime()
    assert found is None or found > 0
