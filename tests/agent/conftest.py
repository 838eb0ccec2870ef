"""A machine with an agent: the real process, a real host on a socket, a store on disk."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli import printed

from muster.cli import shapes
from muster.client.agent import Sockets
from muster.client.facade import system_parts
from muster.client.stores import Parts
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.world import machine_facts
from muster.wire import agent as wire

PRODUCT = "desktop-pro"


class Machine:
    """A machine below a folder of its own; `start` starts its agent."""

    def __init__(self, served: LoopbackHost) -> None:
        # Short: the path of a socket has 108 bytes at most.
        self.folder = Path(tempfile.mkdtemp(prefix="muster-agent-"))
        self.served = served
        self.store, self.run = self.folder / "store", self.folder / "run"
        self.facts = self.folder / "facts.json"
        self.facts.write_bytes(facts_file(machine_facts("pc-1")))
        self.facts.chmod(0o600)
        self.descriptor = served.publisher.descriptor(PRODUCT)
        self.name = f"{served.publisher.publisher}/{PRODUCT}"
        self.sockets = Sockets(self.run)
        self.answered: set[str] = set()
        self.process: subprocess.Popen[str] | None = None

    @property
    def parts(self) -> Parts:
        """What acts and looks of this machine work with."""
        return system_parts(store=self.store, facts=self.facts)

    def command(self, *words: str) -> list[str]:
        """The command line that starts the agent."""
        places = ("--run", str(self.run), "--store", str(self.store), "--facts", str(self.facts))
        return [sys.executable, "-m", "muster", "client", "agent", *places, "--json", *words]

    def start(self) -> dict[str, Any]:
        """Start the agent and wait until it answers; what it said."""
        env = {**os.environ, "HOME": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=subprocess.PIPE, stderr=log, text=True, env=env
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log
        assert printed.judge(("client", "agent"), line) == "client agent"
        said: dict[str, Any] = json.loads(line)
        return said

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def children(self) -> list[int]:
        """The processes that the keeper has now."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the agent by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    def close(self) -> None:
        """End what is left."""
        if self.process is not None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder)

    def open(self, *, as_root: bool = False) -> socket.socket:
        """A connection to the agent."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(60)
        sock.connect(str(self.sockets.root if as_root else self.sockets.everybody))
        return sock

    def ask(
        self, method: str, path: str, body: object = None, *, as_root: bool = False
    ) -> tuple[int, dict[str, Any]]:
        """Ask the agent; status and answer, which is as its published schema says."""
        payload = b"" if body is None else body if isinstance(body, bytes) else _json(body)
        with self.open(as_root=as_root) as sock:
            sock.sendall(request(method, path, payload, "Connection: close"))
            status, told = answer(sock)
        if status == 200:
            route = wire.match(method, path.partition("?")[0].encode()).route.name
            printed.validator(shapes.answer_of(route)).validate(told)
            self.answered.add(route)
        return status, told

    def product(self, wait: int = 0) -> dict[str, Any]:
        """The status of the one product."""
        status, told = self.ask("GET", f"/v1/products/{self.name}?wait={wait}")
        assert status == 200, told
        return told


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def request(method: str, path: str, body: bytes = b"", *fields: str) -> bytes:
    """The bytes of a request."""
    head = [f"{method} {path} HTTP/1.1", "Host: agent", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


def answer(sock: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and object of the next answer on a connection."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65_536)
        assert piece, bytes(data)
        data += piece
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    body = bytearray(rest)
    while len(body) < int(fields[b"content-length"]):
        body += sock.recv(1 << 18)
    return int(head.split(b" ")[1]), json.loads(body)


def ended(pid: int) -> None:
    """Wait until a process has ended, whosever child it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 60)[0]
    finally:
        os.close(handle)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine that nobody has used yet; its host is there, its agent is not started."""
    with LoopbackHost() as served:
        found = Machine(served)
        try:
            yield found
        finally:
            found.close()


@pytest.fixture(scope="module")
def licensed() -> Iterator[Machine]:
    """A machine whose agent has licensed it; shared by the tests of a module."""
    with LoopbackHost() as served:
        found = Machine(served)
        try:
            found.start()
            host = {"host": served.address.text}
            assert found.ask("PUT", "/v1/settings/host", host, as_root=True)[0] == 200
            assert found.ask("POST", "/v1/products", found.descriptor, as_root=True)[0] == 200
            assert found.ask("POST", "/v1/activate", {}, as_root=True)[0] == 200
            assert found.product()["licensed"]
            yield found
        finally:
            found.close()
