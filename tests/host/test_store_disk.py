"""A host whose disk is really full: machines are told to come back, nothing is lost, and the host
goes on by itself when there is room again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.host.conftest import HOST_FACTS, START, Machine, body_meeting
from tests.mounts import file_system

from muster.core.products import DAY
from muster.core.settings import Value
from muster.host import keys
from muster.host.act import grants, updates
from muster.host.keyring import KeyRing
from muster.host.open import OpenHost
from muster.host.server import HostServer
from muster.host.store import open_store
from muster.host.tables import ledger
from muster.net.http import HTTPClient, Response
from muster.net.serve import ThreadServer
from muster.system.entropy import SeededDice
from muster.testing.clock import ManualClock
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.problem import decode_problem


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    with file_system(tmp_path / "small", "1m") as folder:
        yield folder


@dataclass
class Served:
    """A running host on the small file system, and who asks it."""

    server: HostServer
    publisher: TinyPublisher
    url: str
    operation: str

    def __post_init__(self) -> None:
        self.http = HTTPClient(timeout=30)

    def ask(self, number: int) -> Response:
        """One machine's answer, its challenge met."""
        machine = Machine(number)
        request = machine.request(self.publisher.publisher, "desktop-pro", START)
        body, url = request.body, self.url + "/v1/activate"
        while True:
            headers = {"Content-Type": "application/json", "X-Forwarded-For": "192.0.2.7"}
            answer = self.http.request("POST", url, body, headers)
            body = body_meeting(request, machine.key, answer.status, answer.body)
            if not body:
                return answer

    def count(self) -> int:
        with self.server.database.snapshot() as reader:
            return ledger.count(reader, self.publisher.publisher, "os", START)


@contextlib.contextmanager
def serving(small: Path, **overrides: Value) -> Iterator[Served]:
    clock, dice = ManualClock(START), SeededDice("full")
    publisher = TinyPublisher("contoso", now=START - DAY)
    with open_store(small, clock.now(), create=True) as database:
        keyring = KeyRing(small / "keys")
        opened = OpenHost(small, database, keyring, clock, dice)
        updates.add_publisher(opened, publisher.file())
        key = install(opened, publisher.host_key("server").text, HOST_FACTS)
        iid = keys.installation_id(opened.current(), key)
        grants.accept(opened, publisher.publisher, publisher.confirm(iid))
        server = HostServer(database, keyring, clock, dice, overrides=overrides)
        with (
            server,
            ThreadServer(server.router) as listening,
            ThreadServer(server.operation) as operation,
        ):
            yield Served(server, publisher, listening.url, operation.url)


def fill(ballast: Path) -> None:
    """Take all that is left of a file system."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.mark.real
def test_a_full_disk(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    ballast = small / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    answered: list[int] = []
    with serving(small, new_cmid_rate=0) as host:
        answer = host.ask(0)
        while answer.status != 503:
            assert answer.status in (200, 409)
            answered.append(len(answered))
            assert len(answered) < 5000
            answer = host.ask(len(answered))
        assert answer.headers["retry-after"] == "60"
        problem = decode_problem(answer.status, answer.body, "the host")
        assert problem.code == "wire/unavailable"
        assert b"host.db" not in answer.body
        # What only reads goes on.
        assert host.http.request("GET", host.url + "/v1/publishers").status == 200
        ballast.unlink()
        for number in range(len(answered), len(answered) + 3):
            assert host.ask(number).status in (200, 409)
            answered.append(number)
        assert host.count() == len(answered)
    assert "db/full" in caplog.text


@pytest.mark.real
def test_who_was_not_counted_is_still_new_when_there_is_room(
    small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rate, ballast = 20, small / "ballast"
    with serving(small, new_cmid_rate=rate, trusted_proxies=("127.0.0.0/8",)) as host:
        assert host.ask(0).status == 409
        fill(ballast)
        answered = 1
        while host.ask(answered).status != 503:
            answered += 1
            assert answered < rate - 8
        caplog.clear()
        for number in range(100, 100 + 2 * rate):
            assert host.ask(number).status == 503
        told = [one for one in caplog.records if "db/full" in one.getMessage()]
        assert 1 <= len(told) <= 2 * rate, "one line a request at most"
        assert not any(one.exc_info for one in caplog.records)
        ballast.unlink()
        for number in range(answered, rate):
            assert host.ask(number).status == 409, "the rate was not used up by what failed"
        assert host.ask(rate).status == 429
        assert host.count() == rate
