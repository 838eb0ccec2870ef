"""What a machine with a one-time key hears later, from whom, and what an application is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.client import Licence, activate, licence
from muster.client.facade import system_client
from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.core.products import DAY, Revocation, day_of
from muster.core.states import LicenceState
from muster.lease.descriptor import read_descriptor, with_url
from muster.net.serve import ThreadServer
from muster.system.clock import SystemClock
from muster.system.facts import facts_file
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import PUBLISHER_URL, World, WorldMachine, machine_facts

PRODUCT = "desktop-pro"
OFFICE = "office-suite"


@pytest.fixture
def world() -> World:
    return World()


def activated(world: World) -> WorldMachine:
    """A machine with a MAK on one product, a second product that asks hosts, and no address."""
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    machine.client.install_key(world.publisher.machine_key("desktop").text)
    spoken = machine.client.installation_id().installation_id
    machine.client.confirm(world.publisher.confirm(spoken).confirmation_id)
    return machine


def revoke(world: World, machine: WorldMachine) -> None:
    found = machine.client.status(PRODUCT).verdict.licence
    assert found is not None
    day = day_of(world.clock.now())
    world.publisher.now = world.clock.now()
    world.publisher.publish(revocations=[Revocation(jti=None, key=found.key, at=day)])


def why(machine: WorldMachine) -> str:
    problem = machine.client.status(PRODUCT).verdict.fault
    return "" if problem is None else problem.code


# Revocation reaches a machine that never meets the publisher.


def test_a_host_of_another_product_brings_the_revocation(world: World) -> None:
    machine = activated(world)
    machine.client.add_product(world.publisher.descriptor(OFFICE))
    world.advertise([world.host(group="office")])
    assert [one.renewed for one in machine.client.activate(typed=False)] == [False, True]
    revoke(world, machine)
    assert machine.client.status(PRODUCT).verdict.licensed
    machine.client.activate(OFFICE)
    assert not machine.client.status(PRODUCT).verdict.licensed
    assert why(machine) == "licence/revoked"
    assert machine.client.status(OFFICE).verdict.licensed, "the other product has a host"
    assert world.asked == [], "the publisher was never asked"


def test_a_reply_for_another_product_brings_the_revocation(world: World) -> None:
    machine = activated(world)
    client = machine.client
    client.add_product(world.publisher.descriptor(OFFICE))
    client.install_key(world.publisher.machine_key("office").text)
    revoke(world, machine)
    client.accept_reply(world.publisher.reply(client.installation_id(OFFICE).request).encode())
    assert client.status(OFFICE).verdict.licensed
    assert why(machine) == "licence/revoked"


def test_a_revocation_that_is_lifted_gives_the_licence_back(world: World) -> None:
    machine = activated(world)
    revoke(world, machine)
    machine.client.import_publisher_file(world.publisher.file().encode())
    assert machine.client.status(PRODUCT).verdict.state is LicenceState.TOLERANCE_GRACE
    world.publisher.revocations.clear()
    world.publisher.publish()
    machine.client.import_publisher_file(world.publisher.file().encode())
    verdict = machine.client.status(PRODUCT).verdict
    assert (verdict.state, verdict.licensed) == (LicenceState.LICENSED, True)


def test_the_grace_of_a_revocation_begins_once(world: World) -> None:
    machine = activated(world)
    revoke(world, machine)
    news = world.publisher.file().encode()
    machine.client.import_publisher_file(news)
    until = machine.client.status(PRODUCT).verdict.until
    for _ in range(5):
        world.clock.pass_time(5 * DAY)
        machine.client.import_publisher_file(news)
        machine.client.activate(PRODUCT, typed=False)
        assert machine.client.status(PRODUCT).verdict.until == until
    world.clock.pass_time(6 * DAY)
    assert machine.client.status(PRODUCT).verdict.state is LicenceState.NOTIFICATION


def test_an_older_publisher_file_takes_nothing_back(world: World) -> None:
    machine = activated(world)
    old = world.publisher.file().encode()
    revoke(world, machine)
    machine.client.import_publisher_file(world.publisher.file().encode())
    assert not machine.client.import_publisher_file(old).changed
    assert why(machine) == "licence/revoked"


def test_a_publisher_file_of_somebody_else_is_refused(world: World) -> None:
    machine = activated(world)
    stranger = TinyPublisher("fabrikam", now=world.clock.now())
    before = dict(machine.disk.files)
    with pytest.raises(MusterError) as caught:
        machine.client.import_publisher_file(stranger.file().encode())
    assert caught.value.code == "client/reply-publisher"
    assert machine.disk.files == before


def test_news_are_looked_for_once_a_day_at_most(world: World) -> None:
    machine = activated(world)
    asked = []
    for _ in range(96):
        world.clock.pass_time(DAY // 48)
        machine.client.activate(PRODUCT, typed=False, publisher_url=PUBLISHER_URL)
        asked.append(sum(name == "catalogue" for _, name in world.asked))
    assert asked[-1] in (1, 2), "two days"
    assert machine.client.status(PRODUCT).verdict.licensed


def test_who_asks_now_hears_of_a_revocation_now(world: World) -> None:
    machine = activated(world)
    (done,) = machine.client.activate(PRODUCT, publisher_url=PUBLISHER_URL)
    assert (done.fault, done.renewed, done.warnings) == (None, False, ())
    assert done.status.verdict.licensed
    revoke(world, machine)
    for _ in range(2):
        (done,) = machine.client.activate(PRODUCT, publisher_url=PUBLISHER_URL)
        assert done.fault is not None
        assert not done.status.verdict.licensed
        assert why(machine) == "licence/revoked"


def test_an_activated_machine_is_licensed_where_nobody_has_news(world: World) -> None:
    machine = activated(world)
    nobody = "https://nobody.example"
    (done,) = machine.client.activate(PRODUCT, publisher_url=nobody)
    assert done.fault is None
    assert done.status.verdict.licensed
    assert [fault.code.partition("/")[0] for fault in done.warnings] == ["net"]
    (quiet,) = machine.client.activate(PRODUCT)
    assert (quiet.fault, quiet.due, quiet.warnings) == (None, False, ())


# Where the publisher is.


def test_the_descriptor_may_say_where_the_publisher_is(world: World) -> None:
    machine = world.machine()
    data = world.publisher.descriptor(PRODUCT, url=PUBLISHER_URL)
    machine.client.add_product(data)
    machine.client.install_key(world.publisher.machine_key("desktop").text)
    (found,) = machine.client.activate()
    assert found.renewed
    assert {url for url, _ in world.asked} == {PUBLISHER_URL}


def test_an_address_is_added_to_a_descriptor_and_checked(world: World) -> None:
    plain = world.publisher.descriptor(PRODUCT)
    assert read_descriptor(plain).url == ""
    told = read_descriptor(with_url(plain, "https://licences.contoso.example"))
    assert told.url == "https://licences.contoso.example"
    assert told.product == read_descriptor(plain).product
    for wrong in ("ftp://x", "", "https://", "https://a b", "https://x\n"):
        with pytest.raises(MusterError) as caught:
            with_url(plain, wrong)
        assert caught.value.code == "descriptor/claims"


# What an application is told.


class Place:
    """A machine on a real disk."""

    def __init__(self, folder: Path, publisher: TinyPublisher, descriptor: bytes) -> None:
        self.publisher = publisher
        self.descriptor = descriptor
        self.store = folder / "store"
        self.facts = folder / "facts.json"
        self.facts.write_bytes(facts_file(machine_facts("pc-1")))
        self.facts.chmod(0o600)

    def install(self, kind: Kind, term: int) -> None:
        client = system_client(store=self.store, facts=self.facts)
        client.add_product(self.descriptor)
        client.install_key(self.publisher.machine_key("desktop", kind, term).text)

    def look(self) -> Licence:
        return licence(self.descriptor, store=self.store, facts=self.facts)

    def activate(self) -> Licence:
        return activate(self.descriptor, store=self.store, facts=self.facts)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    publisher = TinyPublisher(now=SystemClock().now() - DAY)
    with ThreadServer(publisher.router()) as server:
        yield Place(tmp_path, publisher, publisher.descriptor(PRODUCT, url=server.url))


@pytest.mark.real
@pytest.mark.parametrize(("kind", "term"), [(Kind.MAK, 0), (Kind.RETAIL, 0), (Kind.EVALUATION, 3)])
def test_an_application_is_told_what_its_licence_is(place: Place, kind: Kind, term: int) -> None:
    place.install(kind, term)
    before = place.look()
    assert (before.licensed, before.in_grace, before.kind) == (False, True, "")
    assert place.activate().licensed
    found = place.look()
    evaluation = kind is Kind.EVALUATION
    wanted = LicenceState.EXTENDED_GRACE if evaluation else LicenceState.LICENSED
    assert (found.licensed, found.state, found.kind) == (True, wanted, kind.text)
    assert (found.until is None) == (not evaluation)
    assert found.why is None


@pytest.mark.real
def test_an_application_is_told_of_other_hardware(place: Place) -> None:
    place.install(Kind.MAK, 0)
    assert place.activate().licensed
    place.facts.write_bytes(facts_file(machine_facts("pc-2")))
    place.facts.chmod(0o600)
    found = place.look()
    assert (found.licensed, found.in_grace, found.kind) == (False, True, "")
    assert found.why is not None
    assert found.why.code == "licence/machine"
