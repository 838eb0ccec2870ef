"""Group commit: one thread writes, and requests that wait together share one fsync.

Decides who waits for what: a reply leaves only after the transaction that holds its request has
been committed. Refuses to know what a request is. See docs/adr/0007-sync-services.md.

The writer takes everything that waits, at most `max_batch`, and hands it to `work`, which handles
it in one transaction and returns when that is durable. While one batch syncs, the next one gathers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

Job = TypeVar("Job")
Reply = TypeVar("Reply")

MAX_BATCH = 256
"""Requests of one transaction at most."""
MAX_QUEUE = 8192
"""Requests that may wait; beyond that the answer is `host/busy`."""
BUSY_RETRY_SECONDS = 5
TICK_SECONDS = 5.0
ANSWER_SECONDS = 8.0
"""How long a job waits for its transaction; then `wire/unavailable`. It may be carried out all the
same: whoever asks again gets the same answer."""
STOP_SECONDS = 8.0
"""How long a stop waits for what is under way."""
_log = logging.getLogger("muster.host.commit")


@dataclass(frozen=True, slots=True)
class _Ticket(Generic[Job, Reply]):
    job: Job
    future: concurrent.futures.Future[Reply] | asyncio.Future[Reply]
    loop: asyncio.AbstractEventLoop | None


@dataclass(frozen=True, slots=True)
class _Done(Generic[Job, Reply]):
    ticket: _Ticket[Job, Reply]
    reply: Reply | None
    fault: BaseException | None


class GroupWriter(Generic[Job, Reply]):
    """One writing thread.

    Args:
        work: handles a batch in one transaction; the replies in the same order. When it raises,
            nothing of the batch was written.
        tick: called now and then in the same thread, also under load, for housekeeping; its
            faults are logged.
        tick_seconds: how often.
        monotonic: seconds that never jump.
        max_batch: jobs of one batch at most.
        max_queue: jobs that may wait.
        answer_seconds: how long a job of an event loop waits.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], Sequence[Reply]],
        tick: Callable[[], None] = lambda: None,
        *,
        tick_seconds: float = TICK_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        max_batch: int = MAX_BATCH,
        max_queue: int = MAX_QUEUE,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._work = work
        self._tick = tick
        self._tick_seconds = tick_seconds
        self._monotonic = monotonic
        self._ticked = monotonic()
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._waiting: deque[_Ticket[Job, Reply]] = deque()
        self._condition = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="host-writer", daemon=True)
        self.batches = 0
        """Transactions so far."""
        self.jobs = 0
        """Jobs so far."""

    def start(self) -> GroupWriter[Job, Reply]:
        """Start the thread."""
        self._thread.start()
        return self

    def stop(self) -> bool:
        """Handle what waits, then end the thread; later jobs are refused. Idempotent.

        Returns:
            Whether it has ended; a database that keeps silent may hold it.
        """
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        return not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """Whether the thread lives and takes jobs."""
        return self._thread.is_alive() and not self._stopping

    def submit(self, job: Job) -> concurrent.futures.Future[Reply]:
        """Give a job in; the future is done when its transaction is durable.

        Raises: `host/busy` when too many wait, `wire/unavailable` when the writer stops.
        """
        future: concurrent.futures.Future[Reply] = concurrent.futures.Future()
        self._put(_Ticket(job, future, None))
        return future

    async def ask(self, job: Job) -> Reply:
        """Give a job in from an event loop and wait for its reply.

        Raises: as `submit`; `wire/unavailable` when there is none in `ANSWER_SECONDS`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._put(_Ticket(job, future, loop))
        timer = loop.call_later(self._answer_seconds, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def _put(self, ticket: _Ticket[Job, Reply]) -> None:
        with self._condition:
            if self._stopping:
                raise error("wire/unavailable", retry_after=BUSY_RETRY_SECONDS)
            if len(self._waiting) >= self._max_queue:
                raise error("host/busy", retry_after=BUSY_RETRY_SECONDS)
            self._waiting.append(ticket)
            self._condition.notify()

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch is None:
                return
            if batch:
                self._deliver(self._handle(batch))
            if self._monotonic() - self._ticked >= self._tick_seconds:
                self._housekeep()
                self._ticked = self._monotonic()

    def _take(self) -> list[_Ticket[Job, Reply]] | None:
        """What waits; an empty list when nothing came for a while, None at the end."""
        with self._condition:
            if not self._waiting and not self._stopping:
                self._condition.wait(self._tick_seconds)
            if self._waiting:
                number = min(self._max_batch, len(self._waiting))
                taken = [self._waiting.popleft() for _ in range(number)]
                return [ticket for ticket in taken if not _is_late(ticket.future)]
            return None if self._stopping else []

    def _housekeep(self) -> None:
        try:
            self._tick()
        except MusterError as fault:
            _log.warning("housekeeping failed: %s", fault)
        except Exception:  # noqa: BLE001 - a defect there must not stop the answers
            _log.exception("a defect in housekeeping")

    def _handle(self, batch: list[_Ticket[Job, Reply]]) -> list[_Done[Job, Reply]]:
        self.batches += 1
        self.jobs += len(batch)
        try:
            replies = self._work([ticket.job for ticket in batch])
            return [
                _Done(ticket, reply, None) for ticket, reply in zip(batch, replies, strict=True)
            ]
        except MusterError as fault:
            if fault.code.startswith("db/") or len(batch) == 1:
                # The database's fault is everybody's.
                return [_Done(ticket, None, fault) for ticket in batch]
        except Exception as defect:  # noqa: BLE001 - handed to whoever asked
            if len(batch) == 1:
                return [_Done(batch[0], None, defect)]
        # One job spoilt the batch, of which nothing was written: each alone, so that only that
        # one fails.
        return [answered for ticket in batch for answered in self._handle([ticket])]

    @staticmethod
    def _deliver(answered: list[_Done[Job, Reply]]) -> None:
        """Resolve the futures, those of one event loop in one call."""
        loops: dict[asyncio.AbstractEventLoop, list[_Done[Job, Reply]]] = {}
        for outcome in answered:
            if outcome.ticket.loop is None:
                _resolve(outcome)
            else:
                loops.setdefault(outcome.ticket.loop, []).append(outcome)
        for loop, several in loops.items():
            try:
                loop.call_soon_threadsafe(_resolve_all, several)
            except RuntimeError:  # the loop has ended; nobody waits any more
                _log.warning("%d answers found nobody waiting", len(several))


def _give_up(future: asyncio.Future[Reply]) -> None:
    if not future.done():
        future.set_exception(error("wire/unavailable", retry_after=BUSY_RETRY_SECONDS))


def _is_late(future: concurrent.futures.Future[Reply] | asyncio.Future[Reply]) -> bool:
    """Whether somebody was told that there is no answer, before anything was done for one."""
    return future.done() and not future.cancelled()


def _resolve_all(answered: list[_Done[Job, Reply]]) -> None:
    for outcome in answered:
        _resolve(outcome)


def _resolve(outcome: _Done[Job, Reply]) -> None:
    future = outcome.ticket.future
    if isinstance(future, concurrent.futures.Future):
        if not future.set_running_or_notify_cancel():
            return
    elif future.done():  # whoever asked went away
        return
    if outcome.fault is not None:
        future.set_exception(outcome.fault)
    else:
        future.set_result(outcome.reply)  # type: ignore[arg-type]  # a job without fault has a reply
