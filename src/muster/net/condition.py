"""What keeps a running server from its work, or from a part of it, and since when.

Decides that log, status and readiness say the same: whoever finds or repairs something tells it
here once, and all three read it here. Refuses to ask anything: what is told is what is known, so
that an answer never waits for a disk or a database. Safe for several threads.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from muster.core.errors import MusterError
from muster.health.problem import Problem
from muster.lease.strict import JSONValue
from muster.net.exposition import Family, Labels


class Condition:
    """The problems of one running server.

    Args:
        log: where each is told once, when it comes and when it goes.
        now: Unix seconds.
    """

    def __init__(self, log: logging.Logger, now: Callable[[], int]) -> None:
        self._log = log
        self._now = now
        self._lock = threading.Lock()
        self._areas: dict[str, tuple[Problem, ...]] = {}

    def now(self) -> int:
        """The clock of the server, Unix seconds."""
        return self._now()

    def tell(self, area: str, faults: Sequence[MusterError]) -> None:
        """What is wrong in an area now; nothing where it is well."""
        at = self._now()
        with self._lock:
            before = self._areas.get(area, ())
            since = {(problem.code, problem.what): problem.since for problem in before}
            after = tuple(
                Problem(
                    area, fault.code, fault.what, fault.fix, since.get((fault.code, fault.what), at)
                )
                for fault in faults
            )
            self._areas[area] = after
        for problem in after:
            if (problem.code, problem.what) not in since:
                self._log.warning("%s: %s Fix: %s", problem.code, problem.what, problem.fix)
        left = {(problem.code, problem.what) for problem in after}
        for problem in before:
            if (problem.code, problem.what) not in left:
                self._log.info("%s is over: %s", problem.code, problem.what)

    def area(self, name: str) -> tuple[Problem, ...]:
        """The problems of one area."""
        with self._lock:
            return self._areas.get(name, ())

    def problems(self) -> tuple[Problem, ...]:
        """All of them, by area."""
        with self._lock:
            return tuple(problem for name in sorted(self._areas) for problem in self._areas[name])

    def members(self) -> list[JSONValue]:
        """All of them, as `/readyz` lists them."""
        return [
            {"area": problem.area, "code": problem.code, "what": problem.what, "fix": problem.fix}
            for problem in self.problems()
        ]

    def families(self) -> list[Family]:
        """How many there are by area and code, for Prometheus."""
        numbers: Counter[Labels] = Counter(
            (problem.area, problem.code) for problem in self.problems()
        )
        text = "What is wrong now, by area and code of the catalogue of errors."
        return [Family("problems", "gauge", text, ("area", "code"), numbers)]
