"""A small world in memory for tests of clients: hosts, DNS, disks and a clock, no socket.

The host in it is made of the real wire and lease functions: it counts, signs leases and notices
under a real grant and answers problem documents. What it lacks is durability. Peers misbehave
when told (`Mood`), disks fill up and are cut, the clock moves by hand.

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
import enum
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from muster.client.discovery import Address, Record, names
from muster.client.driver import Reply
from muster.client.messages import Plan
from muster.client.service import Client
from muster.core.catalogue import error
from muster.core.clock import Clock
from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.products import DAY, SKEW, Product, day_of
from muster.lease import strict
from muster.lease.bundle import Bundle, NoticeBundle
from muster.lease.catalogue import Catalogue
from muster.lease.grant import issue_grant, read_claims, read_grant
from muster.lease.jws import MemorySigningKey, parse
from muster.lease.lease import LeaseClaims, make_lease
from muster.lease.notice import DUPLICATE_CMID, NoticeClaims, make_notice
from muster.lease.strict import b64url_encode
from muster.lease.verify import open_licence
from muster.system.entropy import SeededDice
from muster.testing.clock import ManualClock
from muster.testing.tiny_publisher import GROUPS, TinyPublisher
from muster.wire.activation import ActivationAnswer, ActivationRequest, ClientInfo, decode_request
from muster.wire.problem import encode_problem
from muster.wire.publisher import decode_confirm_request
from muster.wire.release import decode_release
from muster.wire.routes import (
    ACTIVATE,
    ACTIVATIONS,
    CATALOGUE,
    HOST_CATALOGUE,
    HOST_PORT,
    HOST_TRUST,
    PUBLISHER_GRANTS,
    PUBLISHERS,
    RELEASE,
    TRUST,
    Route,
)
from muster.wire.status import HostGrant, ServedPublisher, encode_grants, encode_publishers

START = 1_795_500_000
"""When a world begins: 2026-11-24."""
DOMAIN = "corp.test"
PUBLISHER_URL = "https://activation.contoso.test"
"""Where the publisher of a world listens."""


class Mood(enum.Enum):
    """How a host behaves."""

    HONEST = "honest"
    SILENT = "silent"
    REFUSING = "refusing"
    """It refuses connections."""
    RUBBISH = "rubbish"
    """It answers 200 with bytes that are nothing."""
    EMPTY = "empty"
    HUGE = "huge"
    REDIRECT = "redirect"
    UNSIGNED_DUPLICATE = "unsigned-duplicate"
    """It orders to change the CMID without a signed notice."""
    DUPLICATE = "duplicate"
    """It sends a signed notice that another machine has the CMID."""
    STRANGER = "stranger"
    """It signs leases with a key that no grant names."""
    GREEDY = "greedy"
    """It signs leases until the year 9999."""
    COUNTLESS = "countless"
    """It signs leases though too few machines asked."""
    HIDES_DOCUMENTS = "hides-documents"
    """It names trust and catalogue versions and does not give them."""


@dataclass
class TinyHost:
    """A host in memory.

    `skew` seconds its clock is ahead; `trust` and `catalogue` the newest versions that it gives,
    None for the publisher's; `held` the catalogue that it holds, None for the publisher's
    newest; `obeys` whether it refuses what that revokes; `asked` every request that it read; `seen`
    CMIDs by application with the time.
    """

    publisher: TinyPublisher
    clock: Clock
    name: str
    group: str = "server"
    mood: Mood = Mood.HONEST
    skew: int = 0
    renew_after: int = 7 * DAY
    retry_after: int = 7200
    lease_span: int = 180 * DAY
    trust: int | None = None
    catalogue_text: str | None = None
    held: Catalogue | None = None
    obeys: bool = False
    duplicates: set[str] = field(default_factory=set)
    asked: list[ActivationRequest] = field(default_factory=list)
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make its key pair and its grant."""
        self.key = MemorySigningKey(hashlib.sha256(f"host {self.name}".encode()).digest())
        self.host_key = self.publisher.host_key(self.group)
        self.grant = self._grant()
        self._leases = 0

    def _grant(self) -> str:
        key_id = self.host_key.key_id
        publisher = self.publisher.publisher
        return issue_grant(
            publisher=publisher,
            key_id=key_id,
            binding=host_binding(publisher, key_id, self.key.public.raw),
            hw="0" * 12,
            term=0,
            day=day_of(self.publisher.now),
            group=next(one for one in GROUPS if one.id == self.group),
            key=self.publisher.grant_key,
        )

    def regrant(self) -> None:
        """Take a new grant under the publisher's present grant key."""
        self.grant = self._grant()

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(f"{self.name}.{DOMAIN}", HOST_PORT)

    @property
    def jti(self) -> str:
        """The licence id of its grant."""
        return read_grant(self.grant, self.publisher.trust, self.publisher.publisher).jti

    def crowd(self, machines: int, application: str = "os") -> None:
        """Let other machines have asked."""
        seen = self.seen.setdefault(application, {})
        for number in range(machines):
            seen[f"other machine {number}"] = self._now()

    def _now(self) -> int:
        return self.clock.now() + self.skew

    def answer(self, route: Route, path: str, body: bytes | None) -> Reply:
        """Answer one request as a host does."""
        try:
            if route is ACTIVATE:
                return Reply(200, self._activate(decode_request(body or b"")).encode())
            if route is RELEASE:
                return self._release(body or b"")
            if route is PUBLISHERS:
                return Reply(200, encode_publishers((self._served(),)))
            if route is PUBLISHER_GRANTS and self.publisher.publisher in path:
                return Reply(200, encode_grants((HostGrant(self.grant, self.key.public),)))
            return self._document(route, path)
        except MusterError as fault:
            return self._problem(fault)

    def _problem(self, fault: MusterError, notice: NoticeBundle | None = None) -> Reply:
        import json

        status, body = encode_problem(
            fault,
            trust=self._trust_version(),
            catalogue=self._catalogue().version,
            notice=None if notice is None else json.loads(notice.encode()),
        )
        return Reply(status, body)

    def _trust_version(self) -> int:
        return self.publisher.trust.version if self.trust is None else self.trust

    def _catalogue(self) -> Catalogue:
        return self.publisher.catalogue if self.held is None else self.held

    def _obey(self, product: Product) -> None:
        if not self.obeys:
            return
        label = self.publisher.label
        grant = read_claims(parse(self.grant, strict.SMALL, "grant"))
        try:
            read_grant(self.grant, self.publisher.trust, self.publisher.publisher)
        except MusterError as fault:
            raise error("host/not-activated", label=label) from fault
        if self._catalogue().product_revoked(product) is not None:
            raise error("host/product-revoked", product=product.id, label=label)
        if self._catalogue().revoked(grant.jti, grant.key) is not None:
            raise error("host/grant-revoked", label=label)

    def _served(self) -> ServedPublisher:
        covers = next(one for one in GROUPS if one.id == self.group).covers
        return ServedPublisher(
            publisher=self.publisher.publisher,
            label=self.publisher.label,
            trust=self._trust_version(),
            catalogue=self._catalogue().version,
            groups=covers,
        )

    def _activate(self, request: ActivationRequest) -> ActivationAnswer:
        self.asked.append(request)
        now = self._now()
        request.check_proof()
        if request.publisher != self.publisher.publisher:
            raise error("host/not-served", product=request.product, labels=self.publisher.label)
        product = self._catalogue().product(request.product)
        self._obey(product)
        covers = next(one for one in GROUPS if one.id == self.group).covers
        if product.group not in covers:
            raise error("host/not-served", product=request.product, labels=self.publisher.label)
        # A host in whose clock the tests do not trust answers all the same.
        if not self.skew and abs(request.sent_at - now) > SKEW:
            raise error("host/clock-skew", host_time=str(now), client_time=str(request.sent_at))
        seen = self.seen.setdefault(product.application, {})
        seen[request.cmid] = now
        count = sum(1 for last in seen.values() if now - last <= 30 * DAY)
        if count < product.need and self.mood is not Mood.COUNTLESS:
            raise error(
                "host/insufficient-count",
                count=count,
                need=product.need,
                retry_after=self.retry_after,
            )
        self._leases += 1
        jti = hashlib.sha256(f"{self.name} {self._leases}".encode()).digest()[:16]
        exp = now + self.lease_span if self.mood is not Mood.GREEDY else 253_402_300_799
        lease = LeaseClaims(
            cmid=request.cmid,
            publisher=request.publisher,
            product=request.product,
            iat=now,
            exp=exp,
            jti=b64url_encode(jti),
            group=product.group,
            identity=request.identity,
            nonce=request.nonce,
            renew_after=self.renew_after,
            retry_after=self.retry_after,
            count=count,
            need=product.need,
            fingerprint=request.fingerprint,
            catalogue=self._catalogue().version,
            trust=self._trust_version(),
        )
        key = self.key
        if self.mood is Mood.STRANGER:
            key = MemorySigningKey(hashlib.sha256(b"a stranger").digest())
        return ActivationAnswer(
            Bundle(make_lease(lease, key), self.grant, key.public),
            count=count,
            need=product.need,
            trust=self._trust_version(),
            catalogue=self._catalogue().version,
        )

    def notice(self, request: ActivationRequest, code: str = DUPLICATE_CMID) -> NoticeBundle:
        """A signed notice for a request."""
        claims = NoticeClaims(
            cmid=request.cmid,
            publisher=request.publisher,
            product=request.product,
            iat=self._now(),
            jti=b64url_encode(hashlib.sha256(request.nonce.encode()).digest()[:16]),
            code=code,
            nonce=request.nonce,
        )
        return NoticeBundle(make_notice(claims, self.key), self.grant, self.key.public)

    def _release(self, body: bytes) -> Reply:
        request = decode_release(body)
        trust = self.publisher.trust
        opened = open_licence(request.bundle.encode(), trust, self.publisher.publisher)
        lease = opened.lease
        request.check_proof(lease.publisher, lease.identity, lease.cmid)
        self.released.append(opened.lease.cmid)
        for seen in self.seen.values():
            seen.pop(opened.lease.cmid, None)
        return Reply(200, b'{"v":1}')

    def _document(self, route: Route, path: str) -> Reply:
        if self.mood is Mood.HIDES_DOCUMENTS:
            raise error("wire/not-found")
        if route is HOST_CATALOGUE:
            text = self.catalogue_text or self._catalogue().text
            return Reply(200, text.encode("ascii"))
        if route is HOST_TRUST:
            wanted = int(path.rpartition("/")[2])
            for trust in self.publisher.line:
                if wanted <= trust.version <= self._trust_version():
                    return Reply(200, trust.text.encode("ascii"))
        raise error("wire/not-found")

    # Moods.

    def moody(self, route: Route, path: str, body: bytes | None) -> Reply:
        """Answer, or misbehave as told. Raises: `net/…` where no answer would arrive."""
        peer = self.address.text
        match self.mood:
            case Mood.SILENT:
                raise error("net/timeout", peer=peer, seconds="10")
            case Mood.REFUSING:
                raise error("net/refused", peer=peer)
            case Mood.HUGE:
                raise error("net/too-large", peer=peer, limit=route.answer_limit)
            case Mood.RUBBISH:
                return Reply(200, b"\x00\xff<html>" * 20)
            case Mood.EMPTY:
                return Reply(200, b"")
            case Mood.REDIRECT:
                return Reply(302, b"")
        if route is ACTIVATE and self.mood in (Mood.UNSIGNED_DUPLICATE, Mood.DUPLICATE):
            return self._duplicate(decode_request(body or b""))
        if route is ACTIVATE and self.duplicates:
            request = decode_request(body or b"")
            if request.cmid in self.duplicates:
                return self._duplicate(request)
        return self.answer(route, path, body)

    def _duplicate(self, request: ActivationRequest) -> Reply:
        self.asked.append(request)
        signed = self.mood is not Mood.UNSIGNED_DUPLICATE
        fault = error("host/duplicate-cmid", cmid=request.cmid)
        return self._problem(fault, self.notice(request) if signed else None)


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
        used = sum(len(one) for one in self.files.values())
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
        found = {one.parts[depth] for one in self.files if path in one.parents}
        return sorted(found)

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
        if host.mood is Mood.SILENT:
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
                found = [one for one in publisher.line if one.version >= wanted]
                if not found:
                    raise error("wire/not-found")
                return Reply(200, found[0].text.encode("ascii"))
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
        place = MemoryDisk() if disk is None else disk
        client = Client(
            Path("/store"),
            disk=place,
            network=WorldNetwork(self),
            clock=self.clock,
            dice=SeededDice(f"{self.seed} {name} {self._machines}"),
            facts=lambda: own,
            plan=plan or (lambda _: Plan(None, (DOMAIN,), caching=True)),
            info=ClientInfo("0.1.0", "World", None),
            boot=boot,
            uptime=uptime,
        )
        return WorldMachine(client, place, own)


def machine_facts(name: str) -> dict[str, str]:
    """The facts of a machine; another name gives others for all of them but the processor."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    mac = ":".join(["00", *(digest[place : place + 2] for place in range(0, 10, 2))])
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
