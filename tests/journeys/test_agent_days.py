"""200 days of an agent in a moment: its agenda and its tasks, in a world whose clock jumps."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from muster.agent import tasks
from muster.agent.agenda import Agenda, planned
from muster.client import schedule
from muster.client.stores import Parts
from muster.core.keys import Kind
from muster.core.products import DAY
from muster.lease.descriptor import with_url
from muster.system.entropy import SeededDice
from muster.testing.tiny_host import Misbehaviour, TinyHost
from muster.testing.world import PUBLISHER_URL, World, WorldMachine

DESKTOP, OFFICE = "desktop-pro", "office-suite"
DAYS = 200


class Simulated(tasks.Place):
    """A place in a world; `parts` are those of a machine there."""

    __slots__ = ("machine",)

    def __init__(self, machine: WorldMachine) -> None:
        super().__init__(Path("/store"))
        object.__setattr__(self, "machine", machine)

    machine: WorldMachine

    def parts(self) -> Parts:
        """What acts and looks of the machine work with."""
        return self.machine.client.parts


class Keeper:
    """What the keeper does, without processes: it jumps to the next instant of its agenda."""

    def __init__(self, world: World, machine: WorldMachine) -> None:
        self.world, self.place = world, Simulated(machine)
        self.agenda = Agenda(SeededDice("keeper"), booted=True)
        self.tries: list[int] = []
        self.plan()

    def plan(self) -> None:
        self.agenda.planned(planned(tasks.plan(self.place)), self.world.clock.now())

    def live(self, until: int) -> None:
        """Sleep and work until an instant."""
        clock = self.world.clock
        while (instant := self.agenda.next_instant) is not None and instant < until:
            clock.pass_time(max(0, instant - clock.now()))
            names = self.agenda.due(clock.now())
            self.tries.append(clock.now())
            self.agenda.tried(names, planned(tasks.keep(self.place, names)), clock.now())
        clock.pass_time(max(0, until - clock.now()))


@pytest.fixture
def world() -> World:
    return World()


def served(world: World) -> TinyHost:
    host = world.host()
    world.advertise([host])
    return host


def desktop(world: World) -> WorldMachine:
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    return machine


def test_a_machine_is_licensed_each_day_by_a_try_a_week(world: World) -> None:
    host = served(world)
    machine = desktop(world)
    keeper = Keeper(world, machine)
    begin = world.clock.now()
    for day in range(1, DAYS + 1):
        if day % 20 == 0:
            host.crowd(30)  # the others of the site ask too
        keeper.live(begin + day * DAY)
        assert machine.client.status().verdict.licensed, day
    assert keeper.tries[0] - begin <= schedule.FIRST_SPREADS[True, False]
    assert DAYS // 7 <= len(keeper.tries) <= DAYS // 6 + 1


def test_hosts_that_are_gone_for_three_weeks_cost_nothing_and_are_found_again(
    world: World,
) -> None:
    host = served(world)
    machine = desktop(world)
    keeper = Keeper(world, machine)
    begin = world.clock.now()
    keeper.live(begin + 30 * DAY)
    host.misbehaviour = Misbehaviour.REFUSING
    before = len(keeper.tries)
    keeper.live(begin + 51 * DAY)
    assert machine.client.status().verdict.licensed
    # No more often than every quarter of an hour, and soon every two hours, as the lease says.
    gone = keeper.tries[before:]
    gaps = [later - earlier for earlier, later in itertools.pairwise(gone)]
    assert min(gaps) >= schedule.SHORTEST
    host.misbehaviour = Misbehaviour.HONEST
    host.crowd(30)
    keeper.live(begin + 52 * DAY)
    until = machine.client.status().verdict.until
    assert until is not None
    assert until > world.clock.now() + 170 * DAY


def test_a_clock_that_is_set_back_and_forth_is_lived_through(world: World) -> None:
    served(world)
    machine = desktop(world)
    keeper = Keeper(world, machine)
    begin = world.clock.now()
    keeper.live(begin + DAY)
    for jump in (-300 * DAY, 300 * DAY):
        world.clock.jump(jump)
        keeper.plan()  # as the alarm tells
        keeper.live(world.clock.now() + DAY // 2)
    assert machine.client.status().verdict.licensed
    # While the clock is wrong nothing is licensed, and somebody is asked every quarter of an hour.
    assert len(keeper.tries) <= 2 * DAY // 2 // schedule.SHORTEST + 4


def test_what_is_activated_for_ever_asks_for_news_once_a_day(world: World) -> None:
    machine = world.machine()
    machine.client.add_product(with_url(world.publisher.descriptor(OFFICE), PUBLISHER_URL))
    machine.client.install_key(world.publisher.machine_key("office", Kind.MAK).text)
    keeper = Keeper(world, machine)
    begin = world.clock.now()
    keeper.live(begin + 8 * DAY)
    assert machine.client.status().verdict.licensed
    assert 7 <= len(keeper.tries) <= 9
