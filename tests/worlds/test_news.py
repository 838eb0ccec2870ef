"""News of a publisher at its real service, at two hosts and ten machines that nobody types on.

The engineer changes something; from then on only the clock is turned. The hosts are those of
production behind sockets, each with the follower that a running host has; machines try when their
own schedule says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.publisher.conftest import HandClock, Shop

from muster.client.messages import Plan
from muster.core.errors import MusterError
from muster.host import look, schedule
from muster.host.act import activate, updates
from muster.host.follow import Follower
from muster.host.model import PublisherView
from muster.host.online import PublisherClient
from muster.lease.terms import Ceiling
from muster.lease.trust import CATALOGUE_ROLE, GRANT_ROLE
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.publisher.catalogue_file import parse_catalogue_file
from muster.testing.real import RealHost, RealMachine, install

pytestmark = pytest.mark.real

MACHINES = 5
"""Of each host; as many as its product needs."""
CONTENT = """
[[applications]]
id = "os"
name = "Contoso OS"
[[groups]]
number = 1
id = "server"
[[products]]
id = "standard"
application = "os"
group = "server"
need = 5
name = "Contoso Standard"
"""
SECOND = """
[[products]]
id = "enterprise"
application = "os"
group = "server"
need = 5
name = "Contoso Enterprise"
"""


class Branch:
    """A host with its follower, and the machines that ask it."""

    def __init__(self, fleet: Fleet, name: str, key: str) -> None:
        self.fleet, self.name = fleet, name
        self.host = RealHost(fleet.folder / name, fleet.clock)
        updates.add_publisher(self.host.opened, fleet.admin.export(fleet.url))
        install(self.host.opened, key, self.host.facts)

    def open(self) -> None:
        """Activate, and serve."""
        activate.activate(self.host.opened, service)
        self.serve()

    def serve(self) -> None:
        """Answer from now on; its machines are set up and ask by themselves."""
        self.fleet.stack.enter_context(self.host)
        self.follower: Follower = self.host.follower(service)
        self.machines = [self.machine(f"{self.name}-pc-{one}") for one in range(MACHINES)]
        for _ in range(2):  # the first ones are told that too few were counted
            for machine in self.machines:
                machine.client.activate()

    def machine(self, name: str, product: str = "standard") -> RealMachine:
        made = RealMachine(
            self.fleet.folder / "machines" / name, self.fleet.clock, Plan(host=self.host.address)
        )
        made.client.add_product(self.fleet.admin.descriptor(product, 1))
        return made

    def licensed(self) -> int:
        return sum(machine.licensed() for machine in self.machines)

    def versions(self) -> list[tuple[int, int]]:
        """Trust and catalogue of the host, then of each machine."""
        (known,) = self.host.opened.current().publishers.values()
        held = [(known.trust.version, known.catalogue_version)]
        for machine in self.machines:
            authority = machine.client.status().verdict.authority
            assert authority.catalogue is not None
            held.append((authority.trust.version, authority.catalogue.version))
        return held


def refusal(machine: RealMachine) -> str:
    """Why its host gives it no lease now, "" where it does."""
    fault = machine.client.activate()[0].fault
    return "" if fault is None else fault.code


def service(known: PublisherView) -> PublisherClient:
    assert known.url is not None
    return PublisherClient(known.url, HTTPClient(5.0))


class Fleet:
    """A publisher, its service, two branches; the clock of all of them."""

    port = 0

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack, self.clock = folder, stack, HandClock()
        self.shop = Shop(folder / "shop", folder / "reserve.key", clock=self.clock)
        self.shop.init(parse_catalogue_file(CONTENT.encode()).content)
        self.admin = self.shop.admin()
        stack.callback(lambda: [one.close() for one in self.shop.opened])
        self.key = self.admin.issue_host_keys("server")[0].key.text
        self.back()
        stack.callback(self.away)
        self.branches = [Branch(self, name, self.key) for name in ("north", "south")]
        for branch in self.branches:
            branch.open()

    def away(self) -> None:
        """The publisher's service stops; its engineer works on."""
        self._serving.__exit__(None, None, None)

    def back(self) -> None:
        """The service starts, where it listened before."""
        router = PublisherAPI(self.shop.service()).router()
        self._serving = ThreadServer(router, port=self.port)
        self._serving.__enter__()
        self.url, self.port = self._serving.url, self._serving.port

    def days(self, count: int) -> list[str]:
        """Let days go by: hosts follow, then machines try what is due. How the last asking of each
        host went."""
        for _ in range(count):
            self.clock.days(1)
            for branch in self.branches:
                branch.follower.step()
                for machine in branch.machines:
                    machine.client.activate(typed=False)
        return [told.code for branch in self.branches for told in branch.follower.told]

    def versions(self) -> set[tuple[int, int]]:
        return {held for branch in self.branches for held in branch.versions()}

    def drawn(self) -> list[int]:
        """Activations that each enrolled host has used."""
        return [one.seat.activations for one in self.admin.hosts()]

    def licensed(self) -> list[int]:
        return [branch.licensed() for branch in self.branches]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(tmp_path, stack)


