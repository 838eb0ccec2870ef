"""What the agent costs: memory at rest and while it is asked, wake-ups, and how long answers take.

A real agent with one product that a real host on loopback licensed. `python bench/agent.py` prints
the figures; the idle span takes a minute.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from muster.client.agent import Agent
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.world import machine_facts
from muster.wire import agent as wire
from muster.wire.routes import Route

IDLE_SECONDS = 60
QUESTIONS = 200


def memory(pid: int) -> str:
    """Resident memory of a process, and its share of it, MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    found = dict(re.findall(r"^(\w+):\s+([0-9]+) kB", text, re.MULTILINE))
    own = int(found["Private_Clean"]) + int(found["Private_Dirty"])
    parts = (int(found["Rss"]), int(found["Pss"]), own)
    return "resident {:.1f} MB, its share {:.1f} MB, alone its own {:.1f} MB".format(
        *(part / 1024 for part in parts)
    )


def switches(pid: int) -> int:
    """How often a process has waited."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"^voluntary_ctxt_switches:\s+([0-9]+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def children(pid: int) -> list[int]:
    """The processes that an agent has now."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def asked(agent: Agent, route: Route, path: str, body: bytes | None = None) -> str:
    """How long answers take, the median of many in milliseconds."""
    taken = []
    for _ in range(QUESTIONS):
        begin = time.perf_counter()
        agent.ask(route, path, body)
        taken.append(1000 * (time.perf_counter() - begin))
    return f"median {statistics.median(taken):.1f} ms, longest {max(taken):.1f} ms"


def start(folder: Path) -> tuple[subprocess.Popen[str], Mapping[str, object]]:
    """An agent below a folder, and what it said."""
    facts = folder / "facts.json"
    facts.write_bytes(facts_file(machine_facts("bench")))
    facts.chmod(0o600)
    places = ("--run", str(folder / "run"), "--store", str(folder / "store"))
    words = [sys.executable, "-m", "muster", "client", "agent", *places, "--facts", str(facts)]
    process = subprocess.Popen(
        [*words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name, LoopbackHost() as served:
        folder = Path(name)
        process, _ = start(folder)
        try:
            figures(process.pid, Agent(folder / "run"), served)
        finally:
            process.terminate()
            process.wait(30)


def figures(pid: int, agent: Agent, served: LoopbackHost) -> None:
    """Set a product up, and measure."""
    descriptor = served.publisher.descriptor("desktop-pro")
    host = json.dumps({"host": served.address.text}).encode()
    agent.ask(wire.SET_HOST, body=host, as_root=True)
    agent.ask(wire.ADD, body=descriptor, as_root=True)
    agent.ask(wire.ACTIVATE, body=b"{}", as_root=True, seconds=60)
    product = wire.PRODUCT.fill(publisher=served.publisher.publisher, product="desktop-pro")
    print("one product:   ", asked(agent, wire.PRODUCT, product))
    print("by descriptor: ", asked(agent, wire.VERIFY, wire.VERIFY.path, descriptor))
    (responder,) = children(pid)
    print("responder:          ", memory(responder))
    while children(pid):
        time.sleep(0.5)
    begin = time.perf_counter()
    agent.ask(wire.AGENT)
    print(f"first question:  {1000 * (time.perf_counter() - begin):.0f} ms")
    while children(pid):
        time.sleep(0.5)
    before, spent = switches(pid), ticks(pid)
    time.sleep(IDLE_SECONDS)
    print("keeper at rest:", memory(pid))
    waits, used = switches(pid) - before, ticks(pid) - spent
    print(f"in {IDLE_SECONDS} idle seconds: woken {waits} times, {used} ticks of a processor")


def ticks(pid: int) -> int:
    """Processor time of a process, ticks of the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
