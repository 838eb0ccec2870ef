"""A small world in memory for tests of clients: hosts, DNS, disks and a clock, no socket.

The host in it is `muster.testing.tiny_host`: the real service on a database in memory. Peers
misbehave when told (`Misbehaviour`), disks fill up and are cut, the clock moves by hand.

```
world = World()
world.dns("corp.test", world.host("kms1"))
machine = world.machine("pc-1")
machine.client.add_product(world.publisher.descriptor("desktop-pro"))
machine.client.activate()
```
Publishers test the programs that embed Muster with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from muster.client.discovery import Address, Record, names
from muster.client.driver import Reply
from muster.client.messages import Plan
from muster.client.service import Client
from muster.client.stores import Parts
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.system.entropy import SeededDice
from muster.testing.clock import ManualClock
from muster.testing.tiny_host import DOMAIN, Misbehaviour, TinyHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.activation import ClientInfo
from muster.wire.problem import encode_problem
from muster.wire.publisher import decode_confirm_request
from muster.wire.routes import (
    ACTIVATIONS,
    CATALOGUE,
    TRUST,
    Route,
)

START = 1_795_500_000
"""When a world begins: 2026-11-24."""
PUBLISHER_URL = "https://activation.contoso.test"
"""Where the publisher of a world listens."""


class MemoryDisk:
    """A disk in memory; keeps the protocol `muster.client.store.Disk`.

    `room` is how many bytes it holds, None without a bound; `files` maps paths to bytes.
    """

    def __init__(self, room: int | None = None) -> None:
        self.files: dict[Path, bytes] = {}
        self.room = room
        self.untrusted: set[Path] = set()
        self._locked: set[Path] = set()

    def read(self, path: Path, limit: int) -> bytes:
        """The bytes of a file."""
        if path not in self.files:
            raise error("file/missing", path=str(path))
        if len(self.files[path]) > limit:
            raise error("file/too-large", path=str(path), limit=limit)
        return self.files[path]

    def read_anchor(self, path: Path, limit: int) -> bytes:
        """The bytes of a file that nobody else could write."""
        if path in self.untrusted:
            raise error("file/anchor", path=str(path), detail="group or world may write it")
        return self.read(path, limit)

    def write(self, path: Path, data: bytes, mode: int, *, keep_previous: bool) -> None:
        """Replace a file whole, or refuse when there is no room for it."""
        del mode
        used = sum(len(content) for content in self.files.values())
        if self.room is not None and used + len(data) > self.room:
            raise error("file/full", path=str(path))
        if keep_previous and path in self.files:
            self.files[path.with_name(path.name + ".bak")] = self.files[path]
        self.files[path] = data

    def move(self, path: Path, target: Path) -> None:
        """Rename a file."""
        if path not in self.files:
            raise error("file/missing", path=str(path))
        self.files[target] = self.files.pop(path)

    def remove(self, path: Path) -> None:
        """Remove a file where it is."""
        self.files.pop(path, None)

    def make_folder(self, path: Path, mode: int) -> None:
        """Folders need no making here."""

    def names(self, path: Path) -> list[str]:
        """Names in a folder."""
        depth = len(path.parts)
        entry = {one.parts[depth] for one in self.files if path in one.parents}
        return sorted(entry)

    @contextlib.contextmanager
    def lock(self, path: Path) -> Iterator[None]:
        """Hold a lock; a second holder is refused at once."""
        if path in self._locked:
            raise error("file/busy", path=str(path), seconds="0")
        self._locked.add(path)
        try:
            yield
        finally:
            self._locked.discard(path)

    def copy(self) -> MemoryDisk:
        """A copy, as of a golden image or of a store carried to another machine."""
        other = MemoryDisk(self.room)
        other.files = dict(self.files)
        return other


class WorldNetwork:
    """DNS and HTTP of a world; keeps the protocol `muster.client.driver.Network`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def records(self, name: str) -> tuple[Record, ...]:
        """The SRV records of a name."""
        self._world.questions.append(name)
        if self._world.dns_fault is not None:
            raise self._world.dns_fault
        return self._world.zone.get(name, ())

    def call(
        self,
        address: Address,
        route: Route,
        path: str,
        body: bytes | None,
        seconds: float | None = None,
    ) -> Reply:
        """Send one request to a host of the world."""
        self._world.calls.append((address, route.name))
        host = self._world.hosts.get(address)
        if host is None:
            raise error("net/name", name=address.host)
        if host.misbehaviour is Misbehaviour.SILENT:
            waited = self._world.silence if seconds is None else min(self._world.silence, seconds)
            self._world.clock.pass_time(math.ceil(waited))
        reply = host.moody(route, path, body)
        return Reply(reply.status, reply.body, "192.0.2.1", self._world.clock.now() + host.skew)

    def ask(self, url: str, route: Route, path: str, body: bytes | None) -> Reply:
        """Send one request to the publisher of the world, which listens at `PUBLISHER_URL`."""
        self._world.asked.append((url, route.name))
        if self._world.publisher_fault is not None:
            raise self._world.publisher_fault
        if url != PUBLISHER_URL:
            raise error("net/name", name=url)
        publisher = self._world.publisher
        try:
            if route is ACTIVATIONS:
                assert body is not None
                digits = decode_confirm_request(body).installation_id
                return Reply(200, publisher.confirm(digits).encode())
            if route is TRUST:
                wanted = int(path.rpartition("/")[2])
                trusts = [trust for trust in publisher.line if trust.version >= wanted]
                if not trusts:
                    raise error("wire/not-found")
                return Reply(200, trusts[0].text.encode("ascii"))
            if route is CATALOGUE:
                return Reply(200, publisher.catalogue.text.encode("ascii"))
            raise error("wire/not-found")
        except MusterError as fault:
            versions = publisher.trust.version, publisher.catalogue.version
            return Reply(*encode_problem(fault, trust=versions[0], catalogue=versions[1]))


