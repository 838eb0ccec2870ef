"""Guessing is slow, on a clock that the test moves; honest machines are served during an attack."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.net.http import HTTPClient
from muster.net.peers import Source, networks, source_key
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.publisher.throttle import (
    SOURCE_FAILURES,
    SPACE_FAILURES,
    Guesses,
    Space,
    Throttle,
)
from muster.testing.clock import ManualClock
from muster.wire import routes
from muster.wire.problem import decode_problem
from muster.wire.publisher import BatchRequest, ConfirmRequest, decode_batch_answer

from .conftest import Shop

SPACE: Space = (2, 7)
OTHER: Space = (2, 8)


class World:
    """A throttle, its clock, and those who ask."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_800_000_000)
        self.throttle = Throttle()
        self.lock = threading.Lock()

    def ask(self, source: str, *, right: bool, space: Space = SPACE) -> str:
        """ "served", "judged" (wrong) or "waits"."""
        guesses = Guesses(self.throttle, Source(source), self.clock.monotonic, self.lock)
        try:
            with guesses.guess() as enter:
                enter(space)
                if not right:
                    raise error("publisher/unknown-key", key="2-7-1")
        except MusterError as fault:
            if fault.code != "publisher/too-many":
                return "judged"
            self.wait = int(fault.params["retry_after"])
            return "waits"
        return "served"


@pytest.fixture
def world() -> World:
    return World()


def test_a_source_has_ten_failures_and_then_one_a_minute(world: World) -> None:
    asked = [world.ask("a", right=False) for _ in range(SOURCE_FAILURES + 5)]
    assert asked == ["judged"] * SOURCE_FAILURES + ["waits"] * 5
    assert world.wait == 60
    assert world.ask("a", right=True) == "waits", "everything from it waits"
    assert world.ask("b", right=True) == "served", "others do not"
    for _ in range(20):
        world.clock.pass_time(59)
        assert world.ask("a", right=False) == "waits"
        assert world.wait == 1
        world.clock.pass_time(1)
        assert world.ask("a", right=False) == "judged"
        assert world.ask("a", right=False) == "waits"


def test_waiting_costs_nothing_and_rest_brings_all_back(world: World) -> None:
    for _ in range(1000):
        world.ask("a", right=False)
    world.clock.pass_time(60 * SOURCE_FAILURES)
    asked = [world.ask("a", right=False) for _ in range(SOURCE_FAILURES + 1)]
    assert asked == ["judged"] * SOURCE_FAILURES + ["waits"]


def test_right_ones_are_never_counted(world: World) -> None:
    assert {world.ask("a", right=True) for _ in range(5000)} == {"served"}


def test_a_botnet_gets_a_guess_a_minute_each_and_honest_machines_are_served(world: World) -> None:
    for number in range(SPACE_FAILURES):
        assert world.ask(f"bot {number}", right=False) == "judged"
    for number in range(50):
        assert world.ask(f"late bot {number}", right=False) == "judged"
        assert world.ask(f"late bot {number}", right=False) == "waits"
        assert 0 < world.wait <= 60
        assert world.ask(f"honest {number}", right=True) == "served"
    # A source whose machines are right gives its turn back each time.
    assert {world.ask("a campus", right=True) for _ in range(200)} == {"served"}
    assert world.ask("late bot 1", right=False, space=OTHER) == "judged", "other spaces are free"


def test_a_right_one_does_not_free_the_turn_of_a_wrong_one(world: World) -> None:
    for number in range(SPACE_FAILURES):
        world.ask(f"bot {number}", right=False)
    assert world.ask("thief", right=False) == "judged"
    assert world.ask("thief", right=True) == "waits"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), max_size=200))
def test_no_pattern_of_waiting_guesses_faster(turns: list[tuple[int, int]]) -> None:
    world = World()
    began = world.clock.monotonic()
    judged = dict.fromkeys(range(4), 0)
    for source, pause in turns:
        world.clock.pass_time(pause)
        judged[source] += world.ask(str(source), right=False) == "judged"
        minutes = (world.clock.monotonic() - began) / 60
        assert judged[source] <= SOURCE_FAILURES + minutes + 1e-6


def test_guesses_judged_at_once_are_paid_back(world: World) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(SOURCE_FAILURES + 5):
            guesses = Guesses(world.throttle, Source("a"), world.clock.monotonic, world.lock)
            enter = stack.enter_context(guesses.guess())
            enter(SPACE)
        with pytest.raises(MusterError, match="id/proof"), stack:
            raise error("id/proof", key="2-7-1")
    world.clock.pass_time(60 * 5)
    assert world.ask("a", right=False) == "waits"
    world.clock.pass_time(60)
    assert world.ask("a", right=False) == "judged"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a pipe", "a pipe"),
    ],
)
def test_whom_an_address_counts_for(address: str, source: str) -> None:
    assert source_key(address) == source


# Over HTTP, with a real publisher.


def test_the_doors_throttle_and_the_desk_does_not(shop: Shop) -> None:
    known, other = shop.admin().issue_pool_keys(Kind.MAK, "client-volume", 20, count=2)
    machines = shop.machines(known.key, 15)
    good = machines[0].digits()
    wrong = [replace(one, proof=b"guessed" * 4 + b"four").digits() for one in machines]
    service = shop.service()
    # Loopback itself is nobody in particular; behind a trusted proxy each source is one.
    headers = {"Content-Type": "application/json", "X-Forwarded-For": "192.0.2.7"}
    with ThreadServer(PublisherAPI(service, networks(["127.0.0.1"])).router()) as server:
        client = HTTPClient(timeout=60, limit=32 * 1024 * 1024)

        def post(route: routes.Route, body: bytes) -> tuple[int, str, str]:
            found = client.request("POST", server.url + route.path, body, headers)
            if found.status == 200:
                return 200, "", found.body.decode()
            code = decode_problem(found.status, found.body, "publisher").code
            return found.status, code, found.headers.get("retry-after", "")

        def one(digits: str) -> tuple[int, str, str]:
            return post(routes.ACTIVATIONS, ConfirmRequest(digits).encode())

        assert one(good)[0] == 200
        # Three wrong ones, then a batch with twelve: seven of it are judged, the rest wait.
        assert {one(digits)[1] for digits in wrong[:3]} == {"id/proof"}
        batch = [good, *wrong[:12], good]
        status, _, text = post(routes.ACTIVATIONS_BATCH, BatchRequest(tuple(batch)).encode())
        assert status == 200
        rows = decode_batch_answer(text.encode(), "publisher").rows
        assert [row.code for row in rows[1:]] == ["id/proof"] * 7 + ["publisher/too-many"] * 6
        assert rows[0].good
        assert one(good) == (429, "publisher/too-many", "60")
        assert post(routes.ACTIVATIONS_BATCH, BatchRequest((good,)).encode())[0] == 429
        assert post(routes.HOSTS_ACTIVATE, ConfirmRequest(good).encode())[0] == 429
        # The desk has no source: what is read out there is judged.
        assert service.activate(good, "desk").answer.grant
        shop.clock.seconds += 60
        assert one(good)[0] == 200
        assert one(wrong[0])[1] == "id/proof"
        assert one(good)[0] == 429
    assert other.issued.drawn == 0
