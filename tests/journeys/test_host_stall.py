"""A host whose database another program holds: machines are told within seconds, health at once, it
goes on by itself, and it ends (docs/adr/0020-bounded-waits.md)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.host.conftest import Machine
from tests.host.processes import HostProcess, eventually, exchange, http_request, prepare

from muster.net.http import HTTPClient
from muster.testing.tiny_publisher import TinyPublisher

pytestmark = pytest.mark.real

ASKERS = 24


@contextlib.contextmanager
def held(store: Path) -> Iterator[None]:
    """The database of a host, locked by somebody else."""
    with contextlib.closing(
        sqlite3.connect(store / "host" / "host.db", isolation_level=None)
    ) as it:
        it.execute("BEGIN IMMEDIATE")
        yield
        it.execute("ROLLBACK")


def told(host: HostProcess, path: str) -> tuple[int, bytes]:
    """What administrators get, at once."""
    answer = HTTPClient(timeout=5).request("GET", f"http://{host.ready['operation']}{path}")
    return answer.status, answer.body


def ask_all(host: HostProcess, publisher: TinyPublisher, first: int) -> Counter[int]:
    """Many machines ask at once; how many got which answer, each within its time."""

    async def one(number: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        try:
            async with asyncio.timeout(15):
                machine = Machine(number)
                status, body = await exchange(reader, writer, http_request(publisher, machine))
                if status == 428:
                    met = http_request(publisher, machine, json.loads(body)["params"]["challenge"])
                    status, body = await exchange(reader, writer, met)
                return status
        finally:
            writer.close()

    async def everybody() -> list[int]:
        return await asyncio.gather(*(one(first + number) for number in range(ASKERS)))

    return Counter(asyncio.run(everybody()))


ENVIRON = {"MUSTER_HOST_OPERATION_ADDRESS": "127.0.0.1:0"}


def goes_on(store: Path) -> None:
    """Machines are told while the database is held, and served when it is not."""
    publisher = prepare(store)
    with HostProcess(store, environ=ENVIRON) as host:
        assert set(ask_all(host, publisher, 0)) <= {200, 409}
        assert told(host, "/readyz")[0] == 200
        with held(store):
            assert ask_all(host, publisher, 100) == {503: ASKERS}
            assert told(host, "/healthz")[0] == 200
            status, body = told(host, "/readyz")
            found: dict[str, Any] = json.loads(body)
            assert (status, [one["code"] for one in found["problems"]]) == (503, ["db/busy"])
            status, body = told(host, "/metrics")
            assert (status, b'area="database",code="db/busy"' in body) == (200, True)
        assert eventually(lambda: set(ask_all(host, publisher, 200)) <= {200, 409})
        assert eventually(lambda: told(host, "/readyz")[0] == 200, 60)


def ends(store: Path) -> None:
    """It stops while its database is held."""
    publisher = prepare(store)
    with HostProcess(store, environ=ENVIRON) as host:
        assert set(ask_all(host, publisher, 0)) <= {200, 409}
        with held(store):
            assert ask_all(host, publisher, 300) == {503: ASKERS}
            assert host.terminate() == 0


def test_a_database_that_is_held_costs_seconds(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two hosts at once: both do nothing but wait, most of the time."""
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(act, tmp_path / act.__name__) for act in (goes_on, ends)]
    for one in both:
        one.result()
    assert "Traceback" not in capfd.readouterr().err
