"""The line of a machine's requests: each row of chapter 6.4.2 on the real service."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.conftest import (
    Machine,
    World,
    challenge_in,
    leased,
    limited,
    meeting,
    refused,
)
from tests.profiles import examples

from muster.core.identity import nonce_of, nonce_prefix
from muster.core.products import DAY, SKEW
from muster.db.engine import Reader
from muster.host import challenges, lines
from muster.host.act import updates
from muster.host.act.machines import remove_machine
from muster.host.challenges import Kept
from muster.host.lines import Asked, Left, Line, Row
from muster.host.model import KnownMachine, QueuedRequest, Refused, Released, Reply
from muster.host.tables import ledger
from muster.wire.activation import ActivationAnswer, ActivationRequest, decode_request
from muster.wire.release import ReleaseRequest

CHAPTER = Path(__file__).parents[2] / "docs/spec/06-counting.md"
PRODUCT = "tool"
EXPLICIT = "explicit"
NUMBER = 5


class Store:
    """The store of one machine: its key, and the nonces of its requests.

    A copy of it is a clone; what it was before can be put back.
    """

    def __init__(self, world: World, number: int = NUMBER, facts: str = "") -> None:
        self.world = world
        self.machine = Machine(number)
        self.facts = facts
        self.name = "golden"
        self.made = 0
        self.line: tuple[str, ...] = ()
        self.sent: ActivationRequest | None = None

    def copy(self, name: str, facts: str = "") -> Store:
        """The same store on another machine, which draws its own nonces from here on."""
        made = Store(self.world, self.machine.number, facts)
        made.name, made.line = name, self.line
        return made

    def request(self, *, sent_at: int | None = None) -> ActivationRequest:
        """The next request; its nonce is kept, as before it is sent."""
        self.made += 1
        nonce = Machine(self.machine.number, seed=f"{self.name} {self.made}").nonce
        built = self.machine.request(
            self.world.id,
            PRODUCT,
            self.world.clock.now() if sent_at is None else sent_at,
            nonce=nonce,
            line=self.line,
            fingerprint=Machine(self.machine.number, seed=self.facts).fingerprint,
        )
        self.line = (*self.line, nonce_prefix(nonce))[-8:]
        return built

    def ask(self) -> Reply:
        """Ask, a second after whatever was before."""
        self.world.clock.pass_time(1)
        return self.send(self.request())

    def send(self, request: ActivationRequest | ReleaseRequest) -> Reply:
        """Send as a client does, which signs once more what is challenged."""
        if isinstance(request, ReleaseRequest):
            return self.world.send(request, self.machine.key)
        self.sent = self.world.challenged(request, self.machine.key)
        return self.show(self.sent)

    def show(self, message: ActivationRequest | ReleaseRequest) -> Reply:
        """Show a message as it is, as somebody can who recorded it."""
        (reply,) = self.world.service.handle([QueuedRequest(message, "192.0.2.1")])
        return reply

    def release(self, answer: ActivationAnswer) -> ReleaseRequest:
        self.world.clock.pass_time(1)
        return self.machine.release(answer.bundle, self.world.clock.now(), self.line)


@pytest.fixture
def store(host: World) -> Store:
    """A store at a host that four other machines have asked; one is enough."""
    host.publisher.publish([host.publisher.new_product(PRODUCT, need=1)])
    updates.add_publisher(host.opened, host.publisher.file())
    host.fill(range(1, 5), PRODUCT)
    return Store(host)


def kept(world: World) -> KnownMachine:
    """What the host keeps of the machine."""
    with world.database.snapshot() as reader:
        found = ledger.known_machine(reader, world.id, Machine(NUMBER).cmid)
    assert found is not None
    return found


def everything(reader: Reader) -> dict[str, list[tuple[object, ...]]]:
    """All rows that say something of machines, but for the log and its counters."""
    tables = ("sighting", "machine", "lease", "audit")
    return {one: [tuple(row) for row in reader.query(f"SELECT * FROM {one}")] for one in tables}


def unchanged(world: World, send: Store, request: ActivationRequest | ReleaseRequest) -> Reply:
    """Send something that must change nothing that is kept."""
    with world.database.snapshot() as reader:
        before = everything(reader)
    reply = send.show(request)
    with world.database.snapshot() as reader:
        assert everything(reader) == before
    return reply


def machines(world: World) -> int:
    with world.database.snapshot() as reader:
        return ledger.count(reader, world.id, "os", world.clock.now())


def test_the_chapter_has_the_rows_of_the_code() -> None:
    text = CHAPTER.read_text(encoding="utf-8")
    table = text.partition("### 6.4.2 Lines")[2].partition("### 6.4.3")[0]
    rows = re.findall(r"^\| (\d) \| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [row.value for row in Row]
    told = {int(row[0]) for row in rows if row[3].startswith("notice")}
    assert told == {row.value for row in lines.CLONES}


def test_row_1_a_first_request_is_kept(store: Store) -> None:
    store.world.clock.pass_time(1)
    request = store.request()
    leased(store.send(request))
    found = kept(store.world)
    assert found.fingerprint == Machine(NUMBER).fingerprint
    assert found.line == Line(request.nonce, store.world.clock.now())


def test_row_2_the_same_request_again_gets_the_same_lease(store: Store) -> None:
    store.world.clock.pass_time(1)
    request = store.request()
    first = leased(store.send(request))
    store.world.clock.pass_time(3600)
    again = leased(unchanged(store.world, store, request))
    assert again.bundle == first.bundle


def test_row_2_without_a_lease_the_same_request_is_old(store: Store) -> None:
    alone = Store(store.world, 77)
    request = alone.machine.request(store.world.id, "desktop-pro", store.world.clock.now())
    assert refused(alone.send(request)) == "host/insufficient-count"
    assert refused(unchanged(store.world, alone, request)) == "host/request-old"


def test_row_2_a_released_lease_is_not_given_again(store: Store) -> None:
    store.world.clock.pass_time(1)
    request = store.request()
    answer = leased(store.send(request))
    assert store.send(store.release(answer)) == Released(True)
    assert refused(unchanged(store.world, store, request)) == "host/request-old"


def test_row_3_a_recorded_request_is_old(store: Store) -> None:
    recorded = []
    for _ in range(12):
        store.world.clock.pass_time(1)
        recorded.append(store.request())
        leased(store.send(recorded[-1]))
    for one in recorded[:-1]:
        assert refused(unchanged(store.world, store, one)) == "host/request-old"


def test_row_3_a_late_try_of_two_under_way_changes_nothing(store: Store) -> None:
    leased(store.ask())
    store.world.clock.pass_time(1)
    early = store.request()
    store.world.clock.pass_time(30)
    late = store.request()
    leased(store.send(late))
    assert refused(unchanged(store.world, store, early)) == "host/request-old"
    leased(store.ask())
    assert kept(store.world).line.left == ()


def test_row_3_a_jumped_clock_bars_nobody(store: Store) -> None:
    """A `sent_at` that was kept while the host's clock was ahead is not believed."""
    world = store.world
    world.clock.jump(30 * DAY)
    leased(store.send(store.request()))
    world.clock.jump(-30 * DAY)
    leased(store.ask())
    assert kept(world).line.asked_at == world.clock.now()


