"""What strangers cost: memory of a server and the waiting time of an honest machine under attack.

Real servers on loopback, the attacks of `tests/net/strangers.py`, which share the machine with the
server. Each attack stands beside the quiet figures of the same run. `make bench` prints them, and
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
MIB = 1024 * 1024
ROWS = (
    ("host", ("", "trailers", "pipeline", "slow-bodies")),
    ("publisher", ("", "trailers", "pipeline", "slow-bodies", "batches", "chunked-batches")),
)


def line(name: str, found: Findings) -> str:
    """One attack as a line of the table."""
    waits = sorted(found.waits)
    return (
        f"  {ATTACKS[name].title if name else 'quiet':45}"
        f" {found.before / MIB:4.0f} + {found.growth / MIB:2.0f} MiB"
        f"   median {statistics.median(waits) * 1000:5.0f} ms"
        f"   longest {waits[-1] * 1000:5.0f} ms"
        f"   {len(waits) - len(found.faults)} of {len(waits)} answered"
    )


def report() -> None:
    """Measure and print."""
    for role, names in ROWS:
        asks = "activations" if role == "host" else "/healthz"
        print(
            f"{role.capitalize()} under attack: memory, and an honest machine's {asks}", flush=True
        )
        for name in names:
            with tempfile.TemporaryDirectory() as folder, start(role, Path(folder)) as server:
                print(line(name, besiege(server, role, name, SECONDS)), flush=True)


if __name__ == "__main__":
    report()
