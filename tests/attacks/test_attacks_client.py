"""Attacks on what a machine remembers: marks that brick, lines that grow, stores that overflow."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.trees import tree

from muster.cli.output import MusterCommand, emit
from muster.client import messages as m
from muster.client.authority import accepts_mark, authority
from muster.client.discovery import Address
from muster.client.judge import Verdict
from muster.client.machine import Machine
from muster.client.messages import Document, Plan, Situation
from muster.client.model import MAX_ASIDES, MAX_MARKS, Aside, CatalogueMark, Memory
from muster.client.store import Store
from muster.client.trust_chain import above, added, anchor_name, ordered, version_of, walk
from muster.core.facts import clean_facts
from muster.core.products import DAY, day_of
from muster.lease import jws, strict
from muster.lease.catalogue import read_catalogue
from muster.lease.descriptor import Descriptor, make_descriptor, read_descriptor
from muster.lease.jws import MemorySigningKey
from muster.lease.trust import (
    CATALOGUE_ROLE,
    Trust,
    TrustClaims,
    TrustKey,
    follow,
    make_trust,
    parse_trust,
)
from muster.system.entropy import SeededDice
from muster.testing.tiny_host import TinyHost
from muster.testing.tiny_publisher import GROUPS, TinyPublisher, test_key
from muster.testing.world import World, WorldMachine, machine_facts
from muster.wire.activation import ClientInfo
from muster.wire.routes import ACTIVATE

OLDER, NEWER = "desktop-pro", "desktop-enterprise"
ROOT = Path("/store")
MOST = 2**53 - 1


def world_of(versions: int) -> tuple[World, TinyHost]:
    """A world whose publisher has that many trust versions, and a host that serves them."""
    world = World()
    host = world.host()
    for _ in range(versions - 1):
        world.publisher.rotate()
    host.regrant()
    world.advertise([host])
    return world, host


def pinned(publisher: TinyPublisher, product: str, anchor: Trust) -> bytes:
    """The descriptor of a product that pins a later trust version."""
    found = publisher.catalogue.product(product)
    groups = [one for one in GROUPS if found.group in one.covers]
    return make_descriptor(anchor.text, found, groups)


def verdict(machine: WorldMachine, product: str = OLDER) -> Verdict:
    return machine.client.status(product).verdict


def why(found: Verdict) -> str:
    return "" if found.fault is None else found.fault.code


def place(world: World, machine: WorldMachine) -> Store:
    return Store(ROOT, world.publisher.publisher, machine.disk)


def memory_of(world: World, machine: WorldMachine) -> Memory:
    loaded = place(world, machine).load()
    assert loaded is not None
    return loaded.memory


def change(world: World, machine: WorldMachine, memory: Memory) -> None:
    store = place(world, machine)
    with store.lock():
        store.save(memory)


def two_products() -> tuple[World, WorldMachine]:
    """Two licensed products of one publisher: anchors 1 and 5, trust now at 7."""
    world, _ = world_of(7)
    machine = world.machine()
    publisher = world.publisher
    machine.client.add_product(pinned(publisher, NEWER, publisher.line[4]))
    assert machine.client.activate(NEWER)[0].renewed
    assert [version_of(text) for text in memory_of(world, machine).trust] == [6, 7]
    machine.client.add_product(publisher.descriptor(OLDER))
    return world, machine


# B: marks and lines of several descriptors.


def test_a_product_with_an_older_anchor_is_licensed_beside_one_with_a_newer() -> None:
    world, machine = two_products()
    assert why(verdict(machine)) != "client/trust-older"
    assert machine.client.activate(OLDER)[0].renewed
    memory = memory_of(world, machine)
    assert [version_of(text) for text in memory.trust] == [2, 3, 4, 5, 6, 7]
    for product in (OLDER, NEWER):
        found = verdict(machine, product)
        assert found.licensed
        assert found.authority.trust.version == 7


def test_an_older_trust_put_back_is_noticed_by_both_products() -> None:
    world, machine = two_products()
    assert machine.client.activate(OLDER)[0].renewed
    memory = memory_of(world, machine)
    change(world, machine, replace(memory, trust=memory.trust[:-1]))
    for product in (OLDER, NEWER):
        assert why(verdict(machine, product)) == "client/trust-older"
    assert machine.client.activate(OLDER)[0].renewed
    assert verdict(machine, NEWER).licensed


def test_a_newer_descriptor_that_replaces_an_older_one_takes_the_mark_along() -> None:
    world, machine = two_products()
    assert machine.client.activate(OLDER)[0].renewed
    machine.client.add_product(pinned(world.publisher, OLDER, world.publisher.line[2]))
    memory = memory_of(world, machine)
    change(world, machine, replace(memory, trust=memory.trust[:-1]))
    assert why(verdict(machine)) == "client/trust-older"


def test_a_mark_counts_for_walks_that_come_by_its_anchor() -> None:
    world, machine = two_products()
    assert machine.client.activate(OLDER)[0].renewed
    memory = memory_of(world, machine)
    only_newer = {anchor_name(world.publisher.line[4]): 7}
    change(world, machine, replace(memory, trust_marks=only_newer, trust=memory.trust[:-1]))
    assert why(verdict(machine)) == "client/trust-older"
    change(world, machine, replace(memory, trust_marks=only_newer, trust=memory.trust[:3]))
    held = verdict(machine).authority  # this walk ends at 4; nothing says that it was further
    assert held.trust.version == 4
    assert held.fault is None


def test_a_line_in_any_order_is_walked_by_version() -> None:
    world, machine = two_products()
    assert machine.client.activate(OLDER)[0].renewed
    memory = memory_of(world, machine)
    line = memory.trust
    change(world, machine, replace(memory, trust=(*line[4:], *line[:4], line[0], "rubbish")))
    assert verdict(machine).licensed
    assert verdict(machine).authority.trust.version == 7
    assert machine.client.activate(OLDER)[0].renewed
    assert memory_of(world, machine).trust == line


def test_a_foreign_line_of_the_same_id_bricks_nobody() -> None:
    world, _ = world_of(3)
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(OLDER))
    assert machine.client.activate()[0].renewed
    thief, reserve = test_key("thief", "working"), test_key("thief", "reserve")
    foreign = [
        make_trust(
            TrustClaims(
                issuer=world.publisher.publisher,
                label="contoso",
                name="Contoso",
                version=version,
                iat=0,
                roots=(thief.public, reserve.public),
                keys=world.publisher.keys,
            ),
            reserve,
        )
        for version in (2, 3, MOST)
    ]
    memory = memory_of(world, machine)
    marked = memory.reached(anchor_name(parse_trust(foreign[0])), MOST)
    mark = CatalogueMark(MOST, thief.public.kid, 0)
    change(
        world,
        machine,
        replace(marked, trust=(*foreign, *memory.trust), catalogue="", catalogue_mark=mark),
    )
    assert verdict(machine).licensed
    assert machine.client.activate()[0].renewed
    assert verdict(machine).licensed
    assert verdict(machine).authority.catalogue is not None
    assert set(foreign) < set(memory_of(world, machine).trust)


def test_a_store_without_the_new_members_is_read() -> None:
    world, _ = world_of(3)
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(OLDER))
    assert machine.client.activate()[0].renewed
    memory = memory_of(world, machine)
    assert memory.catalogue_mark is not None
    bare = replace(memory.catalogue_mark, iat=None)
    change(world, machine, replace(memory, trust_marks={}, catalogue_mark=bare))
    path = place(world, machine).folder / "state.json"
    head, _, body = machine.disk.files[path].partition(b"\n")
    value = json.loads(body)
    assert "iat" not in value["catalogue_mark"]
    del value["trust_marks"]
    value["trust_mark"] = 3  # as programs before wrote it: tied to nothing, so it says nothing
    body = strict.canonical(value)
    fields = json.loads(head)
    # The sum is no secret: whoever writes the file can make it.
    start = f"muster-client-state/1/{fields['generation']}/".encode()
    again = {**fields, "sum": hashlib.sha256(start + body).hexdigest()}
    machine.disk.files[path] = strict.canonical(again) + b"\n" + body
    assert memory_of(world, machine) == replace(memory, trust_marks={}, catalogue_mark=bare)
    assert verdict(machine).licensed
    change(world, machine, replace(memory_of(world, machine), catalogue=""))
    assert why(verdict(machine)) == "client/catalogue-older"
    assert machine.client.activate()[0].renewed
    assert memory_of(world, machine).trust_marks == memory.trust_marks


def test_marks_are_bounded_and_the_newest_stay() -> None:
    memory = memory_of(*two_products())
    for number in range(MAX_MARKS + 5):
        memory = memory.reached(f"{number:064x}", 2).reached(f"{0:064x}", number + 2)
    assert len(memory.trust_marks) == MAX_MARKS
    assert memory.trust_marks[f"{0:064x}"] == MAX_MARKS + 6
    assert f"{MAX_MARKS + 4:064x}" in memory.trust_marks
    assert memory.reached(f"{0:064x}", 1) is memory


# C: a stolen catalogue key.


@pytest.mark.parametrize("way", ["withdrawn", "back-dated"])
def test_a_fast_forwarded_catalogue_is_forgotten_with_its_key(way: str) -> None:
    world, _ = world_of(2)
    publisher = world.publisher
    machine = world.machine()
    machine.client.add_product(publisher.descriptor(OLDER))
    assert machine.client.activate()[0].renewed
    payload = tree(jws.parse(publisher.catalogue.text, strict.CATALOGUE).payload)
    payload["muster"] = {**payload["muster"], "version": MOST}
    text = jws.sign(payload, jws.CATALOGUE_TYP, publisher.catalogue_key)
    stolen = read_catalogue(text, publisher.trust)
    mark = CatalogueMark(MOST, stolen.kid, stolen.iat)
    memory = memory_of(world, machine)
    change(world, machine, replace(memory, catalogue=text, catalogue_mark=mark))
    assert verdict(machine).licensed
    stolen_key = publisher.catalogue_key
    publisher.keys = [one for one in publisher.keys if one.key != stolen_key.public]
    if way == "back-dated":
        until = day_of(stolen.iat) - 1
        publisher.keys.append(TrustKey(stolen_key.public, CATALOGUE_ROLE, None, until))
    publisher.catalogue_key = test_key("contoso", "catalogue 2")
    publisher.keys.append(TrustKey(publisher.catalogue_key.public, CATALOGUE_ROLE))
    publisher.rotate()
    # Another descriptor's contact may bring the trust; then the mark counts no more at once.
    line = (*memory.trust, publisher.trust.text)
    put = replace(memory, trust=line, catalogue=text, catalogue_mark=mark)
    change(world, machine, put)
    assert verdict(machine).licensed
    publisher.publish()
    change(world, machine, replace(memory, catalogue=text, catalogue_mark=mark))
    for host in world.hosts.values():
        host.regrant()
    assert machine.client.activate()[0].renewed
    held = verdict(machine).authority
    assert verdict(machine).licensed
    assert held.catalogue is not None
    assert held.catalogue.version == publisher.catalogue.version < MOST
    kept = memory_of(world, machine).catalogue_mark
    assert kept == CatalogueMark(held.catalogue.version, held.catalogue.kid, held.catalogue.iat)


def test_a_mark_stands_while_its_key_is_retired_from_a_later_day() -> None:
    publisher = TinyPublisher(now=1_800_000_000)
    key = publisher.keys[0]
    day = day_of(publisher.now)
    retired = replace(publisher.trust, keys=(replace(key, until=day), *publisher.keys[1:]))
    mark = CatalogueMark(4, key.key.kid, publisher.now)
    assert accepts_mark(retired, mark)
    assert not accepts_mark(retired, replace(mark, iat=publisher.now + DAY))
    assert not accepts_mark(retired, replace(mark, iat=None))
    assert accepts_mark(publisher.trust, replace(mark, iat=None))
    assert accepts_mark(publisher.trust, replace(mark, iat=MOST))


def test_a_product_that_lags_behind_does_not_forget_the_catalogue_of_another() -> None:
    """Its walk comes by versions in which the catalogue key of today was not yet there."""
    world, host = world_of(1)
    publisher = world.publisher
    old_key = publisher.catalogue_key
    publisher.rotate()
    publisher.catalogue_key = test_key("contoso", "catalogue 2")
    publisher.keys = [one for one in publisher.keys if one.key != old_key.public]
    publisher.keys.append(TrustKey(publisher.catalogue_key.public, CATALOGUE_ROLE))
    publisher.rotate()
    publisher.publish()
    host.regrant()
    machine = world.machine()
    machine.client.add_product(pinned(publisher, NEWER, publisher.line[2]))
    assert machine.client.activate(NEWER)[0].renewed
    before = memory_of(world, machine)
    machine.client.add_product(publisher.descriptor(OLDER))
    host.trust = 2  # it gives no more: the contact ends under a trust without the key of today
    machine.client.activate(OLDER)
    after = memory_of(world, machine)
    assert after.catalogue == before.catalogue
    assert after.catalogue_mark == before.catalogue_mark


# E: a stolen working root.


@dataclass
class Theft:
    """A publisher's line: three honest versions, versions of a thief, the recovery, one more."""

    publisher: TinyPublisher
    honest: list[Trust]
    stolen: list[Trust]
    recovery: Trust
    newest: Trust

    @property
    def line(self) -> tuple[str, ...]:
        every = [*self.honest[1:], *self.stolen, self.recovery, self.newest]
        return tuple(one.text for one in every)


