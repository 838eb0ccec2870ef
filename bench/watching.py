"""What it costs to be watched: a page of metrics beside an answer of `/healthz`, and the library.

A real host on loopback, asked over one kept connection; each page is a share of what the same
process needs for `/healthz` in this run, by its own processor time. `python bench/watching.py`.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.host.processes import HostProcess, prepare  # noqa: E402

TURNS = 7
PAGES = 200
IMPORT = "import time; a = time.process_time(); import {}; print(time.process_time() - a)"


def used(pid: int) -> float:
    """Seconds of processor time of a process, by all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def cost(host: HostProcess, path: str) -> float:
    """Seconds of the host's processor time for one answer, the median of some turns."""
    place = host.ready["operation"].removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=30)
    turns = []
    for _ in range(TURNS):
        begun = used(host.process.pid)
        for _ in range(PAGES):
            connection.request("GET", path)
            answer = connection.getresponse()
            if not answer.read() or answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        turns.append((used(host.process.pid) - begun) / PAGES)
    connection.close()
    return statistics.median(turns)


def imported(module: str) -> float:
    """Seconds of processor time that a new process needs to import a module."""
    words = [sys.executable, "-c", IMPORT.format(module)]
    return statistics.median(float(subprocess.check_output(words)) for _ in range(TURNS))


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        environ = {"MUSTER_HOST_OPERATION_ADDRESS": "127.0.0.1:0"}
        with HostProcess(Path(folder), environ=environ) as host:
            healthz, metrics = cost(host, "/healthz"), cost(host, "/metrics")
            memory = Path(f"/proc/{host.process.pid}/status").read_text()
            kib = int(memory.partition("VmRSS:")[2].split()[0])
    print(
        f"A page of metrics costs {metrics * 1e6:.0f} us,"
        f" {metrics / healthz:.1f} times an answer of /healthz; the host has {kib / 1024:.0f} MiB"
    )
    host_alone, page = imported("muster.host.server"), imported("muster.net.page")
    print(f"  importing what writes it: {page / host_alone:.0%} of importing a host")


if __name__ == "__main__":
    report()
