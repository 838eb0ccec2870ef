"""What a server tells of its process: its version, and what it uses of the machine.

Decides the names, which are those of every Prometheus client library, so that dashboards know
them. Reads `/proc` of Linux; elsewhere the version alone is told. Waits for nothing.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from muster import __version__
from muster.core.values import dataclass
from muster.health.problem import Problem
from muster.health.process import ServerProcess
from muster.net.exposition import head


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server answers since when; `operation` is its address for administrators, or None."""

    address: str
    port: int
    tls: bool
    operation: str | None
    since: int

    def process(self, *, ready: bool, problems: tuple[Problem, ...]) -> ServerProcess:
        """What this process, which answers there, says of itself."""
        return ServerProcess(
            pid=os.getpid(),
            since=self.since,
            answers=True,
            version=__version__,
            address=self.address,
            port=self.port,
            tls=self.tls,
            operation=self.operation,
            ready=ready,
            problems=problems,
        )


_PROC = Path("/proc")


def process_lines(prefix: str, proc: Path = _PROC) -> list[str]:
    """Version and process, as Prometheus text.

    Args:
        prefix: of the server's own series, such as `muster_host`.
        proc: where Linux tells of processes; where that is missing, or another one than Linux's
            (some containers show their own), the version alone is told.
    """
    python = platform.python_version()
    lines = [
        *head(f"{prefix}_build_info", "gauge", "The version that runs."),
        f'{prefix}_build_info{{version="{__version__}",python="{python}"}} 1',
    ]
    for name, kind, text, value in _process(proc):
        lines += [*head(name, kind, text), f"{name} {value}"]
    return lines


def _process(proc: Path) -> list[tuple[str, str, str, str]]:
    if not sys.platform.startswith("linux"):
        return []
    import resource

    try:
        # The name of the program, in brackets, may hold spaces.
        fields = (proc / "self/stat").read_text().rpartition(")")[2].split()
        opened = sum(1 for _ in (proc / "self/fd").iterdir())
        lines = (proc / "stat").read_text().splitlines()
        booted = int(next(line for line in lines if line.startswith("btime ")).split()[1])
        used, began, resident = (int(fields[11]) + int(fields[12]), *map(int, fields[19:22:2]))
    except (OSError, ValueError, LookupError, StopIteration):
        return []
    ticks, most = os.sysconf("SC_CLK_TCK"), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    cpu = used / ticks
    started = booted + began / ticks
    resident *= os.sysconf("SC_PAGE_SIZE")
    return [
        ("process_cpu_seconds_total", "counter", "Time of processors that was used.", f"{cpu:.2f}"),
        ("process_start_time_seconds", "gauge", "When the process began.", f"{started:.2f}"),
        ("process_resident_memory_bytes", "gauge", "Memory in use.", str(resident)),
        ("process_virtual_memory_bytes", "gauge", "Memory that was mapped.", fields[20]),
        ("process_open_fds", "gauge", "Files and connections that are open.", str(opened)),
        ("process_max_fds", "gauge", "How many may be open.", str(most)),
    ]