def theft(length: int = 30, *, same_roots: bool = False) -> Theft:
    publisher = TinyPublisher(now=World().publisher.now)
    publisher.rotate()
    publisher.rotate()
    honest = list(publisher.line)
    stolen = []
    held = publisher.trust
    for _ in range(length):
        held = signed(publisher, held, held.version + 1, publisher.working)
        stolen.append(held)
    fresh = (test_key("new", "working"), test_key("new", "reserve"))
    roots = (publisher.working, publisher.reserve) if same_roots else fresh
    recovery = signed(publisher, held, 1_000_000, publisher.reserve, roots)
    newest = signed(publisher, recovery, 1_000_001, roots[0])
    return Theft(publisher, honest, stolen, recovery, newest)


def signed(
    publisher: TinyPublisher,
    held: Trust,
    version: int,
    signer: MemorySigningKey,
    roots: Sequence[MemorySigningKey] = (),
) -> Trust:
    text = make_trust(
        TrustClaims(
            issuer=publisher.publisher,
            label=publisher.label,
            name=publisher.label.title(),
            version=version,
            iat=publisher.now,
            roots=(roots[0].public, roots[1].public) if roots else held.roots,
            keys=publisher.keys,
        ),
        signer,
    )
    return follow(held, text)


def kept(anchor: Trust, line: Sequence[str]) -> tuple[str, ...]:
    prunable = walk(anchor, line).prunable
    return tuple(text for text in line if text not in prunable)


