"""Playbooks of the machine: events go in, effects come out; nothing else happens.

Playbooks are read as scripts: `>>` an event, `<<` the effects that it must have.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.client import identity as identities
from muster.client import messages as m
from muster.client.discovery import Address, Candidate, Record, Source, SRVAnswer
from muster.client.machine import TABLE, Machine, Phase
from muster.client.messages import Document, Plan, Situation
from muster.client.model import Aside, Memory, ProductRecord
from muster.client.requests import Requests, Secrets
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.core.identity import nonce_prefix
from muster.core.keys import parse_product_key
from muster.core.products import DAY
from muster.core.states import LicenceState
from muster.lease.descriptor import read_descriptor
from muster.system.entropy import SeededDice
from muster.testing.tiny_host import Misbehaviour, TinyHost
from muster.testing.world import START, World, machine_facts
from muster.wire.activation import ClientInfo
from muster.wire.problem import encode_problem
from muster.wire.routes import ACTIVATE, HOST_CATALOGUE, HOST_TRUST

SET = Address("kms1.corp.test", 16880)
PRODUCT = "desktop-pro"
EVENTS: dict[type[m.Event], m.Event] = {
    m.Begin: m.Begin(START, True),
    m.Discovered: m.Discovered(START, ()),
    m.Answered: m.Answered(START, 1, 200, b"{}"),
    m.Failed: m.Failed(START, 1, error("net/refused", peer="kms1")),
    m.Fetched: m.Fetched(START, 1, "x"),
    m.Saved: m.Saved(START),
    m.NotSaved: m.NotSaved(START, error("file/full", path="/store")),
}


SEEDS: dict[str, bytes] = {}
"""Seeds of the machine keys of these tests, by CMID."""


def new_memory(world: World, product: str = PRODUCT, facts: str = "pc-1") -> Memory:
    descriptor = read_descriptor(world.publisher.descriptor(product))
    key = parse_product_key(descriptor.product.setup_key)
    dice = SeededDice(7)
    made = identities.new_identity(
        "machine", descriptor.publisher, clean_facts(machine_facts(facts)), dice
    )
    record = ProductRecord(
        product=product,
        added=START,
        key=key.key_id.text,
        masked=key.masked,
        state=LicenceState.INITIAL_GRACE,
        since=START,
    )
    SEEDS[made.identity.cmid] = made.seed
    return Memory(descriptor.publisher, made.identity).with_product(record)


class Playbook:
    """One machine and its script. The store that it saves to is `saved`."""

    def __init__(
        self,
        world: World,
        *,
        memory: Memory | None = None,
        plan: Plan | None = None,
        facts: str = "pc-1",
        seed: int = 1,
        secrets: Secrets | None = None,
    ) -> None:
        self.world = world
        self.memory = new_memory(world) if memory is None else memory
        self.situation = Situation(
            descriptor=read_descriptor(world.publisher.descriptor(PRODUCT)),
            memory=self.memory,
            facts=clean_facts(machine_facts(facts)),
            plan=plan or Plan(host=SET),
            info=ClientInfo("0.1.0", "World", None),
            boot="boot-1",
            secrets=Secrets(SEEDS) if secrets is None else secrets,
        )
        self.machine = Machine(self.situation, SeededDice(seed))
        self.effects: list[m.Effect] = []
        self.seen: list[m.Effect] = []

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def __rshift__(self, event: m.Event) -> Playbook:
        assert not self.effects, f"nobody looked at {self.effects}"
        self.effects = list(self.machine.handle(event))
        self.seen += self.effects
        return self

    def __lshift__(self, kind: type[m.Effect]) -> Playbook:
        assert self.effects, f"{kind.__name__} was expected, and nothing came"
        assert isinstance(self.effects[0], kind), f"{kind.__name__} expected: {self.effects}"
        self.last = self.effects.pop(0)
        return self

    def begin(self, *, typed: bool = True, prepared: bool = True) -> Playbook:
        """Begin; `prepared`: the store takes what is saved before anybody is asked."""
        self >> m.Begin(self.now, typed)
        return self.prepare() if prepared else self

    def prepare(self) -> Playbook:
        """Save the secret of the try, where one is to be saved and nothing else is told."""
        if len(self.effects) == 1 and isinstance(self.effects[0], m.Save):
            self.prepared = self.save()
            self >> m.Saved(self.now)
        return self

    def ask(self) -> m.Ask:
        self << m.Ask
        assert isinstance(self.last, m.Ask)
        return self.last

    def fetch(self) -> m.Fetch:
        self << m.Fetch
        assert isinstance(self.last, m.Fetch)
        return self.last

    def save(self) -> m.Save:
        self << m.Save
        assert isinstance(self.last, m.Save)
        return self.last

    def warn(self) -> MusterError:
        self << m.Warn
        assert isinstance(self.last, m.Warn)
        return self.last.about

    def finish(self) -> m.Finish:
        self << m.Finish
        assert isinstance(self.last, m.Finish)
        assert not self.effects
        assert self.machine.phase is Phase.DONE
        return self.last

    def answer(self, host: TinyHost, ask: m.Ask) -> m.Answered:
        """What the host says at last: a challenge on the way is met."""
        reply = host.moody(ACTIVATE, ACTIVATE.path, ask.body)
        if reply.status == 428:
            self >> m.Answered(self.now, ask.number, reply.status, reply.body, "192.0.2.1")
            ask = self.ask()
            reply = host.moody(ACTIVATE, ACTIVATE.path, ask.body)
        return m.Answered(self.now, ask.number, reply.status, reply.body, "192.0.2.1")

    def document(self, host: TinyHost, fetch: m.Fetch) -> m.Fetched:
        trust = fetch.document is Document.TRUST
        route = HOST_TRUST if trust else HOST_CATALOGUE
        params = {"publisher": fetch.publisher}
        if trust:
            params["version"] = str(fetch.version)
        reply = host.moody(route, route.fill(**params), None)
        assert reply.status == 200
        return m.Fetched(self.now, fetch.number, reply.body.decode())

    def to_finish(self, host: TinyHost) -> m.Finish:
        """Play on with an honest driver and one host until the end."""
        while True:
            effect = self.effects.pop(0)
            if isinstance(effect, m.Finish):
                return effect
            if isinstance(effect, m.Ask):
                self >> self.answer(host, effect)
            elif isinstance(effect, m.Fetch):
                self >> self.document(host, effect)
            elif isinstance(effect, m.Save):
                self.memory = effect.memory
                SEEDS.update(effect.secrets.seeds)
                self >> m.Saved(self.now)
            else:
                assert isinstance(effect, m.Warn), effect


def record_of(memory: Memory) -> ProductRecord:
    return memory.products[PRODUCT]


def test_a_first_activation() -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    play.begin()
    ask = play.ask()
    assert ask.candidate == Candidate(SET, Source.SET)
    request = json.loads(ask.body)
    assert request["product"] == PRODUCT
    assert request["state"] == 2
    assert [one[0] for one in request["fingerprint"]] == [*"bdnpu"]
    # The host names catalogue 1; it is fetched before the lease is verified.
    play >> play.answer(host, ask)
    fetch = play.fetch()
    assert (fetch.document, fetch.address) == (Document.CATALOGUE, SET)
    play >> play.document(host, fetch)
    save = play.save()
    record = record_of(save.memory)
    assert record.nonce == request["nonce"]
    shown = nonce_prefix(record.nonce)
    assert play.prepared.memory.requests == Requests((shown,), shown, START)
    requests = save.memory.requests
    assert requests.challenge_of(SET.text)
    assert replace(requests, challenges=()) == Requests((shown,), "", START, ((SET.text, shown),))
    assert record.state is LicenceState.LICENSED
    assert record.last_good == SET
    assert record.last_ip == "192.0.2.1"
    assert save.memory.clock_mark == START
    assert save.memory.catalogue_mark is not None
    assert save.memory.catalogue_mark.version == 1
    play >> m.Saved(play.now)
    finish = play.finish()
    assert finish.renewed
    assert finish.fault is None
    assert finish.verdict.licensed
    assert finish.verdict.until == START + 180 * DAY


def challenge(play: Playbook, ask: m.Ask, text: str | None) -> m.Answered:
    """A challenge of nobody knows whom."""
    params = {} if text is None else {"challenge": text}
    status, body = encode_problem(error("host/challenge", **params))
    return m.Answered(play.now, ask.number, status, body)


def test_a_challenge_is_met_with_the_same_request_and_kept_with_the_lease() -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    play.begin()
    first = play.ask()
    reply = host.moody(ACTIVATE, ACTIVATE.path, first.body)
    assert reply.status == 428
    play >> m.Answered(play.now, first.number, reply.status, reply.body)
    second = play.ask()
    before, after = json.loads(first.body), json.loads(second.body)
    assert "challenge" not in before
    assert after.pop("challenge") == json.loads(reply.body)["params"]["challenge"]
    assert before.pop("proof") != after.pop("proof")
    assert before == after
    play >> m.Answered(play.now, second.number, *_said(host, second))
    assert play.to_finish(host).renewed

    world.clock.pass_time(60)
    renewal = Playbook(world, memory=play.memory)
    ask = renewal.begin().ask()
    assert json.loads(ask.body)["challenge"] == play.memory.requests.challenge_of(SET.text)
    status, body = _said(host, ask)
    assert status == 200
    renewal >> m.Answered(renewal.now, ask.number, status, body)
    assert renewal.to_finish(host).renewed
    # A renewal that was lost has spent nothing at the machine: the next one is challenged.
    world.clock.pass_time(60)
    assert Playbook(world, memory=play.memory).begin().to_finish(host).renewed


def _said(host: TinyHost, ask: m.Ask) -> tuple[int, bytes]:
    reply = host.moody(ACTIVATE, ACTIVATE.path, ask.body)
    return reply.status, reply.body


def test_a_host_that_challenges_without_end_is_left() -> None:
    world = World()
    play = Playbook(world)
    ask = play.begin().ask()
    for number in range(3):
        play >> challenge(play, ask, f"{number:021}A")
        ask = play.ask()
        assert json.loads(ask.body)["challenge"] == f"{number:021}A"
    play >> challenge(play, ask, "B" * 21 + "A")
    fault = play.to_finish(world.host()).fault
    assert fault is not None
    assert fault.code == "host/challenge"


@pytest.mark.parametrize("text", [None, "", "A" * 21, "A" * 23, "B" * 22, "A" * 21 + "="])
def test_a_challenge_of_another_form_is_not_signed(text: str | None) -> None:
    world = World()
    play = Playbook(world)
    ask = play.begin().ask()
    play >> challenge(play, ask, text)
    fault = play.to_finish(world.host()).fault
    assert fault is not None
    assert fault.code == "host/challenge"


def test_what_one_host_gave_is_not_shown_to_another() -> None:
    world = World()
    play = Playbook(world)
    assert play.begin().to_finish(world.host()).renewed
    elsewhere = Playbook(
        world, memory=play.memory, plan=Plan(host=Address("kms2.corp.test", 16880))
    )
    assert "challenge" not in json.loads(elsewhere.begin().ask().body)
    assert elsewhere.memory.requests.challenges == play.memory.requests.challenges


def test_a_refusal_for_a_low_count_ends_the_try_and_changes_nothing_but_the_timer() -> None:
    world = World()
    host = world.host(crowd=3)
    play = Playbook(world)
    finish = play.begin().to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "host/insufficient-count"
    record = record_of(play.memory)
    assert record.state is LicenceState.INITIAL_GRACE
    assert record.licence == ""
    assert record.last_good is None
    assert 15 * 60 <= record.next_attempt - START <= 4 * 3600
    assert record.failure is not None
    assert record.failure.field_code == "0xC004F038"
    assert play.memory.identity == play.situation.memory.identity


def test_the_next_host_is_asked_where_one_gives_nothing_usable() -> None:
    world = World()
    good = world.host("kms9")
    play = Playbook(world, plan=Plan(None, ("corp.test",)))
    play.begin()
    play << m.Discover
    records = tuple(Record(n, 0, 16880, f"kms{n}.corp.test") for n in range(6))
    play >> m.Discovered(play.now, (SRVAnswer("corp.test", records, ()),))
    bad: list[tuple[int, bytes]] = [
        (200, b""),
        (200, b"\xff" * 40),
        (200, b"{}"),
        (302, b""),
        (500, b"<html>"),
    ]
    for number, (status, body) in enumerate(bad):
        ask = play.ask()
        assert ask.candidate.address.host == f"kms{number}.corp.test"
        play >> m.Answered(play.now, ask.number, status, body)
    ask = play.ask()
    play >> play.answer(good, ask)
    finish = play.to_finish(good)
    assert finish.renewed
    assert [one.fault is None for one in finish.tried] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("misbehaviour", "code"),
    [
        (Misbehaviour.STRANGER, "licence/signer"),
        (Misbehaviour.GREEDY, "licence/dates"),
        (Misbehaviour.COUNTLESS, "licence/count"),
    ],
)
def test_a_host_that_cheats_licenses_nobody(misbehaviour: Misbehaviour, code: str) -> None:
    world = World()
    host = world.host(crowd=3 if misbehaviour is Misbehaviour.COUNTLESS else 100)
    host.misbehaviour = misbehaviour
    play = Playbook(world)
    finish = play.begin().to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == code
    assert not finish.verdict.licensed
    assert record_of(play.memory).licence == ""


def test_a_host_in_2040_is_refused_and_mends_by_itself() -> None:
    world = World()
    host = world.host()
    host.skew = 13 * 365 * DAY
    host.crowd(100)
    play = Playbook(world)
    finish = play.begin().to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "licence/clock"
    memory = play.memory
    assert memory.clock_mark <= START
    host.skew = 0
    world.clock.pass_time(4 * 3600)
    again = Playbook(world, memory=memory)
    assert again.begin(typed=False).to_finish(host).renewed


def test_a_refused_renewal_leaves_the_old_lease_standing() -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    assert play.begin().to_finish(host).renewed
    licence = record_of(play.memory).licence
    host.forget()
    world.clock.pass_time(8 * DAY)
    again = Playbook(world, memory=play.memory)
    finish = again.begin(typed=False).to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "host/insufficient-count"
    assert finish.verdict.licensed
    assert record_of(again.memory).licence == licence
    assert record_of(again.memory).state is LicenceState.LICENSED


def test_nothing_is_asked_before_it_is_due() -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    play.begin().to_finish(host)
    world.clock.pass_time(DAY)
    again = Playbook(world, memory=play.memory)
    finish = again.begin(typed=False).finish()
    assert not finish.due
    assert finish.verdict.licensed


def test_an_expired_lease_is_asked_for_again_before_its_retry_time() -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    play.begin().to_finish(host)
    # Set far ahead by hand: a lease that ended does not wait for it.
    record = replace(record_of(play.memory), next_attempt=START + 200 * DAY)
    world.clock.pass_time(181 * DAY)
    host.crowd(100)
    again = Playbook(world, memory=play.memory.with_product(record), seed=2)
    finish = again.begin(typed=False).to_finish(host)
    assert finish.renewed


def test_the_last_good_host_is_asked_first_and_without_dns() -> None:
    world = World()
    host = world.host()
    first = Playbook(world)
    first.begin().to_finish(host)
    again = Playbook(world, memory=first.memory, plan=Plan(None, ("corp.test",)))
    again.begin()
    assert again.ask().candidate == Candidate(SET, Source.LAST)


def test_without_host_caching_dns_is_asked_each_time() -> None:
    world = World()
    host = world.host()
    first = Playbook(world)
    first.begin().to_finish(host)
    plan = Plan(None, ("corp.test",), caching=False)
    again = Playbook(world, memory=first.memory, plan=plan)
    again.begin() << m.Discover


def test_a_last_good_host_that_is_gone_leads_to_discovery_without_asking_it_twice() -> None:
    world = World()
    host = world.host()
    first = Playbook(world)
    first.begin().to_finish(host)
    again = Playbook(world, memory=first.memory, plan=Plan(None, ("corp.test",)))
    again.begin()
    ask = again.ask()
    again >> m.Failed(again.now, ask.number, error("net/refused", peer=SET.text))
    again << m.Discover
    records = (Record(0, 0, SET.port, SET.host), Record(1, 0, 16880, "kms2.corp.test"))
    again >> m.Discovered(again.now, (SRVAnswer("corp.test", records, ()),))
    assert again.ask().candidate.address.host == "kms2.corp.test"


def test_a_host_that_does_not_serve_the_product_is_set_aside_for_4_hours() -> None:
    world = World()
    host = world.host()
    host.group = "office"
    found = SRVAnswer("corp.test", (), (Record(0, 0, SET.port, SET.host),))
    play = Playbook(world, plan=Plan(None, ("corp.test",)))
    play.begin() << m.Discover
    play >> m.Discovered(play.now, (found,))
    finish = play.to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "host/not-served"
    assert record_of(play.memory).aside == (Aside(SET, START + 4 * 3600),)
    # Within 4 hours a timer does not ask it again; somebody who types does.
    world.clock.pass_time(3600)
    later = Playbook(world, memory=play.memory, plan=Plan(None, ("corp.test",)))
    later.begin(typed=False) << m.Discover
    later >> m.Discovered(later.now, (found,))
    save = later.save()
    assert record_of(save.memory).failure is not None
    later >> m.Saved(later.now)
    fault = later.finish().fault
    assert fault is not None
    assert fault.code == "client/all-aside"
    typed = Playbook(world, memory=play.memory, plan=Plan(None, ("corp.test",)))
    typed.begin() << m.Discover
    typed >> m.Discovered(typed.now, (found,))
    assert typed.ask().candidate.address == SET


def test_three_trust_versions_are_followed_through_the_host_alone() -> None:
    world = World()
    host = world.host()
    for _ in range(3):
        world.publisher.rotate()
    host.regrant()
    play = Playbook(world)
    play.begin()
    play >> play.answer(host, play.ask())
    wanted = []
    while isinstance(play.effects[0], m.Fetch):
        fetch = play.fetch()
        wanted.append((fetch.document, fetch.version))
        play >> play.document(host, fetch)
    assert wanted == [
        (Document.TRUST, 2),
        (Document.TRUST, 3),
        (Document.TRUST, 4),
        (Document.CATALOGUE, 0),
    ]
    save = play.save()
    assert max(save.memory.trust_marks.values()) == 4
    assert len(save.memory.trust) == 3
    assert record_of(save.memory).state is LicenceState.LICENSED


def test_at_most_64_trust_versions_are_followed_in_one_try() -> None:
    world = World()
    host = world.host()
    for _ in range(70):
        world.publisher.rotate(withdraw=True)
    host.regrant()
    play = Playbook(world)
    finish = play.begin().to_finish(host)
    assert max(play.memory.trust_marks.values()) == 65
    assert not finish.renewed
    again = Playbook(world, memory=play.memory)
    assert again.begin().to_finish(host).renewed
    assert max(again.memory.trust_marks.values()) == 71


def test_documents_that_do_not_come_do_not_stop_a_lease_that_verifies() -> None:
    world = World()
    host = world.host()
    world.publisher.rotate()
    play = Playbook(world)
    play.begin()
    play >> play.answer(host, play.ask())
    fetch = play.fetch()
    play >> m.Failed(play.now, fetch.number, error("net/timeout", peer="x", seconds="10"))
    assert play.warn().code == "net/timeout"
    fetch = play.fetch()
    assert fetch.document is Document.CATALOGUE
    play >> m.Fetched(play.now, fetch.number, "rubbish")
    assert play.warn().code == "licence/malformed"
    assert record_of(play.save().memory).state is LicenceState.LICENSED


def test_an_unsigned_order_to_change_the_cmid_is_told_and_not_heeded() -> None:
    world = World()
    host = world.host()
    host.misbehaviour = Misbehaviour.UNSIGNED_DUPLICATE
    play = Playbook(world)
    finish = play.begin().to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "client/unsigned-notice"
    assert play.memory.identity == play.situation.memory.identity


def test_a_signed_notice_is_heeded_once_and_the_new_cmid_saved_before_it_is_shown() -> None:
    world = World()
    host = world.host()
    old = new_memory(world).identity.cmid
    host.duplicates.add(old)
    play = Playbook(world)
    play.begin()
    play >> play.answer(host, play.ask())
    play >> play.document(host, play.fetch())
    told = play.warn()
    assert told.code == "client/new-cmid"
    save = play.save()
    assert save.memory.identity.cmid != old
    assert save.memory.identity.changed == START
    play >> m.Saved(play.now)
    ask = play.ask()
    assert json.loads(ask.body)["cmid"] == save.memory.identity.cmid
    play >> play.answer(host, ask)
    assert play.to_finish(host).renewed


def test_a_second_notice_within_24_hours_is_not_heeded() -> None:
    world = World()
    host = world.host()
    host.misbehaviour = Misbehaviour.DUPLICATE
    play = Playbook(world)
    finish = play.begin().to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "host/duplicate-cmid"
    once = play.memory.identity
    world.clock.pass_time(23 * 3600)
    again = Playbook(world, memory=play.memory)
    finish = again.begin().to_finish(host)
    assert finish.fault is not None
    assert finish.fault.code == "client/notice-too-soon"
    assert again.memory.identity == once
    world.clock.pass_time(2 * 3600)
    host.misbehaviour = Misbehaviour.HONEST
    host.duplicates.add(once.cmid)
    third = Playbook(world, memory=again.memory, seed=5)
    assert third.begin().to_finish(host).renewed
    assert third.memory.identity.cmid != once.cmid


def test_a_notice_for_another_request_or_by_a_stranger_is_not_heeded() -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    play.begin()
    ask = play.ask()
    host.misbehaviour = Misbehaviour.DUPLICATE
    reply = play.answer(host, ask)
    host.misbehaviour = Misbehaviour.HONEST
    again = Playbook(world, seed=2)  # other dice, another nonce
    again.begin()
    again >> replace(reply, number=again.ask().number)
    again >> again.document(host, again.fetch())
    assert again.warn().code == "licence/machine"
    save = again.save()
    assert save.memory.identity == again.situation.memory.identity
    failure = record_of(save.memory).failure
    assert failure is not None
    assert failure.code == "client/false-notice"


def test_a_store_that_was_copied_takes_an_identity_of_its_own_before_it_asks() -> None:
    world = World()
    host = world.host()
    image = new_memory(world, facts="golden image")
    play = Playbook(world, memory=image, facts="pc-2")
    play.begin()
    assert play.warn().code == "client/new-identity"
    save = play.save()
    assert save.memory.identity.cmid != image.identity.cmid
    assert save.memory.identity.salt != image.identity.salt
    play >> m.Saved(play.now)
    ask = play.ask()
    assert json.loads(ask.body)["cmid"] == save.memory.identity.cmid
    play >> play.answer(host, ask)
    assert play.to_finish(host).renewed


def test_a_full_disk_keeps_the_last_good_licence() -> None:
    world = World()
    host = world.host()
    first = Playbook(world)
    first.begin().to_finish(host)
    world.clock.pass_time(8 * DAY)
    again = Playbook(world, memory=first.memory)
    again.begin()
    again >> again.answer(host, again.ask())
    again.save()
    again >> m.NotSaved(again.now, error("file/full", path="/store/state.json"))
    finish = again.finish()
    assert finish.fault is not None
    assert finish.fault.code == "file/full"
    assert not finish.renewed
    assert finish.verdict.licensed
    assert finish.verdict.licence is not None
    assert finish.verdict.licence.issued == START


def test_a_full_disk_shows_no_new_cmid_to_anybody() -> None:
    world = World()
    image = new_memory(world, facts="golden image")
    play = Playbook(world, memory=image, facts="pc-2")
    play.begin().warn()
    play.save()
    play >> m.NotSaved(play.now, error("file/full", path="/store/state.json"))
    assert play.finish().fault is not None
    assert play.machine.memory.identity == image.identity


def test_answers_of_hosts_that_were_given_up_are_ignored() -> None:
    world = World()
    host = world.host()
    play = Playbook(world, plan=Plan(None, ("corp.test",)))
    play.begin() << m.Discover
    records = tuple(Record(n, 0, 16880, f"kms{n}.corp.test") for n in range(2))
    play >> m.Discovered(play.now, (SRVAnswer("corp.test", records, ()),))
    first = play.ask()
    play >> m.Failed(play.now, first.number, error("net/timeout", peer="x", seconds="10"))
    second = play.ask()
    late = host.moody(ACTIVATE, ACTIVATE.path, first.body)
    play >> m.Answered(play.now, first.number, late.status, late.body)
    assert play.effects == []
    play >> m.Failed(play.now, first.number, error("net/reset", peer="x"))
    assert play.effects == []
    play >> play.answer(host, second)
    assert play.to_finish(host).renewed


def test_no_dns_no_records_and_no_domain_have_errors_of_their_own() -> None:
    world = World()
    nowhere = Playbook(world, plan=Plan(None, ()))
    nowhere.begin().save()
    nowhere >> m.Saved(nowhere.now)
    fault = nowhere.finish().fault
    assert fault is not None
    assert fault.code == "client/no-suffix"

    empty = Playbook(world, plan=Plan(None, ("corp.test",)))
    empty.begin() << m.Discover
    empty >> m.Discovered(empty.now, (SRVAnswer("corp.test", (), ()),))
    empty.save()
    empty >> m.Saved(empty.now)
    fault = empty.finish().fault
    assert fault is not None
    assert fault.code == "client/no-records"
    assert "_contoso._sub._muster._tcp.corp.test" in fault.why

    broken = Playbook(world, plan=Plan(None, ("corp.test",)))
    broken.begin() << m.Discover
    dns = error("net/dns-timeout", name="x", seconds="4")
    broken >> m.Discovered(broken.now, (SRVAnswer("corp.test", (), ()),), (dns,))
    broken.save()
    broken >> m.Saved(broken.now)
    fault = broken.finish().fault
    assert fault is not None
    assert fault.code == "net/dns-timeout"


def test_many_silent_hosts_are_one_error_that_names_them() -> None:
    world = World()
    play = Playbook(world, plan=Plan(None, ("corp.test",)))
    play.begin() << m.Discover
    records = tuple(Record(n, 0, 16880, f"kms{n}.corp.test") for n in range(3))
    play >> m.Discovered(play.now, (SRVAnswer("corp.test", records, ()),))
    for _ in range(3):
        ask = play.ask()
        fault = error("net/refused", peer=ask.candidate.address.text)
        play >> m.Failed(play.now, ask.number, fault)
    save = play.save()
    assert record_of(save.memory).failures == 1
    play >> m.Saved(play.now)
    final = play.finish().fault
    assert final is not None
    assert final.code == "client/no-host"
    assert final.why.count("net/refused") == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "", "masked": ""}, "client/no-key"),
        (None, "client/not-added"),
    ],
)
def test_a_try_that_cannot_start_says_why(change: dict[str, str] | None, code: str) -> None:
    world = World()
    memory = new_memory(world)
    if change is None:
        memory = memory.without_product(PRODUCT)
    else:
        memory = memory.with_product(replace(record_of(memory), **change))  # type: ignore[arg-type]
    with pytest.raises(MusterError) as caught:
        Playbook(world, memory=memory).begin()
    assert caught.value.code == code


def test_a_machine_without_facts_does_not_ask() -> None:
    world = World()
    play = Playbook(world)
    machine = Machine(replace(play.situation, facts=()), SeededDice(1))
    with pytest.raises(MusterError) as caught:
        machine.handle(m.Begin(START, True))
    assert caught.value.code == "client/no-facts"


def test_no_text_of_a_host_is_stored() -> None:
    world = World()
    play = Playbook(world)
    play.begin()
    body = json.dumps(
        {
            "code": "host/insufficient-count",
            "title": "evil \u009b31m {what} \u202e",
            "detail": "{0} \u2066",
            "fix": "ok",
            "retry": "later",
            "status": 409,
        }
    ).encode()
    play >> m.Answered(play.now, play.ask().number, 409, body)
    failure = record_of(play.save().memory).failure
    assert failure is not None
    assert failure.error().what == failure.what
    stored = failure.what + failure.why + failure.fix
    assert not set(stored) & set("{}\u009b\ufffd\u202e\u2066")
    assert "evil" not in stored
    assert "machines that this product needs have asked this host" in failure.what


# Tables and properties.


def machine_in(phase: Phase) -> Playbook:
    """A machine that waits in a phase, with the effects of getting there already seen."""
    world = World()
    world.host()
    plan = Plan(None, ("corp.test",)) if phase is Phase.DISCOVERING else None
    image = phase is Phase.PREPARING
    play = Playbook(world, plan=plan, facts="pc-2" if image else "pc-1")
    if phase is Phase.READY:
        return play
    play.begin()
    if phase in (Phase.FETCHING, Phase.SAVING, Phase.DONE):
        host = world.hosts[SET]
        play >> play.answer(host, play.ask())
        if phase is not Phase.FETCHING:
            play >> play.document(host, play.fetch())
        if phase is Phase.DONE:
            play.save()
            play >> m.Saved(play.now)
    play.effects = []
    assert play.machine.phase is phase
    return play


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("event", list(EVENTS))
def test_every_pair_of_phase_and_event_has_a_row(phase: Phase, event: type[m.Event]) -> None:
    assert len(TABLE) == len(Phase) * len(EVENTS)
    handler = TABLE[phase, event]
    play = machine_in(phase)
    before = play.machine.memory
    play >> EVENTS[event]
    if handler is Machine._ignore:
        assert play.effects == []
        assert play.machine.phase is phase
        assert play.machine.memory is before
    play.effects = []


MEMBERS = (
    "v",
    "lease",
    "grant",
    "signer",
    "count",
    "need",
    "trust",
    "catalogue",
    "notice",
    "code",
    "title",
    "detail",
    "fix",
    "retry",
    "params",
    "field_code",
)
ANSWERS = st.one_of(
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from(MEMBERS),
        st.recursive(
            st.none() | st.booleans() | st.integers(-1, 2**60) | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
            max_leaves=8,
        ),
    ).map(lambda value: json.dumps(value).encode()),
)


@examples(200)
@given(
    status=st.integers(100, 599), body=ANSWERS, text=st.text(max_size=60), seed=st.integers(0, 9)
)
def test_no_bytes_license_anybody_or_raise(status: int, body: bytes, text: str, seed: int) -> None:
    world = World()
    play = Playbook(world, seed=seed)
    play.begin()
    ask = play.ask()
    play >> m.Answered(play.now, ask.number, status, body)
    for _ in range(200):
        if not play.effects:
            break
        effect = play.effects.pop(0)
        if isinstance(effect, m.Fetch):
            play.effects = []
            play >> m.Fetched(play.now, effect.number, text)
        elif isinstance(effect, m.Save):
            record = record_of(effect.memory)
            assert record.licence == ""
            assert effect.memory.identity == play.situation.memory.identity
            assert effect.memory.trust == ()
            assert 15 * 60 <= record.next_attempt - START <= 4 * 3600
            assert all(one.until - START <= 4 * 3600 for one in record.aside)
            play >> m.Saved(play.now)
        elif isinstance(effect, m.Finish):
            assert not effect.renewed
            assert not effect.verdict.licensed
            break
    assert play.machine.phase is Phase.DONE


@examples(150)
@given(place=st.integers(0, 6000), byte=st.integers(0, 255), cut=st.booleans())
def test_an_answer_changed_in_one_byte_or_cut_never_raises(
    place: int, byte: int, cut: bool
) -> None:
    world = World()
    host = world.host()
    play = Playbook(world)
    play.begin()
    ask = play.ask()
    good = play.answer(host, ask)
    place %= len(good.body)
    body = good.body[:place] if cut else bytes([*good.body[:place], byte, *good.body[place + 1 :]])
    play >> replace(good, body=body)
    finish = play.to_finish(host)
    if finish.renewed:
        # Only members that nobody signs may differ: the counts and versions that are shown.
        assert json.loads(body)["lease"] == json.loads(good.body)["lease"]