def test_a_host_whose_publisher_file_is_older_than_a_rotation_is_activated_at_once(
    fleet: Fleet,
) -> None:
    """After the theft of a key, this is what a new customer does first."""
    older = fleet.admin.export(fleet.url)
    fleet.admin.rotate([GRANT_ROLE, CATALOGUE_ROLE], withdraw=True)
    host = RealHost(fleet.folder / "east", fleet.clock)
    updates.add_publisher(host.opened, older)
    install(host.opened, fleet.key, host.facts)
    (done,) = activate.activate(host.opened, service).activated
    assert done.changed
    (known,) = host.opened.current().publishers.values()
    assert known.trust.version == fleet.admin.trust().version == len(older.trust) + 2
    assert [held.grant.key for held in known.grants] == [done.key]


@pytest.mark.parametrize("withdraw", [False, True], ids=["retired", "withdrawn"])
def test_rotation_and_catalogue_arrive_though_the_publisher_was_away(
    fleet: Fleet, withdraw: bool
) -> None:
    """Also where the key that signed the grants is withdrawn: hosts show their keys again."""
    assert fleet.licensed() == [MACHINES, MACHINES]
    assert fleet.days(2) == ["", ""]
    before, drawn = fleet.versions(), fleet.drawn()
    assert before == {(1, 1)}
    fleet.away()
    fleet.admin.publish(parse_catalogue_file((CONTENT + SECOND).encode()).content)
    fleet.admin.rotate([GRANT_ROLE, CATALOGUE_ROLE], withdraw=withdraw)
    assert fleet.days(9) == ["net/refused", "net/refused"]
    assert (fleet.licensed(), fleet.versions()) == ([MACHINES, MACHINES], before)

    fleet.back()
    assert fleet.days(9) == ["", ""]
    newest = (fleet.admin.trust().version, fleet.admin.catalogue().version)
    assert newest > max(before)
    assert fleet.versions() == {newest}
    assert (fleet.licensed(), fleet.drawn()) == ([MACHINES, MACHINES], drawn)
    # What the catalogue brought is leased by hosts on which nobody typed.
    for branch in fleet.branches:
        machine = branch.machine(f"{branch.name}-new", "enterprise")
        assert machine.client.activate(typed=False)[0].renewed


def test_terms_and_their_raised_limit_arrive(fleet: Fleet) -> None:
    def limit(machines: int) -> None:
        for drawn in fleet.admin.hosts():
            fleet.admin.issue_terms(drawn.grant.jti, Ceiling(machines, "refuse", "A-1"))

    limit(MACHINES)
    assert fleet.days(2) == ["", ""]
    for branch in fleet.branches:
        branch.machines.append(branch.machine(f"{branch.name}-late"))
    assert fleet.days(2) == ["", ""]
    assert fleet.licensed() == [MACHINES, MACHINES]
    for branch in fleet.branches:
        assert refusal(branch.machines[-1]) == "host/limit-reached"
    fleet.away()
    limit(MACHINES + 1)
    assert fleet.days(2) == ["net/refused", "net/refused"]
    assert fleet.licensed() == [MACHINES, MACHINES]
    fleet.back()
    assert fleet.days(5) == ["", ""]
    assert fleet.licensed() == [MACHINES + 1, MACHINES + 1]


def test_a_revocation_of_one_host_arrives_at_its_machines_and_no_others(fleet: Fleet) -> None:
    north, _ = fleet.branches
    hardware = north.host.opened.current().publishers[fleet.admin.publisher.id].keys[0].hw
    assert fleet.days(2) == ["", ""]
    fleet.away()
    assert fleet.admin.revoke_host(hardware).hosts == 1
    assert fleet.days(2) == ["net/refused", "net/refused"]
    assert fleet.licensed() == [MACHINES, MACHINES]
    fleet.back()
    assert fleet.days(9) == ["", ""]
    newest = (fleet.admin.trust().version, fleet.admin.catalogue().version)
    assert fleet.versions() == {newest}
    assert {refusal(machine) for machine in north.machines} == {"host/grant-revoked"}
    # Its machines looked for another host since; what they hold of the revoked one ends.
    assert fleet.licensed() == [MACHINES, MACHINES]
    assert fleet.days(30) == ["", ""]
    assert fleet.licensed() == [0, MACHINES]
    assert {machine.why() for machine in north.machines} == {"licence/revoked"}


