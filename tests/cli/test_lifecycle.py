"""Real hosts and publishers below a service manager: told of every step, restarted unnoticed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.net.processes import PHRASES, ask_once, start

pytestmark = pytest.mark.real

_EXEC = """
import os, sys
number = int(os.environ.pop("HANDED", "-1"))
if number >= 0:
    os.dup2(number, 3)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "muster", *sys.argv[1:]])
"""
"""Hands a socket over as a service manager does: as descriptor 3, by the process's own id."""
_SETTINGS = """
[host]
retry_interval = {retry}
[publisher]
url = "http://{name}.test"
"""


class Manager:
    """A service manager for one service: starts it, hears it, and holds its socket."""

    def __init__(self, role: str, folder: Path) -> None:
        self.role, self.folder = role, folder
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(folder / "notify"))
        self.heard.settimeout(20)
        self.settings = folder / "config" / "muster" / "muster.toml"
        self.settings.parent.mkdir(parents=True)

    def begin(self, listening: socket.socket | None = None) -> subprocess.Popen[bytes]:
        env = {
            **os.environ,
            **PHRASES,
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            "WATCHDOG_USEC": "600000",
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        if listening is not None:
            env["HANDED"] = str(listening.fileno())
            env["LISTEN_FDNAMES"] = {"host": "machines", "publisher": "hosts"}[self.role]
        words = ["--store", str(self.folder / self.role), "--bind", "127.0.0.1", "--port", "0"]
        words += ["--operation-address", "off"]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _EXEC, self.role, "serve", *words],
                env=env,
                pass_fds=[] if listening is None else [listening.fileno()],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        while True:
            try:
                self.wait("READY=1")
                return process
            except TimeoutError:
                assert process.poll() is None, self.log

    def wait(self, word: str) -> str:
        """The next message with this word; those before it are passed over."""
        while word not in (told := self.heard.recv(4096).decode()).split("\n"):
            assert told
        return told

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(params=["host", "publisher"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    with start(request.param, tmp_path):
        pass
    made = Manager(request.param, tmp_path)
    with closing(made.heard):
        yield made


def test_the_manager_hears_of_every_step(manager: Manager) -> None:
    manager.settings.write_text(_SETTINGS.format(retry=7200, name="before"))
    process = manager.begin()
    try:
        manager.wait("WATCHDOG=1")
        manager.wait("WATCHDOG=1")
        manager.settings.write_text(_SETTINGS.format(retry=10800, name="after"))
        process.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        assert "127.0.0.1:" in manager.wait("READY=1")
        assert "settings and keys were read again" in manager.log
        if manager.role == "publisher":
            assert "used only after a restart: url" in manager.log
        manager.settings.write_text("[host]\nretry_interval = 'never'\n[publisher]\nport = 'x'\n")
        process.send_signal(signal.SIGHUP)
        manager.wait("READY=1")
        assert "settings were not read again" in manager.log
        process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)


async def _ask(port: int, told: Counter[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        await ask_once(port, told)


def test_a_restart_behind_a_socket_unit_refuses_nobody(manager: Manager) -> None:
    told: Counter[str] = Counter()
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    processes = [manager.begin(listening)]

    async def crowd() -> None:
        stop = asyncio.Event()
        port = listening.getsockname()[1]
        asking = [asyncio.create_task(_ask(port, told, stop)) for _ in range(16)]
        for _ in range(2):
            before = told["whole"]
            while told["whole"] < before + 100:
                await asyncio.sleep(0.01)
            processes[-1].send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(processes[-1].wait, 60) == 0
            processes.append(await asyncio.to_thread(manager.begin, listening))
        while told["whole"] < before + 300:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*asking), 60)

    try:
        asyncio.run(crowd())
    finally:
        listening.close()
        for process in processes:
            process.kill()
            process.wait(30)
    assert told.keys() == {"whole"}
