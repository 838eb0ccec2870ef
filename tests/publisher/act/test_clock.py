"""Clocks of a publisher that were wrong: what is refused, what confirms, and what mends it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.publisher.conftest import HandClock, Host, Shop
from tests.publisher.engineer import Engineer

from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.core.products import day_of, day_start
from muster.core.text import instant_text
from muster.lease.catalogue import accept_catalogue
from muster.lease.grant import read_grant
from muster.lease.trust import walk
from muster.publisher import evidence, look
from muster.publisher.act import clock as act
from muster.publisher.act.backup import write_backup
from muster.publisher.store import SEEN_FILE


class JumpingClock(HandClock):
    """The clock of a machine that has been up for long, which a test sets: no time passes."""

    def monotonic(self) -> float:
        return self.up


class CountingClock(HandClock):
    """Counts how often it is looked at."""

    reads = 0

    def now(self) -> int:
        self.reads += 1
        return super().now()


@pytest.fixture
def shop(shop: Shop) -> Shop:
    shop.clock = JumpingClock(shop.clock.seconds)
    return shop


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(MusterError) as caught:
        act()
    assert caught.value.code == "publisher/clock"
    assert "muster publisher clock confirm" in caught.value.fix
    return caught.value.what


def everything_durable(shop: Shop, admin: Engineer) -> list[Callable[[], object]]:
    key = admin.keys(Kind.HOST)[0].key_id.text
    mak = admin.keys(Kind.MAK)[0].key_id.text
    return [
        lambda: admin.rotate(["grant"]),
        lambda: admin.recover(shop.reserve),
        lambda: admin.revoke_key(key),
        lambda: admin.limit_key(key, 90, None, "two more sites"),
        lambda: admin.issue_host_keys("server-b"),
        lambda: admin.revoke_product("contoso-desktop-pro"),
        lambda: admin.correct_pool(mak, 1, "a mistake"),
        lambda: admin.extend_pool(mak, 11),
        lambda: act.repair(admin),
    ]


@pytest.fixture
def admin(shop: Shop) -> Engineer:
    admin = shop.admin()
    admin.issue_host_keys("server-b", term=12)
    admin.issue_pool_keys(Kind.MAK, "client-volume", 10)
    return admin


@pytest.mark.parametrize("days", [31, 400, 14 * 365, -1, -180])
def test_nothing_durable_is_done_by_a_clock_that_is_far_from_all_that_is_known(
    shop: Shop, admin: Engineer, days: int
) -> None:
    rows = admin.audit()
    for number in range(len(everything_durable(shop, admin))):
        with shop.admin() as later:
            shop.clock.days(days)
            what = refused(everything_durable(shop, later)[number])
            shop.clock.days(-days)
        assert f"row {rows[-1].seq} of the audit log" in what, what
    assert admin.audit() == rows
    host = shop.host(admin.issue_host_keys("server-b")[0].key)
    (machine,) = shop.machines(admin.issue_pool_keys(Kind.MAK, "client-volume", 1)[0].key, 1)
    service = shop.service()
    shop.clock.days(days)
    refused(lambda: service.activate(host.digits(), "http"))
    refused(lambda: service.activate(machine.digits(), "http"))
    refused(service.check_ready)
    shop.clock.days(-days)
    service.check_ready()
    assert service.activate(host.digits(), "http").drawn
    assert service.activate(machine.digits(), "http").drawn
    if days > 0:
        shop.clock.days(days)
        assert not shop.service().activate(host.digits(), "http").drawn, "what was drawn is given"
        assert not shop.service().activate(machine.digits(), "http").drawn


@pytest.mark.parametrize("days", [400, -2])
def test_a_backup_by_a_wrong_clock_is_made_and_no_evidence_of_the_time(
    shop: Shop, admin: Engineer, tmp_path: Path, days: int
) -> None:
    shop.clock.days(days)
    assert write_backup(shop.admin(), tmp_path / "wrong").changed
    refused(lambda: shop.admin().issue_host_keys("server-b"))
    shop.clock.days(-days)
    assert shop.admin().issue_host_keys("server-b")


def test_a_backup_by_a_good_clock_keeps_the_time(
    shop: Shop, admin: Engineer, tmp_path: Path
) -> None:
    shop.clock = HandClock(shop.clock.seconds, boot=2)
    for number in range(3):
        write_backup(shop.admin(), tmp_path / f"backup-{number}")
        shop.clock.days(20)
    shop.clock.off(9)
    assert shop.admin().issue_host_keys("server-b")


@pytest.mark.parametrize("days", [400, -2])
def test_whoever_reads_another_clock_says_that_this_one_is_right(
    shop: Shop, admin: Engineer, days: int
) -> None:
    service = shop.service()
    shop.clock.days(days)
    refused(lambda: shop.admin().rotate(["grant"]))
    assert look.clock(shop.admin()).doubt is not None
    with pytest.raises(MusterError, match="publisher/clock-day"):
        act.confirm(shop.admin(), day_of(shop.clock.seconds) - 1)
    assert act.confirm(shop.admin(), day_of(shop.clock.seconds)).changed
    assert not act.confirm(shop.admin(), day_of(shop.clock.seconds)).changed
    row = admin.audit()[-1]
    assert (row.event, row.actor, row.at) == (
        "publisher:clock:confirm",
        "test",
        shop.clock.seconds,
    )
    assert "audit log" in json.loads(row.detail)["evidence"]
    assert shop.admin().rotate(["grant"]).changed
    service.check_ready()
    assert look.clock(shop.admin()).doubt is None


def test_a_publisher_with_little_to_do_is_not_asked(shop: Shop, admin: Engineer) -> None:
    for _ in range(5):
        shop.clock.off(29)
        assert shop.admin().issue_host_keys("server-b")


def test_a_machine_that_is_up_or_sleeps_for_months_is_not_asked(
    shop: Shop, admin: Engineer
) -> None:
    shop.clock = HandClock(shop.clock.seconds, boot=2)
    service = shop.service()
    service.check_ready()
    shop.clock.days(400)
    service.check_ready()
    assert shop.admin().rotate(["grant"]).changed, "the file of the store says since when it is up"
    shop.clock.days(400)
    assert shop.admin().rotate(["catalogue"]).changed


def test_a_service_that_runs_keeps_the_time_for_the_next_start(shop: Shop, admin: Engineer) -> None:
    clock = shop.clock = HandClock(shop.clock.seconds, boot=2)
    service = shop.service()
    for _ in range(10):
        service.check_ready()
        clock.days(20)
    clock.off(9)
    assert shop.admin().rotate(["grant"]).changed, "the file of the store says that it was good"
    (shop.folder / SEEN_FILE).write_text("no number")
    assert look.clock(shop.admin()).doubt is None


def host_of(shop: Shop, admin: Engineer) -> Host:
    return shop.host(admin.issue_host_keys("server-b")[0].key)


@pytest.mark.parametrize("days", [1, 29, -1])
def test_a_clock_that_is_set_while_the_service_runs_is_told_until_it_is_confirmed(
    shop: Shop, admin: Engineer, days: int
) -> None:
    host, service = host_of(shop, admin), shop.service()
    service.check_ready()
    shop.clock.days(days)
    assert "publisher/clock" in str(service.known().fault)
    assert ("was set" in refused(service.check_ready)) is (days > 0)
    refused(lambda: service.activate(host.digits(), "http"))
    refused(lambda: shop.admin().issue_host_keys("server-b"))
    today = instant_text(shop.clock.seconds)[:10]
    with pytest.raises(MusterError) as caught:
        service.check_ready()
    assert f"'muster publisher clock confirm {today}'" in caught.value.fix
    assert act.confirm(shop.admin(), day_of(shop.clock.seconds)).changed
    assert service.known().fault is None
    assert service.activate(host.digits(), "http").drawn


@pytest.mark.parametrize(("hours", "asks"), [(3, False), (5, True)])
def test_a_virtual_machine_that_was_paused_for_hours_asks_once(
    shop: Shop, admin: Engineer, hours: int, asks: bool
) -> None:
    """The pause is no time to its kernel, and the clock is right again: it looks like one that was
    set. Who is known is answered meanwhile."""
    host, other, service = host_of(shop, admin), host_of(shop, admin), shop.service()
    assert service.activate(host.digits(), "http").drawn
    shop.clock.seconds += hours * 3600
    if asks:
        refused(lambda: service.activate(other.digits(), "http"))
        assert not service.activate(host.digits(), "http").drawn
        assert act.confirm(shop.admin(), day_of(shop.clock.seconds)).changed
    assert service.activate(other.digits(), "http").drawn
    shop.clock.seconds += 3600
    assert shop.admin().issue_host_keys("server-b"), "nobody is asked again"


def test_a_clock_that_is_set_back_to_where_it_was_needs_nobody(shop: Shop, admin: Engineer) -> None:
    host, service = host_of(shop, admin), shop.service()
    service.check_ready()
    shop.clock.days(29)
    refused(service.check_ready)
    shop.clock.days(-29)
    assert service.activate(host.digits(), "http").drawn


@pytest.mark.parametrize("start", ["running", "restart", "reboot", "reboot at once"])
def test_a_clock_gains_no_more_than_a_month_whatever_the_service_reads(
    shop: Shop, admin: Engineer, start: str
) -> None:
    host, service = host_of(shop, admin), shop.service()
    key = admin.issue_pool_keys(Kind.MAK, "client-volume", 20)[0].key
    machines = iter(shop.machines(key, 14))
    begun = shop.clock.seconds
    for _ in range(14):
        shop.clock.days(29)
        shop.clock.boot += start.startswith("reboot")
        shop.clock.up = 10.0 if start == "reboot at once" else shop.clock.up
        service = service if start == "running" else shop.service()
        with contextlib.suppress(MusterError):
            service.check_ready()
            service.activate(next(machines).digits(), "http")
    refused(lambda: service.activate(host.digits(), "http"))
    newest = max(row.at for row in admin.audit())
    assert newest - begun <= evidence.AHEAD


def test_a_clock_that_a_time_server_sets_after_the_start_is_not_asked_for(
    shop: Shop, admin: Engineer
) -> None:
    shop.clock.boot, shop.clock.up = 2, 20.0
    shop.service().check_ready()
    shop.clock.days(3)
    shop.service().check_ready()
    shop.clock.up = 2_000.0
    service = shop.service()
    service.check_ready()
    shop.clock.days(1)
    refused(service.check_ready)


def test_a_request_reads_the_clock_once(shop: Shop, admin: Engineer) -> None:
    host = host_of(shop, admin)
    key = admin.issue_pool_keys(Kind.MAK, "client-volume", 1)[0].key
    (machine,) = shop.machines(key, 1)
    clock = shop.clock = CountingClock(shop.clock.seconds, boot=2)
    service = shop.service()
    for asker in (host, machine):
        before = clock.reads
        assert service.activate(asker.digits(), "http").drawn
        assert clock.reads == before + 1


@pytest.mark.parametrize("days", [10, 14 * 365])
@pytest.mark.parametrize("way", ["working", "reserve"])
def test_a_signature_of_the_future_locks_nothing(
    shop: Shop, admin: Engineer, days: int, way: str
) -> None:
    first = admin.trust()
    key = admin.keys(Kind.HOST)[0].key_id.text
    shop.clock.off(days)
    if days > 30:
        act.confirm(shop.admin(), day_of(shop.clock.seconds))
    shop.admin().rotate(["catalogue"])
    ahead = admin.catalogue()
    assert ahead.iat == shop.clock.seconds
    shop.clock.days(-days)
    refused(lambda: shop.admin().revoke_key(key))
    act.confirm(shop.admin(), day_of(shop.clock.seconds))
    now = shop.clock.seconds
    if way == "working":
        shop.admin().rotate(["grant"])
    else:
        shop.admin().recover(shop.reserve, new_root=True)
    shop.admin().revoke_key(key)
    followed = walk(first, [trust.text for trust in admin.trusts()[1:]])
    assert (followed.version, followed.iat) == (3, now)
    catalogue = accept_catalogue(ahead, admin.catalogue().text, followed)
    assert (catalogue.iat, catalogue.revoked("", key)) == (now, day_of(now))


def test_grants_of_the_future_begin_today_and_nothing_is_drawn(shop: Shop, admin: Engineer) -> None:
    new_host = admin.issue_host_keys("server-b", term=12)[0]
    new_key = admin.issue_pool_keys(Kind.EVALUATION, "client-volume", 10, term=3)[0]
    host, early = shop.host(new_host.key), shop.host(new_host.key)
    machines = shop.machines(new_key.key, 3)
    service = shop.service()
    service.activate(early.digits(), "http")
    today, days = day_of(shop.clock.seconds), 25
    shop.clock.off(days)
    asked = [host.digits(), *(machine.digits() for machine in machines)]
    before = [service.activate(digits, "http").answer for digits in asked]
    shop.admin().revoke_key(admin.keys(Kind.MAK)[0].key_id.text)
    shop.clock.days(-days)
    refused(lambda: act.repair(shop.admin()))
    act.confirm(shop.admin(), today)
    shown = look.clock(shop.admin())
    assert (shown.hosts, shown.machines, shown.revocations) == (1, 3, 1)

    repaired = act.repair(shop.admin())

    assert (repaired.changed, len(repaired.hosts), repaired.machines) == (True, 1, 3)
    assert not act.repair(shop.admin()).changed
    for digits, old in zip(asked, before, strict=True):
        again = service.activate(digits, "http")
        assert not again.drawn
        was = read_grant(old.grant, admin.trust(), admin.publisher.id)
        now = read_grant(again.answer.grant, admin.trust(), admin.publisher.id)
        assert (now.jti, now.binding, now.iat) == (was.jti, was.binding, day_start(today))
        assert now.exp is not None
        assert was.exp is not None
        assert (now.exp - now.iat) == (was.exp - was.iat)
        assert again.answer.confirmation_id != old.confirmation_id
    assert admin.find_key(new_key.key.text).drawn == 3
    assert [one.seat.activations for one in admin.hosts()] == [1, 1]
    assert {one.at for one in admin.catalogue().revocations} == {today}
    events = [one.event for one in admin.audit()]
    assert events.count("publisher:grant:redate") == 4
    assert events.count("publisher:revocation:redate") == 1
    head = admin.check_audit()
    assert head.seq == len(events)
