"""What a host tells Prometheus of its tables and answers."""

from __future__ import annotations

import math

from tests.host.conftest import World
from tests.net.exposition import number_of

from muster.core.products import DAY
from muster.host.metrics import Traffic, ledger_families
from muster.lease.grant import TERM
from muster.net.exposition import Family, Histogram


def end_of(host: World) -> float:
    """When the key group of servers ends."""
    whose = (host.id, "contoso", "server")
    told = number_of(families(host), "grant_end_timestamp_seconds", *whose)
    assert isinstance(told, int | float)
    return told


def families(host: World) -> list[Family]:
    with host.database.snapshot() as reader:
        return ledger_families(reader, host.service.view(), host.clock.now())


def test_the_end_of_a_key_group_is_that_of_its_last_grant(world: World) -> None:
    ends = []
    for term in (2, 1, 0):
        world.enrol("server", term)
        ends.append(end_of(world))
    issued = world.clock.now()
    assert ends[0] == ends[1]
    assert issued + 2 * TERM - DAY < ends[0] <= issued + 2 * TERM
    assert ends[2] == math.inf


def test_a_publisher_without_a_grant_is_told_and_not_served(world: World) -> None:
    whose, told = (world.id, "contoso"), families(world)
    assert number_of(told, "serving", *whose) == 0
    assert number_of(told, "trust_version", *whose) == 1
    world.enrol("server")
    told = families(world)
    catalogue = world.opened.current().publishers[world.id].catalogue
    assert catalogue is not None
    assert number_of(told, "serving", *whose) == 1
    assert number_of(told, "catalogue_version", *whose) == catalogue.version
    assert number_of(told, "catalogue_signed_timestamp_seconds", *whose) == catalogue.iat


def test_answers_are_counted_by_status_and_by_how_long_they_took() -> None:
    traffic = Traffic()
    for status, seconds in ((200, 0.001), (200, 0.0011), (409, 7.0)):
        traffic.answered("activate", status, seconds)
    traffic.answered("release", 200, 0.3)
    told = traffic.families()
    assert number_of(told, "http_answers_total", "activate", "200") == 2
    assert number_of(told, "http_answers_total", "activate", "409") == 1
    spread = number_of(told, "http_answer_seconds", "activate")
    assert isinstance(spread, Histogram)
    counted = dict(spread.buckets)
    assert (counted["0.001"], counted["0.0025"], counted["5"], counted["+Inf"]) == (1, 2, 2, 3)
    assert spread.total == 0.001 + 0.0011 + 7.0
