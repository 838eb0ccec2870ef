"""No request is cut by a stop: real hosts and publishers, SIGTERM and SIGINT, under load."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.net.processes import ServerProcess, ask_once, start

pytestmark = pytest.mark.real

ASKERS = 24


@pytest.fixture(params=["host", "publisher"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with start(request.param, tmp_path) as made:
        yield made


async def ask(port: int, told: Counter[str]) -> None:
    """Ask on new connections until one is refused."""
    while True:
        try:
            await ask_once(port, told)
        except ConnectionRefusedError:
            told["refused"] += 1
            return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_cuts_nobody(server: ServerProcess, number: signal.Signals) -> None:
    told: Counter[str] = Counter()

    async def crowd() -> None:
        asking = [asyncio.create_task(ask(server.port, told)) for _ in range(ASKERS)]
        while told["whole"] < 300:
            await asyncio.sleep(0.01)
        server.process.send_signal(number)
        await asyncio.wait_for(asyncio.gather(*asking), 60)

    asyncio.run(crowd())
    assert server.process.wait(30) == 0
    assert told["whole"] >= 300
    assert told.keys() == {"whole", "refused"}
    assert told["refused"] == ASKERS
