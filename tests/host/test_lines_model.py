"""Machines, clones, hosts and somebody who records and sends, at random: what must never happen.

The model runs the pure halves against each other, `muster.client.requests` and
`muster.host.lines` with `muster.host.challenges`, as the machine and the service do. Who records
can show what was signed, to any host at any time, and nothing else: the proof is tested in
`test_lines.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from muster.client.requests import Requests
from muster.core.products import DAY, SKEW
from muster.host import challenges, lines
from muster.host.challenges import Kept
from muster.host.lines import Asked, Line, Row

START = 1_800_000_000
KEPT = frozenset({Row.FIRST, Row.NEXT, Row.FIRST_CAME_BACK, Row.PUT_BACK})
"""Rows that bring a lease and move the line."""


@dataclass(frozen=True)
class Message:
    """A request or a release with its proof: nobody alters it."""

    cmid: str
    nonce: str
    shown: frozenset[str]
    sent_at: int
    challenge: str = ""
    release: bool = False


@dataclass
class Host:
    """A host with a database of its own, which can be copied and put back."""

    name: str
    lines: dict[str, Line] = field(default_factory=dict)
    strict: bool = True
    """False for a host that asks for no challenge: so a test shows what they stop."""

    @property
    def key(self) -> bytes:
        return self.name.encode()

    def hear(self, message: Message, now: int) -> Row | str | None:
        """The row of a message, or the challenge that it is answered with; None for
        `host/clock-skew` and for a release that is not of the line that goes on."""
        if abs(message.sent_at - now) > SKEW:
            return None
        known = self.lines.get(message.cmid)
        if message.release:
            return self._hear_release(message, known, now)
        asked = Asked(message.nonce, message.shown, message.sent_at, False, True)
        row, line = lines.classify(known, asked, now)
        if self.strict and row not in (Row.REPEAT, Row.OLD):
            kept = Kept() if known is None else Kept(known.nonce, known.asked_at)
            named = (self.key, "publisher", message.cmid)
            if not challenges.holds(*named, kept, message.challenge, message.sent_at, now):
                return challenges.fresh(*named, kept, now)
        self.lines[message.cmid] = line
        return row

    def _hear_release(self, message: Message, known: Line | None, now: int) -> Row | str | None:
        """`Row.NEXT` for a release that is taken."""
        if known is None or not lines.shows(message.shown, known.nonce):
            return None
        if lines.is_old(known, message.sent_at - 1, message.shown, now):
            return Row.OLD
        named, kept = (self.key, "publisher", message.cmid), Kept(known.nonce, known.asked_at)
        if self.strict and not challenges.holds_for_release(*named, kept, message.challenge, now):
            return challenges.of_release(*named, kept, now)
        self.lines[message.cmid] = lines.released(known, message.sent_at, False, now)
        return Row.NEXT

    def gives(self, message: Message) -> str:
        """The challenge that comes with the lease for a message."""
        line = self.lines[message.cmid]
        return challenges.after(
            self.key, "publisher", message.cmid, Kept(line.nonce, line.asked_at)
        )


@dataclass
class Machine:
    """A machine with its store: the CMID, and what it remembers of its requests."""

    name: str
    cmid: str
    requests: Requests = field(default_factory=Requests)
    ahead: int = 0
    told: int = 0
    old: int = 0


class Model:
    """A random history; `rows` is what the hosts found of the machines' own requests."""

    def __init__(self, seed: int, hosts: int = 1) -> None:
        self.dice = random.Random(seed)
        self.time = START
        self.hosts = [Host(f"host {number}") for number in range(hosts)]
        self.recorded: list[Message] = []
        self.rows: list[Row | None] = []
        self.drawn = 0

    def machine(self, name: str) -> Machine:
        return Machine(name, f"cmid of {name}")

    def clone(self, image: Machine, name: str) -> Machine:
        return Machine(name, image.cmid, image.requests)

    def send(self, machine: Machine, now: int, host: int = 0) -> Message:
        """The next request to a host, saved before it leaves as `client.machine` does."""
        self.drawn += 1
        nonce = f"{self.drawn:08}-{machine.name}"
        shown = frozenset(machine.requests.line)
        challenge = machine.requests.challenge_of(f"host {host}")
        machine.requests = machine.requests.sending(nonce, now)
        message = Message(machine.cmid, nonce, shown, machine.requests.sent_at, challenge)
        self.recorded.append(message)
        return message

    def ask(self, machine: Machine, host: int = 0, *, lost: str = "") -> Row | None:
        """One try at one host. `lost`: "request" or "answer"."""
        message = self.send(machine, self.time + machine.ahead, host)
        row: Row | str | None = None
        for turn in range(2):
            # What is lost of a first contact is the second request or the first one.
            if lost == "request" and (turn or message.challenge or self.dice.random() < 0.5):
                return None
            row = self.hosts[host].hear(message, self.time)
            if not isinstance(row, str):
                break
            message = replace(message, challenge=row)
            self.recorded.append(message)
        assert not isinstance(row, str), "a fresh challenge was not taken"
        self.rows.append(row)
        if lost == "answer":
            return row
        if row in KEPT or row is Row.REPEAT:
            given = self.hosts[host].gives(message)
            machine.requests = machine.requests.answered(message.nonce, f"host {host}", given)
        elif row in lines.CLONES:
            machine.told += 1
            machine.cmid = f"cmid of {machine.name}, {machine.told}"
            machine.requests = Requests()
            self.ask(machine, host)
        else:
            machine.old += 1
        return row

    def give_back(self, machine: Machine, host: int) -> Row | None:
        """The machine releases its lease at one host, as `client.act.release` does."""
        now = self.time + machine.ahead
        machine.requests = replace(machine.requests, sent_at=machine.requests.next_sent_at(now))
        shown, sent_at = frozenset(machine.requests.line), machine.requests.sent_at
        message = Message(machine.cmid, "", shown, sent_at, release=True)
        row: Row | str | None = None
        for _ in range(2):
            self.recorded.append(message)
            row = self.hosts[host].hear(message, self.time)
            if not isinstance(row, str):
                break
            message = replace(message, challenge=row)
        assert not isinstance(row, str), "a fresh challenge was not taken"
        return row

    def replay(self, host: int) -> None:
        """Show something that was recorded."""
        if self.recorded:
            message = self.dice.choice(self.recorded[-40:])
            self.hosts[host].hear(message, self.time)

    def pass_time(self, most: int) -> None:
        self.time += self.dice.randint(1, most)