@pytest.mark.parametrize("same_roots", [False, True])
def test_after_a_recovery_every_descriptor_reaches_the_newest_over_what_is_kept(
    same_roots: bool,
) -> None:
    case = theft(same_roots=same_roots)
    anchors = [*case.honest, *case.stolen, case.recovery, case.newest]
    for walker in anchors:
        short = kept(walker, case.line)
        for anchor in anchors:
            assert walk(anchor, short).trust == case.newest, (walker.version, anchor.version)
    assert kept(case.honest[0], case.line) == (case.recovery.text, case.newest.text)


def test_two_recoveries_are_both_kept() -> None:
    case = theft(5)
    again = (test_key("newer", "working"), test_key("newer", "reserve"))
    late = signed(case.publisher, case.newest, 2_000_000, test_key("new", "reserve"), again)
    last = signed(case.publisher, late, 2_000_001, again[0])
    line = (*case.line, late.text, last.text)
    short = kept(case.honest[0], line)
    assert short == (case.recovery.text, late.text, last.text)
    for anchor in (*case.honest, *case.stolen, case.recovery, case.newest, late, last):
        assert walk(anchor, short).trust == last


def test_without_a_reserve_version_nothing_is_dropped() -> None:
    case = theft(5)
    line = case.line[:-2]
    assert kept(case.honest[0], line) == line