def test_row_4_a_clone_on_other_hardware_is_told(store: Store) -> None:
    leased(store.ask())
    clone = store.copy("clone", facts="other hardware")
    before = kept(store.world)
    reply = clone.ask()
    assert isinstance(reply, Refused)
    assert (reply.error.code, reply.notice is not None) == ("host/duplicate-cmid", True)
    assert kept(store.world) == before
    leased(store.ask())


def test_row_5_answers_that_were_lost_are_made_up_for(store: Store) -> None:
    leased(store.ask())
    for _ in range(3):  # the host has moved on, the machine has not heard of it
        leased(store.ask())
    for _ in range(3):  # requests that never arrived
        store.world.clock.pass_time(1)
        store.request()
    leased(store.ask())
    found = kept(store.world).line
    assert (found.left, found.restored) == ((), 0)


def test_row_5_after_removal_by_an_administrator(store: Store) -> None:
    recorded = store.request(sent_at=store.world.clock.now())
    leased(store.send(recorded))
    leased(store.ask())
    assert remove_machine(store.world.opened, Machine(NUMBER).cmid).given_back == 2
    # What was recorded before does not bring it back.
    assert refused(unchanged(store.world, store, recorded)) == "host/request-old"
    leased(store.copy("again", facts="a new board").ask())
    assert machines(store.world) == 5


def test_rows_6_and_8_the_first_of_two_machines_keeps_the_cmid(store: Store) -> None:
    leased(store.ask())
    clone = store.copy("clone")
    leased(store.ask())
    leased(clone.ask())  # row 9: it may be this machine, put back
    assert kept(store.world).line.forked_at == 0
    leased(store.ask())  # row 6: it is not
    assert kept(store.world).line.forked_at == store.world.clock.now()
    for _ in range(3):
        assert refused(clone.ask()) == "host/duplicate-cmid"
        leased(store.ask())
    with store.world.database.snapshot() as reader:
        (row,) = ledger.machines(reader, 2, Machine(NUMBER).cmid)
        assert ledger.with_clones(reader, store.world.id, 0) == 1
    assert row.duplicates == 3
    assert row.cloned_at == store.world.clock.now() - 1


