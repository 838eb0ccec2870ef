"""One host for several host keys and several publishers, and machines that find the right one."""

from __future__ import annotations

import pytest
from tests.worlds.conftest import TOOL, Scene

from muster.client.discovery import Source
from muster.client.messages import Plan
from muster.host.act import enrol, updates
from muster.net.dnsupdate import TSIGKey
from muster.testing.nanodns import NanoDNS
from muster.testing.real import RealHost, RealMachine
from muster.testing.tiny_publisher import TinyPublisher

pytestmark = pytest.mark.real

ZONE = "corp.test"
TSIG = TSIGKey("host-key", "hmac-sha256", bytes(range(32)))


def refused(machine: RealMachine, product: str) -> str:
    """The code with which a try is refused."""
    result = machine.ask(product)
    assert not result.renewed
    assert result.fault is not None
    assert result.fault.fix
    return result.fault.code


def test_a_second_key_beside_the_first_and_either_may_go(scene: Scene) -> None:
    scene.contoso.publish(
        [scene.contoso.new_product("suite", application="office", group="office", need=1)]
    )
    updates.add_publisher(scene.host.opened, scene.contoso.file())
    machine = scene.machine("pc")
    machine.add(scene.contoso, "suite")
    assert machine.ask(TOOL).renewed
    assert refused(machine, "suite") == "host/not-served"

    office = scene.host.enrol(scene.contoso, "office")
    assert machine.ask("suite").renewed
    assert machine.ask(TOOL).renewed
    # Each application is counted by itself.
    counts = [scene.host.count(scene.contoso, name) for name in ("os", "office")]
    assert counts == [1, 1]

    enrol.remove_key(scene.host.opened, office.key.key_id)
    assert refused(machine, "suite") == "host/not-served"
    assert machine.licensed("suite"), "the lease that runs stays"
    assert machine.ask(TOOL).renewed

    scene.host.enrol(scene.contoso, "office")
    (first,) = [
        one.key_id
        for one in scene.host.opened.current().publishers[scene.contoso.publisher].keys
        if one.key_id.startswith("0-2-")
    ]
    enrol.remove_key(scene.host.opened, first)
    assert refused(machine, TOOL) == "host/not-served"
    assert machine.ask("suite").renewed


def test_a_second_publisher_beside_the_first_and_either_may_go(scene: Scene) -> None:
    host, fabrikam = scene.host, scene.fabrikam
    theirs = RealMachine(scene.folder / "theirs", scene.clock, Plan(host=host.address))
    theirs.add(fabrikam, TOOL)
    ours = scene.licensed_machine("ours")
    assert refused(theirs, TOOL) == "host/not-served"

    updates.add_publisher(host.opened, fabrikam.file())
    host.enrol(fabrikam, "server")
    assert theirs.ask().renewed
    assert ours.ask().renewed
    assert [host.count(one) for one in (scene.contoso, fabrikam)] == [1, 1]
    # One machine with products of both.
    theirs.add(scene.contoso, TOOL)
    assert theirs.client.activate(f"{scene.contoso.publisher}/{TOOL}")[0].renewed
    assert [host.count(one) for one in (scene.contoso, fabrikam)] == [2, 1]

    assert enrol.remove_publisher(host.opened, scene.contoso.publisher).changed
    assert refused(ours, TOOL) == "host/not-served"
    assert ours.licensed()
    assert theirs.client.activate(f"{fabrikam.publisher}/{TOOL}")[0].renewed
    # It comes back with a key of its own; the other goes.
    updates.add_publisher(host.opened, scene.contoso.file())
    host.enrol(scene.contoso, "server")
    assert enrol.remove_publisher(host.opened, fabrikam.publisher).changed
    assert ours.ask().renewed
    assert theirs.licensed(f"{fabrikam.publisher}/{TOOL}")


def test_a_machine_does_not_meet_a_host_of_another_publisher_first(scene: Scene) -> None:
    """Each host publishes itself; a machine of Fabrikam asks Fabrikam's hosts before all others."""
    homes: dict[str, tuple[TinyPublisher, RealHost]] = {
        "contoso": (scene.contoso, scene.host),
        "fabrikam": (scene.fabrikam, scene.another_host("second", scene.fabrikam)),
    }
    with NanoDNS(ZONE, keys=[TSIG]) as dns:
        for label, (_, host) in homes.items():
            dns.add(f"{label}-host.{ZONE}.", "A", "127.0.0.1")
            host.publish(dns.server, ZONE, TSIG, f"{label}-host.{ZONE}")
        for number in range(10):
            for label, (publisher, host) in homes.items():
                machine = RealMachine(
                    scene.folder / f"{label}-{number}",
                    scene.clock,
                    Plan(None, (ZONE,)),
                    (dns.server,),
                )
                machine.add(publisher, TOOL)
                result = machine.ask()
                assert result.renewed
                # One try each: its own label's record, though both stand at the general name.
                (tried,) = result.tried
                assert tried.candidate.address.host == f"{label}-host.{ZONE}"
                assert tried.candidate.address.port == host.address.port
                assert tried.candidate.source is Source.LABEL
        # Where its own host is gone from DNS, the general name leads to one that says so.
        homes["fabrikam"][1].withdraw(dns.server, ZONE, TSIG, f"fabrikam-host.{ZONE}")
        stray = RealMachine(scene.folder / "stray", scene.clock, Plan(None, (ZONE,)), (dns.server,))
        stray.add(scene.fabrikam, TOOL)
        assert refused(stray, TOOL) == "host/not-served"
