"""A publisher in a temporary folder, and hosts that are nothing but keys and digits."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.publisher.engineer import Engineer, open_engineer

from muster.core.clock import Uptime
from muster.core.identity import Fact, hardware_id, host_binding
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import ProductKey
from muster.core.products import DAY, day_start
from muster.lease.jws import MemorySigningKey
from muster.publisher.act.setup import NewPublisher, init_publisher
from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.publisher.model import Content
from muster.publisher.results import PublisherMade
from muster.publisher.service import PublisherService, open_service
from muster.publisher.store import KEYS_FOLDER
from muster.publisher.vault import Vault
from muster.system.entropy import SeededDice
from muster.system.keyfile import Scrypt

CHEAP = Scrypt(log_n=1, r=1)
"""A real key file, at a cost that no publisher would choose."""
PASSPHRASE = "correct horse"
ROOT_PASSPHRASE = "battery staple"
START = day_start(200) + 9 * 3600


@dataclass
class HandClock:
    """A clock that a test moves; `up` is for those where no time passes."""

    seconds: int = START
    boot: int = 1
    up: float = 1_000_000.0

    def now(self) -> int:
        return self.seconds

    def monotonic(self) -> float:
        return float(self.seconds)

    def uptime(self) -> Uptime:
        return Uptime(f"boot-{self.boot}", self.monotonic())

    def days(self, count: int) -> None:
        self.seconds += count * DAY

    def off(self, days: int) -> None:
        """Be off for some days."""
        self.days(days)
        self.boot += 1


@dataclass
class Host:
    """What an installation ID is made of: a machine, a host signing key, a product key."""

    machine: str
    signing: MemorySigningKey
    key: ProductKey
    publisher: str
    trust: int = 1

    def digits(self) -> str:
        key_id, tag = self.key.key_id, self.key.tag_bytes
        return make_installation_id(
            self.trust,
            key_id,
            host_binding(self.publisher, key_id, self.signing.public.raw),
            hardware_id(self.publisher, key_id, tag, Fact("system-uuid", self.machine)),
            proof_key(self.publisher, key_id, tag),
        ).text


@dataclass
class Machine:
    """What the installation ID of a machine is made of. `binding` is 25 hex digits; what it is
    made of is the client's business."""

    key: ProductKey
    publisher: str
    binding: str
    proof: bytes
    trust: int = 1

    def digits(self) -> str:
        return make_installation_id(
            self.trust, self.key.key_id, self.binding, None, self.proof
        ).text


@dataclass
class Shop:
    """One publisher and the ways to open it."""

    folder: Path
    reserve: Path
    label: str = "contoso"
    url: str = ""
    clock: HandClock = field(default_factory=HandClock)
    dice: SeededDice = field(default_factory=lambda: SeededDice("shop"))
    opened: list[Engineer | PublisherService] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def vault(self, passphrase: str = PASSPHRASE, root: str = ROOT_PASSPHRASE) -> Vault:
        return Vault(self.folder / KEYS_FOLDER, lambda: passphrase, lambda: root, CHEAP)

    def init(self, content: Content | None = None, label: str | None = None) -> PublisherMade:
        wanted = NewPublisher(
            label or self.label,
            self.label.title(),
            content or parse_catalogue_file(sample()).content,
            self.reserve,
        )
        return init_publisher(
            self.folder, self.vault(), wanted, self.clock, self.dice, "test", self.url
        )

    def admin(self) -> Engineer:
        admin = open_engineer(self.folder, self.vault(), self.clock, self.dice, "test", self.url)
        self.opened.append(admin)
        return admin

    def service(self, vault: Vault | None = None) -> PublisherService:
        service = open_service(self.folder, vault or self.vault(), self.clock, self.url)
        self.opened.append(service)
        return service

    def machines(self, key: ProductKey, count: int, first: int = 1) -> list[Machine]:
        """Machines that hold a key, told apart by number."""
        return self.machines_of(key, self.admin().publisher.id, count, first)

    def machines_of(
        self, key: ProductKey, publisher: str, count: int, first: int = 1
    ) -> list[Machine]:
        """The same of any publisher."""
        proof = proof_key(publisher, key.key_id, key.tag_bytes)
        return [
            Machine(key, publisher, f"{number:025x}", proof)
            for number in range(first, first + count)
        ]

    def host(self, key: ProductKey, machine: str | None = None, signing: int | None = None) -> Host:
        number = next(self.numbers)
        seed = (signing if signing is not None else number).to_bytes(32, "big")
        return Host(
            machine=machine or f"00000000-0000-4000-8000-{number:012d}",
            signing=MemorySigningKey(seed),
            key=key,
            publisher=self.admin().publisher.id,
        )


@pytest.fixture(scope="session")
def freshly_made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a publisher just made, once a session: most of a setup is scrypt."""
    made: dict[str, Path] = {}

    def make(label: str) -> Path:
        if label not in made:
            folder = tmp_path_factory.mktemp(label)
            shop = Shop(folder / "store", folder / "reserve.key", label)
            shop.dice = SeededDice(label)
            shop.init()
            made[label] = folder
        return made[label]

    return make


@pytest.fixture
def make_shop(
    tmp_path: Path, freshly_made: Callable[[str], Path]
) -> Iterator[Callable[[str], Shop]]:
    """Makes publishers by label."""
    shops: list[Shop] = []

    def make(label: str) -> Shop:
        shutil.copytree(freshly_made(label), tmp_path / label)
        shop = Shop(tmp_path / label / "store", tmp_path / label / "reserve.key", label)
        shop.dice = SeededDice(f"{label}, later")
        shops.append(shop)
        return shop

    yield make
    for shop in shops:
        for one in shop.opened:
            one.close()


@pytest.fixture
def shop(make_shop: Callable[[str], Shop]) -> Shop:
    """The publisher Contoso, as the shipped sample makes it."""
    return make_shop("contoso")
