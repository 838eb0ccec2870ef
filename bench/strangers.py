"""What strangers cost: memory of a server and the waiting time of an honest machine under attack.

Real servers on loopback, the attacks of `tests/net/strangers.py`, which share the machine with the
server. Each figure stands beside the quiet one of the same run. `make bench` prints them, and
`python bench/strangers.py` prints them alone; docs/performance.md has those of one run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.net.processes import start  # noqa: E402
from tests.net.siege import Findings, besiege  # noqa: E402
from tests.net.strangers import ATTACKS  # noqa: E402

SECONDS = 5.0
REQUESTS = 10
MIB = 1024 * 1024
ROWS = (
    ("host", ("trailers", "pipeline", "rudy")),
    ("publisher", ("trailers", "pipeline", "rudy", "batches", "chunked-batches")),
)


def line(name: str, found: Findings, quiet: Findings) -> str:
    """One attack as a line of the table; the waiting times stand beside those without it."""
    median = [statistics.median(one.waits) * 1000 for one in (found, quiet)]
    longest = [max(one.waits) * 1000 for one in (found, quiet)]
    return (
        f"  {ATTACKS[name].title if name else 'quiet':45}"
        f" {found.before / MIB:4.0f} + {found.growth / MIB:2.0f} MiB"
        f"   median {median[0]:5.0f} ms (quiet {median[1]:3.0f})"
        f"   longest {longest[0]:5.0f} ms (quiet {longest[1]:3.0f})"
        f"   {len(found.waits) - len(found.faults)} of {len(found.waits)} answered"
    )


def measure(role: str, name: str) -> Findings:
    """One attack on a new server; "" is no attack."""
    with tempfile.TemporaryDirectory() as folder, start(role, Path(folder)) as server:
        return besiege(server, role, name, seconds=SECONDS, requests=REQUESTS)


def report() -> None:
    """Measure and print."""
    for role, names in ROWS:
        asks = "activations" if role == "host" else "/healthz"
        print(
            f"{role.capitalize()} under attack: memory, and an honest machine's {asks}", flush=True
        )
        quiet = measure(role, "")
        print(line("", quiet, quiet), flush=True)
        for name in names:
            print(line(name, measure(role, name), quiet), flush=True)


if __name__ == "__main__":
    report()
