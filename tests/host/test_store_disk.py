"""A host whose disk is really full: machines are told to come back, nothing is lost, and the host
goes on by itself when there is room again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.conftest import HOST_FACTS, START, Machine, body_meeting
from tests.mounts import file_system

from muster.core.products import DAY
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


@pytest.mark.real
def test_a_full_disk(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, dice = ManualClock(START), SeededDice("full")
    publisher = TinyPublisher("contoso", now=START - DAY)
    ballast = small / "ballast"
    with open_store(small, clock.now(), create=True) as database:
        keyring = KeyRing(small / "keys")
        opened = OpenHost(small, database, keyring, clock, dice)
        updates.add_publisher(opened, publisher.file())
        key = install(opened, publisher.host_key("server").text, HOST_FACTS)
        iid = keys.installation_id(opened.current(), key)
        grants.accept(opened, publisher.publisher, publisher.confirm(iid))
        ballast.write_bytes(b"x" * 300_000)
        server = HostServer(database, keyring, clock, dice)
        answered: list[int] = []
        with (
            server,
            ThreadServer(server.router) as listening,
            ThreadServer(server.operation) as operation,
        ):
            http = HTTPClient(timeout=30)

            def ask(number: int) -> Response:
                machine = Machine(number)
                request = machine.request(publisher.publisher, "desktop-pro", START)
                body, url = request.body, listening.url + "/v1/activate"
                while True:
                    answer = http.request("POST", url, body, {"Content-Type": "application/json"})
                    body = body_meeting(request, machine.key, answer.status, answer.body)
                    if not body:
                        return answer

            answer = ask(0)
            while answer.status != 503:
                assert answer.status in (200, 409)
                answered.append(len(answered))
                assert len(answered) < 5000
                answer = ask(len(answered))
            assert answer.headers["retry-after"] == "60"
            found = decode_problem(answer.status, answer.body, "the host")
            assert found.code == "wire/unavailable"
            assert b"host.db" not in answer.body
            assert "db/full" in caplog.text
            # What only reads goes on.
            assert http.request("GET", operation.url + "/readyz").status == 200
            assert http.request("GET", listening.url + "/v1/publishers").status == 200
            ballast.unlink()
            for number in range(len(answered), len(answered) + 3):
                assert ask(number).status in (200, 409)
                answered.append(number)
        with database.snapshot() as reader:
            number = ledger.count(reader, publisher.publisher, "os", clock.now())
        assert number == len(answered)
        assert caplog.records[-1].levelno <= logging.ERROR
