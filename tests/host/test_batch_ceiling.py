"""A ceiling of terms is exact: one host process, eight processes of machines.

Seats come back by the machine's own release and by the administrator; a lease that somebody
captured on the wire gives none back (docs/spec/06-counting.md, docs/spec/08-http.md 8.4).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.host.conftest import Machine, body_meeting
from tests.host.processes import FACTS, HostProcess

from muster.cli import compose
from muster.core.facts import clean_facts
from muster.core.identity import nonce_prefix
from muster.host import keys
from muster.host.act import grants, updates
from muster.host.tables import host_settings, own
from muster.net.http import HTTPClient
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.activation import ActivationAnswer, decode_answer
from muster.wire.problem import decode_problem

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8
EACH = 25
LIMIT = 40
PRODUCT = "tiny"
JSON = {"Content-Type": "application/json"}


@dataclass
class Site:
    """A host process on a store whose only host key has terms. One process serves a store, so both
    of `hosts` are it; eight processes ask it at once."""

    root: Path
    publisher: TinyPublisher
    hosts: tuple[HostProcess, HostProcess]

    def body(self, number: int) -> bytes:
        """A request that meets the challenge of the hosts, which have one store and one key."""
        machine, now = Machine(number), compose.clock().now()
        asked = machine.request(self.publisher.publisher, PRODUCT, now)
        answer = self.post(0, "/v1/activate", asked.body)
        return body_meeting(asked, machine.key, *answer) or asked.body

    def post(self, host: int, path: str, body: bytes) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{self.hosts[host].port}{path}"
        found = HTTPClient(timeout=30).request("POST", url, body, JSON)
        return found.status, found.body

    def ask(self, host: int, number: int) -> ActivationAnswer | str:
        """The answer, or the code of the refusal."""
        status, body = self.post(host, "/v1/activate", self.body(number))
        if status == 200:
            return decode_answer(body, "host")
        return decode_problem(status, body, "host").code

    def release(
        self,
        host: int,
        answer: ActivationAnswer,
        machine: Machine,
        nonce: str | None = None,
        later: int = 0,
    ) -> str:
        """ "released", "free already", or the code of the refusal."""
        now = compose.clock().now() + 1 + later
        line = None if nonce is None else (nonce_prefix(nonce),)
        asked = machine.release(answer.bundle, now, line)
        status, body = self.post(host, "/v1/release", asked.body)
        met = body_meeting(asked, machine.key, status, body)
        if met:
            status, body = self.post(host, "/v1/release", met)
        if status != 200:
            return decode_problem(status, body, "host").code
        return "released" if json.loads(body)["released"] else "free already"

    def seats(self) -> int:
        """Seats taken, as the administrator reads it."""
        done = self.command("status")
        (key,) = done["publishers"][0]["keys"]
        return int(key["terms"]["seats"])

    def command(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "muster", "host", *words, "--json", "--store", str(self.root)],
            capture_output=True,
            check=True,
            timeout=60,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def race(self, numbers: list[int], shot: str) -> dict[int, tuple[int, bytes]]:
        """Ask for all machines at once, from PROCESSES processes at both hosts."""
        start = self.root / shot
        running = []
        for place in range(PROCESSES):
            requests = []
            for number in numbers[place::PROCESSES]:
                body = self.body(number)
                head = (
                    "POST /v1/activate HTTP/1.1\r\nhost: localhost\r\n"
                    f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                )
                requests.append((number, head + body.decode()))
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.host.race_ceiling"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            assert process.stdin is not None
            ports = [one.port for one in self.hosts]
            json.dump({"ports": ports, "start": str(start), "requests": requests}, process.stdin)
            process.stdin.close()
            process.stdin = None
            running.append(process)
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        start.touch()
        found: dict[int, tuple[int, bytes]] = {}
        for process in running:
            out, _ = process.communicate(timeout=120)
            assert process.returncode == 0
            for number, status, body in json.loads(out):
                found[number] = (status, body.encode())
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    publisher = TinyPublisher("contoso", now=compose.clock().now() - 3600)
    publisher.publish([publisher.new_product(PRODUCT, need=1)])
    with compose.open_host(tmp_path, create=True) as opened:
        updates.add_publisher(opened, publisher.file())
        key = install(opened, publisher.host_key("limited").text, clean_facts(FACTS))
        answer = publisher.confirm(keys.installation_id(opened.current(), key), limit=LIMIT)
        grants.accept(opened, publisher.publisher, answer)
        with opened.database.transaction() as tx:
            host_settings.put(tx, "new_cmid_rate", "0")
            host_settings.put(tx, "publish_dns", "false")
            own.touch(tx)
    with HostProcess(tmp_path) as one:
        yield Site(tmp_path, publisher, (one, one))


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_ceiling_is_exact_under_eight_processes_of_machines(site: Site) -> None:
    numbers = list(range(1, PROCESSES * EACH + 1))
    found = site.race(numbers, "first")
    holders = {n: decode_answer(body, "h") for n, (code, body) in found.items() if code == 200}
    refused = [decode_problem(code, body, "h").code for code, body in found.values() if code != 200]
    assert len(holders) == LIMIT, set(refused)
    assert refused == ["host/limit-reached"] * (len(numbers) - LIMIT)
    assert site.seats() == LIMIT

    # Who holds a seat keeps it, at either process; nobody else gets one.
    holder, other, third = sorted(holders)[:3]
    assert isinstance(site.ask(0, holder), ActivationAnswer)
    renewed = site.ask(1, holder)
    assert isinstance(renewed, ActivationAnswer)
    waiting = [n for n in numbers if n not in holders]
    assert site.ask(0, waiting[0]) == "host/limit-reached"

    # A lease that was captured on the wire is not enough: the key did not travel with it.
    stranger = Machine(waiting[0])
    assert site.release(1, renewed, stranger) == "host/request-proof"
    assert site.release(1, renewed, Machine(holder), stranger.nonce) == "host/release-proof"
    assert site.seats() == LIMIT
    assert site.ask(1, waiting[0]) == "host/limit-reached"

    # The machine gives its seat back at one process; the other gives it away, once.
    assert site.release(0, renewed, Machine(holder)) == "released"
    assert site.release(1, renewed, Machine(holder), later=60) == "free already"
    assert site.seats() == LIMIT - 1
    after = site.race(waiting[:40], "second")
    assert sum(code == 200 for code, _ in after.values()) == 1
    assert site.seats() == LIMIT

    # The administrator gives back those of two machines.
    for gone in (other, third):
        site.command("clients", "remove", Machine(gone).cmid)
    assert site.seats() == LIMIT - 2
    rest = [n for n in waiting if n not in {m for m, (code, _) in after.items() if code == 200}]
    last = site.race(rest[:60], "third")
    assert sum(code == 200 for code, _ in last.values()) == 2
    assert site.seats() == LIMIT
