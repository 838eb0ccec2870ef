"""A host whose disk is really full: machines are told to come back, nothing is lost, and the host
goes on by itself when there is room again."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.host.conftest import HOST_FACTS, START, Machine, body_meeting
from tests.host.processes import eventually
from tests.mounts import file_system
from tests.net.exposition import series

from muster.core.products import DAY
from muster.core.settings import Value
from muster.host import backup_file, keys
from muster.host.act import backup, grants, updates
from muster.host.keyring import KeyRing
from muster.host.open import OpenHost
from muster.host.server import HostServer
from muster.host.store import open_store
from muster.host.tables import ledger
from muster.net import known
from muster.net.http import HTTPClient, Response
from muster.net.serve import ThreadServer
from muster.system.entropy import SeededDice
from muster.system.linefile import LineFile
from muster.testing.clock import ManualClock
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.problem import decode_problem


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    with file_system(tmp_path / "small", "1m") as folder:
        yield folder


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    with file_system(tmp_path / "roomy", "4m") as folder:
        yield folder


@dataclass
class Served:
    """A running host on the small file system, and who asks it."""

    server: HostServer
    opened: OpenHost
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

    def ready(self) -> tuple[int, list[str]]:
        """What `/readyz` answers: its status, and the codes of what is wrong."""
        answer = self.http.request("GET", self.operation + "/readyz")
        return answer.status, [one["code"] for one in json.loads(answer.body).get("problems", [])]

    def count(self) -> int:
        with self.server.database.snapshot() as reader:
            return ledger.count(reader, self.publisher.publisher, "os", START)


@contextlib.contextmanager
def serving(small: Path, **overrides: Value) -> Iterator[Served]:
    clock, dice = ManualClock(START), SeededDice("full")
    publisher = TinyPublisher("contoso", now=START - DAY)
    with open_store(small, clock.now(), create=True) as database:
        keyring = KeyRing(small / "keys")
        opened = OpenHost(small, database, keyring, clock, dice, "user:test")
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
            yield Served(server, opened, publisher, listening.url, operation.url)


def fill(ballast: Path) -> None:
    """Take all that is left of a file system."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.mark.real
def test_a_full_disk(
    small: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "QUIET_SECONDS", 0.1)
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
        assert host.ready() == (503, ["db/full"])
        # What only reads goes on.
        assert host.http.request("GET", host.url + "/v1/publishers").status == 200
        fill(ballast)
        # The log of the database may have room for some more rows.
        written = next(
            done
            for number in range(100)
            if (done := backup.write_backup(host.opened, tmp_path / f"saved{number}")).not_audited
        )
        assert written.not_audited == "db/full"
        with LineFile(Path(written.file)) as file:
            assert backup_file.read(file).rows == written.rows > len(answered)
        ballast.unlink()
        for number in range(len(answered), len(answered) + 3):
            assert host.ask(number).status in (200, 409)
            answered.append(number)
        assert host.count() == len(answered)
        assert eventually(lambda: host.ready() == (200, []))
    assert "db/full" in caplog.text


@pytest.mark.real
def test_who_was_not_counted_is_still_new_when_there_is_room(
    roomy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rate, ballast = 20, roomy / "ballast"
    with serving(roomy, new_cmid_rate=rate, trusted_proxies=("127.0.0.0/8",)) as host:
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


def removed(small: Path) -> None:
    for path in small.glob("host.db*"):
        path.unlink()


def truncated(small: Path) -> None:
    path = small / "host.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(path, 8192)


@pytest.mark.real
@pytest.mark.parametrize("harm", [removed, truncated])
def test_a_database_that_was_harmed_is_told_by_log_and_readiness(
    small: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(small, new_cmid_rate=0) as host:
        assert host.ask(0).status == 409
        assert host.ready() == (200, [])
        harm(small)
        answer = host.ask(1)
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        status, codes = host.ready()
        assert status == 503
        assert codes
        # Nobody need ask for it to be told on.
        host.server.known.look()
        assert host.ready() == (503, codes)
        text = host.http.request("GET", host.operation + "/metrics").body.decode()
        assert series(text, "muster_host_problems", area="database", code=codes[0]) == 1
    assert sum(one.getMessage().startswith(codes[0]) for one in caplog.records) == 1
