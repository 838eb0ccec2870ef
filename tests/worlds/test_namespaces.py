"""A network with addresses of its own: publisher, DNS, host and 25 machines in namespaces.

The publisher is unplugged once the host is activated; machines are licensed all the same. Nothing
is set on a machine: it finds the host through DNS alone.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from muster.net.dnsupdate import TSIGKey
from muster.testing.named import Named, PartMissingError, find_named, key_text
from muster.testing.netns import Lab, Node, why_not
from muster.testing.programs import Done, Printed, Programs
from muster.testing.world import machine_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ZONE = "corp.test"
PRODUCT = "contoso-desktop-7-professional"
GROUP = "server-c"
MACHINES = 25


def missing() -> str | None:
    """What this machine lacks for the test, or None."""
    try:
        find_named()
    except PartMissingError as fault:
        return str(fault)
    return why_not()


@dataclass
class Machine:
    """One machine: the node that it stands on, its store and its facts."""

    node: Node
    store: Path
    facts: Path


class Network:
    """Five nodes on one switch, and the programs on them."""

    def __init__(self, folder: Path, lab: Lab, programs: Programs) -> None:
        self.folder = folder
        self.programs = programs
        self.dns = lab.node("dns")
        self.publisher = lab.node("publisher")
        self.host = lab.node("host")
        self.desks = (lab.node("desk-a"), lab.node("desk-b"))
        for node in (self.publisher, self.host, *self.desks):
            node.resolver(self.dns.address, ZONE)
        self.tsig = TSIGKey("host-key", "hmac-sha256", sha256(os.urandom(32)).digest())
        self.publisher_store = str(folder / "publisher")
        self.host_store = str(folder / "host")
        self.descriptor = folder / "desktop.descriptor.json"
        self.label = ""

    def start(self) -> None:
        """Publisher and host, each on its node; the host activates itself and is found in DNS."""
        muster, store = self.programs.muster, self.publisher_store
        made = muster(
            "publisher", "init", "--store", store, "--sample",
            "--reserve-root", str(self.folder / "reserve-root.key"),
            "--kdf-memory", "8192", "--kdf-passes", "1",
        )  # fmt: skip
        self.label = made.text("label")
        self.programs.start(
            "publisher", "publisher", "serve", "--store", store,
            "--bind", self.publisher.address, node=self.publisher,
        )  # fmt: skip
        issued = muster(
            "publisher", "key", "issue", "--store", store, "--kind", "host", "--group", GROUP
        )
        known = self.folder / "contoso.publisher.json"
        url = f"http://{self.publisher.address}:16882"
        muster("publisher", "export", "--store", store, str(known), "--url", url)
        muster("publisher", "descriptor", "--store", store, PRODUCT, "--out", str(self.descriptor))

        facts = self.programs.facts("host", machine_facts("host"))
        store = self.host_store
        muster("host", "init", "--store", store, "--publisher", str(known), node=self.host)
        key = issued.rows("keys")[0].text("key")
        muster("host", "install-key", "--store", store, key, node=self.host, facts=facts)
        activated = muster("host", "activate", "--store", store, node=self.host, facts=facts)
        assert activated["changed"] is True
        tsig = self.folder / "host-key.conf"
        tsig.write_text(key_text(self.tsig))
        tsig.chmod(0o600)
        self.programs.start(
            "host", "host", "serve", "--store", store, "--advertise", f"host1.{ZONE}",
            "--dns-server", self.dns.address, "--dns-zone", ZONE, "--tsig-key", str(tsig),
            node=self.host, facts=facts,
        )  # fmt: skip

    def dig(self, name: str) -> str:
        """The SRV records of a name, as a desk sees them."""
        asked = subprocess.run(
            self.desks[0].wrap(["dig", "+short", "+time=2", "+tries=1", name, "SRV"]),
            capture_output=True,
            check=False,
            timeout=10,
        )
        return asked.stdout.decode().strip()

    def published(self, name: str) -> str:
        """Wait until the host has published a name; gives its records."""
        for _ in range(200):
            found = self.dig(name)
            if found:
                return found
        raise AssertionError(f"{name} is not in DNS: {self.programs.log('host')}")

    def machine(self, number: int) -> Machine:
        name = f"pc-{number}"
        facts = self.programs.facts(name, machine_facts(name))
        return Machine(self.desks[number % 2], self.folder / name, facts)

    def client(self, machine: Machine, *words: str) -> Done:
        store = ("--store", str(machine.store))
        return self.programs.run("client", *words, *store, node=machine.node, facts=machine.facts)


def product(done: Done) -> Printed:
    """What a command of a machine says of its only product."""
    (found,) = done.data.rows("products")
    return found


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    lacks = missing()
    if lacks is not None:
        pytest.skip(lacks)
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        programs = stack.enter_context(Programs(tmp_path))
        made = Network(tmp_path, lab, programs)
        stack.enter_context(
            Named(
                ZONE,
                address=made.dns.address,
                keys=[made.tsig],
                records=[f"host1 60 IN A {made.host.address}"],
                prefix=made.dns.wrap([]),
            )
        )
        made.start()
        yield made


def reaches(node: Node, address: str, port: int) -> bool:
    """Whether a TCP connection from a node succeeds."""
    script = f"import socket; socket.create_connection(({address!r}, {port}), 2).close()"
    command = node.wrap(["python3", "-c", script])
    return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0


def test_the_publisher_may_be_away_and_dns_is_all_that_a_machine_needs(network: Network) -> None:
    general, own = f"_muster._tcp.{ZONE}", f"_{network.label}._sub._muster._tcp.{ZONE}"
    for name in (general, own):
        assert network.published(name).endswith(f"16880 host1.{ZONE}.")

    # The publisher goes away. Neither the host nor a machine reaches it any more.
    publisher = network.publisher
    everybody = (network.host, *network.desks)

    def reached() -> list[bool]:
        with ThreadPoolExecutor(len(everybody)) as pool:
            return list(pool.map(lambda node: reaches(node, publisher.address, 16882), everybody))

    assert all(reached())
    publisher.unplug()
    assert not any(reached())
    fetch = ("host", "catalogue", "fetch", "--store", network.host_store)
    meanwhile = ThreadPoolExecutor(1)  # it waits for half a minute
    fetching = meanwhile.submit(network.programs.run, *fetch, node=network.host)
    meanwhile.shutdown(wait=False)

    machines = [network.machine(number) for number in range(1, MACHINES + 1)]
    refusals: list[tuple[int, int]] = []

    def begin(machine: Machine) -> Printed:
        added = network.client(machine, "product", "add", str(network.descriptor))
        assert (added.code, added.data["state"]) == (0, 2), added
        done = network.client(machine, "activate")
        if done.code != 0:
            assert (done.code, done.error) == (1, "host/insufficient-count"), done
            told = done.data.inner("error").inner("params")
            refusals.append((told.number("count"), told.number("need")))
        return product(done)

    with ThreadPoolExecutor(2) as pool:
        first = list(pool.map(begin, machines))
    # Each refusal named another count, up to one below the need.
    assert sorted(refusals) == [(count, MACHINES) for count in range(1, MACHINES)]

    def again(machine: Machine, found: Printed) -> Printed:
        return found if found["licensed"] else product(network.client(machine, "activate"))

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(again, machines, first))
    assert all((one["state"], one["licensed"], one["why"]) == (1, True, None) for one in found)
    assert len({one["cmid"] for one in found}) == MACHINES
    # Through DNS alone: nothing was set, the domain came with the network.
    assert all((one["set_host"], one["suffixes"]) == (None, [ZONE]) for one in found)
    assert all(one["last_host"] == f"host1.{ZONE}:16880" for one in found)
    assert all(one["last_ip"] == network.host.address for one in found)
    assert not list(network.folder.glob("pc-*/client.toml"))
    status = network.programs.muster(
        "host", "status", "--store", network.host_store, node=network.host
    )
    (application,) = [one for one in status.rows("applications") if one["count"]]
    assert application["count"] == MACHINES

    # The host goes away as well. Who is licensed stays licensed, and says what is wrong.
    network.host.unplug()
    assert not reaches(network.desks[0], network.host.address, 16880)
    with ThreadPoolExecutor(2) as pool:
        tries = list(pool.map(lambda machine: network.client(machine, "activate"), machines[:2]))
    for machine, before, tried in zip(machines[:2], found[:2], tries, strict=True):
        assert tried.code == 3
        assert tried.error in ("net/timeout", "net/unreachable")
        assert tried.data.inner("error").text("fix")
        after = product(network.client(machine, "status"))
        assert (after["state"], after["until"]) == (1, before["until"])
        assert after["licence"] == before["licence"]

    # The cable is back: the next try renews.
    network.host.plug()
    assert network.client(machines[0], "activate").code == 0

    fetched = fetching.result()
    assert (fetched.code, fetched.error[:4]) == (3, "net/")
