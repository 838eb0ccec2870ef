"""What Muster costs on this machine, as ratios in one run: `make bench`.

Machines are noisy, so nothing here is a number of seconds to compare with another machine: each
figure stands beside what it is measured against, measured in the same run. Nothing is asserted.
The load generator shares the machine with the host.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import batch, first, large, strangers, watching  # noqa: E402
from tests.host.conftest import Machine  # noqa: E402
from tests.host.processes import (  # noqa: E402
    HostProcess,
    crowd,
    exchange,
    http_request,
    prepare,
)

from muster.cli import compose  # noqa: E402
from muster.core.catalogue import error  # noqa: E402
from muster.core.errors import MusterError  # noqa: E402
from muster.lease.jws import MemorySigningKey  # noqa: E402
from muster.net.peers import Source  # noqa: E402
from muster.publisher.throttle import Guesses, Throttle  # noqa: E402
from muster.testing.clock import ManualClock  # noqa: E402
from muster.testing.tiny_publisher import TinyPublisher  # noqa: E402

SECONDS = 3.0
MESSAGE = b"x" * 700
"""About the size of a lease's signing input."""


def rate(work: Callable[[], object], seconds: float = 1.0) -> float:
    """How often a second `work` runs, by CPU time of this thread."""
    work()
    times = 0
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        work()
        times += 1
    return times / (time.thread_time() - begun)


def throughput(
    publisher: TinyPublisher, host: HostProcess, seed: str, at_once: int, *, keep: bool
) -> tuple[float, list[float]]:
    """Answers a second and the latency of each, for machines that renew once each."""
    number = int(SECONDS * (900 if keep else 300) / at_once) + 1
    requests, _ = introduced(publisher, host, seed, at_once, number)
    took: list[float] = []

    def answered(_number: int, status: int, body: bytes) -> None:
        if status not in (200, 409):
            raise RuntimeError(body.decode())

    async def fresh(index: int) -> None:
        for turn in range(number):
            begun = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            status, body = await exchange(reader, writer, requests[index + at_once * turn])
            writer.close()
            took.append(time.perf_counter() - begun)
            answered(index, status, body)

    async def all_fresh() -> None:
        await asyncio.gather(*(fresh(index) for index in range(at_once)))

    begun = time.perf_counter()
    if keep:
        asyncio.run(crowd(host.port, at_once, lambda index, _: requests[index], answered, number))
    else:
        asyncio.run(all_fresh())
    return len(requests) / (time.perf_counter() - begun), took


def introduced(
    publisher: TinyPublisher, host: HostProcess, seed: str, at_once: int, number: int
) -> tuple[list[bytes], float]:
    """The renewals of new machines after each has asked once, and answers a second of those
    first contacts, which are challenged; the proofs are made within that time."""
    challenges: dict[int, str] = {}

    def answered(index: int, status: int, body: bytes) -> None:
        if status != 200:
            raise RuntimeError(body.decode())
        challenges[index] = json.loads(body)["challenge"]

    def asked(index: int, challenge: str) -> bytes:
        return http_request(publisher, Machine(index, seed=seed), challenge)

    begun = time.perf_counter()
    asyncio.run(crowd(host.port, at_once, asked, answered, number))
    took = time.perf_counter() - begun
    renewals = [
        http_request(publisher, Machine(index, seed=seed, turn=1), challenges[index])
        for index in range(at_once * number)
    ]
    return renewals, at_once * number / took


def main() -> None:
    """Measure and print."""
    key = MemorySigningKey(bytes(range(32)))
    signature = key.sign(MESSAGE)
    sign = rate(lambda: key.sign(MESSAGE))
    verify = rate(lambda: key.public.verify(signature, MESSAGE))
    print(f"Ed25519: one core signs {sign:,.0f} a second; a check costs {sign / verify:.1f} of it")

    first.report()

    for sources in (1, 30):
        judged, sent = guessing(sources)
        print(
            f"Publisher: {sources} sources guess a key a second each for an hour: throttled,"
            f" {judged:,} of {sent:,} guesses are judged, 1 of {sent / judged:,.0f}"
        )

    print("Host: durable renewals a second as a share of one core's signatures")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        publisher = prepare(root)
        at_first = 0.0
        with HostProcess(root) as host:
            asyncio.run(
                crowd(
                    host.port,
                    1,
                    lambda index, given: http_request(
                        publisher, Machine(index, seed="warm"), given
                    ),
                    lambda *_: None,
                    30,
                )
            )
            _, got = introduced(publisher, host, "first", 32, 100)
            print(f"    32 first contacts at once, challenged {got / sign:6.1%}")
            for at_once in (1, 32, 128):
                got, _ = throughput(publisher, host, f"keep {at_once}", at_once, keep=True)
                at_first = got if at_once == 128 else at_first
                print(f"  {at_once:4} kept connections         {got / sign:6.1%}")
            for at_once in (1, 32):
                got, took = throughput(publisher, host, f"new {at_once}", at_once, keep=False)
                took.sort()
                print(
                    f"  {at_once:4} at once, a connection each {got / sign:6.1%}"
                    f"   p99 is {took[int(len(took) * 0.99)] / statistics.median(took):.1f} x p50"
                )
            fill(root, publisher, 100_000)
            got, _ = throughput(publisher, host, "full", 128, keep=True)
            print(f"  with 100,000 machines counted: {got / at_first:.0%} of the rate before")
    batch.report(sign)
    strangers.report()
    large.report()
    watching.report()


def guessing(sources: int) -> tuple[int, int]:
    """Guesses of an hour that are judged, of those that are sent: each source sends one a second.

    The hour passes on a clock that is moved; the throttle is the publisher's own.
    """
    clock = ManualClock(1_800_000_000)
    throttle, lock = Throttle(), threading.Lock()
    askers = [
        Guesses(throttle, Source(f"source {index}"), clock.monotonic, lock)
        for index in range(sources)
    ]
    sent = judged = 0
    for _ in range(3600):
        for one in askers:
            sent += 1
            try:
                with one.guess() as enter:
                    enter((2, 7))
                    judged += 1
                    raise error("publisher/unknown-key", key="2-7-1")
            except MusterError:
                pass
        clock.pass_time(1)
    return judged, sent


def fill(root: Path, publisher: TinyPublisher, number: int) -> None:
    """Put machines into the host's count, as if they had asked."""
    now = compose.clock().now()
    with compose.host_database(root) as database, database.transaction() as tx:
        for index in range(number):
            tx.execute(
                "INSERT INTO sighting (publisher, application, cmid, last_seen, released)"
                " VALUES (?, ?, ?, ?, 0)",
                (publisher.publisher, "os", Machine(index, seed="filler").cmid, now),
            )


if __name__ == "__main__":
    main()
