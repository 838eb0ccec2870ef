"""Where the sockets are, what their rights are, and that one agent has them."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from tests.agent.conftest import Machine

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
        words = ["python3", "-c", script, str(place)]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert "HTTP/1.1 200" in ask(machine.sockets.everybody).stdout
    assert "PermissionError" in ask(machine.sockets.root).stderr
    # Nor by a socket whose rights somebody widened: the kernel says who asks.
    machine.sockets.root.chmod(0o666)
    done = ask(machine.sockets.root)
    assert "200" not in done.stdout


def test_options_are_what_the_command_gives() -> None:
    assert Options(store="/a", run="/b") == Options("/a", "/b", "", "", False, "text", "info")
