"""A real host process on a real store, and machines that ask it over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.host.conftest import Machine

from muster.cli import compose
from muster.core.facts import clean_facts
from muster.host import keys
from muster.host.act import grants, updates
from muster.host.tables import host_settings, own
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher

FACTS = {"system-uuid": "4c4c4544-0042-3510-8052-b4c04f4d3132"}
PRODUCT = "desktop-pro"


def prepare(root: Path, *, lone: str = "") -> TinyPublisher:
    """Make and activate a host in the store `root`, on the machine's own clock.

    `lone` is one more product, for which one machine is enough; "" for none.
    """
    publisher = TinyPublisher("contoso", now=compose.clock().now() - 3600)
    if lone:
        publisher.publish([publisher.new_product(lone, need=1)])
    with compose.open_host(root, create=True) as opened:
        updates.add_publisher(opened, publisher.file())
        key = install(opened, publisher.host_key("server").text, clean_facts(FACTS))
        grants.accept(
            opened,
            publisher.publisher,
            publisher.confirm(keys.installation_id(opened.current(), key)),
        )
        with opened.database.transaction() as tx:
            host_settings.put(tx, "new_cmid_rate", "0")
            host_settings.put(tx, "publish_dns", "false")
            own.touch(tx)
    return publisher


class HostProcess:
    """`muster host serve` on loopback and a free port; ready when made.

    Args:
        root: the store.
        before: a program with its arguments that starts the host, such as strace.
        environ: more environment.
    """

    def __init__(
        self, root: Path, before: Sequence[str] = (), environ: dict[str, str] | None = None
    ) -> None:
        command = [sys.executable, "-m", "muster", "host", "serve", "--store", str(root)]
        self.process = subprocess.Popen(
            [*before, *command, "--bind", "127.0.0.1", "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            env={**os.environ, **(environ or {})},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the host did not start: {self.process.wait(30)}")
        self.ready = json.loads(line)
        self.port = int(self.ready["port"])

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self._end()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        elif self.process.stdout is not None:
            self.process.stdout.close()


def http_request(publisher: TinyPublisher, machine: Machine, challenge: str = "") -> bytes:
    """The bytes of one activation request."""
    now = compose.clock().now()
    body = machine.request(publisher.publisher, PRODUCT, now, challenge=challenge).body
    head = (
        "POST /v1/activate HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """Send one request over an open connection and read the whole answer: status and body."""
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return status, await reader.readexactly(length)


async def crowd(
    port: int,
    size: int,
    request: Callable[[int, str], bytes],
    answered: Callable[[int, int, bytes], None],
    each: int | None = None,
) -> None:
    """`size` machines at once ask again and again, each time as a new machine, until the host is
    gone or each has asked `each` times. `request` is given a number and the challenge to meet;
    `answered` is told number, status and body of what is no challenge."""

    async def one(place: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                turn = 0
                while each is None or turn < each:
                    number = place + size * turn
                    status, body = await exchange(reader, writer, request(number, ""))
                    if status == 428:
                        challenge = json.loads(body)["params"]["challenge"]
                        again = request(number, challenge)
                        status, body = await exchange(reader, writer, again)
                    answered(number, status, body)
                    turn += 1
            finally:
                writer.close()

    await asyncio.gather(*(one(place) for place in range(size)))


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Poll a condition with a bound."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
