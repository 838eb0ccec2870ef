"""A host on real SQLite with a clock that tests move, and machines that are only numbers."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from muster.core.identity import LETTERS, Fact, commitments, machine_cmid, nonce_of, nonce_prefix
from muster.core.products import day_start
from muster.db.engine import Database
from muster.host import challenges, keys, rules
from muster.host.act import grants, updates
from muster.host.keyring import KeyRing
from muster.host.model import Activated, QueuedRequest, Refused, Reply
from muster.host.open import OpenHost
from muster.host.service import HostService
from muster.host.store import open_store
from muster.host.tables import ledger
from muster.lease.bundle import Bundle
from muster.lease.descriptor import read_descriptor
from muster.lease.jws import MemorySigningKey
from muster.lease.steps import Expected
from muster.lease.verify import VerifiedLicence, verify_lease
from muster.system.entropy import SeededDice
from muster.testing.clock import ManualClock
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.activation import ActivationAnswer, ActivationRequest, ClientInfo
from muster.wire.problem import decode_problem
from muster.wire.release import ReleaseRequest

START = day_start(328) + 9 * 3600
HOST_FACTS = (Fact("system-uuid", "4c4c4544-0042-3510-8052-b4c04f4d3132"),)


PUBLISHER = TinyPublisher("contoso", now=START - 3600).publisher
"""The publisher of the hosts of these tests."""


@functools.cache
def _key(seed: bytes) -> MemorySigningKey:
    return MemorySigningKey(seed)


@dataclass(frozen=True)
class Machine:
    """A machine of a number: its ids and nonces follow from it.

    `turn` counts its requests from 0: each has a nonce of its own, and shows the one before.
    """

    number: int
    facts: int = 5
    seed: str = ""
    turn: int = 0

    def _bytes(self, what: str, size: int) -> bytes:
        return hashlib.sha256(f"{what} {self.seed} {self.number}".encode()).digest()[:size]

    @property
    def key(self) -> MemorySigningKey:
        return _key(self._bytes("key", 32))

    @property
    def cmid(self) -> str:
        return self.cmid_at("")

    def cmid_at(self, publisher: str, mode: str = "machine") -> str:
        return machine_cmid(publisher or PUBLISHER, mode, self.key.public.raw)

    @property
    def nonce(self) -> str:
        return nonce_of(self._bytes(f"nonce {self.turn}" if self.turn else "nonce", 16))

    @property
    def line(self) -> tuple[str, ...]:
        if self.turn == 0:
            return ()
        return (nonce_prefix(replace(self, turn=self.turn - 1).nonce),)

    @property
    def fingerprint(self) -> tuple[str, ...]:
        salt = self._bytes("salt", 32)
        return commitments(
            salt, [Fact(name, f"of {self.number}") for name in [*LETTERS][: self.facts]]
        )

    def request(
        self,
        publisher: str,
        product: str,
        sent_at: int,
        *,
        key: MemorySigningKey | None = None,
        fingerprint: tuple[str, ...] | None = None,
        identity: str = "machine",
        state: int = 2,
        nonce: str | None = None,
        line: tuple[str, ...] | None = None,
        challenge: str = "",
    ) -> ActivationRequest:
        key = key or self.key
        return ActivationRequest(
            publisher=publisher,
            product=product,
            cmid=machine_cmid(publisher, identity, key.public.raw),
            key=key.public.raw,
            nonce=self.nonce if nonce is None else nonce,
            line=self.line if line is None else line,
            challenge=challenge,
            fingerprint=self.fingerprint if fingerprint is None else fingerprint,
            identity=identity,
            state=state,
            sent_at=sent_at,
            client=ClientInfo("0.1.0", "Linux", False),
        ).prove(key)

    def release(
        self, bundle: Bundle, sent_at: int, line: tuple[str, ...] | None = None
    ) -> ReleaseRequest:
        """A release of the last lease."""
        shown = (nonce_prefix(self.nonce),) if line is None else line
        return ReleaseRequest(bundle, self.key.public.raw, shown, sent_at).prove(self.key)


@dataclass
class World:
    """A publisher, a host of it, and what tests ask of them."""

    folder: Path
    clock: ManualClock
    publisher: TinyPublisher
    database: Database
    keyring: KeyRing
    opened: OpenHost
    service: HostService
    answers: list[Reply] = field(default_factory=list)
    turns: dict[int, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.publisher.publisher

    def enrol(self, group: str, term: int = 0, publisher: TinyPublisher | None = None) -> Activated:
        """Install and activate a host key of a group."""
        maker = publisher or self.publisher
        key = install(self.opened, maker.host_key(group, term).text, HOST_FACTS)
        iid = keys.installation_id(self.opened.current(), key)
        return grants.accept(self.opened, maker.publisher, maker.confirm(iid))

    def ask(
        self,
        number: int,
        product: str = "desktop-pro",
        *,
        address: str = "192.0.2.1",
        request: ActivationRequest | None = None,
        key: MemorySigningKey | None = None,
    ) -> Reply:
        """One machine asks as its client does: each time in its own transaction, and once more
        where it is challenged and has the key of the request."""
        if request is None:
            self.turns[number] = self.turns.get(number, -1) + 1
        asked = request or self.machine(number).request(self.id, product, self.clock.now())
        return self.send(asked, key or self.machine(number).key, address)

    def send(
        self,
        asked: ActivationRequest | ReleaseRequest,
        key: MemorySigningKey,
        address: str = "192.0.2.1",
    ) -> Reply:
        """Send a message, and once more where it is challenged and the key is its own."""
        return answer_of(self.service, asked, key, address)

    def challenged(self, asked: ActivationRequest, key: MemorySigningKey) -> ActivationRequest:
        """The request with a challenge that holds now; as it is, where none is asked for."""
        view = self.service.view().publishers.get(asked.publisher)
        if view is None or asked.key != key.public.raw:
            return asked
        now = self.clock.now()
        challenge = self.fresh(asked, now)
        return replace(asked, challenge=challenge).prove(key)

    def fresh(self, asked: ActivationRequest, now: int) -> str:
        """The challenge that a request gets at this time."""
        key = self.service.view().publishers[asked.publisher].challenge_key
        with self.database.snapshot() as reader:
            known = ledger.known_machine(reader, asked.publisher, asked.cmid)
        kept = rules.kept_of(None if known is None else known.line, asked.identity)
        return challenges.fresh(key, asked.publisher, asked.cmid, kept, now)

    def arrival(self, machine: Machine, product: str = "desktop-pro") -> QueuedRequest:
        """A machine's request with a challenge that holds now."""
        asked = machine.request(self.id, product, self.clock.now())
        return QueuedRequest(self.challenged(asked, machine.key), "192.0.2.1")

    def machine(self, number: int) -> Machine:
        """A machine as it made its last request."""
        return Machine(number, turn=self.turns.get(number, 0))

    def fill(self, numbers: range, product: str = "desktop-pro") -> None:
        """Several machines ask, one after the other."""
        for number in numbers:
            self.ask(number, product)

    def restart(self) -> None:
        """Another process opens the same store."""
        self.service = HostService(self.database, self.keyring, self.clock, SeededDice("again"))

    def verify(self, number: int, product: str, answer: ActivationAnswer) -> VerifiedLicence:
        """The answer as its client verifies it, from the pinned roots alone."""
        machine = self.machine(number)
        descriptor = read_descriptor(self.publisher.descriptor(product))
        expected = Expected(
            descriptor=descriptor,
            trust=self.publisher.trust,
            catalogue=self.publisher.catalogue,
            cmid=machine.cmid,
            identity="machine",
            nonce=machine.nonce,
            fingerprint=machine.fingerprint,
            now=self.clock.now(),
            clock_mark=0,
            fresh=True,
        )
        return verify_lease(answer.bundle.encode(), expected)


