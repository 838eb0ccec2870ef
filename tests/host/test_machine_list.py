"""A list of more machines than a page: short states of the database, and each machine once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from tests.db.counted import Counted

from muster.core.products import DAY
from muster.db.engine import Database, Reader
from muster.host import look, machine_list

from .conftest import World


class Meanwhile(Counted):
    """A database of which something happens before each state that is read but the first."""

    def __init__(self, inner: Database, happens: Callable[[], object]) -> None:
        super().__init__(inner)
        self._happens = happens

    def snapshot(self) -> AbstractContextManager[Reader]:
        if self.snapshots:
            self._happens()
        return super().snapshot()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_list, "PAGE", 3)
    monkeypatch.setattr(look, "LOG_PAGE", 3)


def fleet(host: World, number: int) -> list[str]:
    """Machines that asked at different times, the first one longest ago; their ids."""
    for one in range(number):
        host.clock.jump(100)
        host.ask(one)
    return [host.machine(one).cmid for one in range(number)]


def test_pages_are_states_of_their_own_and_one_list(host: World) -> None:
    ids = fleet(host, 10)
    counted = Counted(host.database)
    opened = replace(host.opened, database=counted)
    listed = [row.cmid for row in look.clients(opened, 100).clients]
    assert listed == ids[::-1]
    assert counted.snapshots > 4
    assert [row.cmid for row in look.clients(opened, 7).clients] == ids[:2:-1]
    host.clock.jump(20 * DAY)
    assert [row.cmid for row in look.clients(opened, 7, silent_for=DAY).clients] == ids[:7]


def test_whoever_asks_while_a_list_is_read_is_listed_once(host: World) -> None:
    """Before each page the machine that is last in the list asks, and is the first of it then."""
    ids = fleet(host, 10)
    turn = iter(range(6))

    def ask() -> None:
        number = next(turn, None)
        if number is not None:
            host.clock.jump(1)
            host.ask(number)

    opened = replace(host.opened, database=Meanwhile(host.database, ask))
    listed = look.clients(opened, 100).clients
    assert sorted(row.cmid for row in listed) == sorted(ids)
    assert list(listed) == sorted(listed, key=lambda row: -row.last_seen)


def test_requests_are_read_in_pages_too(host: World) -> None:
    ids = fleet(host, 10)
    counted = Meanwhile(host.database, lambda: host.ask(0))
    opened = replace(host.opened, database=counted)
    whole = look.requests(host.opened, 100).requests
    assert look.requests(opened, 100).requests == whole, "what came later is not in it"
    assert counted.snapshots > 3
    assert [row.cmid for row in look.requests(host.opened, 4).requests] == ids[-1:] + [ids[0]] * 3
    assert {row.cmid for row in look.requests(host.opened, 100, ids[3]).requests} == {ids[3]}
