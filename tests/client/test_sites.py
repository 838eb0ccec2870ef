"""Which hosts site files name, in which order, and that no file keeps a machine from a licence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client import look, sites
from muster.client.discovery import Address, Record
from muster.client.findings import Activation
from muster.client.messages import Plan
from muster.client.sites import Site, SiteFile
from muster.core.catalogue import error
from muster.core.products import DAY, Revocation
from muster.health.report import Mark
from muster.host.act.site import SiteWish, client_config
from muster.lease.site import read_site_file
from muster.system.entropy import SeededDice
from muster.testing.tiny_host import DOMAIN, Misbehaviour, TinyHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import START, World, WorldMachine

PRODUCT = "desktop-pro"
PATH = "/etc/muster/site.d/10-corp.muster"


def file_of(host: TinyHost, *named: TinyHost, path: str = PATH, **wish: object) -> SiteFile:
    """A site file that a host signs, naming itself or others."""
    asked = SiteWish(f"{host.name}.{DOMAIN}", tuple(one.address.text for one in named), **wish)  # type: ignore[arg-type]
    return SiteFile(path, read_site_file(client_config(host.opened, asked).text.encode()))


def machine_with(world: World, *files: SiteFile, **plan: object) -> WorldMachine:
    """A machine with these files; DNS is asked below DOMAIN."""
    asked = Plan(None, (DOMAIN,), files=files)
    machine = world.machine(plan=lambda _: replace(asked, **plan))  # type: ignore[arg-type]
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    return machine


def activate(machine: WorldMachine) -> Activation:
    (result,) = machine.client.activate()
    return result


def asked(result: Activation) -> list[tuple[str, str]]:
    return [
        (one.candidate.address.host.split(".")[0], one.candidate.source.value)
        for one in result.tried
    ]


def test_a_file_alone_is_enough() -> None:
    world = World()
    host = world.host()
    machine = machine_with(world, file_of(host), suffixes=())
    result = activate(machine)
    assert result.renewed
    assert asked(result) == [("kms1", "site")]
    assert result.tried[0].candidate.file == PATH
    assert world.questions == []
    shown = machine.client.status()
    assert shown.plan.sites[0].path == PATH


def test_the_file_comes_before_dns_and_dns_behind_it() -> None:
    world = World()
    named, other = world.host("named"), world.host("other")
    world.advertise([other])
    assert asked(activate(machine_with(world, file_of(named)))) == [("named", "site")]
    named.misbehaviour = Misbehaviour.SILENT
    result = activate(machine_with(world, file_of(named)))
    assert asked(result) == [("named", "site"), ("other", "label")]
    assert result.renewed


def test_a_host_of_the_file_that_dns_names_too_is_asked_once() -> None:
    world = World()
    named = world.host("named")
    world.advertise([named])
    named.misbehaviour = Misbehaviour.REFUSING
    assert asked(activate(machine_with(world, file_of(named)))) == [("named", "site")]


def test_a_host_that_is_set_wins() -> None:
    world = World()
    named, chosen = world.host("named"), world.host("chosen")
    machine = machine_with(world, file_of(named), host=chosen.address)
    assert asked(activate(machine)) == [("chosen", "set")]


def test_hosts_in_doubt_and_aside_are_asked_last_and_not() -> None:
    world = World()
    silent, good = world.host("silent"), world.host("good")
    silent.misbehaviour = Misbehaviour.SILENT
    machine = machine_with(world, file_of(good, silent), file_of(good, good, path="/b"))
    for _ in range(3):
        world.clock.pass_time(60)
        assert activate(machine).renewed
    (result,) = machine.client.activate()
    assert asked(result) == [("good", "site")]


def test_the_last_good_host_is_first_of_the_file_and_behind_it_else() -> None:
    world = World()
    hosts = [world.host(f"h{number}") for number in range(4)]
    outside = world.host("outside")
    world.advertise([outside])
    plans = [Plan(None, (DOMAIN,)), Plan(None, (DOMAIN,), files=(file_of(hosts[0], *hosts),))]
    machine = world.machine(plan=lambda _: plans[0])
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    assert asked(activate(machine)) == [("outside", "label")]
    plans.pop(0)
    ((first, source),) = asked(activate(machine))
    assert source == "site"
    for _ in range(3):
        assert asked(activate(machine)) == [(first, "site")]
    for host in hosts:
        host.misbehaviour = Misbehaviour.REFUSING
    found = asked(activate(machine))
    assert [name for name, _ in found[:4]] != []
    assert found[0] == (first, "site")
    assert found[-1] == ("outside", "label")


def test_what_is_wrong_with_a_file_is_told_and_dns_is_asked() -> None:
    world = World()
    good, stranger = world.host("good"), world.host("stranger")
    world.advertise([good])
    whole = file_of(stranger)
    (part,) = whole.parts
    other = replace(part, signer=good.key.public)
    rights = error("client/site-rights", path=PATH, detail="x")
    cases = {
        "client/site-foreign": SiteFile(PATH, (other,)),
        "client/site-damaged": SiteFile(PATH, (replace(part, site=part.site[:-4]),)),
        "client/site-rights": SiteFile(PATH, (), rights),
    }
    for code, file in cases.items():
        result = activate(machine_with(world, file))
        assert asked(result) == [("good", "label")]
        assert [fault.code for fault in result.warnings] == [code]
        assert [fault.code for fault in result.status.plan.faults] == [code]
        assert PATH in result.warnings[0].what
    assert activate(machine_with(world, *cases.values(), whole)).renewed


def test_a_file_of_another_publisher_says_nothing() -> None:
    world = World()
    good = world.host("good")
    world.advertise([good])
    stranger = world.host("stranger", publisher=TinyPublisher("fabrikam", now=START - 10 * DAY))
    result = activate(machine_with(world, file_of(stranger)))
    assert asked(result) == [("good", "label")]
    assert result.warnings == ()


def test_a_file_ends() -> None:
    world = World()
    host = world.host("named")
    other = world.host("other")
    world.advertise([other])
    machine = machine_with(world, file_of(host, days=3))
    assert asked(activate(machine)) == [("named", "site")]
    world.clock.pass_time(3 * DAY)
    result = activate(machine)
    assert asked(result) == [("named", "last")]  # it is no secret that it answered
    assert [fault.code for fault in result.warnings] == ["client/site-expired"]
    host.misbehaviour = Misbehaviour.REFUSING
    assert asked(activate(machine)) == [("named", "last"), ("other", "label")]
    # A clock that is turned back brings it back no more than it does a lease.
    world.clock.set(START)
    assert [fault.code for fault in activate(machine).warnings][:1] == ["client/site-expired"]


def test_a_dead_clock_finds_its_host() -> None:
    world = World()
    host = world.host("named")
    file = file_of(host)
    world.clock.set(86_400)
    machine = machine_with(world, file)
    assert asked(activate(machine)) == [("named", "site")]
    assert machine.client.status().plan.faults == ()


def test_a_revoked_host_ends_its_file_once_the_machine_knows() -> None:
    world = World()
    bad, good = world.host("bad"), world.host("good")
    world.advertise([good])
    machine = machine_with(world, file_of(bad))
    assert activate(machine).renewed
    world.publisher.publish(revocations=[Revocation(bad.jti, None, 0)])
    assert asked(activate(machine))[-1] == ("good", "label")
    result = activate(machine)
    assert [fault.code for fault in result.warnings] == ["client/site-revoked"]
    assert "bad" not in [name for name, source in asked(result) if source == "site"]


def test_suffixes_are_those_of_the_setting_else_of_the_file() -> None:
    world = World()
    host = world.host("named")
    host.misbehaviour = Misbehaviour.REFUSING
    file = file_of(host, suffixes=("lab.test",))
    activate(machine_with(world, file))
    assert {name.rpartition("_tcp.")[2] for name in world.questions} == {"lab.test"}
    world.questions.clear()
    activate(machine_with(world, file, chosen=True))
    assert {name.rpartition("_tcp.")[2] for name in world.questions} == {DOMAIN}


def test_a_release_goes_to_the_hosts_of_the_file() -> None:
    world = World()
    first, second = world.host("first"), world.host("second")
    machine = machine_with(world, file_of(first, first, second), suffixes=())
    result = activate(machine)
    gave = first if result.tried[-1].candidate.address == first.address else second
    gave.misbehaviour = Misbehaviour.REFUSING
    other = second if gave is first else first
    # Only who gave the lease takes it back; the other one is asked and says so.
    with pytest.raises(Exception, match=r"net/refused|host/"):
        machine.client.release()
    assert (other.address, "release") in [(address, name) for address, name in world.calls]
    gave.misbehaviour = Misbehaviour.HONEST
    assert machine.client.release().host == gave.address.text


def test_discover_and_the_doctor_name_the_file() -> None:
    world = World()
    host = world.host("named")
    machine = machine_with(world, file_of(host), file_of(host, path="/b", days=1), suffixes=())
    world.clock.pass_time(2 * DAY)
    found = machine.client.discover()
    assert [(one.candidate.source.value, one.candidate.file) for one in found.probes] == [
        ("site", PATH)
    ]
    assert [fault.code for fault in found.faults] == ["client/site-expired"]
    activate(machine)
    (report,) = look.reports(machine.client.parts)
    told = [(check.mark, check.what) for check in report.checks if PATH in check.what]
    assert told[0][0] is Mark.OK
    assert "named.corp.test:16880" in told[0][1]
    assert [check.code for check in report.checks if check.mark is Mark.WARN] == [
        "client/site-expired"
    ]
    assert not [check for check in report.checks if check.mark is Mark.FAIL]


def test_the_first_file_says_how_a_host_is_asked() -> None:
    world = World()
    host = world.host("named")
    over_tls = file_of(host, tls=True, authorities=(b"one",))
    plain = file_of(host, path="/z")
    for files, tls in (((over_tls, plain), (b"one",)), ((plain, over_tls), None)):
        judged = sites.judge(files, world.publisher.trust, None, START)
        (candidate,) = sites.order(judged.sites, SeededDice("x"))
        assert candidate.address.tls == tls
        assert candidate.file == files[0].path
        assert sites.named(judged.sites)[host.address][0].tls == tls


@given(st.integers(0, 40), st.sets(st.integers(0, 20)), st.integers(0, 1000))
def test_every_host_is_tried_once_and_at_most_sixteen(
    number: int, doubted: set[int], seed: int
) -> None:
    hosts = [(Record(one % 3, 0, 1, f"h{one}"), Address(f"h{one}", 1)) for one in range(number)]
    found = [Site(f"/{at}", tuple(hosts[at : at + 8]), (), 0) for at in range(0, number, 6)]
    behind = {Address(f"h{one}", 1) for one in doubted}
    tried = sites.order(found, SeededDice(str(seed)), doubted=behind)
    order = [candidate.address for candidate in tried]
    assert len(order) == len(set(order)) == min(number, 16)
    first_doubted = next((at for at, one in enumerate(order) if one in behind), len(order))
    assert all(one in behind for one in order[first_doubted:])
