"""The service on real SQLite: counted first, answered second, and durable rows behind it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.conftest import (
    START,
    Machine,
    World,
    challenge_in,
    leased,
    limited,
    meeting,
    refused,
)
from tests.profiles import examples

from muster.core.errors import MusterError
from muster.core.identity import nonce_prefix
from muster.core.keys import parse_product_key
from muster.core.products import COUNT_WINDOW, DAY, Revocation, day_of
from muster.host.act import enrol, updates
from muster.host.act.machines import remove_machine
from muster.host.model import QueuedRequest, Refused, Released
from muster.host.tables import audit, host_keys, host_settings, ledger, own, request_log, tallies
from muster.lease.bundle import Bundle, NoticeBundle
from muster.lease.descriptor import read_descriptor
from muster.lease.steps import Expected
from muster.lease.verify import verify_notice
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.activation import ActivationAnswer


def count_of(world: World, application: str = "os") -> int:
    with world.database.snapshot() as reader:
        return ledger.count(reader, world.id, application, world.clock.now())


def audit_events(world: World) -> list[str]:
    with world.database.snapshot() as reader:
        return [row.event for row in audit.rows(reader, 100)]


# The threshold.


def test_the_twenty_fifth_desktop_is_licensed_and_the_earlier_ones_follow(host: World) -> None:
    for number in range(1, 25):
        reply = host.ask(number)
        assert refused(reply) == "host/insufficient-count"
        assert isinstance(reply, Refused)
        assert reply.error.params == {"count": number, "need": 25, "retry_after": 7200}
        assert (reply.trust, reply.catalogue) == (1, 1)
    answer = leased(host.ask(25))
    assert (answer.count, answer.need) == (25, 25)
    licence = host.verify(25, "desktop-pro", answer)
    assert licence.expires == host.clock.now() + 180 * DAY
    assert licence.renew_at == host.clock.now() + 7 * DAY
    for number in range(1, 25):
        assert leased(host.ask(number)).count == 25
    assert count_of(host) == 25


def test_servers_and_desktops_count_together_and_office_apart(host: World) -> None:
    host.enrol("office")
    host.fill(range(1, 5))
    assert leased(host.ask(101, "server-standard")).count == 5
    for number in range(201, 205):
        assert refused(host.ask(number, "office-suite")) == "host/insufficient-count"
    assert leased(host.ask(205, "office-drawing")).count == 5
    assert count_of(host) == 5
    assert count_of(host, "office") == 5


def test_a_machine_with_two_products_of_an_application_counts_once(host: World) -> None:
    host.ask(1, "desktop-pro")
    host.ask(1, "desktop-enterprise")
    host.ask(1, "server-standard")
    assert count_of(host) == 1


@examples(25, shared=True)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.data())
def test_any_batching_of_the_same_machines_gives_the_same_count(
    host: World, order: list[int], data: st.DataObject
) -> None:
    with host.database.transaction() as tx:
        tx.execute("DELETE FROM sighting")
        tx.execute("DELETE FROM machine")
        tallies.recount(tx)
    seen: set[int] = set()
    turns: Counter[int] = Counter()
    rest = list(order)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        batch, rest = rest[:size], rest[size:]
        arrivals = []
        for number in batch:
            turns[number] += 1
            arrivals.append(host.arrival(Machine(number, turn=turns[number])))
        for number, reply in zip(batch, host.service.handle(arrivals), strict=True):
            seen.add(number)
            if len(seen) < 25:
                assert isinstance(reply, Refused)
                assert reply.error.params["count"] == len(seen)
            else:
                assert leased(reply).count == len(seen)
    assert count_of(host) == len(set(order))


def test_two_of_one_batch_never_both_read_twenty_four(host: World) -> None:
    host.fill(range(1, 24))
    arrivals = [host.arrival(Machine(n)) for n in (24, 25)]
    first, second = host.service.handle(arrivals)
    assert isinstance(first, Refused)
    assert first.error.params["count"] == 24
    assert leased(second).count == 25


def test_the_shown_count_is_bounded_by_twice_the_need(host: World) -> None:
    host.fill(range(1, 31), "server-standard")
    assert leased(host.ask(31, "server-standard")).count == 10
    assert leased(host.ask(32, "desktop-pro")).count == 32


# Time.


def test_a_machine_drops_out_after_thirty_days(host: World) -> None:
    host.fill(range(1, 26))
    host.clock.pass_time(COUNT_WINDOW - 1)
    assert count_of(host) == 25
    host.clock.pass_time(1)
    assert count_of(host) == 0


def test_a_renewal_below_the_need_is_refused_but_counts(host: World) -> None:
    host.fill(range(1, 26))
    host.clock.pass_time(20 * DAY)
    assert leased(host.ask(1)).count == 25
    host.clock.pass_time(11 * DAY)
    reply = host.ask(1)
    assert isinstance(reply, Refused)
    assert reply.error.params["count"] == 1
    with host.database.snapshot() as reader:
        (lease,) = ledger.leases(reader, host.id, Machine(1).cmid).values()
    assert lease.expires_at > host.clock.now()


def test_skew_is_refused_with_the_hosts_time_and_not_counted(host: World) -> None:
    request = Machine(1).request(host.id, "desktop-pro", START - 4 * 3600 - 1)
    reply = host.ask(1, request=request)
    assert refused(reply) == "host/clock-skew"
    assert isinstance(reply, Refused)
    assert reply.error.params["host_time"] == "2026-11-25 09:00:00 UTC"
    assert count_of(host) == 0


def test_a_host_in_the_year_2040_refuses_everybody_and_mends(host: World) -> None:
    host.fill(range(1, 26))
    true = host.clock.now()
    host.clock.set(2_209_000_000)
    assert refused(host.ask(1, request=Machine(1).request(host.id, "desktop-pro", true))) == (
        "host/clock-skew"
    )
    # Machines whose clocks jumped with it are counted in the future.
    for number in range(1, 26):
        host.ask(number)
    assert count_of(host) == 25
    assert host.service.housekeep().clamped == 0
    host.clock.set(true + 600)
    host.clock.pass_time(0)
    assert host.service.housekeep().clamped == 25
    assert host.service.housekeep().clamped == 0
    assert "host:clock:mend" in audit_events(host)
    assert count_of(host) == 25
    host.clock.pass_time(COUNT_WINDOW)
    assert count_of(host) == 0
    with host.database.snapshot() as reader:
        for lease in ledger.leases(reader, host.id, Machine(3).cmid).values():
            assert lease.expires_at <= true + 600 + 180 * DAY


def test_a_jump_of_forty_days_erases_nothing(host: World) -> None:
    host.fill(range(1, 26))
    host.clock.jump(40 * DAY)
    for _ in range(3):
        host.service.housekeep()
        host.clock.pass_time(3600)
    assert count_of(host) == 0
    host.clock.jump(-40 * DAY)
    host.service.housekeep()
    assert count_of(host) == 25


def test_a_clock_set_back_by_mistake_does_not_age_the_fleet(host: World) -> None:
    host.fill(range(1, 26))
    host.clock.jump(-2000 * DAY)
    for _ in range(30):
        host.service.housekeep()
        host.clock.pass_time(3600)
    host.clock.jump(2000 * DAY)
    assert count_of(host) == 25


def test_rows_are_deleted_after_ninety_days_of_a_steady_clock(host: World) -> None:
    host.fill(range(1, 4))
    host.clock.pass_time(89 * DAY)
    host.ask(2)
    assert host.service.housekeep().purged == 0
    host.clock.pass_time(2 * DAY)
    assert host.service.housekeep().purged == 2
    with host.database.snapshot() as reader:
        left = [one.cmid for one in ledger.machines(reader, 10)]
    assert left == [Machine(2).cmid]


def test_after_a_restart_nothing_is_deleted_for_a_day(host: World) -> None:
    host.ask(1)
    host.clock.pass_time(200 * DAY)
    host.restart()
    assert host.service.housekeep().purged == 0
    host.clock.pass_time(24 * 3600)
    assert host.service.housekeep().purged == 1


# What is not counted.


def test_what_is_not_counted(host: World) -> None:
    now = host.clock.now()
    machine = Machine(1)
    for request, code in (
        (machine.request(host.id, "office-suite", now), "host/not-served"),
        (machine.request(host.id, "unknown", now), "host/not-served"),
        (machine.request("a" * 16, "desktop-pro", now), "host/not-served"),
        (machine.request(host.id, "desktop-pro", 0), "host/clock-skew"),
        (machine.request(host.id, "desktop-pro", now, fingerprint=()), "host/no-facts"),
        (
            machine.request(host.id, "desktop-pro", now, identity="explicit"),
            "host/identity-mode",
        ),
    ):
        assert refused(host.ask(1, request=request)) == code
    assert count_of(host) == 0
    with host.database.snapshot() as reader:
        assert ledger.machines(reader, 10) == []
        assert len(request_log.requests(reader, 10)) == 6


def test_new_machines_of_one_source_are_bounded_and_old_ones_are_not(host: World) -> None:
    with host.database.transaction() as tx:
        host_settings.put(tx, "new_cmid_rate", "10")
        own.touch(tx)
    host.fill(range(1, 11))
    reply = host.ask(11)
    assert refused(reply) == "host/new-machines"
    assert isinstance(reply, Refused)
    assert reply.error.row.http == 429
    assert reply.error.params["retry_after"] == 361
    assert count_of(host) == 10
    assert refused(host.ask(1)) == "host/insufficient-count"
    assert refused(host.ask(12, address="192.0.2.2")) == "host/insufficient-count"
    host.clock.pass_time(361)
    assert refused(host.ask(11)) == "host/insufficient-count"


# Clones.


def test_a_clone_gets_a_signed_notice_and_the_first_machine_keeps_the_id(host: World) -> None:
    host.fill(range(1, 26))
    clone = Machine(99)
    request = clone.request(host.id, "desktop-pro", host.clock.now(), key=Machine(1).key)
    reply = host.ask(99, request=request, key=Machine(1).key)
    assert isinstance(reply, Refused)
    assert reply.error.code == "host/duplicate-cmid"
    assert reply.error.row.http == 409
    assert reply.notice is not None
    notice = NoticeBundle(reply.notice.notice, reply.notice.grant, reply.notice.signer)
    verified = verify_notice(
        notice.encode(),
        Expected(
            descriptor=read_descriptor(host.publisher.descriptor("desktop-pro")),
            trust=host.publisher.trust,
            catalogue=host.publisher.catalogue,
            cmid=Machine(1).cmid,
            identity="machine",
            nonce=clone.nonce,
            fingerprint=clone.fingerprint,
            now=host.clock.now(),
            clock_mark=0,
            fresh=True,
        ),
    )
    assert verified.code == "host/duplicate-cmid"
    assert count_of(host) == 25
    leased(host.ask(1))
    with host.database.snapshot() as reader:
        (row,) = ledger.machines(reader, 10, Machine(1).cmid)
    assert row.duplicates == 1


def test_a_machine_that_changes_fact_by_fact_stays_itself(host: World) -> None:
    facts = [f"{letter}{0:016x}" for letter in "bcdnp"]
    for changed in range(5):
        facts[changed] = f"{facts[changed][0]}{1:016x}"
        request = Machine(1, turn=changed).request(
            host.id, "desktop-pro", host.clock.now(), fingerprint=tuple(sorted(facts))
        )
        assert refused(host.ask(1, request=request)) == "host/insufficient-count"


def test_removing_a_machine_lets_another_take_its_id(host: World) -> None:
    host.ask(1)
    assert remove_machine(host.opened, Machine(1).cmid).given_back == 1
    assert remove_machine(host.opened, Machine(1).cmid).given_back == 0
    assert count_of(host) == 0
    host.clock.pass_time(1)
    request = Machine(2).request(host.id, "desktop-pro", host.clock.now(), key=Machine(1).key)
    assert refused(host.ask(2, request=request, key=Machine(1).key)) == "host/insufficient-count"
    assert count_of(host) == 1
    with pytest.raises(MusterError) as caught:
        remove_machine(host.opened, Machine(3).cmid)
    assert caught.value.code == "host/unknown-machine"
    assert "host:machine:remove" in audit_events(host)


# Grants.


def test_a_revoked_grant_stops_leasing_when_the_catalogue_comes(host: World) -> None:
    host.fill(range(1, 26))
    grant = host.service.view().publishers[host.id].grants[0].grant
    revoked = Revocation(jti=grant.jti, key=None, at=day_of(host.clock.now()))
    catalogue = host.publisher.publish(revocations=[revoked])
    leased(host.ask(1))
    updates.update(host.opened, host.id, catalogue=catalogue.text)
    reply = host.ask(1)
    assert refused(reply) == "host/grant-revoked"
    assert isinstance(reply, Refused)
    assert reply.catalogue == 2
    assert host.service.view().publishers[host.id].catalogue_version == 2


def test_a_revoked_host_key_stops_leasing_too(host: World) -> None:
    grant = host.service.view().publishers[host.id].grants[0].grant
    revoked = Revocation(jti=None, key=grant.key, at=0)
    updates.update(
        host.opened, host.id, catalogue=host.publisher.publish(revocations=[revoked]).text
    )
    assert refused(host.ask(1)) == "host/grant-revoked"


def test_a_revoked_product_is_refused_and_the_others_go_on(host: World) -> None:
    host.fill(range(1, 26))
    leased(host.ask(1))
    setup = parse_product_key(host.publisher.catalogue.product("desktop-pro").setup_key)
    revoked = Revocation(jti=None, key=setup.key_id.text, at=0)
    updates.update(
        host.opened, host.id, catalogue=host.publisher.publish(revocations=[revoked]).text
    )
    assert refused(host.ask(1, "desktop-pro")) == "host/product-revoked"
    leased(host.ask(1, "desktop-enterprise"))


def test_a_withdrawn_grant_key_ends_the_grant_until_it_is_given_anew(host: World) -> None:
    host.publisher.rotate(withdraw=True)
    updates.update(host.opened, host.id, trust=[host.publisher.trust.text])
    assert refused(host.ask(1)) == "host/not-activated"


def test_a_newer_catalogue_teaches_an_old_host_a_new_product(host: World) -> None:
    assert refused(host.ask(1, "desktop-8")) == "host/not-served"
    product = host.publisher.new_product("desktop-8", need=1)
    updates.update(host.opened, host.id, catalogue=host.publisher.publish([product]).text)
    assert leased(host.ask(1, "desktop-8")).count == 1


def test_two_publishers_are_counted_apart(host: World) -> None:
    other = TinyPublisher("fabrikam", now=START - 3600)
    updates.add_publisher(host.opened, other.file())
    host.enrol("server", publisher=other)
    host.fill(range(1, 25))
    request = Machine(50).request(other.publisher, "server-standard", host.clock.now())
    reply = host.ask(50, request=request)
    assert isinstance(reply, Refused)
    assert reply.error.params["count"] == 1
    leased(host.ask(25))
    assert enrol.remove_publisher(host.opened, other.publisher).publisher == other.publisher
    with pytest.raises(MusterError) as caught:
        enrol.remove_publisher(host.opened, other.publisher)
    assert caught.value.code == "host/unknown-publisher"
    assert refused(host.ask(50, request=request)) == "host/not-served"
    leased(host.ask(25))


def test_intervals_of_the_settings_go_into_leases_and_refusals(host: World) -> None:
    with host.database.transaction() as tx:
        host_settings.put(tx, "retry_interval", "900")
        host_settings.put(tx, "renewal_interval", "1296000")
        host_settings.put(tx, "no_such", "1")
        own.touch(tx)
    reply = host.ask(1)
    assert isinstance(reply, Refused)
    assert reply.error.params["retry_after"] == 900
    host.fill(range(2, 25))
    licence = host.verify(25, "desktop-pro", leased(host.ask(25)))
    assert licence.retry_after == 900
    assert licence.renew_at == host.clock.now() + 1_296_000


# Ceiling.


def test_a_ceiling_is_exact_and_what_is_refused_is_not_counted(world: World) -> None:
    jti = limited(world, 3)
    arrivals = [world.arrival(Machine(n), "tiny") for n in range(1, 6)]
    replies = world.service.handle(arrivals)
    assert [isinstance(one, ActivationAnswer) for one in replies] == [True] * 3 + [False] * 2
    assert refused(replies[3]) == "host/limit-reached"
    assert count_of(world) == 3
    leased(world.ask(1, "tiny"))
    with world.database.snapshot() as reader:
        assert tallies.seats(reader, world.id, jti, world.clock.now()) == 3
    assert release(world, 2, leased(world.ask(2, "tiny")))
    leased(world.ask(4, "tiny"))
    assert refused(world.ask(5, "tiny")) == "host/limit-reached"
    world.clock.pass_time(30 * DAY)
    leased(world.ask(5, "tiny"))


def test_a_ceiling_that_reports_refuses_nobody(world: World) -> None:
    jti = limited(world, 0)
    view = world.service.view().publishers[world.id]
    (held,) = view.grants
    assert held.grant.jti == jti
    assert refused(world.ask(1, "tiny")) == "host/limit-reached"
    terms = world.publisher.terms(held.grant, 0, over="report", version=2)
    key = view.keys[0]
    with world.database.transaction() as tx:
        host_keys.put(tx, replace(key, terms=terms))
        own.touch(tx)
    leased(world.ask(1, "tiny"))


# Release.


def release(
    world: World, number: int, answer: ActivationAnswer, **changes: tuple[str, ...]
) -> bool:
    return shown(world, world.machine(number), answer.bundle, **changes)


def shown(world: World, machine: Machine, bundle: Bundle, **changes: tuple[str, ...]) -> bool:
    """A machine shows a bundle to give it back; a second later than it asked."""
    world.clock.pass_time(1)
    request = machine.release(bundle, world.clock.now(), **changes)
    reply = world.send(request, machine.key)
    if isinstance(reply, Refused):
        raise reply.error
    assert isinstance(reply, Released)
    return reply.released


def test_a_release_frees_the_count_once(host: World) -> None:
    host.fill(range(1, 25), "server-standard")
    answer = leased(host.ask(25, "server-standard"))
    assert count_of(host) == 25
    assert release(host, 25, answer)
    assert not release(host, 25, answer)
    assert count_of(host) == 24
    assert audit_events(host).count("host:lease:release") == 1
    leased(host.ask(25, "server-standard"))
    assert count_of(host) == 25


def test_a_machine_that_holds_another_product_stays_counted(host: World) -> None:
    host.fill(range(1, 25), "server-standard")
    desktop = leased(host.ask(25, "desktop-pro"))
    server = leased(host.ask(25, "server-standard"))
    assert release(host, 25, desktop)
    assert count_of(host) == 25
    assert release(host, 25, server)
    assert count_of(host) == 24


def test_only_who_knows_of_the_last_lease_releases(host: World) -> None:
    host.fill(range(1, 5), "server-standard")
    first, second, third = (leased(host.ask(5, "server-standard")) for _ in range(3))
    for turn, answer in enumerate((first, second)):
        with pytest.raises(MusterError) as caught:
            release(host, 5, answer, line=(nonce_prefix(Machine(5, turn=turn).nonce),))
        assert caught.value.code == "host/release-proof"
    assert release(host, 5, third)
    assert not release(host, 5, first)


def test_a_release_needs_the_machine_the_signer_and_the_grant(host: World) -> None:
    host.fill(range(1, 5), "server-standard")
    answer = leased(host.ask(5, "server-standard"))
    other = leased(host.ask(4, "server-standard"))
    stranger = TinyPublisher("fabrikam", now=START)
    bundle = answer.bundle
    for machine, shows, code in (
        (host.machine(4), bundle, "host/request-proof"),
        (host.machine(5), other.bundle, "host/request-proof"),
        (
            host.machine(5),
            replace(bundle, signer=stranger.grant_key.public),
            "licence/signer",
        ),
        (host.machine(5), replace(bundle, lease=bundle.grant), "licence/header"),
        (host.machine(5), replace(bundle, grant=bundle.lease), "licence/grant"),
        (host.machine(5), replace(bundle, lease=_resigned(bundle)), "licence/signer"),
    ):
        with pytest.raises(MusterError) as caught:
            shown(host, machine, shows)
        assert caught.value.code == code
    assert count_of(host) == 5


def test_a_recorded_release_releases_nothing_later(host: World) -> None:
    host.fill(range(1, 5), "server-standard")
    answer = leased(host.ask(5, "server-standard"))
    host.clock.pass_time(1)
    machine = host.machine(5)
    asked = machine.release(answer.bundle, host.clock.now())
    (reply,) = host.service.handle([QueuedRequest(asked, "192.0.2.1")])
    recorded = meeting(asked, challenge_in(reply), machine.key)
    assert host.service.handle([QueuedRequest(recorded, "192.0.2.1")]) == [Released(True)]
    host.clock.pass_time(1)
    leased(host.ask(5, "server-standard"))
    (reply,) = host.service.handle([QueuedRequest(recorded, "192.0.2.1")])
    assert refused(reply) == "host/request-old"
    assert count_of(host) == 5


def _resigned(bundle: Bundle) -> str:
    head, payload, signature = bundle.lease.split(".")
    return f"{head}.{payload}.{'A' * 85}{signature[-1]}"


# Log and counters.


def test_the_log_has_the_fields_of_event_12290(host: World) -> None:
    host.fill(range(1, 26))
    host.clock.pass_time(3600)
    host.ask(25)
    host.ask(26, "unknown")
    with host.database.snapshot() as reader:
        unknown, again, first, *_ = request_log.requests(reader, 30)
        numbers = {(one.code, one.state): one.number for one in request_log.counters(reader)}
    assert (unknown.code, unknown.field_code) == ("host/not-served", "0xC004F042")
    assert (again.code, again.need, again.count) == ("", 25, 25)
    assert again.minutes == 180 * 24 * 60 - 60
    assert (first.code, first.minutes, first.state) == ("", 0, 2)
    assert again.client_time == host.clock.now()
    assert numbers == {
        ("host/insufficient-count", 2): 24,
        ("", 2): 2,
        ("host/not-served", 2): 1,
    }


def test_invented_names_do_not_fill_the_counters(host: World) -> None:
    for number in range(50):
        host.ask(1, f"invented-{number}")
    with host.database.snapshot() as reader:
        assert len(request_log.counters(reader)) == 1
