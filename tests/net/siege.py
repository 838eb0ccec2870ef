"""A server under attack, and an honest machine beside the attackers: memory and waiting times.

An attack goes on until the last honest request is answered, so that no answer can come because the
strangers left. Waiting times are kept for measurements; nothing here judges them.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.net.processes import ServerProcess
from tests.net.strangers import ATTACKS

PATHS = {"host": "/v1/activate", "publisher": "/v1/activations/batch"}


@dataclass
class Findings:
    """What an honest machine met: seconds of each answer, and what was no answer; and memory."""

    waits: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    before: int = 0
    most: int = 0

    @property
    def growth(self) -> int:
        """Bytes of memory that the server took more than before."""
        return self.most - self.before


_LAST = 3600.0
"""Seconds after which an attack that nobody ends does so itself."""


@contextlib.contextmanager
def attacked(name: str, role: str, port: int) -> Iterator[Callable[[], bool]]:
    """An attack that is under way until the block ends; gives a way to ask whether it still is."""
    program = str(Path(__file__).with_name("strangers.py"))
    child = subprocess.Popen(
        [sys.executable, program, name, str(port), PATHS[role], f"{_LAST:g}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        yield lambda: child.poll() is None
    finally:
        child.kill()
        child.wait(30)
        child.stdout.close()


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], bool]]:
    """No attack."""
    yield lambda: True


def ask(port: int, request: bytes, timeout: float = 120.0) -> bytes:
    """Send a request on a connection of its own; the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout) as link:
        link.settimeout(timeout)
        link.sendall(request)
        answer = b""
        while piece := link.recv(65536):
            answer += piece
        return answer


def served(server: ServerProcess) -> bytes:
    """What an honest machine, another one each time, is answered at last: it meets a challenge."""
    answer = ask(server.port, server.honest(""))
    if answer[9:12] == b"428":
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        answer = ask(server.port, server.honest(body["params"]["challenge"]))
    return answer


def besiege(
    server: ServerProcess, role: str, name: str, *, seconds: float, requests: int
) -> Findings:
    """Ask again and again, on new connections, while an attack runs; "" is no attack.

    Args:
        server: who is attacked.
        role: `host` or `publisher`.
        name: one of `ATTACKS`, or "".
        seconds: how long at least, so that the attack does its work.
        requests: how many honest requests at least, however long that takes.
    """
    assert not name or name in ATTACKS
    served(server)
    found = Findings(before=server.memory())
    with attacked(name, role, server.port) if name else quiet() as goes_on:
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(found.waits) < requests:
            begun = time.monotonic()
            try:
                answer = served(server)
                status = answer[9:12]
                if status not in (b"200", b"409"):
                    found.faults.append(answer[:200].decode("latin-1") or "no answer")
            except OSError as fault:
                found.faults.append(repr(fault))
            found.waits.append(time.monotonic() - begun)
            if not goes_on():
                found.faults.append("the attack ended before the answer")
                break
            found.most = max(found.most, server.memory())
            time.sleep(0.02)
    return found