@dataclass(frozen=True)
class Story:
    """What may happen to one machine: hosts that it alternates between, whether its store is put
    back, whether requests and answers are lost, whether somebody records and sends, and the most
    seconds between two events."""

    hosts: int = 1
    put_back: bool = False
    lost: bool = False
    recorder: bool = False
    pause: int = 3600


STORIES = [
    Story(recorder=True, lost=True),
    Story(recorder=True, put_back=True, lost=True),
    Story(put_back=True, lost=True, pause=4 * DAY),
    Story(hosts=3, recorder=True, lost=True),
    Story(hosts=3, lost=True, pause=4 * DAY),
    Story(hosts=2, put_back=True),
    Story(hosts=3, put_back=True, pause=2 * DAY),
    Story(hosts=3, put_back=True, lost=True),
    Story(hosts=3, put_back=True, lost=True, pause=2 * DAY),
    Story(hosts=3, put_back=True, lost=True, recorder=True),
    Story(hosts=5, put_back=True, lost=True, recorder=True, pause=600),
]


def one_machine(seed: int, story: Story) -> tuple[Model, Machine]:
    """A random life of one machine, of which there is no clone."""
    model = Model(seed, story.hosts)
    machine, dice = model.machine("pc"), model.dice
    snapshot: Requests | None = None
    host = 0
    for _ in range(60):
        model.pass_time(story.pause)
        event = dice.random()
        if event < 0.55:
            host = dice.choice([host, host, dice.randrange(story.hosts)])
            for _ in range(dice.choice([1, 3])):  # products
                model.time += dice.randint(0, 2)
                lost = dice.choice(["", "", "", "request", "answer"]) if story.lost else ""
                model.ask(machine, host, lost=lost)
            if dice.random() < 0.1:
                assert model.give_back(machine, host) is not Row.OLD
        elif event < 0.65:
            snapshot = machine.requests
        elif event < 0.72 and story.put_back and snapshot is not None:
            machine.requests = snapshot
        elif event < 0.94 and story.recorder:
            for _ in range(dice.randint(1, 4)):
                model.replay(dice.randrange(story.hosts))
        elif event > 0.98:
            host_lines = dice.choice(model.hosts).lines
            for cmid, line in host_lines.items():
                host_lines[cmid] = lines.forget(line, model.time)
    return model, machine


def never_a_clone(seeds: range) -> None:
    for story in STORIES:
        for seed in seeds:
            model, machine = one_machine(seed, story)
            assert (machine.told, machine.old) == (0, 0), (story, seed)
            forks = {Row.FIRST_CAME_BACK, Row.LATER_CAME_BACK}
            assert not forks & set(model.rows), (story, seed)


def test_one_machine_is_never_found_to_be_two() -> None:
    never_a_clone(range(40))


