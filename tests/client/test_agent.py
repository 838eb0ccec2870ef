"""What a program knows of its machine's agent, and whom it believes."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from muster.client import agent
from muster.core.errors import MusterError
from muster.wire import agent as wire

STATE = {
    "running": True,
    "version": "1.0",
    "pid": os.getpid(),
    "started": agent.start_of(os.getpid()),
    "since": 1_800_000_000,
    "store": "/var/lib/muster",
    "socket": "/run/muster/agent/agent.sock",
    "root_socket": "/run/muster/root.sock",
    "next_attempt": None,
    "last_run": None,
    "last_try": None,
}


@pytest.fixture
def run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="muster-run-") as folder:
        yield Path(folder)


def test_each_store_has_a_place_for_its_agent(run: Path) -> None:
    assert agent.run_folder(Path("/var/lib/muster")) == agent.runtime_folder()
    assert agent.run_folder(run / "store") == run / "store" / "run"


def test_no_agent_was_ever_here(run: Path) -> None:
    assert agent.status(run) is None
    assert not agent.Agent(run).is_there


def test_an_agent_runs_while_its_very_process_does(run: Path) -> None:
    (run / "agent").mkdir()
    for started, running in ((STATE["started"], True), (0, False)):
        (run / "agent" / "state.json").write_text(json.dumps({**STATE, "started": started}))
        found = agent.status(run)
        assert found is not None
        assert found.running is running
    assert agent.status(run, store=Path("/var/lib/muster")) is not None
    # Of another store it tells nothing.
    assert agent.status(run, store=Path("/home/me/store")) is None
    assert agent.start_of(2**22 + 1) == -1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid":0}', json.dumps({**STATE, "since": -1})])
def test_a_state_that_is_none_tells_nothing(run: Path, text: str) -> None:
    (run / "agent").mkdir()
    (run / "agent" / "state.json").write_text(text)
    assert agent.status(run) is None


@contextmanager
def somebody(run: Path, answer: bytes) -> Iterator[agent.Agent]:
    """Something listens at the place of the agent, and answers one connection with some bytes."""
    (run / "agent").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(run / "agent" / "agent.sock"))
        listening.listen()

        def serve() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.recv(65_536)
                sock.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield agent.Agent(run)
        thread.join(10)


def code_of(asked: agent.Agent, seconds: float = 30) -> str:
    with pytest.raises(MusterError) as caught:
        asked.ask(wire.AGENT, seconds=seconds)
    return caught.value.code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "wire/bad-answer"),
        (b"SSH-2.0-x\r\n\r\n", "wire/bad-answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", "wire/bad-answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n{", "wire/bad-answer"),
        (b"HTTP/1.1 500 Oops\r\n\r\nno problem document", "wire/bad-answer"),
    ],
)
def test_whatever_answers_there_raises_one_error(run: Path, answer: bytes, code: str) -> None:
    with somebody(run, answer) as asked:
        assert code_of(asked) == code


def test_an_answer_is_an_object(run: Path) -> None:
    with somebody(run, b'HTTP/1.1 200 OK\r\n\r\n{"running":true}') as asked:
        assert asked.ask(wire.AGENT) == {"running": True}


def test_nobody_answers(run: Path) -> None:
    assert code_of(agent.Agent(run)) == "agent/silent"
    (run / "agent").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(run / "agent" / "agent.sock"))
        assert code_of(agent.Agent(run)) == "agent/silent"
        listening.listen()
        assert code_of(agent.Agent(run), seconds=0.05) == "agent/silent"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")
def test_a_socket_that_another_user_opened_is_not_believed(run: Path) -> None:
    (run / "agent").mkdir()
    run.chmod(0o777)
    (run / "agent").chmod(0o777)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setuid(65_534)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(run / "agent" / "agent.sock"))
        listening.listen()
        os.write(writing, b".")
        listening.accept()
        os._exit(0)
    try:
        os.read(reading, 1)
        assert code_of(agent.Agent(run)) == "agent/stranger"
    finally:
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