@dataclass
class Contact:
    """One try of a machine at a host that gives trust texts and a catalogue, and no licence."""

    case: Theft
    memory: Memory
    descriptor: Descriptor
    walked: int = 0
    """How many trust versions the machine has followed."""

    def handle(self, machine: Machine, event: m.Event) -> list[m.Effect]:
        effects: list[m.Effect] = []
        self.walked += count_calls(follow.__code__, lambda: effects.extend(machine.handle(event)))
        return effects

    def run(self, texts: Sequence[str]) -> Memory:
        world = World()
        world.publisher = self.case.publisher
        host = world.host()
        newest = parse_trust(texts[-1]).version
        host.trust = newest
        facts = clean_facts(machine_facts("pc-1"))
        info = ClientInfo("0.1.0", "World", None)
        plan = Plan(host=host.address)
        situation = Situation(self.descriptor, self.memory, facts, plan, info, "boot-1")
        machine = Machine(situation, SeededDice(1))
        now = world.clock.now()
        effects = self.handle(machine, m.Begin(now, typed=True))
        asked = 0
        while True:
            effect = effects.pop(0)
            now += 1  # no event has the time of the one before
            if isinstance(effect, m.Finish):
                return machine.memory
            if isinstance(effect, m.Ask):
                reply = host.moody(ACTIVATE, ACTIVATE.path, effect.body)
                event: m.Event = m.Answered(now, effect.number, reply.status, reply.body)
            elif isinstance(effect, m.Fetch) and effect.document is Document.TRUST:
                text = next(one for one in texts if version_of(one) >= effect.version)
                event = m.Fetched(now, effect.number, text)
                asked += 1
            elif isinstance(effect, m.Fetch):
                event = m.Fetched(now, effect.number, self.case.publisher.catalogue.text)
            elif isinstance(effect, m.Save):
                event = m.Saved(now)
            else:
                continue
            effects += self.handle(machine, event)


