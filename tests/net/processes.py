"""Real hosts and publishers on loopback, as an administrator starts them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.host.conftest import Machine
from tests.host.processes import http_request, prepare

PHRASES = {"MUSTER_PASSPHRASE": "x" * 20, "MUSTER_ROOT_PASSPHRASE": "y" * 20}


class ServerProcess:
    """`muster host serve` or `publisher serve` on loopback and a free port; ready when made.

    `honest` makes a request of an honest machine, for a connection of its own: of another one each
    time, or of the same with the challenge that it is given.
    """

    def __init__(self, role: str, store: Path, honest: Callable[[str], bytes]) -> None:
        self.honest = honest
        words = ["--store", str(store), "--bind", "127.0.0.1", "--port", "0", "--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "muster", role, "serve", *words],
            stdout=subprocess.PIPE,
            env=os.environ | PHRASES,
            text=True,
        )
        assert self.process.stdout is not None
        ready = self._ready()
        self.port = int(ready["port"] if "port" in ready else ready["url"].rpartition(":")[2])

    def _ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = ""
        while line := self.process.stdout.readline():
            text += line
            try:
                found: dict[str, Any] = json.loads(text)
            except ValueError:
                continue
            return found
        raise RuntimeError(f"the server did not start: {self.process.wait(30)}")

    def memory(self) -> int:
        """Bytes of memory that the process has in use (resident)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the process has no memory")

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def start(role: str, folder: Path) -> ServerProcess:
    """A host that leases, or a publisher with the sample products."""
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    if role == "host":
        publisher, numbers = prepare(folder / "host"), itertools.count()
        machine = Machine(next(numbers), seed="honest")

        def activation(challenge: str) -> bytes:
            nonlocal machine
            if not challenge:
                machine = Machine(next(numbers), seed="honest")
            asked = http_request(publisher, machine, challenge)
            return asked.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

        return ServerProcess(role, folder / role, activation)
    words = ["init", "--store", str(folder / role), "--sample"]
    reserve = ["--reserve-root", str(folder / "reserve.key")]
    cheap = ["--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1"]
    subprocess.run(
        [sys.executable, "-m", "muster", role, *words, *reserve, *cheap],
        check=True,
        capture_output=True,
        env=os.environ | PHRASES,
    )
    return ServerProcess(role, folder / role, lambda _: health)


async def ask_once(port: int, told: Counter[str]) -> None:
    """Ask on a new connection whether a server is well; a connection that was made gets its answer.

    Raises: ConnectionRefusedError where there is none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        told["whole" if answer.startswith(b"HTTP/1.1 200 ") else f"cut: {answer!r}"] += 1
    except OSError as fault:
        told[f"cut: {fault!r}"] += 1
    finally:
        writer.close()