@pytest.mark.parametrize("order", ["ABCD", "ADCB", "ACBD", "BACD", "BCAD", "CBDA"])
def test_row_7_of_many_machines_with_one_store_all_but_the_first_are_told(
    store: Store, order: str
) -> None:
    leased(store.ask())
    clones = {name: store.copy(name) for name in "ABCD"}
    for name in "ABCD":
        leased(clones[name].ask())
    told = [
        name
        for name in order
        if isinstance(reply := clones[name].ask(), Refused)
        and reply.error.code == "host/duplicate-cmid"
    ]
    assert sorted(told) == ["B", "C", "D"]
    leased(clones["A"].ask())


def test_row_7_the_first_one_may_come_back_last(store: Store) -> None:
    leased(store.ask())
    clones = {name: store.copy(name) for name in "ABC"}
    for name in "ABC":
        leased(clones[name].ask())
    assert refused(clones["B"].ask()) == "host/duplicate-cmid"
    assert refused(clones["C"].ask()) == "host/duplicate-cmid"
    leased(clones["A"].ask())


def test_row_9_a_machine_that_is_put_back_every_night_is_no_clone(store: Store) -> None:
    leased(store.ask())
    for night in range(20):
        restored = store.copy(f"night {night}")
        for _ in range(3):
            leased(restored.ask())
        store.world.clock.pass_time(DAY)
    found = kept(store.world).line
    assert (found.forked_at, found.restored, len(found.left)) == (0, 20 - 1, lines.MAX_LEFT)
    assert machines(store.world) == 5


def test_a_left_line_that_comes_back_after_30_days_is_forgotten(store: Store) -> None:
    leased(store.ask())
    clone = store.copy("clone")
    leased(store.ask())
    leased(clone.ask())
    store.world.clock.pass_time(31 * DAY)
    leased(store.ask())  # as row 9
    assert kept(store.world).line.forked_at == 0


def test_mode_explicit_compares_nothing_but_the_proof(host: World) -> None:
    host.enrol("office")
    clock = host.clock
    for container in range(4):
        made = Machine(7, seed="")
        request = made.request(
            host.id,
            "office-drawing",
            clock.now() - container,  # clocks of their own
            identity="explicit",
            fingerprint=(),
            nonce=Machine(7, seed=f"container {container}").nonce,
        )
        reply = host.ask(7, request=request)
        assert refused(reply) == "host/insufficient-count"
        assert isinstance(reply, Refused)
        assert reply.error.params["count"] == 1
    stranger = replace(request, key=Machine(8).key.public.raw).prove(Machine(8).key)
    assert refused(host.ask(7, request=stranger)) == "host/request-proof"
    # A CMID is the name of a key in one mode: nobody, not even its owner, says another one later.
    other = Machine(9).request(host.id, "desktop-pro", clock.now())
    assert refused(host.ask(9, request=other)) == "host/insufficient-count"
    bare = replace(other, product="office-drawing", identity="explicit", fingerprint=())
    bare = replace(bare, nonce=Machine(9, seed="bare").nonce).prove(Machine(9).key)
    assert refused(host.ask(9, request=bare)) == "host/request-proof"
    with host.database.snapshot() as reader:
        known = ledger.known_machine(reader, host.id, other.cmid)
    assert known is not None
    assert (known.identity, known.fingerprint) == ("machine", other.fingerprint)


def test_nothing_that_was_sent_before_a_removal_brings_the_machine_back(store: Store) -> None:
    world = store.world
    world.clock.pass_time(1)
    last = store.request()
    leased(store.send(last))
    world.clock.pass_time(1)
    elsewhere = store.request()  # to another host
    world.clock.pass_time(1)
    remove_machine(world.opened, Machine(NUMBER).cmid)
    world.clock.pass_time(60)
    for recorded in (last, elsewhere):
        assert refused(unchanged(world, store, recorded)) == "host/request-old"
    assert machines(world) == 4
    leased(store.ask())


def test_a_removal_is_no_later_when_it_is_repeated() -> None:
    once = lines.forget(Line("n", 100), 100)
    assert once == Line("", 101)
    assert lines.forget(once, 100) == once


def explicit(world: World, container: int, sent_at: int) -> ActivationRequest:
    """A request of one of several containers that have one id."""
    return Machine(NUMBER).request(
        world.id,
        EXPLICIT,
        sent_at,
        identity="explicit",
        fingerprint=(),
        nonce=Machine(NUMBER, seed=f"{container} {sent_at}").nonce,
        line=(),
    )


