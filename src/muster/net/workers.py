"""Threads for handlers that wait: a bounded number, and nobody waits for them without a bound.

Decides how long a request waits for a thread and for its answer; what takes longer has none, while
its thread goes on [a database that keeps silent holds a thread for as long as it
likes]. The threads are daemons: a program that ends does not wait for them. Refuses to know what
is asked.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class LateError(Exception):
    """No thread was free in time, or it had no result in time."""


class _Job(Generic[Result]):
    """One call, and who waits for it on which loop."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_gone = False
        self.future: asyncio.Future[Result] = self._loop.create_future()

    def run(self) -> None:
        """Make the call in this thread, unless nobody waits any more."""
        with self._lock:
            if self._is_gone:
                return
            self._has_begun = True
        result: Result | None = None
        fault: BaseException | None = None
        try:
            result = self._call()
        except BaseException as raised:  # noqa: BLE001 - handed to whoever waits
            fault = raised
        try:
            self._loop.call_soon_threadsafe(self._settle, result, fault)
        except RuntimeError:  # the loop has ended; nobody waits any more
            return

    def _settle(self, result: Result | None, fault: BaseException | None) -> None:
        if self.future.done():
            return
        if fault is not None:
            self.future.set_exception(fault)
        else:
            self.future.set_result(result)  # type: ignore[arg-type]  # a call without fault

    def drop(self) -> bool:
        """Nobody waits for a call that has not begun; whether that is so."""
        with self._lock:
            self._is_gone = not self._has_begun
            return self._is_gone

    def give_up(self, *, begun: bool) -> None:
        """Answer that there is no answer now; unless `begun`, only where the call has not begun."""
        if (begun or self.drop()) and not self.future.done():
            self.future.set_exception(LateError())


class Workers:
    """A bounded number of threads, made when they are needed.

    Args:
        most: threads.
        turn_seconds: how long a call waits for one.
    """

    def __init__(self, most: int, turn_seconds: float) -> None:
        self._most = most
        self._turn_seconds = turn_seconds
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def run(self, call: Callable[[], Result], seconds: float) -> Result:
        """Make a call in a thread.

        Raises: what it raises; `LateError` when no thread is free in time, or when it has no
            result within `seconds`.
        """
        job = _Job(call)
        loop = asyncio.get_running_loop()
        timers = (
            loop.call_later(self._turn_seconds, lambda: job.give_up(begun=False)),
            loop.call_later(seconds, lambda: job.give_up(begun=True)),
        )
        self._jobs.put(job)  # type: ignore[arg-type]  # what it results in, only `run` knows
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="router", daemon=True)
            self._threads.append(thread)
            thread.start()
        try:
            return await job.future
        finally:
            job.drop()
            for timer in timers:
                timer.cancel()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()

    def close(self, seconds: float) -> bool:
        """End the threads, and wait for those that work; whether all have ended in time."""
        for _ in self._threads:
            self._jobs.put(None)
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
