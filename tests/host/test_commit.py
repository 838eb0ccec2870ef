"""The group writer: replies after the commit, spoilt jobs, many callers, a full queue, a stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.host import commit
from muster.host.commit import GroupWriter


class Work:
    """Doubles numbers; keeps what was committed; may be held and may break."""

    def __init__(self) -> None:
        self.committed: list[int] = []
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fault: BaseException | None = None

    def __call__(self, jobs: Sequence[int]) -> list[int]:
        self.entered.set()
        assert self.gate.wait(30)
        if self.fault is not None:
            raise self.fault
        if 13 in jobs:
            raise ValueError("thirteen")
        self.batches.append(len(jobs))
        self.committed += jobs
        return [2 * job for job in jobs]


def test_what_waits_together_is_one_batch_and_replies_follow_the_commit() -> None:
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work).start()
    first = writer.submit(1)
    assert work.entered.wait(30)
    others = [writer.submit(n) for n in range(2, 12)]
    assert not first.done()
    work.gate.set()
    assert [future.result(30) for future in (first, *others)] == [2 * n for n in range(1, 12)]
    assert work.batches == [1, 10]
    assert (writer.batches, writer.jobs) == (2, 11)
    writer.stop()


def test_a_batch_is_bounded() -> None:
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work, max_batch=4).start()
    first = writer.submit(0)
    assert work.entered.wait(30)
    rest = [writer.submit(n) for n in range(1, 11)]
    work.gate.set()
    for future in (first, *rest):
        future.result(30)
    assert work.batches == [1, 4, 4, 2]
    writer.stop()


def test_one_spoilt_job_fails_alone() -> None:
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work).start()
    first = writer.submit(0)
    assert work.entered.wait(30)
    futures = {n: writer.submit(n) for n in (12, 13, 14)}
    work.gate.set()
    first.result(30)
    assert futures[12].result(30) == 24
    assert futures[14].result(30) == 28
    with pytest.raises(ValueError, match="thirteen"):
        futures[13].result(30)
    writer.stop()


def test_a_fault_of_the_database_is_everybodys_and_passes() -> None:
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work).start()
    first = writer.submit(0)
    assert work.entered.wait(30)
    work.fault = error("db/full", path="x")
    futures = [first, writer.submit(1), writer.submit(2)]
    work.gate.set()
    for future in futures:
        with pytest.raises(MusterError) as caught:
            future.result(30)
        assert caught.value.code == "db/full"
    work.fault = None
    assert writer.submit(3).result(30) == 6
    assert work.committed == [3]
    writer.stop()


def test_a_full_queue_refuses_and_a_stop_answers_what_it_took() -> None:
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work, max_queue=2).start()
    taken = [writer.submit(0)]
    assert work.entered.wait(30)
    taken += [writer.submit(1), writer.submit(2)]
    with pytest.raises(MusterError) as caught:
        writer.submit(3)
    assert caught.value.code == "host/busy"
    stopper = threading.Thread(target=writer.stop)
    stopper.start()
    work.gate.set()
    stopper.join(30)
    assert [future.result(0) for future in taken] == [0, 2, 4]
    assert not writer.running
    with pytest.raises(MusterError) as caught:
        writer.submit(4)
    assert caught.value.code == "wire/unavailable"
    writer.stop()


def test_a_transaction_that_does_not_end_holds_neither_who_waits_nor_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commit, "STOP_SECONDS", 0.05)
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work, answer_seconds=0.05).start()

    async def ask(job: int) -> str:
        with pytest.raises(MusterError) as caught:
            await writer.ask(job)
        return caught.value.code

    assert asyncio.run(ask(0)) == "wire/unavailable"
    assert work.entered.wait(30)
    assert asyncio.run(ask(1)) == "wire/unavailable"
    assert not writer.stop(), "it says that the thread has not ended"
    work.gate.set()
    while writer.stop() is False:
        pass
    assert work.committed == [0], "what nobody waited for was not begun"


def test_many_event_loops_and_threads_get_their_own_replies() -> None:
    work = Work()
    writer = GroupWriter(work).start()
    wrong: list[object] = []

    def loop(base: int) -> None:
        async def main() -> None:
            jobs = range(base, base + 50)
            replies = await asyncio.gather(*(writer.ask(job) for job in jobs))
            if replies != [2 * job for job in jobs]:
                wrong.append(replies)

        asyncio.run(main())

    threads = [threading.Thread(target=loop, args=(1000 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert sorted(work.committed) == sorted(
        n for b in range(1, 5) for n in range(1000 * b, 1000 * b + 50)
    )
    writer.stop()


def test_whoever_went_away_harms_nobody() -> None:
    work = Work()
    work.gate.clear()
    writer = GroupWriter(work).start()

    async def main() -> None:
        task = asyncio.create_task(writer.ask(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        work.gate.set()
        assert await writer.ask(2) == 4

    asyncio.run(main())
    writer.stop()
    assert work.committed == [1, 2]


def test_housekeeping_runs_also_under_load_and_its_defects_stop_nothing() -> None:
    ticks: list[int] = []
    times = iter(range(0, 10_000, 10))

    def tick() -> None:
        ticks.append(1)
        raise ValueError("a defect")

    writer = GroupWriter(Work(), tick, tick_seconds=5, monotonic=lambda: float(next(times))).start()
    for n in range(3):
        assert writer.submit(n).result(30) == 2 * n
    writer.stop()
    assert len(ticks) >= 2