@pytest.mark.parametrize("way", ["release", "removal"])
def test_mode_explicit_what_was_sent_before_a_release_is_old(host: World, way: str) -> None:
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=("explicit",))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store = Store(host)
    clock = host.clock
    recorded = []
    for container in range(3):
        clock.pass_time(60)
        recorded.append(explicit(host, container, clock.now() - 30 * container))
        answer = leased(store.send(recorded[-1]))
    clock.pass_time(60)
    if way == "release":
        assert store.send(Machine(NUMBER).release(answer.bundle, clock.now(), ())) == Released(True)
    else:
        assert remove_machine(host.opened, explicit(host, 0, 0).cmid).given_back == 2
    clock.pass_time(60)
    for one in recorded:
        # The last of them was answered before, with a lease that is given back now.
        repeats = way == "release" and one is recorded[-1]
        late = refused(unchanged(host, store, one))
        assert late == ("host/request-old" if repeats else "host/challenge")
    assert machines(host) == 0
    leased(store.send(explicit(host, 9, clock.now() - 3600)))


def test_mode_explicit_no_clock_of_a_container_bars_the_others(host: World) -> None:
    """One whose clock is hours ahead gives its lease back; the others are served and give theirs
    back, in the same second too."""
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=("explicit",))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock = Store(host), host.clock
    answer = leased(store.send(explicit(host, 1, clock.now() + SKEW - 100)))
    gone = Machine(NUMBER).release(answer.bundle, clock.now() + SKEW - 99, ())
    assert store.send(gone) == Released(True)
    for container, behind in ((2, 0), (3, SKEW), (4, -SKEW)):
        answer = leased(store.send(explicit(host, container, clock.now() - behind)))
        gone = Machine(NUMBER).release(answer.bundle, clock.now() - behind, ())
        assert store.send(gone) == Released(True)


@pytest.mark.parametrize("way", ["shown", "shown again and then"])
def test_mode_explicit_what_was_refused_is_not_heard_when_its_time_has_come(
    host: World, way: str
) -> None:
    """Nor where somebody brought the stored nonce of that time back."""
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=("explicit",))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock = Store(host), host.clock
    first = leased(store.send(explicit(host, 1, clock.now())))
    replayed = store.sent
    assert replayed is not None
    assert first.challenge == ""
    ahead = explicit(host, 2, clock.now() + SKEW + 3600)
    recorded = [
        resigned(ahead, one) for one in ("", host.fresh(ahead, clock.now()), replayed.challenge)
    ]
    for one in recorded:
        assert refused(unchanged(host, store, one)) == "host/clock-skew"
    clock.pass_time(5)
    leased(store.send(explicit(host, 3, clock.now())))
    if way != "shown":
        leased(store.show(replayed))
    clock.pass_time(ahead.sent_at - clock.now())
    for one in recorded:
        assert refused(unchanged(host, store, one)) == "host/challenge"


def test_mode_explicit_a_withheld_release_is_not_taken_after_a_renewal(host: World) -> None:
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=("explicit",))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock = Store(host), host.clock
    answer = leased(store.send(explicit(host, 1, clock.now())))
    release = Machine(NUMBER).release(answer.bundle, clock.now() + 1, ())
    given = challenge_in(unchanged(host, store, release))
    leased(store.send(explicit(host, 2, clock.now())))
    withheld = meeting(release, given, Machine(NUMBER).key)
    assert refused(unchanged(host, store, withheld)) == "host/challenge"


@pytest.mark.parametrize("ahead", [0, 1, 90, 600, 3 * 3600])
@pytest.mark.parametrize("identity", ["machine", "explicit"])
def test_a_request_that_was_withheld_does_not_undo_a_removal(
    host: World, identity: str, ahead: int
) -> None:
    """The machine's clock is ahead, so that what it sent before seems to be newer."""
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=(identity,))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock = Store(host), host.clock
    machine, now = Machine(NUMBER), clock.now()
    leased(store.send(machine.request(host.id, EXPLICIT, now + ahead, identity=identity)))
    clock.pass_time(10)
    asked = replace(machine, turn=1).request(
        host.id, EXPLICIT, clock.now() + ahead, identity=identity
    )
    withheld = resigned(asked, host.fresh(asked, clock.now()))
    clock.pass_time(2)
    remove_machine(host.opened, asked.cmid)
    clock.pass_time(20)
    late = refused(unchanged(host, store, withheld))
    assert late == (
        "host/challenge" if ahead > 20 or identity == "explicit" else "host/request-old"
    )
    assert machines(host) == 0


