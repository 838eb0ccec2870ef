"""Ten machines of two hosts, and others that ask these hosts all the while.

Reads JSON on the first line of standard input: `hosts` (name to address), `descriptor` (a file),
`folder`, `machines` (of each host), `askers` (threads a host), `stop` (a file whose appearance ends
it). Each line after that is a turn: "typed", or a number of seconds by which the clocks of the
machines jump ahead before each does what is due. Answers with a JSON list of what the machines have
and know then. What the others were answered goes to the file `told`, a JSON list a line: [host,
CMID, nonce, status, seconds that it waited]; `late` says by how many seconds this process itself
came late, at most.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.worlds.asking import ask

from muster.client.discovery import Address
from muster.client.messages import Plan
from muster.core.identity import machine_cmid
from muster.lease.descriptor import read_descriptor
from muster.lease.jws import MemorySigningKey
from muster.testing.real import RealMachine
from muster.wire.activation import ActivationRequest, ClientInfo

PAUSE = 0.2
"""Seconds between two requests of one thread; they ask all the while, and leave some of it."""
OWN = 3
"""Machines of each thread."""


class JumpedClock:
    """The clock of this system, and the seconds by which somebody has set it ahead."""

    ahead = 0

    def now(self) -> int:
        return int(time.time()) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def nonce() -> str:
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


class Asker(threading.Thread):
    """Asks one host for a lease again and again, as some machines in turn."""

    def __init__(self, host: str, address: str, descriptor: Any, folder: Path, stop: Path) -> None:
        super().__init__(daemon=True)
        self._host, self._address, self._descriptor = host, address, descriptor
        self._out, self._ended = (folder / "told").open("a", buffering=1), stop
        self._keys = [MemorySigningKey(os.urandom(32)) for _ in range(OWN)]
        self._hardware = [
            (f"d{os.urandom(8).hex()}", f"u{os.urandom(8).hex()}") for _ in range(OWN)
        ]
        self._lines: list[tuple[str, ...]] = [()] * OWN
        self._challenges = [""] * OWN

    def run(self) -> None:
        turn = 0
        while not self._ended.exists():
            self._try(turn % OWN)
            turn += 1
            threading.Event().wait(PAUSE)

    def _try(self, which: int) -> None:
        key, publisher = self._keys[which], self._descriptor.publisher
        request = ActivationRequest(
            publisher=publisher,
            product=self._descriptor.product.id,
            cmid=machine_cmid(publisher, "machine", key.public.raw),
            key=key.public.raw,
            nonce=nonce(),
            line=self._lines[which],
            fingerprint=self._hardware[which],
            identity="machine",
            state=2,
            sent_at=int(time.time()),
            client=ClientInfo("0.1.0", "Load", None),
            challenge=self._challenges[which],
        )
        for _ in range(2):
            since = time.monotonic()
            status, _, body = ask(self._address, "POST", "/v1/activate", request.prove(key).body)
            waited = round(time.monotonic() - since, 3)
            self._out.write(
                json.dumps([self._host, request.cmid, request.nonce, status, waited]) + "\n"
            )
            told = json.loads(body) if body else {}
            if status != 428:
                break
            request = replace(request, challenge=told["params"]["challenge"])
        if status == 200:
            self._lines[which] = (request.nonce[:8], *self._lines[which])[:100]
            self._challenges[which] = told.get("challenge", "")


def known(machine: RealMachine) -> dict[str, Any]:
    """What a machine has, and what it knows of its publisher."""
    verdict = machine.client.status().verdict
    catalogue = verdict.authority.catalogue
    return {
        "machine": machine.store.name,
        "licensed": verdict.licensed,
        "trust": verdict.authority.trust.version,
        "catalogue": 0 if catalogue is None else catalogue.version,
        "revoked": [] if catalogue is None else [one.key for one in catalogue.revocations],
    }


def canary(folder: Path, stop: Path) -> None:
    """Whatever this thread comes late, every wait may have been measured too long by."""
    worst = 0.0
    while not stop.exists():
        due = time.monotonic() + 0.1
        threading.Event().wait(0.1)
        worst = max(worst, time.monotonic() - due)
        (folder / "late").write_text(str(worst))


def main(asked: dict[str, Any]) -> None:
    folder, stop = Path(asked["folder"]), Path(asked["stop"])
    text = Path(asked["descriptor"]).read_bytes()
    clock, machines, askers = JumpedClock(), [], []
    for host, url in asked["hosts"].items():
        name, port = url.removeprefix("http://").split(":")
        for number in range(asked["machines"]):
            plan = Plan(host=Address(name, int(port)))
            machines.append(RealMachine(folder / f"{host}-{number}", clock, plan))
            machines[-1].client.add_product(text)
        for _ in range(asked["askers"]):
            askers.append(Asker(host, url, read_descriptor(text), folder, stop))
            askers[-1].start()
    threading.Thread(target=canary, args=(folder, stop), daemon=True).start()
    for line in sys.stdin:
        turn = line.strip()
        clock.ahead += 0 if turn == "typed" else int(turn)
        for machine in machines:
            machine.client.activate(typed=turn == "typed")
        print(json.dumps([known(machine) for machine in machines]), flush=True)
    for asker in askers:
        asker.join()


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