def test_a_raised_limit_of_a_key_lets_its_next_host_in(fleet: Fleet) -> None:
    """The host that was refused asks again by itself, less and less often; each draws once."""
    fleet.admin.limit_key(fleet.key, 2, None, "as agreed")
    third = Branch(fleet, "west", fleet.key)
    with pytest.raises(MusterError) as refused:
        third.open()
    assert refused.value.code == "publisher/hosts-used-up"
    fleet.branches.append(third)
    third.serve()
    assert fleet.days(3) == [""] * 3
    assert (third.licensed(), fleet.drawn()) == (0, [1, 1])
    (key,) = look.status(third.host.opened).publishers[0].keys
    assert (key.grant, key.refusal) == (None, "publisher/hosts-used-up")
    assert key.asked_at is not None
    fleet.admin.limit_key(fleet.key, 3, None, "one more site")
    assert fleet.days(2) == [""] * 3
    assert (fleet.licensed(), fleet.drawn()) == ([MACHINES] * 3, [1, 1, 1])
    (key,) = look.status(third.host.opened).publishers[0].keys
    assert (key.asked_at, key.refusal) == (None, "")
    assert {told.failures for told in third.follower.told} == {0}
    assert fleet.days(3) == [""] * 3
    assert fleet.drawn() == [1, 1, 1]


def test_a_key_that_waits_is_asked_for_by_back_off(fleet: Fleet) -> None:
    """Also where the publisher was away when its administrator asked; who did not ask waits."""
    north, _ = fleet.branches
    assert fleet.days(2) == ["", ""]
    for key in fleet.admin.issue_host_keys("server", 2):
        install(north.host.opened, key.key.text, north.host.facts)
    waiting = [key for key in look.status(north.host.opened).publishers[0].keys if not key.grant]
    chosen, other = waiting
    fleet.away()
    with pytest.raises(MusterError, match="net/refused"):
        activate.activate(north.host.opened, service, key=chosen.key)
    assert north.follower.step() == []
    waits = []
    for _ in range(3):
        asked = fleet.clock.seconds
        while not north.follower.step():
            fleet.clock.seconds += 60
        waits.append(fleet.clock.seconds - asked)
    assert 0 < waits[0] <= schedule.AGAIN + 60
    assert waits[0] < waits[1] + 180 < waits[2]
    fleet.back()
    assert fleet.days(1) == ["", ""]
    (left,) = [key for key in look.status(north.host.opened).publishers[0].keys if not key.grant]
    assert (left.key, left.asked_at) == (other.key, None)


def test_a_request_for_a_new_product_brings_the_news_soon_and_strangers_bring_few(
    fleet: Fleet,
) -> None:
    north, south = fleet.branches
    assert fleet.days(2) == ["", ""]
    fleet.clock.seconds += schedule.PAUSE
    fleet.admin.publish(parse_catalogue_file((CONTENT + SECOND).encode()).content)
    machine = north.machine("north-new", "enterprise")
    assert refusal(machine) == "host/not-served"
    assert north.follower.step() == []
    fleet.clock.seconds += schedule.SOON
    assert [told.code for told in north.follower.step()] == [""]
    assert south.follower.step() == [], "nobody asked it for anything new"
    assert refusal(machine) == ""

    # A machine of south's that knows what north does not.
    fleet.clock.seconds += schedule.PAUSE
    fleet.admin.rotate([CATALOGUE_ROLE])
    south.follower.hint(fleet.admin.publisher.id)
    assert south.follower.step() == []
    fleet.clock.seconds += schedule.SOON
    assert [told.code for told in south.follower.step()] == [""]
    (machine, *_) = south.machines
    assert refusal(machine) == ""
    machine.plan = Plan(host=north.host.address)
    machine.client.activate()
    assert north.follower.step() == []
    fleet.clock.seconds += schedule.SOON
    assert [told.code for told in north.follower.step()] == [""]
    versions = {branch.versions()[0] for branch in fleet.branches}
    assert versions == {(fleet.admin.trust().version, fleet.admin.catalogue().version)}

    # Whoever asks for what no catalogue has: one asking in half an hour, however often.
    host = north.host.opened.current().publishers[fleet.admin.publisher.id]
    asked = 0
    for _ in range(60):
        north.follower.hint(host.publisher)
        asked += len(north.follower.step())
        fleet.clock.seconds += 60
    assert asked == 1
    # A publisher that is away is asked by its own schedule.
    fleet.away()
    assert fleet.days(2) == ["net/refused", "net/refused"]
    (before,) = north.follower.told
    north.follower.hint(host.publisher)
    assert north.follower.step() == []
    assert north.follower.told == (before,)