def started(case: Theft, line: Sequence[str] = ()) -> Contact:
    world = World()
    world.publisher = case.publisher
    machine = world.machine()
    data = pinned(case.publisher, OLDER, case.honest[0])
    machine.client.add_product(data)
    memory = replace(memory_of(world, machine), trust=tuple(line))
    return Contact(case, memory, read_descriptor(data))


def count_calls(code: CodeType, run: Callable[[], object]) -> int:
    """How often a function is called meanwhile."""
    found = 0

    def see(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal found
        found += event == "call" and frame.f_code is code

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        run()
    finally:
        sys.setprofile(before)
    return found


def test_a_recovery_that_is_met_drops_what_the_thief_signed() -> None:
    case = theft()
    contact = started(case, case.line[:-2])
    memory = contact.run(case.line)
    assert memory.trust == (case.recovery.text, case.newest.text)
    held = authority(contact.descriptor, memory, case.publisher.now)
    assert held.trust == case.newest
    assert held.fault is None
    assert memory.trust_marks == {anchor_name(case.honest[0]): 1_000_001}


def test_a_store_that_grew_before_is_made_short_at_the_next_contact() -> None:
    case = theft()
    memory = started(case, case.line).run(case.line)
    assert memory.trust == (case.recovery.text, case.newest.text)


def test_a_contact_walks_each_version_once() -> None:
    case = theft()
    stored, offered = case.line[:12], case.line[12:-2]
    contact = started(case, stored)
    contact.run([*stored, *offered])
    assert contact.walked == len(stored) + len(offered)


@given(st.permutations(range(8)), st.integers(0, 7))
def test_any_order_of_arrival_gives_one_line(order: list[int], anchor: int) -> None:
    texts = LINE[1:]
    line: tuple[str, ...] = ()
    for place in order:
        if place < len(texts):
            line = added(added(line, texts[place]), texts[place])
    assert line == ordered(line) == tuple(texts)
    start = parse_trust(LINE[anchor])
    assert walk(start, line).trust.version == len(LINE)
    assert list(above(line, start.version)) == texts[anchor:]


LINE = [one.text for one in world_of(8)[0].publisher.line]


@given(st.one_of(st.text(), st.binary().map(lambda data: f"a.{strict.b64url_encode(data)}.b")))
def test_any_text_has_a_version_or_none(text: str) -> None:
    assert version_of(text) == 0
    assert ordered([text]) == ()


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 30_000,
        b"9" * 10_000,
        b'{"muster":1}',
        b'{"muster":{"version":true}}',
        b'{"muster":{"version":1e400}}',
        b'{"muster":{"version":-1}}',
        b'{"muster":{"version":9007199254740992}}',
    ],
)
def test_what_claims_no_version_is_no_trust(payload: bytes) -> None:
    assert version_of(f"e30.{strict.b64url_encode(payload)}.AA") == 0