def answer_of(
    service: HostService,
    asked: ActivationRequest | ReleaseRequest,
    key: MemorySigningKey,
    address: str,
) -> Reply:
    """The answer to a message, which is sent once more where it is challenged and the key is its
    own."""
    (reply,) = service.handle([QueuedRequest(asked, address)])
    challenge = challenge_in(reply)
    if not challenge or asked.key != key.public.raw:
        return reply
    (reply,) = service.handle([QueuedRequest(meeting(asked, challenge, key), address)])
    return reply


def limited(world: World, limit: int) -> str:
    """A host key whose terms allow so many machines; the id of its grant."""
    product = world.publisher.new_product("tiny", need=1)
    world.publisher.publish([product])
    key = install(world.opened, world.publisher.host_key("limited").text, ())
    iid = keys.installation_id(world.opened.current(), key)
    answer = world.publisher.confirm(iid, limit=limit)
    return grants.accept(world.opened, world.id, answer).grant.jti


def challenge_in(reply: Reply) -> str:
    """The challenge that a refusal brings, "" for none."""
    if not isinstance(reply, Refused) or reply.error.code != "host/challenge":
        return ""
    return str(reply.error.params["challenge"])


def meeting(
    asked: ActivationRequest | ReleaseRequest, challenge: str, key: MemorySigningKey
) -> ActivationRequest | ReleaseRequest:
    """The same message with a challenge, signed once more."""
    return replace(asked, challenge=challenge).prove(key)


def body_meeting(
    asked: ActivationRequest | ReleaseRequest, key: MemorySigningKey, status: int, answer: bytes
) -> bytes:
    """The body that meets the challenge of an answer, b"" where there is none."""
    if status != 428:
        return b""
    found = decode_problem(status, answer, "host")
    return meeting(asked, str(found.params["challenge"]), key).body


def refused(reply: Reply) -> str:
    """The code of a refusal."""
    assert isinstance(reply, Refused), reply
    return reply.error.code


def leased(reply: Reply) -> ActivationAnswer:
    """The answer that brings a lease."""
    assert isinstance(reply, ActivationAnswer), reply
    return reply


MEMORY = Path("/dev/shm")
ROOM = 256 << 20
"""Bytes that must be free there."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def publisher() -> TinyPublisher:
    return TinyPublisher("contoso", now=START - 3600)


@contextlib.contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """A folder whose files nobody waits for, where the machine has room for it: a store is synced
    thirty times in a test that asks nothing of disks."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="muster-test-") as folder:
        yield Path(folder)


@pytest.fixture
def world(tmp_path: Path, clock: ManualClock, publisher: TinyPublisher) -> Iterator[World]:
    """A host that knows the publisher; nothing is installed yet."""
    dice = SeededDice("host")
    with in_memory(tmp_path) as folder:
        database = open_store(folder, clock.now(), create=True)
        keyring = KeyRing(folder / "keys")
        opened = OpenHost(folder, database, keyring, clock, dice, "user:test")
        updates.add_publisher(opened, publisher.file())
        service = HostService(database, keyring, clock, dice)
        yield World(folder, clock, publisher, database, keyring, opened, service)
        database.close()


@pytest.fixture
def host(world: World) -> World:
    """A host that is activated for desktops and servers."""
    world.enrol("server")
    return world
