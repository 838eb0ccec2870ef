"""Seats of machines that vanished: they come back when their leases end, as soon as terms say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.host import keys, look, rules
from muster.host.act import grants
from muster.host.model import Settings
from muster.host.results import ClientStatus, TermsStatus
from muster.host.tables import host_keys, own, tallies
from muster.lease.terms import read_terms
from muster.testing.real import install
from muster.testing.tiny_publisher import GROUPS

from .conftest import Machine, World, leased, refused

OF_THE_GROUP = next(one.max_lease for one in GROUPS if one.id == "limited")


def under_terms(world: World, limit: int, max_lease: int | None, renew_after: int = 7 * DAY) -> str:
    """A host whose one grant has a ceiling; the licence id of the grant."""
    product = world.publisher.new_product("tiny", need=1)
    product = replace(product, spans=replace(product.spans, renew_after=renew_after))
    world.publisher.publish([product])
    key = install(world.opened, world.publisher.host_key("limited").text, ())
    iid = keys.installation_id(world.opened.current(), key)
    answer = world.publisher.confirm(iid, limit=limit)
    grant = grants.accept(world.opened, world.id, answer).grant
    put_terms(world, world.publisher.terms(grant, limit, version=2, max_lease=max_lease))
    return grant.jti


def put_terms(world: World, text: str) -> None:
    (known,) = world.service.view().publishers.values()
    with world.database.transaction() as tx:
        host_keys.put(tx, replace(known.keys[0], terms=text))
        own.touch(tx)


def clients(world: World, *, silent: bool = False) -> dict[str, ClientStatus]:
    found = look.clients(world.opened, 100, silent=silent)
    return {row.cmid: row for row in found.clients}


def terms_of(world: World) -> TermsStatus:
    terms = look.status(world.opened).publishers[0].keys[0].terms
    assert terms is not None
    return terms


def test_a_machine_that_vanished_gives_its_seat_back_when_the_terms_say(world: World) -> None:
    jti = under_terms(world, 2, max_lease=2 * DAY)
    began = world.clock.now()
    first = leased(world.ask(1, "tiny"))
    licence = world.verify(1, "tiny", first)
    assert licence.expires == began + 2 * DAY
    leased(world.ask(2, "tiny"))
    assert refused(world.ask(3, "tiny")) == "host/limit-reached"
    for _ in range(2):  # machine 2 renews as its lease says; machine 1 is gone
        world.clock.pass_time(DAY - 60)
        assert refused(world.ask(3, "tiny")) == "host/limit-reached"
        leased(world.ask(2, "tiny"))
    world.clock.pass_time(120)
    leased(world.ask(3, "tiny"))
    assert refused(world.ask(1, "tiny")) == "host/limit-reached"
    with world.database.snapshot() as reader:
        assert tallies.seats(reader, world.id, jti, world.clock.now()) == 2


def test_terms_without_a_span_leave_leases_as_long_as_the_product_says(world: World) -> None:
    under_terms(world, 1, max_lease=None)
    answer = leased(world.ask(1, "tiny"))
    assert world.verify(1, "tiny", answer).expires == world.clock.now() + OF_THE_GROUP


@pytest.mark.parametrize(
    ("setting", "max_lease", "wanted"),
    [
        (None, None, 7 * DAY),
        (None, DAY, DAY // 2),
        (None, 14 * DAY, 7 * DAY),
        (30 * DAY, 30 * DAY, 15 * DAY),
        (900, DAY, 900),
    ],
)
def test_a_machine_renews_before_its_short_lease_ends(
    world: World, setting: int | None, max_lease: int | None, wanted: int
) -> None:
    under_terms(world, 1, max_lease)
    (known,) = world.service.view().publishers.values()
    (held,) = known.grants
    product = world.publisher.new_product("other", need=1)
    settings = Settings(renew_after=setting)
    assert rules.renew_after(product, settings, held.terms) == wanted
    assert rules.silent_after(product, settings, held.terms) == max(DAY, 2 * wanted)


def test_a_lease_from_before_the_terms_keeps_its_end_and_its_seat(world: World) -> None:
    """The machine is licensed by it all that time: freeing its seat would exceed the limit."""
    under_terms(world, 1, max_lease=None)
    leased(world.ask(1, "tiny"))
    (known,) = world.service.view().publishers.values()
    terms = world.publisher.terms(known.grants[0].grant, 1, version=3, max_lease=DAY)
    put_terms(world, terms)
    world.clock.pass_time(OF_THE_GROUP - 2 * DAY)
    assert refused(world.ask(2, "tiny")) == "host/limit-reached"
    row = clients(world)[Machine(1).cmid]
    assert row.seat_until == world.clock.now() + 2 * DAY
    assert leased(world.ask(1, "tiny"))
    world.clock.pass_time(DAY)
    leased(world.ask(2, "tiny"))


def test_silent_machines_are_named_with_the_day_on_which_their_seat_comes_back(
    world: World,
) -> None:
    under_terms(world, 5, max_lease=10 * DAY, renew_after=2 * DAY)
    start = world.clock.now()
    for number in (1, 2, 3):
        leased(world.ask(number, "tiny"))
    assert clients(world, silent=True) == {}
    world.clock.pass_time(3 * DAY)
    leased(world.ask(2, "tiny"))
    world.clock.pass_time(2 * DAY)
    leased(world.ask(3, "tiny"))
    assert list(clients(world, silent=True)) == [Machine(1).cmid]
    rows = clients(world)
    gone, here = rows[Machine(1).cmid], rows[Machine(2).cmid]
    assert (gone.silent, gone.silent_days, gone.seat_until) == (True, 5, start + 10 * DAY)
    assert (here.silent, here.silent_days) == (False, 0)
    shown = terms_of(world)
    assert (shown.seats, shown.silent, shown.silent_until) == (3, 1, start + 10 * DAY)
    assert shown.max_lease == 10 * DAY
    world.clock.pass_time(6 * DAY)
    leased(world.ask(3, "tiny"))
    assert list(clients(world, silent=True)) == [Machine(1).cmid, Machine(2).cmid]
    assert clients(world)[Machine(1).cmid].seat_until is None
    assert terms_of(world).silent == 1


@pytest.mark.parametrize("span", [0, DAY - 1, 2**31, 2**53, -1])
def test_terms_hold_a_span_from_a_day_on(world: World, span: int) -> None:
    under_terms(world, 1, max_lease=DAY)
    (known,) = world.service.view().publishers.values()
    grant = known.grants[0].grant
    for good in (DAY, 2**31 - 1):
        text = world.publisher.terms(grant, 1, version=3, max_lease=good)
        assert read_terms(text, known.trust, grant).max_lease == good
    with pytest.raises(MusterError, match="terms/claims"):
        world.publisher.terms(grant, 1, version=3, max_lease=span)