# F: stores that overflow.


@pytest.mark.parametrize("asides", [MAX_ASIDES, MAX_ASIDES + 1, 4 * MAX_ASIDES])
def test_more_asides_than_a_store_takes_leave_it_readable(asides: int) -> None:
    world, machine = two_products()
    memory = memory_of(world, machine)
    many = tuple(Aside(Address("h.example", number + 1), number) for number in range(asides))
    change(world, machine, memory.with_product(replace(memory.products[OLDER], aside=many)))
    assert memory_of(world, machine).products[OLDER].aside == many[-MAX_ASIDES:]


def test_full_asides_of_many_products_leave_the_store_readable() -> None:
    world, machine = two_products()
    memory = memory_of(world, machine)
    long = "h" * 240 + ".example"
    many = tuple(Aside(Address(long, number + 1), MOST) for number in range(MAX_ASIDES))
    for number in range(100):
        record = replace(memory.products[OLDER], product=f"p{number}", aside=many)
        memory = memory.with_product(record)
    change(world, machine, memory)
    assert memory_of(world, machine) == memory


def test_products_that_came_and_went_leave_the_store_readable() -> None:
    world, machine = two_products()
    memory = memory_of(world, machine)
    gone = {f"gone-{number}": number for number in range(3_000)}
    change(world, machine, replace(memory, first_added={OLDER: 0, **gone}))
    read = memory_of(world, machine).first_added
    assert read[OLDER] == 0
    assert read["gone-2999"] == 2_999
    assert "gone-0" not in read


# What reaches people.


def test_json_brings_no_raw_characters_to_a_terminal() -> None:
    evil = "\x1b[2J\x07\x7f\x9b\u202e\u2066 ü"

    @click.command(cls=MusterCommand)
    def show() -> None:
        emit({"name": evil}, [])

    output = CliRunner().invoke(show, ["--json"]).output
    assert json.loads(output) == {"name": evil}
    assert all(one == "\n" or " " <= one <= "~" for one in output)
