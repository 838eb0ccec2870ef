"""Where the sockets are, what their rights are, and that one agent has them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent.conftest import Machine
from tests.cli import printed

from muster.agent.serve import Options

pytestmark = pytest.mark.real
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_rights_of_what_it_makes(machine: Machine) -> None:
    said = machine.start()
    assert said["socket"] == str(machine.sockets.everybody)
    assert said["root_socket"] == str(machine.sockets.root)
    assert machine.ask("GET", "/v1/agent")[0] == 200
    assert mode_of(machine.sockets.everybody) == 0o666
    assert mode_of(machine.sockets.root) == 0o600
    assert mode_of(machine.sockets.state) == 0o644
    assert mode_of(machine.run) == mode_of(machine.sockets.folder) == 0o755
    # A facts file is written where every program looks for it only.
    assert not (machine.run / "facts.json").exists()


def test_a_second_agent_is_refused_and_a_socket_that_was_left_is_replaced(
    machine: Machine,
) -> None:
    machine.sockets.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(machine.sockets.everybody))
    machine.start()
    second = subprocess.run(machine.command(), capture_output=True, check=False, timeout=60)
    assert second.returncode != 0
    assert printed.judge(("client", "agent"), second.stdout.decode()) == "error"
    assert json.loads(second.stdout)["error"]["code"] == "file/served"
    assert machine.ask("GET", "/v1/agent")[0] == 200


@needs_root
def test_another_user_may_ask_and_does_not_reach_the_socket_for_root(machine: Machine) -> None:
    machine.start()
    machine.folder.chmod(0o755)
    script = (
        "import os, socket, sys; os.setuid(65534); sock = socket.socket(socket.AF_UNIX);"
        "sock.connect(sys.argv[1]);"
        "sock.sendall(b'GET /v1/agent HTTP/1.0\\r\\n\\r\\n'); print(sock.recv(15))"
    )

    def ask(place: Path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", script, str(place)]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert "HTTP/1.1 200" in ask(machine.sockets.everybody).stdout
    assert "PermissionError" in ask(machine.sockets.root).stderr
    # Nor by a socket whose rights somebody widened: the kernel says who asks.
    machine.sockets.root.chmod(0o666)
    done = ask(machine.sockets.root)
    assert "200" not in done.stdout


class Manager:
    """Starts the agent as systemd does, with sockets that listen, and hears what it says."""

    def __init__(self, machine: Machine) -> None:
        machine.sockets.folder.mkdir(parents=True)
        self.hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.hears.bind(str(machine.folder / "notify"))
        self.hears.settimeout(60)
        self.sockets = []
        for place in (machine.sockets.everybody, machine.sockets.root):
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(place))
            sock.listen()
            self.sockets.append(sock)
        script = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
            "[os.dup2(int(number), 3 + at) for at, number in enumerate(sys.argv[1:3])];"
            "os.execv(sys.argv[3], sys.argv[3:])"
        )
        handles = [sock.fileno() for sock in self.sockets]
        self.env = {
            **os.environ,
            "NOTIFY_SOCKET": str(machine.folder / "notify"),
            "LISTEN_FDS": "2",
            "LISTEN_FDNAMES": "agent:root",
            "WATCHDOG_USEC": "300000",
        }
        words = [sys.executable, "-c", script, *map(str, handles), *machine.command()]
        self.process = subprocess.Popen(
            words, env=self.env, pass_fds=handles, stdout=subprocess.DEVNULL
        )
        machine.process = None

    def said(self, word: str) -> None:
        """Wait until it said this."""
        while word not in self.hears.recv(4096).decode().split("\n"):
            pass

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for sock in (*self.sockets, self.hears):
            sock.close()


def test_a_manager_of_services_is_told_and_its_sockets_stay(machine: Machine) -> None:
    manager = Manager(machine)
    try:
        # Whoever asks before it has started is answered when it has.
        assert machine.ask("GET", "/v1/status")[1]["code"] == "client/no-product"
        assert machine.ask("GET", "/v1/agent", as_root=True)[0] == 200
        manager.said("READY=1")
        manager.said("WATCHDOG=1")
        manager.process.send_signal(signal.SIGHUP)
        manager.said("RELOADING=1")
        manager.said("READY=1")
        manager.process.terminate()
        manager.said("STOPPING=1")
        assert manager.process.wait(60) == 0
        assert machine.sockets.everybody.is_socket()
    finally:
        manager.close()


def test_options_are_what_the_command_gives() -> None:
    assert Options(store="/a", run="/b") == Options("/a", "/b", "", "", False, "text", "info")
