"""kill -9 of a real host in the middle of 200 concurrent activations: whoever got an answer is in
the count after the restart (docs/spec/06-counting.md, "Counted means durable")."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.host.conftest import Machine
from tests.host.processes import HostProcess, crowd, http_request, prepare

from muster.system.entropy import SystemDice
from muster.testing.tiny_publisher import TinyPublisher

CROWD = 200


def counted(root: Path) -> set[str]:
    """CMIDs that the host counts, as its administrator sees them."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "muster", "host", "clients", "--json", "--store", str(root)),
            *("--limit", "1000000"),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    clients = json.loads(done.stdout)["clients"]
    return {one["cmid"] for one in clients if one["applications"].get("os")}


class Crowd:
    """Machines of one round, who of them was answered, and the kill after so many answers."""

    def __init__(self, publisher: TinyPublisher, host: HostProcess, seed: str, enough: int) -> None:
        self._publisher = publisher
        self._host = host
        self._seed = seed
        self.enough = enough
        self.signal = signal.SIGKILL
        self.asked: dict[int, str] = {}
        self.answered: set[str] = set()

    def request(self, place: int, challenge: str) -> bytes:
        machine = Machine(place, seed=self._seed)
        self.asked[place] = machine.cmid
        return http_request(self._publisher, machine, challenge)

    def told(self, place: int, status: int, body: bytes) -> None:
        assert status in (200, 409), body
        self.answered.add(self.asked[place])
        if len(self.answered) == self.enough:
            self._host.process.send_signal(self.signal)

    def run(self) -> None:
        asyncio.run(crowd(self._host.port, CROWD, self.request, self.told))
        assert len(self.answered) >= self.enough
        # In the middle: some had asked and were not answered.
        assert len(self.asked) > len(self.answered)


def rounds(root: Path, number: int) -> None:
    publisher = prepare(root)
    dice = SystemDice()
    ever: set[str] = set()
    for turn in range(number + 1):
        with HostProcess(root) as host:
            lost = ever - counted(root)
            assert not lost, f"round {turn}: {len(lost)} of {len(ever)} answered machines are lost"
            if turn == number:
                assert host.terminate() == 0
                return
            people = Crowd(publisher, host, f"round {turn}", 20 + dice.below(500))
            people.run()
            host.kill()
            ever |= people.answered


@pytest.mark.real
@pytest.mark.timeout(600)
def test_whoever_got_an_answer_is_counted_after_kill_9(tmp_path: Path) -> None:
    rounds(tmp_path, 10)


@pytest.mark.real
@pytest.mark.torture
@pytest.mark.timeout(3000)
def test_whoever_got_an_answer_is_counted_after_50_kills(tmp_path: Path) -> None:
    rounds(tmp_path, 50)


@pytest.mark.real
def test_a_stop_answers_what_was_accepted(tmp_path: Path) -> None:
    """SIGTERM in the middle: nobody who was answered is lost, and the process ends with 0."""
    publisher = prepare(tmp_path)
    with HostProcess(tmp_path) as host:
        people = Crowd(publisher, host, "stop", 100)
        people.signal = signal.SIGTERM
        people.run()
        assert host.process.wait(60) == 0
    assert people.answered <= counted(tmp_path)