def test_a_host_clock_that_is_set_back_makes_nothing_recorded_new(store: Store) -> None:
    """Also where a line was left before: the machine would be the later one of two."""
    world = store.world
    leased(store.ask())
    restored = store.copy("put back")
    recorded = []
    for _ in range(3):
        world.clock.pass_time(60)
        recorded.append(store.request())
        leased(store.send(recorded[-1]))
    for _ in range(12):
        world.clock.pass_time(DAY // 2)
        leased(restored.ask())
    world.clock.jump(-6 * DAY)
    for one in recorded:
        assert refused(unchanged(world, store, one)) == "host/request-old"
    world.clock.jump(6 * DAY)
    leased(restored.ask())
    assert kept(world).line.forked_at == 0


def test_a_sent_at_of_a_jumped_clock_is_mended(store: Store) -> None:
    """The line that goes on was never barred; one that was put back is not for longer than
    the rows of the count are."""
    world = store.world
    world.service.housekeep()
    world.clock.jump(30 * DAY)
    leased(store.send(store.request()))
    world.clock.jump(-30 * DAY)
    restored = store.copy("put back")
    restored.line = ()
    assert refused(restored.ask()) == "host/request-old"
    assert world.service.housekeep().clamped == 1
    leased(restored.ask())


# Challenges.


def resigned(request: ActivationRequest, challenge: str) -> ActivationRequest:
    return replace(request, challenge=challenge).prove(Machine(NUMBER).key)


def brought(reply: Reply) -> str:
    """The challenge that a refusal brings."""
    assert refused(reply) == "host/challenge"
    return challenge_in(reply)


@pytest.mark.parametrize("known", [False, True], ids=["first request", "renewal"])
def test_a_request_without_a_challenge_that_holds_changes_nothing(
    store: Store, known: bool
) -> None:
    world, clock = store.world, store.world.clock
    key = world.service.view().publishers[world.id].challenge_key
    cmid = Machine(NUMBER).cmid
    if known:
        leased(store.ask())
    clock.pass_time(1)
    request = store.request()
    late = request.sent_at
    wrong = {
        "none": "",
        "invented": "A" * 22,
        "of another host": challenges.fresh(b"another key", world.id, cmid, Kept(), late),
        "of another machine": challenges.fresh(key, world.id, Machine(1).cmid, Kept(), late),
        "of another publisher": challenges.fresh(key, "contosocontosoco", cmid, Kept(), late),
        "of two minutes ago": challenges.fresh(key, world.id, cmid, Kept(), late - 120),
        "of a minute to come": challenges.fresh(key, world.id, cmid, Kept(), late + 60),
        "of no request": challenges.after(key, world.id, cmid, Kept()),
        "of this request": challenges.after(key, world.id, cmid, Kept(request.nonce, late)),
    }
    for name, challenge in wrong.items():
        reply = unchanged(world, store, resigned(request, challenge))
        assert refused(reply) == "host/challenge", name
    good = brought(store.show(request))
    for minutes, holds in enumerate((True, True, False)):
        now = late + 60 * minutes
        assert challenges.holds(key, world.id, cmid, Kept(), good, late, now) is holds
    leased(store.show(resigned(request, good)))


def test_a_challenge_of_a_lease_is_good_once_and_for_as_long_as_it_takes(store: Store) -> None:
    world, clock = store.world, store.world.clock
    first = leased(store.ask())
    clock.pass_time(170 * DAY)
    world.restart()  # what another process gave is good here
    renewal = resigned(store.request(), first.challenge)
    second = leased(store.show(renewal))
    assert second.challenge != first.challenge
    clock.pass_time(1)
    spent = resigned(store.request(), first.challenge)
    assert refused(unchanged(world, store, spent)) == "host/challenge"
    # The answer was lost: the same request again brings the same lease and the same challenge.
    assert leased(unchanged(world, store, renewal)).challenge == second.challenge
    clock.pass_time(1)
    leased(store.show(resigned(store.request(), second.challenge)))


def test_a_challenge_goes_with_no_other_hands(store: Store) -> None:
    """It is signed, so nobody puts in the one that the host gives to whoever asks."""
    world = store.world
    world.clock.pass_time(1)
    recorded = store.request()
    good = brought(store.show(recorded))
    body = json.loads(recorded.body)
    body["challenge"] = good
    put_in = decode_request(json.dumps(body).encode())
    assert refused(unchanged(world, store, put_in)) == "host/request-proof"


def test_mode_explicit_what_was_recorded_has_nobody_seen(host: World) -> None:
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=("explicit",))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store = Store(host)
    recorded = []
    for container in range(3):
        host.clock.pass_time(60)
        leased(store.send(explicit(host, container, host.clock.now())))
        assert store.sent is not None
        recorded.append(store.sent)
    host.clock.pass_time(120)
    for one in recorded[:-1]:
        assert refused(unchanged(host, store, one)) == "host/challenge"
    leased(unchanged(host, store, recorded[-1]))


