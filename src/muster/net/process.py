"""What a server tells of its process: where it answers since when, and how it is.

Waits for nothing.
"""

from __future__ import annotations

import os

from muster import __version__
from muster.core.values import dataclass
from muster.health.problem import Problem
from muster.health.process import ServerProcess


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
