"""Every row of the table in docs/spec/13-revocation-and-rotation.md, played day by day in memory.

Names and days are read from the chapter. Each story has a machine that meets a host and never its
publisher, and one that meets nobody from day 0 on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from muster.core.keys import parse_product_key
from muster.core.products import DAY, Revocation, day_of
from muster.lease.catalogue import CatalogueClaims, make_catalogue
from muster.lease.jws import MemorySigningKey
from muster.lease.trust import (
    CATALOGUE_ROLE,
    GRANT_ROLE,
    Trust,
    TrustClaims,
    TrustKey,
    follow,
    make_trust,
)
from muster.testing.tiny_host import TinyHost
from muster.testing.tiny_publisher import test_key
from muster.testing.world import World, WorldMachine

CHAPTER = Path(__file__).resolve().parents[2] / "docs/spec/13-revocation-and-rotation.md"
PRODUCT, OTHER = "desktop-pro", "server-standard"
WATCHED = 200
"""Days after which what did not happen is taken never to happen."""


@dataclass(frozen=True)
class Days:
    """The three numbers of a row; None for `never` and `none`."""

    host: int | None
    meets: int | None
    alone: int | None


def rows() -> dict[str, Days]:
    """The table of section 13.1 by the names of its rows."""
    text = CHAPTER.read_text(encoding="utf-8").partition("## 13.1")[2].partition("## 13.2")[0]
    found = re.findall(r"^\| (.+?) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    return {
        name: Days(*(int(one) if one.isdigit() else None for one in days))
        for name, *days in found
        if name != "row"
    }


class Story:
    """A world with one host; `near` meets it, `far` meets nobody once `begin` was called."""

    def __init__(self) -> None:
        self.world = World()
        self.publisher = self.world.publisher
        clock = self.world.clock
        # The worst case: machines got their leases in the last second before day 0.
        clock.pass_time(DAY - 1 - clock.now() % DAY)
        self.host: TinyHost = self.world.host()
        self.world.advertise([self.host])
        self.near = self.machine("near")
        self.far = self.machine("far")
        clock.pass_time(1)
        self.start = clock.now()

    def machine(self, name: str) -> WorldMachine:
        machine = self.world.machine(name)
        machine.client.add_product(self.publisher.descriptor(PRODUCT))
        (found,) = machine.client.activate(PRODUCT)
        assert found.renewed
        return machine

    @property
    def today(self) -> int:
        return day_of(self.world.clock.now())

    def dated(self) -> None:
        """Let the publisher's next signatures be of now."""
        self.publisher.now = self.world.clock.now()

    def revoke(self, *, jti: str | None = None, key: str | None = None) -> None:
        self.dated()
        self.publisher.publish(revocations=[Revocation(jti, key, self.today)])

    def sign(
        self,
        keys: list[TrustKey],
        *,
        roots: tuple[MemorySigningKey, MemorySigningKey] | None = None,
        version: int | None = None,
    ) -> Trust:
        """The next trust: of the working root, or with new roots of the reserve root."""
        self.dated()
        publisher = self.publisher
        publisher.keys = keys
        text = make_trust(
            TrustClaims(
                issuer=publisher.publisher,
                label=publisher.label,
                name=publisher.label.title(),
                version=version or publisher.trust.version + 1,
                iat=publisher.now,
                roots=(roots[0].public, roots[1].public) if roots else publisher.trust.roots,
                keys=keys,
            ),
            publisher.reserve if roots else publisher.working,
        )
        publisher.line.append(follow(publisher.trust, text))
        return publisher.trust

    def host_answers(self, product: str = PRODUCT) -> str:
        """ "leased", or the code of the refusal, for a machine that is new each time."""
        machine = self.world.machine(f"asks {product} {self.world.clock.now()}")
        machine.client.add_product(self.publisher.descriptor(product))
        (found,) = machine.client.activate(product)
        return "leased" if found.fault is None else found.fault.code

    def until(
        self, done: Callable[[], bool], *asking: WorldMachine, watched: int = WATCHED
    ) -> int | None:
        """The first day on which `done`; `asking` machines ask whenever their time has come."""
        while (day := (self.world.clock.now() - self.start) // DAY) < watched:
            self.host.crowd(100)
            for machine in asking:
                machine.client.activate(typed=False)
            if done():
                return day
            self.world.clock.pass_time(DAY)
        return None

    def pass_to(self, day: int) -> None:
        """Let time pass up to the beginning of a day."""
        self.world.clock.pass_time(self.start + day * DAY - self.world.clock.now())

    def alone_until(self, days: Days) -> None:
        """The far machine is licensed to the last second before its day, and not on it."""
        assert days.alone is not None
        self.world.clock.pass_time(self.start + days.alone * DAY - 2 - self.world.clock.now())
        assert licensed(self.far)
        self.world.clock.pass_time(2)
        assert not licensed(self.far)

    def authority(self, machine: WorldMachine) -> tuple[int, int]:
        """The versions of trust and catalogue by which a machine goes, 0 for no catalogue."""
        held = machine.client.status(PRODUCT).verdict.authority
        return held.trust.version, 0 if held.catalogue is None else held.catalogue.version

    def arrives(self, versions: tuple[int, int], days: Days) -> None:
        """Versions reach the near machine on its day, the far one never; both stay licensed."""
        before = self.authority(self.far)
        assert days.host == 0
        assert self.host_answers() == "leased"
        assert self.until(lambda: self.authority(self.near) == versions, self.near) == days.meets
        assert licensed(self.near)
        assert days.alone is None
        assert self.authority(self.far) == before
        assert licensed(self.far)

    def nothing_happens(self, days: Days) -> None:
        """The whole time goes by without a day on which the near machine is unlicensed."""
        assert days == Days(None, None, None)
        assert self.until(lambda: not licensed(self.near), self.near) is None
        assert self.host_answers() == "leased"


def licensed(machine: WorldMachine, product: str = PRODUCT) -> bool:
    return machine.client.status(product).verdict.licensed


STORIES: dict[str, Callable[[Story, Days], None]] = {}


def story(name: str) -> Callable[[Callable[[Story, Days], None]], Callable[[Story, Days], None]]:
    """Register the story of a row."""

    def register(play: Callable[[Story, Days], None]) -> Callable[[Story, Days], None]:
        assert name not in STORIES
        STORIES[name] = play
        return play

    return register


def test_the_table_and_the_stories_name_the_same_rows() -> None:
    assert set(rows()) == set(STORIES)


@pytest.mark.parametrize("name", rows())
def test_row(name: str) -> None:
    assert name in STORIES, "a row of the chapter that nobody plays"
    STORIES[name](Story(), rows()[name])


def ends(found: Story, days: Days) -> None:
    """Both machines lose their licence on the days of the row."""
    assert found.until(lambda: not licensed(found.near), found.near) == days.meets
    found.alone_until(days)


def warnings(machine: WorldMachine) -> list[str]:
    return [one.code for one in machine.client.status(PRODUCT).verdict.warnings]


# Revocations.


@story("host revoked")
def host_revoked(found: Story, days: Days) -> None:
    found.revoke(jti=found.host.jti)
    assert days.host == 0
    assert found.host_answers() == "host/grant-revoked"
    assert found.until(lambda: "client/revoked-host" in warnings(found.near), found.near) == 7
    ends(found, days)


@story("host revoked, another host stands by")
def host_with_another(found: Story, days: Days) -> None:
    other = found.world.host("kms2")
    found.world.advertise([other], priority=9)
    found.revoke(jti=found.host.jti)
    assert days.host == 0

    def moved() -> bool:
        licence = found.near.client.status(PRODUCT).verdict.licence
        return licence is not None and licence.grant_jti == other.jti

    assert found.until(moved, found.near) == days.meets
    found.alone_until(days)


@story("host that hides its revocation")
def hidden(found: Story, days: Days) -> None:
    found.host.held = found.publisher.catalogue
    found.revoke(jti=found.host.jti)
    assert (days.host, days.meets) == (None, None)
    assert found.host_answers() == "leased"
    found.until(lambda: not licensed(found.far), found.near)
    assert (found.world.clock.now() - found.start) // DAY == days.alone
    assert licensed(found.near)
    assert found.authority(found.near) == (1, 1)


@story("MAK revoked")
def mak_revoked(found: Story, days: Days) -> None:
    one_time(found, days, whole_key=True)


@story("single activation revoked")
def activation_revoked(found: Story, days: Days) -> None:
    one_time(found, days, whole_key=False)


def one_time(found: Story, days: Days, *, whole_key: bool) -> None:
    """Two machines with a MAK; the near one leases another product from the host."""
    key = found.publisher.machine_key("desktop")
    near, far = (found.world.machine(f"mak {name}") for name in ("near", "far"))
    for machine in (near, far):
        machine.client.add_product(found.publisher.descriptor(PRODUCT))
        machine.client.install_key(key.text)
        asked = machine.client.installation_id().installation_id
        machine.client.confirm(found.publisher.confirm(asked).confirmation_id)
    near.client.add_product(found.publisher.descriptor(OTHER))
    near.client.activate(OTHER)
    licence = near.client.status(PRODUCT).verdict.licence
    assert licence is not None
    if whole_key:
        found.revoke(key=key.key_id.text)
    else:
        found.revoke(jti=licence.grant_jti)
    assert days.host is None
    assert found.until(lambda: not licensed(near), near) == days.meets
    assert licensed(near, OTHER)
    assert days.alone is None
    found.pass_to(WATCHED)
    assert licensed(far)


@story("product revoked")
def product_revoked(found: Story, days: Days) -> None:
    setup = parse_product_key(found.publisher.catalogue.product(PRODUCT).setup_key)
    found.revoke(key=setup.key_id.text)
    assert days.host == 0
    assert found.host_answers() == "host/product-revoked"
    assert found.host_answers(OTHER) == "leased"
    assert found.until(lambda: "client/revoked-product" in warnings(found.near), found.near) == 7
    ends(found, days)


@story("revocation lifted")
def lifted(found: Story, days: Days) -> None:
    found.revoke(jti=found.host.jti)
    found.near.client.import_publisher_file(found.publisher.file().encode())
    found.far.client.import_publisher_file(found.publisher.file().encode())
    found.publisher.revocations.clear()
    found.publisher.publish()
    found.arrives((1, 3), days)
    assert warnings(found.near) == []
    assert warnings(found.far) == ["client/revoked-host"]


# Working keys.


@story("grant key retired")
def grant_retired(found: Story, days: Days) -> None:
    found.dated()
    found.publisher.rotate()
    found.publisher.publish()
    found.nothing_happens(days)


@story("grant key withdrawn")
def grant_withdrawn(found: Story, days: Days) -> None:
    found.dated()
    found.publisher.rotate(withdraw=True)
    found.publisher.publish()
    assert days.host == 0
    assert found.host_answers() == "host/not-activated"
    found.host.regrant()
    assert found.host_answers() == "leased"
    assert found.until(lambda: found.authority(found.near)[0] == 2, found.near) == days.meets
    assert licensed(found.near)
    found.alone_until(days)


def new_catalogue_key(found: Story, *, withdraw: bool) -> None:
    """A further trust version with a new catalogue key, and a catalogue by it."""
    publisher = found.publisher
    publisher.now = found.world.clock.now()
    keys = [one for one in publisher.keys if one.role != CATALOGUE_ROLE]
    if not withdraw:
        old = next(one for one in publisher.keys if one.role == CATALOGUE_ROLE)
        keys.append(replace(old, until=found.today))
    publisher.catalogue_key = test_key(publisher.label, "catalogue 2")
    found.sign([*keys, TrustKey(publisher.catalogue_key.public, CATALOGUE_ROLE)])
    publisher.publish()


@story("catalogue key retired")
def catalogue_retired(found: Story, days: Days) -> None:
    new_catalogue_key(found, withdraw=False)
    found.nothing_happens(days)


@story("catalogue key withdrawn")
def catalogue_withdrawn(found: Story, days: Days) -> None:
    new_catalogue_key(found, withdraw=True)
    found.arrives((2, 2), days)


@story("catalogue key stolen and fast-forwarded")
def catalogue_stolen(found: Story, days: Days) -> None:
    publisher = found.publisher
    honest = publisher.catalogue
    found.dated()
    text = make_catalogue(
        CatalogueClaims(
            version=2**53 - 1,
            iat=publisher.now,
            groups=honest.groups,
            applications=honest.applications,
            products=honest.products,
        ),
        publisher.trust,
        publisher.catalogue_key,
    )
    stolen = replace(publisher.file(), catalogue=text).encode()
    for machine in (found.near, found.far):
        machine.client.import_publisher_file(stolen)
        assert found.authority(machine) == (1, 2**53 - 1)
    new_catalogue_key(found, withdraw=True)
    found.arrives((2, 2), days)


# Roots.


@story("new working root by the reserve root")
def new_working(found: Story, days: Days) -> None:
    publisher = found.publisher
    found.sign(publisher.keys, roots=(test_key("new", "working"), publisher.reserve))
    found.arrives((2, 1), days)


@story("new reserve root by itself")
def new_reserve(found: Story, days: Days) -> None:
    publisher = found.publisher
    found.sign(publisher.keys, roots=(publisher.working, test_key("new", "reserve")))
    found.arrives((2, 1), days)


@story("working root stolen")
def working_stolen(found: Story, days: Days) -> None:
    publisher = found.publisher
    honest_keys, honest_line, honest_key = (
        list(publisher.keys),
        list(publisher.line),
        (publisher.grant_key),
    )
    # The thief puts his own grant key into a version of his, and a host of his leases by it.
    publisher.grant_key = test_key("thief", "grant")
    kept = [one for one in publisher.keys if one.role == CATALOGUE_ROLE]
    found.sign([*kept, TrustKey(publisher.grant_key.public, GRANT_ROLE, 9)])
    theirs = found.host.grant
    found.host.regrant()
    for machine in (found.near, found.far):
        (asked,) = machine.client.activate(PRODUCT)
        assert asked.renewed
        assert found.authority(machine)[0] == 2
    # The reserve root speaks; the host is the publisher's again.
    publisher.line, publisher.grant_key, found.host.grant = honest_line, honest_key, theirs
    found.sign(
        honest_keys, roots=(test_key("new", "working"), publisher.reserve), version=1_000_000
    )
    assert days.host == 0
    assert found.host_answers() == "leased"
    assert found.until(lambda: found.authority(found.near)[0] == 1_000_000, found.near) == (
        days.meets
    )
    assert licensed(found.near)
    found.alone_until(days)