def test_a_renewal_with_a_clock_that_differs_is_challenged_and_served(store: Store) -> None:
    world, clock = store.world, store.world.clock
    for ahead in (121, -121, SKEW, -SKEW + 60):
        answer = leased(store.ask())
        clock.pass_time(SKEW)
        request = store.request(sent_at=clock.now() + ahead)
        early = resigned(request, answer.challenge)
        assert refused(unchanged(world, store, early)) == "host/challenge", ahead
        leased(store.send(request))
        clock.pass_time(2 * SKEW)


@pytest.mark.parametrize("hours", [0, 1, 3])
def test_what_a_host_refused_takes_no_seat_that_is_free_later(world: World, hours: int) -> None:
    """A recorder waits for the seat; the machine has a licence from another host by then."""
    limited(world, 1)
    machine = Machine(1)
    lease = leased(world.ask(1, "tiny"))
    world.clock.pass_time(1)
    gone = machine.release(lease.bundle, world.clock.now())
    assert world.send(gone, machine.key) == Released(True)
    other = leased(world.ask(2, "tiny"))
    world.clock.pass_time(1)
    asked = replace(machine, turn=1).request(world.id, "tiny", world.clock.now())
    recorded = replace(asked, challenge=world.fresh(asked, asked.sent_at)).prove(machine.key)
    assert refused(world.send(recorded, Machine(9).key)) == "host/limit-reached"
    world.clock.pass_time(1)
    freed = Machine(2).release(other.bundle, world.clock.now())
    assert world.send(freed, Machine(2).key) == Released(True)
    world.clock.pass_time(hours * 3600)
    with world.database.snapshot() as reader:
        before = everything(reader)
    (reply,) = world.service.handle([QueuedRequest(recorded, "192.0.2.66")])
    assert refused(reply) == "host/request-old"
    with world.database.snapshot() as reader:
        assert everything(reader) == before
    leased(world.ask(3, "tiny"))


def test_what_a_host_refused_before_it_looked_at_the_line_is_not_news_later(store: Store) -> None:
    """The machine's clock was hours ahead once; it would have been old for hours afterwards."""
    world, clock = store.world, store.world.clock
    answer = leased(store.ask())
    clock.pass_time(60)
    ahead = resigned(store.request(sent_at=clock.now() + SKEW + 3600), answer.challenge)
    assert refused(unchanged(world, store, ahead)) == "host/clock-skew"
    clock.pass_time(5400)
    assert refused(unchanged(world, store, ahead)) == "host/challenge"
    leased(store.ask())
    clock.pass_time(SKEW - 5400 + 3600)
    assert refused(unchanged(world, store, ahead)) == "host/challenge"


@pytest.mark.parametrize("ahead", [0, 60])
@pytest.mark.parametrize("later", [50, 110, 130, SKEW, SKEW + 130])
def test_what_was_withheld_is_heard_for_two_minutes(store: Store, ahead: int, later: int) -> None:
    world, clock = store.world, store.world.clock
    answer = leased(store.ask())
    clock.pass_time(60)
    withheld = resigned(store.request(sent_at=clock.now() + ahead), answer.challenge)
    clock.pass_time(later)
    if later <= 60 + ahead:
        leased(store.show(withheld))
    else:
        late = refused(unchanged(world, store, withheld))
        assert late == ("host/challenge" if later <= SKEW + ahead else "host/clock-skew")
    clock.pass_time(ahead)
    answer = leased(store.ask())
    release = store.release(answer)
    given = challenge_in(unchanged(world, store, release))
    withheld_release = meeting(release, given, store.machine.key)
    clock.pass_time(later)
    if later < 120 - clock.now() % 60:
        assert store.show(withheld_release) == Released(True)
    else:
        late = refused(unchanged(world, store, withheld_release))
        assert late == ("host/challenge" if later <= SKEW else "host/clock-skew")


@pytest.mark.parametrize("hours", [1, 3, 30])
def test_what_a_clock_ahead_wrote_is_heard_around_its_time(store: Store, hours: int) -> None:
    """A request with the challenge of a lease, withheld; it is no news once the machine asked."""
    world, clock = store.world, store.world.clock
    answer = leased(store.ask())
    clock.pass_time(60)
    sent_at = clock.now() + hours * 3600
    withheld = resigned(store.request(sent_at=sent_at), answer.challenge)
    clock.pass_time(sent_at - 61 - clock.now())
    assert refused(unchanged(world, store, withheld)) == "host/challenge"
    clock.jump(122)
    assert refused(unchanged(world, store, withheld)) == "host/challenge"
    clock.jump(-121)
    leased(store.show(withheld))
    clock.pass_time(60)
    later = store.request()
    leased(store.send(later))
    assert refused(unchanged(world, store, withheld)) == "host/challenge"