@pytest.mark.torture
def test_one_machine_is_never_found_to_be_two_in_many_lives() -> None:
    never_a_clone(range(1000, 6000))


def nothing_changes(seeds: range) -> None:
    """Whatever was heard by one host and is shown again, to it or to any other host."""
    for seed in seeds:
        model = Model(seed, 3)
        machines = [model.machine(name) for name in "ab"]
        machines.append(model.clone(machines[0], "c"))
        for _ in range(40):
            model.pass_time(600)
            machine, host = model.dice.choice(machines), model.dice.randrange(3)
            model.ask(machine, host)
            if model.dice.random() < 0.2:
                model.give_back(machine, host)
            kept = [dict(one.lines) for one in model.hosts]
            model.time += model.dice.choice([0, 0, 30, 600])
            for _ in range(5):
                model.replay(model.dice.randrange(3))
                assert [one.lines for one in model.hosts] == kept, seed


def test_what_a_host_has_heard_changes_nothing_when_it_is_shown_again() -> None:
    nothing_changes(range(60))


def test_without_challenges_it_would_change_another_host() -> None:
    model = Model(1, 2)
    model.ask(model.machine("a"), 0)
    for strict in (True, False):
        model.hosts[1].strict = strict
        model.hosts[1].hear(model.recorded[-1], model.time)
        assert bool(model.hosts[1].lines) is not strict


@pytest.mark.parametrize("strict", [True, False])
def test_without_challenges_a_release_that_was_refused_would_be_taken_later(strict: bool) -> None:
    """The clock of the machine is five hours ahead, and right again afterwards."""
    model = Model(1)
    machine, (host,) = model.machine("a"), model.hosts
    host.strict = strict
    model.ask(machine)
    machine.ahead = 5 * 3600
    assert model.give_back(machine, 0) is None
    kept = dict(host.lines)
    model.time += 5 * 3600
    host.hear(model.recorded[-1], model.time)
    assert (host.lines == kept) is strict


@pytest.mark.torture
def test_what_a_host_has_heard_changes_nothing_when_it_is_shown_again_often() -> None:
    nothing_changes(range(1000, 9000))


def image(seed: int, number: int, *, activated: bool, lost: bool) -> None:
    """Machines from one image ask in a random order, once a round."""
    model = Model(seed)
    golden = model.machine("image")
    if activated:
        model.ask(golden)
    machines = [model.clone(golden, f"machine {one}") for one in range(number)]
    names = {one.name: one for one in machines}
    first: Machine | None = None
    for turn in range(24 if lost else 4):
        for machine in model.dice.sample(machines, number):
            model.pass_time(600)
            fails = model.dice.choice(["", "", "", "answer", "request"])
            model.ask(machine, lost=fails if lost else "")
            if model.dice.random() < 0.2:
                model.replay(0)  # a lost one arrives after all
            if first is None:
                line = model.hosts[0].lines.get(golden.cmid)
                first = None if line is None else names.get(line.nonce.partition("-")[2])
        if turn == 0 and not lost:
            assert all(one.told == 0 for one in machines)
    assert first is not None
    assert first.told == 0
    assert {one.told for one in machines if one is not first} <= {1}
    assert len({one.cmid for one in machines}) == number


@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize("lost", [True, False])
def test_machines_from_one_image_come_apart_and_the_first_keeps_the_cmid(
    activated: bool, lost: bool
) -> None:
    for seed in range(4):
        for number in (2, 9, 100):
            image(seed, number, activated=activated, lost=lost)


@pytest.mark.torture
def test_machines_from_one_image_come_apart_in_many_orders() -> None:
    for seed in range(1000, 1200):
        for number in (2, 3, 8, 10, 25, 100):
            image(seed, number, activated=bool(seed % 2), lost=bool(seed % 3))


def forked() -> tuple[Model, Machine]:
    """The first machine of two, after its clone was told, at two hosts."""
    model = Model(1, 2)
    first = model.machine("first")
    model.ask(first)
    clone = model.clone(first, "clone")
    for one in (first, clone, first, clone):
        model.time += DAY
        model.ask(one)
    assert (first.told, clone.told) == (0, 1)
    return model, first


def test_the_first_of_two_is_not_told_when_it_comes_back_from_another_host() -> None:
    model, first = forked()
    for _ in range(12):
        model.time += DAY
        model.ask(first, 1)
    model.time += DAY
    assert model.ask(first, 0) is Row.NEXT


def test_the_first_of_two_is_not_told_when_an_answer_was_lost_before_a_bad_day() -> None:
    model, first = forked()
    model.ask(first, lost="answer")
    for _ in range(24):
        model.time += 3600
        model.ask(first, lost="request")
    assert model.ask(first) is Row.NEXT
