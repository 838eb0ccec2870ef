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
        """What is wrong in an area now; nothing where it is well.

        A problem whose text has other numbers than before, such as an instant or a process, is
        the same one: its text is what was told last, its beginning stays.
        """
        at = self._now()
        with self._lock:
            over = list(self._areas.get(area, ()))
            told = [_known(fault, over) for fault in faults]
            self._areas[area] = tuple(
                Problem(area, fault.code, fault.what, fault.fix, at if same is None else same.since)
                for fault, same in zip(faults, told, strict=True)
            )
        for fault, same in zip(faults, told, strict=True):
            if same is None:
                self._log.warning("%s: %s Fix: %s", fault.code, fault.what, fault.fix)
        for problem in over:
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


_NUMBERS = str.maketrans(dict.fromkeys("0123456789"))


def _known(fault: MusterError, problems: list[Problem]) -> Problem | None:
    """The problem among those of before that a fault is, taken out of them; None where it is new.
    One with the very same text goes first."""
    same = [problem for problem in problems if problem.code == fault.code]
    alike = [problem for problem in same if problem.what == fault.what]
    if not alike:
        text = fault.what.translate(_NUMBERS)
        alike = [problem for problem in same if problem.what.translate(_NUMBERS) == text]
    if not alike:
        return None
    problems.remove(alike[0])
    return alike[0]
