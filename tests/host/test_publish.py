"""DNS publishing against a real, small DNS server that takes signed updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.host.conftest import START, World

from muster.core.errors import MusterError
from muster.core.products import Revocation
from muster.core.values import replace
from muster.host import look
from muster.host.act import dns as act
from muster.host.act import updates
from muster.host.publish import (
    AGAIN,
    DAILY,
    DNSPlace,
    Keeper,
    Plan,
    ZoneResult,
    plan_of,
    publish,
    signer_of,
    withdraw,
)
from muster.host.tables import audit, dns
from muster.net.dnsupdate import TSIGKey
from muster.testing.named import Named, PartMissingError
from muster.testing.nanodns import NanoDNS, Trouble
from muster.testing.tiny_publisher import TinyPublisher

KEY = TSIGKey("host-key", "hmac-sha256", b"k" * 32)
GENERAL = "_muster._tcp.example.test"
CONTOSO = "_contoso._sub._muster._tcp.example.test"
FABRIKAM = "_fabrikam._sub._muster._tcp.example.test"


@pytest.fixture
def zone() -> Iterator[NanoDNS]:
    with NanoDNS("example.test", keys=[KEY]) as dns:
        yield dns


def plan(dns: NanoDNS | Named, **changes: object) -> Plan:
    values = {"dns_server": dns.server, "dns_zone": "example.test", **changes}
    return plan_of(values, port=16880, name="host.example.test", tsig=KEY)  # type: ignore[arg-type]  # values of settings


def srv(dns: NanoDNS, name: str) -> list[str]:
    return dns.records(name, "SRV")


def test_the_general_name_and_that_of_each_publisher_served(host: World, zone: NanoDNS) -> None:
    other = TinyPublisher("fabrikam", now=START - 3600)
    updates.add_publisher(host.opened, other.file())
    (done,) = publish(plan(zone), host.service.view(), host.clock.now())
    assert done.error is None
    assert (done.added, done.removed) == (2, 0)
    assert srv(zone, GENERAL) == srv(zone, CONTOSO) == ["0 0 16880 host.example.test."]
    assert srv(zone, FABRIKAM) == []
    host.enrol("server", publisher=other)
    (done,) = publish(plan(zone), host.service.view(), host.clock.now())
    assert (done.added, done.removed) == (1, 0)
    assert srv(zone, FABRIKAM) == ["0 0 16880 host.example.test."]
    (done,) = publish(plan(zone), host.service.view(), host.clock.now())
    assert (done.added, done.removed) == (0, 0)


def test_other_hosts_are_left_alone_and_own_old_records_replaced(
    host: World, zone: NanoDNS
) -> None:
    zone.add(GENERAL, "SRV", "0 0 16880 other.example.test.")
    publish(plan(zone), host.service.view(), host.clock.now())
    changed = plan(zone, dns_priority=5, dns_weight=7)
    (done,) = publish(changed, host.service.view(), host.clock.now())
    assert (done.added, done.removed) == (2, 2)
    assert sorted(srv(zone, GENERAL)) == [
        "0 0 16880 other.example.test.",
        "5 7 16880 host.example.test.",
    ]
    (done,) = withdraw(changed, host.service.view())
    assert done.removed == 2
    assert srv(zone, GENERAL) == ["0 0 16880 other.example.test."]
    assert srv(zone, CONTOSO) == []


def test_what_is_no_longer_served_is_withdrawn(host: World, zone: NanoDNS) -> None:
    publish(plan(zone), host.service.view(), host.clock.now())
    grant = host.service.view().publishers[host.id].grants[0].grant
    revoked = Revocation(jti=grant.jti, key=None, at=0)
    updates.update(
        host.opened, host.id, catalogue=host.publisher.publish(revocations=[revoked]).text
    )
    publish(plan(zone), host.service.view(), host.clock.now())
    assert srv(zone, GENERAL) == srv(zone, CONTOSO) == []


def test_a_host_that_was_never_activated_publishes_nothing(world: World, zone: NanoDNS) -> None:
    (done,) = publish(plan(zone), world.service.view(), world.clock.now())
    assert done.error is None
    assert srv(zone, GENERAL) == []


def test_several_domains_fail_apart(host: World, zone: NanoDNS) -> None:
    wanted = plan(zone, dns_zone="", dns_domains=("example.test", "elsewhere.test"))
    good, bad = publish(wanted, host.service.view(), host.clock.now())
    assert good.error is None
    assert bad.error is not None
    assert bad.error.code.startswith("dns/")
    assert srv(zone, GENERAL) == ["0 0 16880 host.example.test."]


def test_a_plan_needs_a_domain_and_a_full_name() -> None:
    for values, name in (({}, "host"), ({"dns_zone": "example.test"}, "host")):
        with pytest.raises(MusterError) as caught:
            plan_of(values, port=1, name=name, tsig=None)
        assert caught.value.code == "host/dns-zone"
    own = plan_of({}, port=1, name="host.example.test", tsig=None)
    assert (own.domains, own.target) == (("example.test",), "host.example.test")


@pytest.mark.parametrize(
    "target",
    [
        "localhost",
        "LOCALHOST.",
        "localhost.localdomain",
        "Host7.LocalDomain",
        "kms.localhost",
        "localhost6.localdomain6",
        "ip6-loopback",
        "127.0.0.1",
        "192.0.2.7",
        "::1",
        ".",
    ],
)
def test_a_target_that_no_machine_can_reach_is_not_published(
    host: World, zone: NanoDNS, target: str
) -> None:
    for given, own in ({"dns_target": target}, "host.example.test"), ({}, target):
        settings = {"dns_server": zone.server, "dns_zone": "example.test", **given}
        opened = replace(host.opened, overrides=settings)
        place = DNSPlace(own, lambda *_: None, 16880)
        for wish in (act.publish, look.dns_records):
            with pytest.raises(MusterError) as caught:
                wish(opened, place)
            assert caught.value.code == "host/dns-target"
            assert "dns_target" in caught.value.fix
    assert zone.asked == []


def test_a_target_of_before_that_nobody_can_reach_is_withdrawn(host: World, zone: NanoDNS) -> None:
    zone.add(GENERAL, "SRV", "0 0 16880 localhost.localdomain.")
    (done,) = withdraw(plan(zone, dns_target="localhost.localdomain"), host.service.view())
    assert (done.error, done.removed) == (None, 1)
    assert srv(zone, GENERAL) == []


class Kept:
    """A keeper whose steps a test takes."""

    def __init__(self, world: World, dns: NanoDNS) -> None:
        self.world = world
        self.plan: Plan | None = plan(dns)
        self.said: list[tuple[str, str]] = []
        self.keeper = Keeper(
            lambda: self.plan,
            world.service.view,
            world.database,
            world.clock,
            self._refused,
            world.service.condition,
        )

    def _refused(self, result: ZoneResult, text: str) -> None:
        assert result.error is not None
        self.said.append((result.error.code, text))


@pytest.fixture
def kept(host: World, zone: NanoDNS) -> Kept:
    return Kept(host, zone)


def test_at_the_start_daily_and_when_something_changed(kept: Kept, zone: NanoDNS) -> None:
    assert len(kept.keeper.step()) == 1
    assert kept.keeper.step() == []
    zone.remove(GENERAL)
    kept.world.clock.pass_time(DAILY - 1)
    assert kept.keeper.step() == []
    kept.world.clock.pass_time(1)
    assert kept.keeper.step()[0].added == 1
    other = TinyPublisher("fabrikam", now=START - 3600)
    updates.add_publisher(kept.world.opened, other.file())
    kept.world.enrol("server", publisher=other)
    assert kept.keeper.step()[0].added == 1
    kept.plan = None
    assert kept.keeper.step() == []
    assert srv(zone, FABRIKAM)
    with kept.world.database.snapshot() as reader:
        (result,) = dns.results(reader)
        events = [row.event for row in audit.rows(reader, 50)]
    assert (result.zone, result.code) == ("example.test", "")
    assert events.count("host:dns:publish") == 3


def test_a_refused_update_is_said_once_and_tried_again(kept: Kept, zone: NanoDNS) -> None:
    zone.trouble(Trouble.REFUSED)
    assert kept.keeper.step()[0].error is not None
    kept.world.clock.pass_time(AGAIN)
    assert len(kept.keeper.step()) == 1
    ((code, text),) = kept.said
    assert code == "dns/refused"
    assert f"{GENERAL}. 3600 IN SRV 0 0 16880 host.example.test." in text
    assert f"update add {CONTOSO}. 3600 IN SRV 0 0 16880 host.example.test." in text
    with kept.world.database.snapshot() as reader:
        assert dns.results(reader)[0].code == "dns/refused"
    zone.trouble(None)
    kept.world.clock.pass_time(AGAIN)
    assert kept.keeper.step()[0].error is None
    assert srv(zone, GENERAL)


def test_a_target_that_nobody_can_reach_is_told_and_mended(kept: Kept, zone: NanoDNS) -> None:
    kept.plan = plan(zone, dns_target="localhost.localdomain")
    (done,) = kept.keeper.step()
    assert done.error is not None
    assert [fault.code for fault in kept.world.service.condition.area("dns")] == ["host/dns-target"]
    assert srv(zone, GENERAL) == []
    kept.plan = plan(zone)
    assert kept.keeper.step()[0].error is None
    assert kept.world.service.condition.area("dns") == ()
    assert srv(zone, GENERAL) == ["0 0 16880 host.example.test."]


@pytest.mark.real
def test_a_running_host_does_not_believe_a_server(kept: Kept) -> None:
    alias = "_muster._tcp IN CNAME elsewhere"
    with named(records=[alias]) as bind:
        kept.plan = plan(bind)
        assert kept.keeper.step()[0].error is not None
        assert not kept.keeper.told.zones[0].records
        (fault,) = kept.world.service.condition.area("dns")
        assert fault.code == "dns/not-written"
        assert f"{GENERAL} is a CNAME to elsewhere.example.test" in fault.what
    with kept.world.database.snapshot() as reader:
        assert dns.results(reader)[0].code == "dns/not-written"


@pytest.mark.real
def test_a_narrow_policy_names_what_to_allow(kept: Kept) -> None:
    with named(policy=f'grant "host-key" name {GENERAL}. SRV;') as bind:
        kept.plan = plan(bind)
        kept.keeper.step()
        (fault,) = kept.world.service.condition.area("dns")
        assert fault.code == "dns/refused"
        assert f"{GENERAL} SRV, {CONTOSO} SRV" in fault.fix


def named(**more: Any) -> Named:
    try:
        return Named(keys=[KEY], **more)
    except PartMissingError as missing:
        pytest.skip(str(missing))


def test_another_target_takes_the_old_records_along(kept: Kept, zone: NanoDNS) -> None:
    kept.keeper.step()
    kept.plan = plan(zone, dns_target="new.example.test")
    kept.keeper.step()
    assert srv(zone, GENERAL) == ["0 0 16880 new.example.test."]


def test_the_thread_publishes_and_withdraws_when_told(kept: Kept, zone: NanoDNS) -> None:
    kept.keeper.start()
    kept.keeper.stop(withdraw_records=False)
    assert srv(zone, GENERAL)
    again = Kept(kept.world, zone)
    again.keeper.start()
    again.keeper.stop(withdraw_records=True)
    assert srv(zone, GENERAL) == srv(zone, CONTOSO) == []


def test_a_tsig_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tsig.key"
    path.write_text('key "host-key" { algorithm hmac-sha256; secret "a2tra2s="; };\n')
    for mode in (0o644, 0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(MusterError) as caught:
            signer_of({"tsig_key_file": str(path)})
        assert caught.value.code == "keyfile/rights"
        assert str(path) in caught.value.fix
    path.chmod(0o600)
    assert signer_of({"tsig_key_file": str(path)}) is not None
