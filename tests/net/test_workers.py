"""Threads for handlers: nobody waits for one, or for its answer, without a bound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from muster.net.workers import LateError, Workers

LONG = 60.0


async def late(workers: Workers, call: Callable[[], object], seconds: float) -> None:
    with pytest.raises(LateError):
        await workers.run(call, seconds)


def test_a_result_and_a_fault_come_back_to_the_loop() -> None:
    def wrong() -> None:
        raise ValueError("no")

    async def main() -> None:
        workers = Workers(2, LONG)
        assert await workers.run(lambda: 7, LONG) == 7
        with pytest.raises(ValueError, match="no"):
            await workers.run(wrong, LONG)
        assert workers.close(LONG)

    asyncio.run(main())


def test_who_gets_no_thread_in_time_is_told_and_not_called_later() -> None:
    async def main() -> None:
        release, entered, called = threading.Event(), threading.Event(), threading.Event()

        def hold() -> None:
            entered.set()
            release.wait(LONG)

        workers = Workers(1, 0.05)
        held = asyncio.create_task(workers.run(hold, LONG))
        while not entered.is_set():
            await asyncio.sleep(0)
        await late(workers, called.set, LONG)
        release.set()
        await held
        assert await workers.run(lambda: 1, LONG) == 1
        assert not called.is_set(), "nobody waited for it any more"
        assert workers.close(LONG)

    asyncio.run(main())


def test_who_gets_no_answer_in_time_is_told_and_a_stop_is_bounded() -> None:
    async def main() -> None:
        release = threading.Event()
        workers = Workers(1, LONG)
        await late(workers, lambda: release.wait(LONG), 0.05)
        assert not workers.close(0.05), "a thread that still waits is told, not waited for"
        release.set()

    asyncio.run(main())


def test_whoever_goes_away_while_waiting_is_not_called() -> None:
    async def main() -> None:
        release, entered, called = threading.Event(), threading.Event(), threading.Event()

        def hold() -> None:
            entered.set()
            release.wait(LONG)

        workers = Workers(1, LONG)
        held = asyncio.create_task(workers.run(hold, LONG))
        while not entered.is_set():
            await asyncio.sleep(0)
        gone = asyncio.create_task(workers.run(called.set, LONG))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        release.set()
        await held
        assert await workers.run(lambda: 1, LONG) == 1
        assert not called.is_set()

    asyncio.run(main())
