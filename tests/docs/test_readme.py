"""The walk of the README runs as it is written, with two free ports in place of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 30.0
WALK_SECONDS = 180.0


def walk() -> str:
    """The blocks between "Do it by hand" and the next heading, without the first (the PATH)."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.split("\n## Do it by hand\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    # A person takes longer from block to block than a service takes to start.
    return "await\n".join(blocks[1:])


def test_each_role_is_installed_in_three_lines() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.split("\n## Install it\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)
    for role, block in zip(("publisher", "host", "client"), blocks, strict=True):
        first, *commands = block.splitlines()
        assert first == f"pip install --find-links dist 'muster-activation[{role}]'"
        assert len(commands) == 2
        assert all(line.startswith(f"muster {role} ") for line in commands)


def free_ports() -> tuple[int, int]:
    """Two ports that nobody listens at."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.real
def test_the_walk_runs_as_written(tmp_path: Path) -> None:
    host, publisher = free_ports()
    script = walk().replace("16880", str(host)).replace("16882", str(publisher))
    ready = tmp_path / "ready"
    ready.mkdir()
    # After the block that starts a service the shell waits until this test has seen it answer.
    for name in ("publisher", "host", "machines"):
        wait = f'touch "$READY/{name}"; until [ -e "$READY/{name}-seen" ]; do sleep 0.05; done\n'
        script = script.replace("await\n", wait, 1)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")
    } | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "READY": str(ready),
    }
    output = tmp_path / "output"
    with output.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        waiting = {"publisher": publisher, "host": host, "machines": None}
        deadline = time.monotonic() + WALK_SECONDS
        for name, port in waiting.items():
            while not (ready / name).exists():
                assert time.monotonic() < deadline, output.read_text()
                assert shell.poll() is None, output.read_text()
                time.sleep(0.05)
            end = time.monotonic() + READY_SECONDS
            while port is not None and not answers(port):
                assert time.monotonic() < end, output.read_text()
                time.sleep(0.05)
            (ready / f"{name}-seen").touch()
        shell.wait(timeout=WALK_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # services too, where the walk broke off
        shell.wait()
    said = output.read_text(encoding="utf-8")
    assert shell.returncode == 0, said
    assert said.count("host/insufficient-count (0xC004F038)") == 4, said
    assert len(re.findall(r"^  Fix:", said, re.MULTILINE)) == 4, said  # and no other error
    assert len(re.findall(r"^contoso-office-2010 is licensed until ", said, re.MULTILINE)) == 2
    assert re.search(r"Current count: +5$", said, re.MULTILINE), said
    print(said)
    (licence,) = tmp_path.rglob("licence.json")
    assert set(json.loads(licence.read_text(encoding="utf-8"))) == {"v", "lease", "grant", "signer"}