@dataclass
class WorldMachine:
    """A machine of a world: its client, its disk, its facts."""

    client: Client
    disk: MemoryDisk
    facts: dict[str, str]


class World:
    """A publisher, hosts, a zone and a clock.

    Args:
        seed: of all dice in it.
        now: Unix seconds at its beginning.

    `silence` is how many seconds a host that keeps silent costs at most, 0 for no time.
    """

    def __init__(self, seed: int = 1, now: int = START) -> None:
        self.clock = ManualClock(now)
        self.publisher = TinyPublisher("contoso", now=now - 10 * DAY)
        self.seed = seed
        self.zone: dict[str, tuple[Record, ...]] = {}
        self.hosts: dict[Address, TinyHost] = {}
        self.questions: list[str] = []
        self.calls: list[tuple[Address, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.dns_fault: MusterError | None = None
        self.publisher_fault: MusterError | None = None
        self.silence = 0
        self._machines = 0

    def host(
        self,
        name: str = "kms1",
        *,
        crowd: int = 100,
        group: str = "server",
        publisher: TinyPublisher | None = None,
    ) -> TinyHost:
        """A host with a key of a group, which counted `crowd` other machines already."""
        host = TinyHost(publisher or self.publisher, self.clock, name, group)
        for application in ("os", "office"):
            host.crowd(crowd, application)
        self.hosts[host.address] = host
        return host

    def advertise(
        self,
        hosts: Iterable[TinyHost | Address],
        *,
        domain: str = DOMAIN,
        label: str | None = "contoso",
        general: bool = True,
        priority: int = 0,
        weight: int = 0,
    ) -> None:
        """Add SRV records for hosts: at the name of a label, at the general name, or at both."""
        asked = names(label or "none", domain)
        for host in hosts:
            address = host.address if isinstance(host, TinyHost) else host
            record = Record(priority, weight, address.port, address.host)
            for name, wanted in ((asked.label, label is not None), (asked.general, general)):
                if wanted:
                    self.zone[name] = (*self.zone.get(name, ()), record)

    def machine(
        self,
        name: str = "pc-1",
        *,
        disk: MemoryDisk | None = None,
        facts: dict[str, str] | None = None,
        plan: Callable[[str], Plan] | None = None,
        boot: str = "boot-1",
        uptime: Callable[[], int | None] = lambda: None,
    ) -> WorldMachine:
        """A machine with its own facts, disk and dice."""
        self._machines += 1
        own = machine_facts(name) if facts is None else facts
        index = MemoryDisk() if disk is None else disk
        client = Client(
            Parts(
                root=Path("/store"),
                disk=index,
                network=WorldNetwork(self),
                clock=self.clock,
                dice=SeededDice(f"{self.seed} {name} {self._machines}"),
                read_facts=lambda: own,
                plan=plan or (lambda _: Plan(None, (DOMAIN,), caching=True)),
                info=ClientInfo("0.1.0", "World", None),
                boot=boot,
                uptime=uptime,
            )
        )
        return WorldMachine(client, index, own)


def machine_facts(name: str) -> dict[str, str]:
    """The facts of a machine; another name gives others for all of them but the processor."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    mac = ":".join(["00", *(digest[index : index + 2] for index in range(0, 10, 2))])
    uuid = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
    return {
        "system-uuid": uuid,
        "board-serial": f"BOARD-{digest[:10]}",
        "product-serial": f"CHASSIS-{digest[10:20]}",
        "permanent-macs": mac,
        "machine-id": digest[32:64],
        "disk-serial": f"DISK-{digest[20:30]}",
        "cpu-model": "A processor",
    }