@pytest.mark.parametrize("identity", ["machine", "explicit"])
def test_a_release_that_a_host_refused_is_worth_nothing_later(host: World, identity: str) -> None:
    """The machine's clock was hours ahead; also with the challenge that came with its lease."""
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=(identity,))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock, machine = Store(host), host.clock, Machine(NUMBER)
    asked = machine.request(host.id, EXPLICIT, clock.now(), identity=identity)
    answer = leased(store.send(asked))
    ahead = clock.now() + SKEW + 3600
    recorded = [
        meeting(machine.release(answer.bundle, ahead), challenge, machine.key)
        for challenge in ("", answer.challenge, host.fresh(asked, clock.now()))
    ]
    for one in recorded:
        assert refused(unchanged(host, store, one)) == "host/clock-skew"
    for wait in (3700, SKEW - 100, SKEW + 3600):
        clock.pass_time(wait - (clock.now() - ahead + SKEW + 3600))
        for one in recorded:
            assert refused(unchanged(host, store, one)) == "host/challenge"
    assert store.send(machine.release(answer.bundle, clock.now())) == Released(True)


def test_a_release_takes_no_challenge_but_one_of_these_minutes(store: Store) -> None:
    world = store.world
    key = world.service.view().publishers[world.id].challenge_key
    answer = leased(store.ask())
    release, cmid = store.release(answer), Machine(NUMBER).cmid
    now = release.sent_at
    wrong = {
        "none": "",
        "invented": "A" * 22,
        "of the lease": answer.challenge,
        "of another host": challenges.fresh(b"another key", world.id, cmid, Kept(), now),
        "of another machine": challenges.fresh(key, world.id, Machine(1).cmid, Kept(), now),
        "of two minutes ago": challenges.fresh(key, world.id, cmid, Kept(), now - 120),
        "of a minute to come": challenges.fresh(key, world.id, cmid, Kept(), now + 60),
    }
    line = kept(world).line
    names = (world.id, cmid, Kept(line.nonce, line.asked_at))
    wrong |= {
        "of a request": challenges.fresh(key, *names, now),
        "of a release two minutes ago": challenges.of_release(key, *names, now - 120),
        "of a release to come": challenges.of_release(key, *names, now + 60),
    }
    for name, challenge in wrong.items():
        shown = unchanged(world, store, meeting(release, challenge, store.machine.key))
        assert brought(shown) == challenges.of_release(key, *names, now), name
    good = brought(store.show(release))
    assert store.show(meeting(release, good, store.machine.key)) == Released(True)


@pytest.mark.parametrize("identity", ["machine", "explicit"])
def test_a_release_spends_the_challenge_of_the_lease(host: World, identity: str) -> None:
    """A renewal was refused, since the clock was ahead; its time comes after the release."""
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=(identity,))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock = Store(host), host.clock
    first = Machine(NUMBER).request(host.id, EXPLICIT, clock.now(), identity=identity)
    answer = leased(store.send(first))
    machine, ahead = Machine(NUMBER, turn=1), clock.now() + SKEW + 3600
    renewal = machine.request(
        host.id, EXPLICIT, ahead, identity=identity, challenge=answer.challenge
    )
    assert refused(unchanged(host, store, renewal)) == "host/clock-skew"
    clock.pass_time(3700)
    assert store.send(Machine(NUMBER).release(answer.bundle, clock.now())) == Released(True)
    clock.pass_time(ahead - clock.now())
    assert refused(unchanged(host, store, renewal)) == "host/challenge"
    assert machines(host) == 0


@pytest.mark.parametrize("way", ["release", "removal"])
def test_mode_explicit_a_challenge_does_not_outlive_a_release(host: World, way: str) -> None:
    """Also where the clock of a container is ahead, so that its request is no older."""
    product = replace(host.publisher.new_product(EXPLICIT, need=1), identity=("explicit",))
    host.publisher.publish([product])
    updates.add_publisher(host.opened, host.publisher.file())
    store, clock = Store(host), host.clock
    answer = leased(store.send(explicit(host, 1, clock.now() + 600)))
    ahead = store.sent
    assert ahead is not None
    clock.pass_time(5)
    leased(store.send(explicit(host, 2, clock.now())))
    if way == "release":
        gone = Machine(NUMBER).release(answer.bundle, clock.now(), ())
        assert store.send(gone) == Released(True)
    else:
        assert remove_machine(host.opened, explicit(host, 0, 0).cmid).given_back == 2
    clock.pass_time(5)
    assert refused(unchanged(host, store, ahead)) == "host/challenge"
    assert machines(host) == 0


def test_another_host_key_makes_other_challenges() -> None:
    assert challenges.key_of(Machine(1).key) != challenges.key_of(Machine(2).key)
    assert challenges.key_of(Machine(1).key) == challenges.key_of(Machine(1).key)


