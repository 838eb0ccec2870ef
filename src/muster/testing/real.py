"""A real host and real machines in one process, with clocks that a test moves.

The host is the one of production on SQLite behind a socket of this machine; a machine is the
client of production with its store on disk. Only the clock, the dice and the hardware are a
test's. `muster.testing.site` and `muster.testing.programs` start the same as programs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from muster.client.discovery import Address
from muster.client.disk import SystemDisk
from muster.client.findings import Activation
from muster.client.messages import Plan
from muster.client.network import SystemNetwork
from muster.client.service import Client
from muster.client.stores import Parts
from muster.core.clock import Clock
from muster.core.identity import Fact
from muster.host import keys, look
from muster.host import publish as records
from muster.host.act import enrol, grants, updates
from muster.host.act.news import Service
from muster.host.follow import Follower
from muster.host.keyring import KeyRing
from muster.host.model import Activated, HostKey, HostView
from muster.host.open import OpenHost
from muster.host.server import HostServer
from muster.host.store import open_store
from muster.net.dnsupdate import TSIGKey
from muster.net.serve import ThreadServer
from muster.system.entropy import SeededDice
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts
from muster.wire.activation import ClientInfo

_MADE = itertools.count()
"""Numbers of clients: no two of them throw the same dice."""


def install(host: OpenHost, text: str, facts: Sequence[Fact]) -> HostKey:
    """Install a host key as its administrator does; the key as the host knows it."""
    installed = enrol.install_key(host, text, facts)
    known = host.current().publishers[installed.publisher]
    return next(key for key in known.keys if key.key_id == installed.key)


class RealHost:
    """A host in a folder of its own; listens inside the `with` block.

    `opened` is what acts and looks are given, also while it serves.
    """

    def __init__(self, folder: Path, clock: Clock, *publishers: TinyPublisher) -> None:
        folder.mkdir(parents=True)
        self.facts = tuple(Fact(*fact) for fact in machine_facts(folder.name).items())
        self._clock = clock
        dice = SeededDice(f"host {folder.name}")
        self.database = open_store(folder, clock.now(), create=True)
        self._keyring = KeyRing(folder / "keys")
        self.opened = OpenHost(folder, self.database, self._keyring, clock, dice, "user:test")
        for publisher in publishers:
            updates.add_publisher(self.opened, publisher.file())
        self._stack = ExitStack()
        self._port = 0

    def enrol(self, publisher: TinyPublisher, group: str) -> Activated:
        """Install a new host key of a group and activate it."""
        key = install(self.opened, publisher.host_key(group).text, self.facts)
        answer = publisher.confirm(keys.installation_id(self.opened.current(), key))
        return grants.accept(self.opened, publisher.publisher, answer)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address("127.0.0.1", self._port)

    def count(self, publisher: TinyPublisher, application: str = "os") -> int:
        """The machines that it counts now, read from its database."""
        (status,) = [
            row
            for row in look.applications(self.opened)
            if (row.publisher, row.application) == (publisher.publisher, application)
        ]
        return status.count

    def housekeep(self) -> int:
        """What it does each minute by itself; gives how many rows of a jumped clock it repaired."""
        return self._server.service.housekeep().clamped

    def follower(self, service: Service) -> Follower:
        """What follows its publishers while it serves; a test takes its steps."""
        return self._server.follower(self.opened, service)

    def publish(self, server: str, zone: str, tsig: TSIGKey, name: str) -> None:
        """Publish its SRV records in a zone, pointing to a name. Raises: what the server said."""
        self._check(records.publish(self._plan(server, zone, tsig, name), *self._now()))

    def withdraw(self, server: str, zone: str, tsig: TSIGKey, name: str) -> None:
        """Take its SRV records out of the zone."""
        self._check(records.withdraw(self._plan(server, zone, tsig, name), self.opened.current()))

    def _plan(self, server: str, zone: str, tsig: TSIGKey, name: str) -> records.Plan:
        values = {"dns_server": server, "dns_zone": zone}
        return records.plan_of(values, port=self._port, name=name, tsig=tsig)

    def _now(self) -> tuple[HostView, int]:
        return self.opened.current(), self._clock.now()

    @staticmethod
    def _check(results: list[records.ZoneResult]) -> None:
        for result in results:
            if result.error is not None:
                raise result.error

    def __enter__(self) -> Self:
        """Begin to answer."""
        dice = SeededDice("server")
        self._stack.callback(self.database.close)
        self._server = HostServer(self.database, self._keyring, self._clock, dice)
        self._stack.enter_context(self._server)
        self._port = self._stack.enter_context(ThreadServer(self._server.router)).port
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to answer and close the database."""
        self._stack.close()


class RealMachine:
    """A machine whose store is in a folder; `plan` and `facts` may be changed at any time.

    Args:
        folder: its store, made where it is missing; its name is the machine's name.
        clock: the machine's clock.
        plan: how it finds hosts.
        nameservers: `ip:port` of its DNS servers.
    """

    def __init__(
        self, folder: Path, clock: Clock, plan: Plan, nameservers: tuple[str, ...] = ()
    ) -> None:
        self.store = folder
        self.plan = plan
        self.facts = machine_facts(folder.name)
        self.nameservers = nameservers
        self._clock = clock

    @property
    def client(self) -> Client:
        """The client, as a command makes it again each time."""
        return Client(
            Parts(
                root=self.store,
                disk=SystemDisk(1.0),
                network=SystemNetwork(self.nameservers, 1.0),
                clock=self._clock,
                dice=SeededDice(f"machine {self.store.name} {next(_MADE)}"),
                read_facts=lambda: self.facts,
                plan=lambda _: self.plan,
                info=ClientInfo("0.1.0", "Test", None),
            )
        )

    def add(self, publisher: TinyPublisher, product: str) -> None:
        """Set a product up."""
        self.client.add_product(publisher.descriptor(product))

    def ask(self, product: str | None = None) -> Activation:
        """Ask a host now, as somebody who types."""
        return self.client.activate(product)[0]

    def licensed(self, product: str | None = None) -> bool:
        """Whether the product is licensed here."""
        return self.client.status(product).verdict.licensed

    def why(self, product: str | None = None) -> str:
        """The code of the reason why the product is not licensed, "" while it is."""
        fault = self.client.status(product).verdict.fault
        return "" if fault is None else fault.code

    def licence(self, product: str | None = None) -> str:
        """The licence as it is in the store, "" where there is none."""
        record = self.client.status(product).verdict.record
        return "" if record is None else record.licence