# Proof.


def forged(request: ActivationRequest, **changes: Any) -> ActivationRequest:
    """What somebody without the key makes of a request."""
    spoilt = re.sub(rb'("proof":")[^"]+', rb"\1" + b"A" * 86, request.body)
    return replace(request, body=spoilt, **changes)


@pytest.mark.parametrize("seen", ["at another host", "in a release", "in a request refused here"])
def test_a_nonce_that_was_seen_proves_nothing(store: Store, seen: str) -> None:
    """What a request shows crosses the wire in the clear, perhaps before this host has seen it."""
    world = store.world
    answer = leased(store.ask())
    seats = machines(world)
    if seen == "in a release":
        assert store.send(store.release(answer)) == Released(True)
        seats -= 1
    recorded = store.request()
    if seen == "in a request refused here":
        skewed = store.request(sent_at=world.clock.now() + SKEW + 60)
        assert refused(store.send(skewed)) == "host/clock-skew"
    nonce = nonce_of(bytes(range(16)))
    for sent_at in (0, 1, SKEW):
        for line in (recorded.line, store.line[-2:], (nonce_prefix(nonce),)):
            request = forged(
                recorded,
                nonce=nonce,
                line=line,
                sent_at=world.clock.now() + sent_at,
            )
            assert refused(unchanged(world, store, request)) == "host/request-proof"
    assert machines(world) == seats
    leased(store.ask())
    assert kept(world).line.left == ()


def test_an_ordinary_renewal_needs_its_signature_too(store: Store) -> None:
    leased(store.ask())
    store.world.clock.pass_time(1)
    renewal = store.request()
    known = kept(store.world)
    for changes in (
        {},
        {"fingerprint": Machine(9).fingerprint},
        {"line": ("A" * 8,)},
        {"line": ()},
        {"sent_at": known.line.asked_at},
        {"key": Machine(9).key.public.raw},
        {"identity": "device"},
    ):
        request = forged(renewal, **changes)
        assert refused(unchanged(store.world, store, request)) == "host/request-proof", changes
    leased(store.send(renewal))


@examples(60, shared=True)
@given(st.data())
def test_no_bit_of_a_first_request_may_be_another(host: World, data: st.DataObject) -> None:
    request = Machine(data.draw(st.integers(1000, 2000))).request(
        host.id, "desktop-pro", host.clock.now()
    )
    from muster.core.errors import MusterError
    from muster.wire.activation import decode_request

    body = bytearray(request.body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= 1 << data.draw(st.integers(0, 6))
    try:
        spoilt = decode_request(bytes(body))
    except MusterError as fault:
        assert fault.code == "wire/bad-request"
        return
    with host.database.snapshot() as reader:
        before = everything(reader)
    assert refused(host.ask(1, request=spoilt)) in (
        "host/request-proof",
        "host/not-served",
        "host/clock-skew",
        "host/identity-mode",
    )
    with host.database.snapshot() as reader:
        assert everything(reader) == before


# The table as a pure function.


NAMES = st.sampled_from([f"n{number}" for number in range(12)])


@given(
    st.builds(
        Line,
        nonce=NAMES,
        asked_at=st.integers(0, 100),
        left=st.lists(st.builds(Left, NAMES, st.integers(0, 100)), max_size=8).map(tuple),
        forked_at=st.integers(0, 100),
        restored=st.integers(0, 5),
    ),
    st.builds(
        Asked,
        nonce=NAMES,
        shown=st.frozensets(NAMES, max_size=4),
        sent_at=st.integers(0, 100),
        explicit=st.booleans(),
        same_facts=st.booleans(),
    ),
)
def test_every_line_and_request_has_one_row_and_bounded_memory(known: Line, asked: Asked) -> None:
    row, kept_line = lines.classify(known, asked, 100)
    assert len(kept_line.left) <= lines.MAX_LEFT
    assert lines.decode_left(lines.encode_left(kept_line.left)) == kept_line.left
    if row in (Row.REPEAT, Row.OLD, Row.OTHER_HARDWARE, Row.LATER_ONE):
        assert kept_line == known
    else:
        assert kept_line.asked_at >= known.asked_at
    if row in lines.CLONES:
        assert kept_line.nonce != asked.nonce
        assert not asked.explicit
    assert lines.classify(None, asked, 100)[0] is Row.FIRST


def test_the_skew_is_that_of_requests() -> None:
    known = Line("n", 1000 + SKEW)
    assert lines.is_old(known, 999 + SKEW, {"n"}, 1000)
    assert not lines.is_old(known, 999 + SKEW, {"n"}, 999)
    assert lines.is_old(known, 999 + SKEW, {"another"}, 999)
